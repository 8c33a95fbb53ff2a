"""Loaders of the sets that estimators are held against: trials, and the observational studies beside them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from causalrec_lib.data.loaders import loader, lower, tidy

_TRAINING = {
    "treat": "treat",
    "age": "age",
    "educ": "education",
    "black": "black",
    "hisp": "hispanic",
    "marr": "married",
    "nodegree": "nodegree",
    "re74": "re74",
    "re75": "re75",
    "re78": "re78",
}
_NHEFS_LEVELS = {"education": range(1, 6), "exercise": range(3), "active": range(3)}


@loader("nsw")
def _nsw(folder: Path, table: str) -> pd.DataFrame:
    """Read the experiment: 185 trainees and 260 controls."""
    return tidy(pd.read_stata(folder / "nsw.dta"), _TRAINING)


@loader("cps")
def _cps(folder: Path, table: str) -> pd.DataFrame:
    """Read the CPS comparison group, none of them trained."""
    return tidy(pd.read_stata(folder / "cps.dta"), _TRAINING)


@loader("psid")
def _psid(folder: Path, table: str) -> pd.DataFrame:
    """Read the NSW trainees with the PSID comparison group; earnings become dollars, as in `nsw` and `cps`."""
    file = "jtrain2.csv.bz2" if table == "experiment" else "jtrain3.csv.bz2"
    raw = pd.read_csv(folder / file)
    if "nodegree" not in raw.columns:
        raw["nodegree"] = (raw["educ"] < 12).astype(int)
    for year in ("re74", "re75", "re78"):
        raw[year] = raw[year] * 1000.0
    out = tidy(raw.rename(columns={"train": "treat", "married": "marr"}), _TRAINING)
    return out[out["treat"] == 0].reset_index(drop=True) if table == "controls" else out


@loader("nhefs")
def _nhefs(folder: Path, table: str) -> pd.DataFrame:
    """Read NHEFS: `complete` has the 1,566 people whose weight in 1982 is known, `full` all 1,629."""
    raw = pd.read_stata(folder / ("nhefs.dta" if table == "full" else "nhefs_complete.dta"))
    raw["seqn"] = raw["seqn"].astype(int)
    for column in ("sex", "race", *_NHEFS_LEVELS):
        raw[column] = raw[column].astype(str).astype(int)
    out = tidy(raw, {c: c for c in raw.columns if c != "id"}, ids=["seqn"])
    whole = [c for c, t in out.dtypes.items() if t == "float64" and (out[c] % 1 == 0).all()]
    out = out.astype(dict.fromkeys(whole, "int64"))
    for column, levels in _NHEFS_LEVELS.items():
        out[column] = pd.Categorical(out[column], categories=list(levels), ordered=True)
    return out


@loader("pension_401k")
def _pension_401k(folder: Path, table: str) -> pd.DataFrame:
    """Read 401(k) eligibility and wealth; money is in thousands of dollars."""
    names = {
        "e401k": "eligible",
        "p401k": "participates",
        "nettfa": "net_assets",
        "inc": "income",
        "age": "age",
        "fsize": "family_size",
        "marr": "married",
        "male": "male",
        "pira": "has_ira",
    }
    return tidy(pd.read_csv(folder / "401ksubs.csv.bz2"), names)


@loader("insurance_network")
def _insurance_network(folder: Path, table: str) -> pd.DataFrame:
    """Read the rice farmers' insurance experiment."""
    names = {
        "village": "village",
        "address": "hamlet",
        "takeup_survey": "takeup",
        "default": "default_buy",
        "intensive": "intensive",
        "pre_takeup_rate": "earlier_takeup",
        "age": "age",
        "male": "male",
        "literacy": "literate",
        "agpop": "household_size",
        "ricearea_2010": "rice_area",
        "disaster_prob": "disaster_probability",
        "risk_averse": "risk_aversion",
    }
    return tidy(pd.read_csv(folder / "cai_2015.csv"), names, ids=["village", "hamlet"])


@loader("ihdp_sim")
def _ihdp_sim(folder: Path, table: str) -> pd.DataFrame:
    """Read the covariates and treatment of IHDP as EconML ships them; there is no outcome."""
    raw = pd.read_csv(folder / "sim.csv")
    return tidy(raw, lower(raw))


def _replication(folder: Path, number: int) -> pd.DataFrame:
    names = ["treat", "y", "y_cf", "mu0", "mu1", *(f"x{i}" for i in range(1, 26))]
    raw = pd.read_csv(folder / f"ihdp_npci_{number}.csv", header=None, names=names)
    return tidy(raw, {c: c for c in names})


@loader("ihdp_npci")
def _ihdp_npci(folder: Path, table: str) -> pd.DataFrame:
    """Read one replication by its number, or `all` ten stacked with a column `replication`."""
    if table != "all":
        return _replication(folder, int(table))
    parts = [_replication(folder, i).assign(replication=i) for i in range(1, 11)]
    return pd.concat(parts, ignore_index=True)


@loader("darfur")
def _darfur(folder: Path, table: str) -> pd.DataFrame:
    """Read the survey of refugees, one row a person."""
    raw = pd.read_csv(folder / "darfur.csv")
    return tidy(raw, {c: c for c in raw.columns}, ids=["village"])
