"""Broken twins: each estimator, broken on purpose, must fail the battery that the true one passes.

`python -m tests.regression.test_twins` prints who is killed by which check, and writes `build/reports/twins.json` as
`make test` does; the page *How this build ran* shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from causalrec_lib import (
    _abadie_imbens,
    _balance,
    _bayesian_network,
    _front_door,
    _independence,
    _match,
    _neighbours,
    _propensity,
    _separation,
    _standardisation,
    graphs,
    matching,
    weighting,
)
from causalrec_lib.estimate import Estimate, effective_sample_size
from tests.regression.twins_report import write_report
from tests.truth import behaviour_world, errors, graphs_world, matching_world, randomised_world, weighting_world
from tests.truth.weighting_world import OPEN, Tools

RUNS = 100
BATTERY = {
    "difference": randomised_world.difference_battery,
    "propensity": weighting_world.propensity_battery,
    "ipw": weighting_world.ipw_battery,
    "standardisation": weighting_world.standardisation_battery,
    "balance": weighting_world.balance_battery,
    "match": matching_world.match_battery,
    "matching": matching_world.matching_battery,
    "errors": errors.battery,
    "behaviour": behaviour_world.behaviour_battery,
    "graphs": graphs_world.battery,
}
TWINS: dict[str, tuple[str, Callable]] = {}


def twin(battery: str):
    """Register a context manager that yields broken tools; its first docstring line says what is broken."""

    def register(function):
        name = f"{battery}: {function.__doc__.splitlines()[0].rstrip('.')}"
        assert name not in TWINS, f"two twins are called {name!r}"
        TWINS[name] = (battery, contextmanager(function))
        return function

    return register


def patched(battery: str, module, name: str, what: str, build: Callable):
    """Register a twin that replaces `module.name` by build(original)."""

    def broken() -> Iterator[Tools]:
        with patch.object(module, name, build(getattr(module, name))):
            yield Tools()

    broken.__doc__ = what
    twin(battery)(broken)


def swapped(battery: str, tool: str, what: str, build: Callable):
    """Register a twin that replaces one tool by build(original)."""

    def broken() -> Iterator[Tools]:
        yield replace(Tools(), **{tool: build(getattr(Tools(), tool))})

    broken.__doc__ = what
    twin(battery)(broken)


def change(result, **values):
    return replace(result, **values)


def first_failure(name: str, tools: Tools) -> str | None:
    """Return the first check that fails; a twin that crashes proves nothing, so errors stay errors."""
    return next((check for check, good in BATTERY[name](tools, RUNS) if not good), None)


# The difference in means ------------------------------------------------------------------------------------------


def spread(y, t, side):
    return y[t == side].var() / (t == side).sum()


def pooled(y, t):
    return np.var(y - np.where(t == 1, y[t == 1].mean(), y[t == 0].mean()))


def wrong_error(se: Callable):
    """Return a builder of a difference in means whose standard error is se(y, t)."""
    return lambda true: lambda y, t, clusters=None, **k: change(true(y, t, clusters, **k), se=float(se(y, t)))


swapped(
    "difference", "difference_in_means", "sign flipped", lambda true: lambda y, t, *a, **k: true(y, 1 - t, *a, **k)
)
swapped(
    "difference",
    "difference_in_means",
    "clusters ignored",
    lambda true: lambda y, t, clusters=None, **k: true(y, t, **k),
)
swapped(
    "difference",
    "difference_in_means",
    "variance of the treated only",
    wrong_error(lambda y, t: np.sqrt(spread(y, t, 1))),
)
swapped(
    "difference",
    "difference_in_means",
    "variance of the controls only",
    wrong_error(lambda y, t: np.sqrt(spread(y, t, 0))),
)
swapped(
    "difference",
    "difference_in_means",
    "unequal sizes ignored",
    wrong_error(lambda y, t: np.sqrt(2 * (y[t == 1].var() + y[t == 0].var()) / len(y))),
)
swapped(
    "difference",
    "difference_in_means",
    "one variance for both groups",
    wrong_error(lambda y, t: np.sqrt(pooled(y, t) * (1 / t.sum() + 1 / (1 - t).sum()))),
)
swapped(
    "difference",
    "difference_in_means",
    "every unit counted twice",
    lambda true: (
        lambda y, t, clusters=None, **k: true(
            np.tile(y, 2), np.tile(t, 2), None if clusters is None else np.r_[clusters, clusters + 10_000], **k
        )
    ),
)

# Propensity weighting ---------------------------------------------------------------------------------------------


def arms(one, zero):
    """Return a builder of arms that keeps the true derivatives."""
    return lambda true: lambda e, g: true(e, g)._replace(one=one(e, true(e, g).one), zero=zero(e, true(e, g).zero))


def same(e, w):
    return w


patched("ipw", weighting, "_arms", "weights inverted", arms(lambda e, w: e, lambda e, w: 1 - e))
patched("ipw", weighting, "_arms", "controls keep weight one", arms(same, lambda e, w: np.ones_like(e)))
patched("ipw", weighting, "_arms", "treated keep weight one", arms(lambda e, w: np.ones_like(e), same))
patched("ipw", weighting, "_arms", "weights squared", arms(lambda e, w: w**2, lambda e, w: w**2))
patched("ipw", weighting, "_arms", "square roots of weights", arms(lambda e, w: w**0.5, lambda e, w: w**0.5))
patched(
    "ipw", weighting, "_arms", "weights capped at two", arms(lambda e, w: w.clip(0, 2), lambda e, w: w.clip(0, 2))
)
patched("ipw", weighting, "_arms", "everything is the ATE", lambda true: lambda e, g: true(e, "ATE"))
patched("ipw", weighting, "_arms", "everything is the ATO", lambda true: lambda e, g: true(e, "ATO"))
patched(
    "ipw",
    weighting,
    "_arms",
    "ATT and ATC mixed up",
    lambda true: lambda e, g: true(e, {"ATT": "ATC", "ATC": "ATT"}.get(g, g)),
)
patched("ipw", weighting, "_arms", "e and 1 - e mixed up", lambda true: lambda e, g: true(1 - e, g))
swapped("ipw", "ipw", "treatment flipped", lambda true: lambda y, t, *a, **k: true(y, 1 - t, *a, **k))
swapped(
    "ipw",
    "ipw",
    "propensities clipped to nothing",
    lambda true: (
        lambda y, t, e=None, X=None, **k: true(
            y, t, np.clip(weighting.propensity(X, t).e if e is None else e, 0.4, 0.6), X=X, **k
        )
    ),
)
swapped(
    "ipw",
    "ipw",
    "no normalisation",
    lambda true: lambda *a, estimator="hajek", **k: true(*a, estimator="ht", **k),
)
swapped(
    "ipw",
    "ipw",
    "Horvitz-Thompson is Hajek",
    lambda true: lambda *a, estimator="hajek", **k: true(*a, estimator="hajek", **k),
)
swapped(
    "ipw",
    "ipw",
    "sandwich forgets that the propensity was fitted",
    lambda true: lambda *a, se="sandwich", **k: true(*a, se="weights_fixed", **k),
)
patched(
    "ipw",
    _propensity.PropensityFit,
    "influence",
    "correction for the fitted propensity with the wrong sign",
    lambda true: lambda self, direction: -true(self, direction),
)
patched(
    "ipw",
    _propensity.PropensityFit,
    "influence",
    "correction for the fitted propensity counted twice",
    lambda true: lambda self, direction: 2 * true(self, direction),
)
patched("ipw", weighting, "standard_error", "standard error of one row", lambda true: lambda g, c=None: np.std(g))
patched(
    "ipw",
    weighting,
    "standard_error",
    "standard error a third too small",
    lambda true: lambda g, c=None: true(g, c) * 2 / 3,
)
patched(
    "ipw",
    weighting,
    "standard_error",
    "standard error half too large",
    lambda true: lambda g, c=None: true(g, c) * 1.5,
)
patched("ipw", weighting, "judge", "never refuses", lambda true: lambda estimate, *a: estimate)
patched("ipw", weighting, "_trim_bound", "trimming ignored", lambda true: lambda trim, e: 0.0)
swapped("ipw", "ipw", "trimming unsaid", lambda true: lambda *a, **k: change(true(*a, **k), population=""))
swapped(
    "ipw",
    "ipw",
    "convergence unsaid",
    lambda true: lambda *a, **k: change(true(*a, **k), converged=None),
)
patched(
    "ipw",
    weighting,
    "propensity",
    "shrunken propensity",
    lambda true: lambda X, t, refuse="raise": true(X, t, penalty=300.0),
)
patched(
    "ipw",
    weighting,
    "propensity",
    "propensity from one covariate only",
    lambda true: lambda X, t, refuse="raise": true(np.asarray(X)[:, :1], t),
)
patched(
    "ipw",
    weighting,
    "propensity",
    "propensity fitted to the wrong group",
    lambda true: lambda X, t, refuse="raise": change(true(X, 1 - t), t=t),
)


@twin("ipw")
def naive_difference() -> Iterator[Tools]:
    """difference of raw means."""
    yield replace(Tools(), ipw=lambda y, t, e=None, X=None, **k: weighting.ipw(y, t, np.full(len(t), t.mean()), **k))


# The propensity model ---------------------------------------------------------------------------------------------

swapped(
    "propensity", "propensity", "penalised by default", lambda true: lambda X, t, **k: true(X, t, penalty=1.0, **k)
)
swapped(
    "propensity",
    "propensity",
    "stops early and does not say so",
    lambda true: lambda X, t, **k: change(true(X, t, max_iter=2, refuse="flag"), converged=True),
)
swapped(
    "propensity",
    "propensity",
    "separation hidden by a penalty",
    lambda true: lambda X, t, **k: true(X, t, penalty=1e-6, **k),
)
swapped(
    "propensity",
    "propensity",
    "coefficients of the standardised columns",
    lambda true: lambda X, t, **k: change(f := true(X, t, **k), coef=f.coef * np.std(X, axis=0)),
)
patched(
    "propensity",
    _propensity,
    "_STEP",
    "tolerance too wide",
    lambda true: 1e-2,
)

# Standardisation --------------------------------------------------------------------------------------------------

swapped(
    "standardisation",
    "standardisation",
    "no interaction",
    lambda true: lambda *a, interact=False, **k: true(*a, interact=False, **k),
)
swapped(
    "standardisation",
    "standardisation",
    "ATT and ATC mixed up",
    lambda true: (
        lambda *a, estimand, **k: true(*a, estimand={"ATT": "ATC", "ATC": "ATT"}.get(estimand, estimand), **k)
    ),
)
swapped(
    "standardisation",
    "standardisation",
    "averaged over everybody",
    lambda true: lambda *a, estimand, **k: true(*a, estimand="ATE", **k),
)
swapped(
    "standardisation",
    "standardisation",
    "a confounder left out",
    lambda true: lambda y, t, X, **k: true(y, t, X[:, :2], **k),
)
patched(
    "standardisation",
    _standardisation,
    "standard_error",
    "standard error of one row",
    lambda true: lambda g, c=None: np.std(g),
)
patched(
    "standardisation",
    _standardisation,
    "standard_error",
    "standard error a third too small",
    lambda true: lambda g, c=None: true(g, c) * 2 / 3,
)

# Balance, weights, effective sample size --------------------------------------------------------------------------


def broken_balance(change_table: Callable):
    return lambda true: lambda X, t, w=None: change_table(true(X, t, w), X, t, w)


def weighted_ruler(table, X, t, w):
    sd = np.sqrt(
        (np.cov(X[t == 1].T, aweights=w[t == 1]).diagonal() + np.cov(X[t == 0].T, aweights=w[t == 0]).diagonal()) / 2
    )
    raw = np.sqrt((X[t == 1].var(axis=0, ddof=1) + X[t == 0].var(axis=0, ddof=1)) / 2)
    return table.assign(after=table["after"] * raw / sd)


swapped("balance", "balance", "standardised by the weighted deviation", broken_balance(weighted_ruler))
swapped(
    "balance",
    "balance",
    "divided by variances",
    broken_balance(lambda table, X, t, w: table.assign(before=table["before"] / X.std(axis=0) * 1.0)),
)
swapped("balance", "balance", "sign lost", broken_balance(lambda table, X, t, w: table.abs()))
swapped("balance", "balance", "weights ignored", lambda true: lambda X, t, w=None: true(X, t, np.ones(len(t))))
swapped("balance", "balance", "groups swapped", lambda true: lambda X, t, w=None: true(X, 1 - t, w))
patched(
    "balance",
    _balance,
    "_moments",
    "weights squared",
    lambda true: lambda x, w: true(x, w**2),
)
swapped("balance", "effective_sample_size", "sum of weights", lambda true: lambda w: float(np.sum(w)))
swapped("balance", "effective_sample_size", "number of rows", lambda true: lambda w: float(np.size(w)))
swapped(
    "balance",
    "effective_sample_size",
    "square forgotten",
    lambda true: lambda w: float(np.sum(w) / np.sum(np.square(w))),
)
swapped("balance", "crump_threshold", "always one tenth", lambda true: lambda e: 0.1)
swapped("balance", "crump_threshold", "keeps everybody", lambda true: lambda e: 0.0)
swapped("balance", "overlap_summary", "overlap of the other group", lambda true: lambda e, t: true(e, 1 - t))
swapped("balance", "overlap_summary", "overlap after clipping", lambda true: lambda e, t: true(e.clip(0.1, 0.9), t))
swapped(
    "balance",
    "weights",
    "weights of the other group",
    lambda true: lambda t, e, **k: true(1 - t, e, **k),
)
swapped(
    "balance",
    "weights",
    "never stabilised",
    lambda true: lambda t, e, estimand="ATE", stabilised=False: true(t, e, estimand=estimand),
)

# Who is matched with whom -----------------------------------------------------------------------------------------


def with_option(**fixed):
    return lambda true: lambda *a, **k: true(*a, **{**k, **fixed})


swapped(
    "match", "match", "ATT computed as ATC", lambda true: lambda X, t, **k: true(X, t, **{"estimand": "ATC", **k})
)
swapped("match", "match", "caliper ignored", with_option(caliper=None))
swapped("match", "match", "exact strata ignored", with_option(exact=None))
swapped("match", "match", "replacement allowed after all", with_option(replace=True))
swapped("match", "match", "one of the ties", with_option(ties="first"))
swapped("match", "match", "one neighbour instead of three", with_option(ratio=1))
swapped("match", "match", "smallest score first", with_option(order="smallest"))
swapped("match", "match", "ATE is the ATT", with_option(estimand="ATT"))
swapped(
    "match",
    "match",
    "Euclidean instead of Mahalanobis",
    lambda true: (
        lambda X, t, metric="propensity", **k: true(
            X, t, metric="euclidean" if metric == "mahalanobis" else metric, **k
        )
    ),
)
swapped(
    "match", "match", "shares not divided", lambda true: lambda *a, **k: change(m := true(*a, **k), share=m.share**0)
)
swapped(
    "match",
    "match",
    "unmatched rows unsaid",
    lambda true: lambda *a, **k: change(m := true(*a, **k), unmatched=m.unmatched[:0]),
)
swapped(
    "match",
    "match",
    "focal and partner mixed up",
    lambda true: lambda *a, **k: change(m := true(*a, **k), focal=m.partner, partner=m.focal),
)
patched(
    "match",
    _neighbours,
    "optimal",
    "optimal is greedy",
    lambda true: lambda f, p, ratio, caliper: _neighbours.greedy(f, p, ratio, caliper, np.argsort(-f[:, 0])),
)
patched(
    "match",
    _neighbours,
    "full",
    "full matching drops rows",
    lambda true: lambda f, p, c: _neighbours.Pairs(*(a[5:] for a in true(f, p, c))),
)
patched(
    "match",
    _neighbours,
    "full",
    "full matching is everybody's nearest neighbour",
    lambda true: lambda f, p, c: _neighbours.nearest(f, p, 1, "all", c),
)
patched(
    "match",
    _neighbours,
    "nearest",
    "partners looked up to the left only",
    lambda true: lambda f, p, ratio, ties, c: true(f - 0.05, p, ratio, ties, c),
)
patched("match", _neighbours, "_find", "taken partners are found again", lambda true: lambda parent, i: i)
patched(
    "match",
    _match,
    "standardised",
    "covariates not scaled",
    lambda true: lambda x, names: (np.c_[x[:, 0], x**3], 0, 0),
)

# Effects among the matched ----------------------------------------------------------------------------------------


def predictions(build: Callable):
    return lambda true: lambda y, m, X: build(true(y, m, X), y, m)


patched("matching", matching, "_predictions", "bias correction with the wrong sign", predictions(lambda p, y, m: -p))
patched("matching", matching, "_predictions", "no bias correction", predictions(lambda p, y, m: 0 * p))
patched("matching", matching, "_predictions", "the groups' models mixed up", predictions(lambda p, y, m: p[::-1]))
patched("matching", matching, "_predictions", "half the bias correction", predictions(lambda p, y, m: p / 2))
swapped(
    "matching", "match", "ATT computed as ATC", lambda true: lambda X, t, **k: true(X, t, **{"estimand": "ATC", **k})
)
swapped(
    "matching",
    "match",
    "treatment flipped",
    lambda true: lambda X, t, **k: true(X, 1 - t, **k),
)
swapped("matching", "match", "ATC is the ATT", lambda true: lambda X, t, estimand="ATT", **k: true(X, t, **k))
swapped(
    "matching",
    "match",
    "matched at random",
    lambda true: lambda X, t, **k: true(np.random.default_rng(0).permutation(X), t, **k),
)
swapped("matching", "match", "caliper ignored", with_option(caliper=None))
swapped(
    "matching",
    "matching_estimate",
    "dropped rows unsaid",
    lambda true: lambda *a, **k: change(true(*a, **k), population=""),
)
swapped(
    "matching",
    "matching_estimate",
    "error takes the fitted score as known",
    lambda true: lambda *a, **k: true(*a, **{**k, "se": "score_known"}),
)
patched(
    "matching",
    matching,
    "score_adjustment",
    "correction for the fitted score with the wrong sign",
    lambda true: lambda *a: -true(*a),
)
patched(
    "matching",
    matching,
    "conditional_variance",
    "reused rows cost nothing",
    lambda true: lambda y, t, space, rows, j: np.zeros(len(rows)),
)
patched(
    "matching",
    matching,
    "conditional_variance",
    "conditional variance is the whole variance",
    lambda true: lambda y, t, space, rows, j: np.full(len(rows), y.var()),
)
patched(
    "matching",
    matching,
    "conditional_variance",
    "conditional variance without its small-sample factor, squared",
    lambda true: lambda y, t, space, rows, j: true(y, t, space, rows, j) * ((j + 1) / j) ** 2,
)
patched("matching", matching, "judge", "never refuses", lambda true: lambda estimate, *a: estimate)
patched(
    "matching",
    _abadie_imbens,
    "_mean_covariance",
    "covariance with the score forgotten",
    lambda true: lambda Z, *a: np.zeros(Z.shape[1]),
)
swapped(
    "matching",
    "matching_estimate",
    "standard error of unrelated groups",
    lambda true: (
        lambda y, m, *a, **k: change(
            true(y, m, *a, **k),
            se=float(np.sqrt(y[m.focal].var() / len(m.focal) + y[m.partner].var() / len(m.partner))),
        )
    ),
)


# From raw events to a table --------------------------------------------------------------------------------------

PAIR = ["user_id", "item_id"]


def events_changed(build: Callable):
    """Return a builder of a causal table that sees build(events)."""
    return lambda true: lambda c, e, zero, days=7: true(c, build(e), zero, days)


def views_of_the_export(true):
    def broken(c, e, zero, days=7):
        views = e[e["event"] == "view"].drop_duplicates("event_id").groupby(PAIR).size()
        found = views.reindex(pd.MultiIndex.from_frame(c[PAIR]), fill_value=0)
        return true(c, e, zero, days).assign(views_before=found.to_numpy())

    return broken


def purchases_counted(true):
    def broken(c, e, zero, days=7):
        week = e[(e["timestamp"] >= zero) & (e["timestamp"] < zero + pd.Timedelta(days=days))]
        number = week[week["event"] == "consume"].groupby(PAIR)["event_id"].nunique()
        table = true(c, e, zero, days)
        found = number.reindex(pd.MultiIndex.from_frame(c[PAIR]), fill_value=0).to_numpy()
        return table.assign(consumed=np.where(table["consumed"], found, 0))

    return broken


def by_arrival(true):
    def broken(events, gap):
        new = (events["timestamp"].diff() > gap) | (events["user_id"] != events["user_id"].shift())
        return new.cumsum()

    return broken


def whole_mean(true):
    def broken(rows, label, value):
        by = rows.groupby(label)[value]
        return pd.DataFrame({"count": by.transform("size"), "mean": by.transform("mean")})

    return broken


def other_p(change_p: Callable):
    return lambda true: lambda *a, **k: change_p(true(*a, **k))


for broken_tool, what, build in (
    ("causal_table", "only pairs that left an event", lambda true: lambda c, e, *a, **k: true(
        c.merge(e[PAIR].drop_duplicates()), e, *a, **k)),
    ("causal_table", "a retry counts when it came last", events_changed(
        lambda e: e.sort_values("timestamp").drop_duplicates("event_id", keep="last"))),
    ("causal_table", "every row is an event", events_changed(lambda e: e.assign(event_id=np.arange(len(e))))),
    ("causal_table", "time zero belongs to the past", lambda true: lambda c, e, zero, *a, **k: true(
        c, e, zero + pd.Timedelta(seconds=1), *a, **k)),
    ("causal_table", "the end of the window counts", events_changed(
        lambda e: e.assign(timestamp=e["timestamp"].where(
            e["timestamp"] < e["timestamp"].max(), e["timestamp"] - pd.Timedelta(seconds=1))))),
    ("causal_table", "a window without an end", lambda true: lambda c, e, zero, days=7: true(c, e, zero, 10_000)),
    ("causal_table", "views up to the export", views_of_the_export),
    ("causal_table", "treatment and outcome mixed up", lambda true: lambda *a, **k: true(*a, **k).rename(
        columns={"exposed": "consumed", "consumed": "exposed"})),
    ("causal_table", "purchases counted, not marked", purchases_counted),
    ("sessionise", "users run into each other", lambda true: lambda e, gap: true(e.assign(user_id=0), gap)),
    ("sessionise", "pauses between rows as they arrived", by_arrival),
    ("sessionise", "a pause of just the gap ends a session", lambda true: lambda e, gap: true(
        e, gap - pd.Timedelta(seconds=1))),
    ("sessionise", "numbers without the rows' index", lambda true: lambda e, gap: true(
        e, gap).reset_index(drop=True)),
    ("fast_users", "many events, at whatever pace", lambda true: lambda e, limit: true(
        e.assign(timestamp=e["timestamp"].dt.floor("D")), limit)),
    ("fast_users", "at the limit is above it", lambda true: lambda e, limit: true(e, limit - 1)),
    ("history", "the row itself is its past", lambda true: lambda rows, *a: true(
        pd.concat([rows, rows.assign(timestamp=rows["timestamp"] - pd.Timedelta(seconds=1))], ignore_index=True), *a
    ).head(len(rows))),
    ("history", "the mean of the whole data set", whole_mean),
    ("history", "ties in the order of the rows", lambda true: lambda rows, *a: true(
        rows.assign(timestamp=rows["timestamp"] + pd.to_timedelta(np.arange(len(rows)), unit="ns")), *a)),
    ("history", "the past of all labels", lambda true: lambda rows, label, value: true(
        rows.assign(**{label: 0}), label, value)),
    ("aa_p_values", "rows as units", lambda true: lambda *a, by_unit=True: true(*a, by_unit=False)),
    ("aa_p_values", "rows are split", lambda true: lambda y, unit, *a, **k: true(y, np.arange(len(y)), *a, **k)),
    ("aa_p_values", "one-sided", other_p(lambda p: p / 2)),
    ("aa_p_values", "never an alarm", other_p(lambda p: 0.05 + 0.95 * p)),
    ("aa_p_values", "units as rows after all", lambda true: lambda *a, by_unit=True: true(*a)),
):  # fmt: skip
    swapped("behaviour", broken_tool, f"{broken_tool}: {what}", build)

# Rules, and errors by arithmetic ----------------------------------------------------------------------------------


def judges(change_weights: Callable):
    return lambda true: lambda estimate, w, *a: true(estimate, change_weights(w), *a)


for part in (weighting, matching):
    name = part.__name__.rpartition(".")[2].replace("weighting", "ipw")
    patched(name, part, "judge", "looks at the treated only", judges(lambda w: {"treated": w["treated"]}))
    patched(
        name,
        part,
        "judge",
        "never looks at balance",
        lambda true: lambda estimate, *a: true(change(estimate, balance=None), *a),
    )
patched("ipw", weighting, "judge", "looks at the controls only", judges(lambda w: {"controls": w["controls"]}))
patched("ipw", weighting, "of_propensities", "recorded chances are believed", lambda true: lambda *a: [])
for estimand in ("ATT", "ATC"):
    focal_side = {"ATT": 1.0, "ATC": 0.0}[estimand]
    patched(
        "errors",
        _abadie_imbens,
        "score_adjustment",
        f"adjustment for the score of the {estimand} by the formula of the ATE",
        lambda true, side=focal_side: (
            lambda y, t, fit, score, focal, effect: true(y, t, fit, score, None if focal == side else focal, effect)
        ),
    )
    patched(
        "errors",
        _abadie_imbens,
        "score_adjustment",
        f"no adjustment for the score of the {estimand}",
        lambda true, side=focal_side: (
            lambda y, t, fit, score, focal, effect: 0.0 if focal == side else true(y, t, fit, score, focal, effect)
        ),
    )
patched(
    "errors",
    weighting,
    "_target",
    "Horvitz-Thompson of the ATO divides by the number of rows",
    lambda true: lambda t, e, g: (np.full_like(e, (e * (1 - e)).mean()), 0 * e) if g == "ATO" else true(t, e, g),
)
for size, what in ((-1.0, "with the wrong sign"), (0.0, "forgotten"), (2.0, "counted twice")):
    patched(
        "errors",
        _propensity.PropensityFit,
        "influence",
        f"correction for the fitted propensity {what}",
        lambda true, size=size: lambda self, direction: size * true(self, direction),
    )
patched(
    "errors",
    weighting,
    "standard_error",
    "standard error three per cent too large",
    lambda true: lambda g, c=None: 1.03 * true(g, c),
)
for how in ("optimal", "full"):
    patched(
        "match",
        _neighbours,
        how,
        f"{how} matching ignores its caliper",
        lambda true: lambda *a: true(*a[:-1], np.inf),
    )


# Graphs ---------------------------------------------------------------------------------------------------------


def walk(told: Callable):
    """Return a walk along open paths in which told(graph, given) are the colliders that are open."""

    def reached(graph, start, given):
        heard, ahead, seen = told(graph, given), [(v, "up") for v in start], set()
        while ahead:
            v, way = ahead.pop()
            if (v, way) in seen:
                continue
            seen.add((v, way))
            if v not in given:
                ahead += [(child, "down") for child in graph.succ[v]]
            if (v not in given) if way == "up" else (v in heard):
                ahead += [(parent, "up") for parent in graph.pred[v]]
        return {v for v, _ in seen} - given

    return lambda true: reached


for name, told in (
    ("a collider is a chain", lambda graph, given: set(graph) - given),
    ("a collider never opens", lambda graph, given: set()),
):
    patched("graphs", _separation, "reached", name, walk(told))


def only_the_collider_itself(graph, x, y, given=()):
    """d-separation path by path, where a given descendant opens nothing."""
    for path in nx.all_simple_paths(graph.to_undirected(), x, y):
        inner = zip(path, path[1:], path[2:], strict=False)
        if not any((graph.has_edge(a, m) and graph.has_edge(b, m)) != (m in given) for a, m, b in inner):
            return False
    return True


patched(
    "graphs", graphs, "d_separated", "descendants of a collider are forgotten", lambda true: only_the_collider_itself
)
patched(
    "graphs",
    graphs,
    "_forbidden",
    "columns after the treatment are allowed",
    lambda true: lambda graph, t, y: (true(graph, t, y)[0], frozenset()),
)
patched(
    "graphs",
    graphs,
    "_forbidden",
    "the causal path counts as a back door",
    lambda true: lambda graph, t, y: (frozenset(), true(graph, t, y)[1]),
)
patched(
    "graphs",
    graphs,
    "is_front_door",
    "the front door forgets what confounds mediator and outcome",
    lambda true: lambda g, t, y, m: true(g, t, y, m) or "w" in g,
)


class Seeing:
    """A network in which an intervention is only seen."""

    def __init__(self, network, setting):
        self.network, self.setting = network, setting

    def query(self, target):
        return self.network.query(target, self.setting)


patched(
    "graphs", _bayesian_network.BayesianNetwork, "do", "doing is seeing", lambda true: lambda self, s: Seeing(self, s)
)


def one_sum(y, t, m):
    """The front-door formula with P(y | m) in place of the inner sum."""
    moved = np.array([np.mean(m[t == 1] == k) - np.mean(m[t == 0] == k) for k in np.unique(m)])
    return moved @ np.array([y[m == k].mean() for k in np.unique(m)])


patched(
    "graphs",
    graphs,
    "front_door",
    "the inner sum of the front door left out",
    lambda true: lambda y, t, m: change(true(y, t, m), value=float(one_sum(*map(np.asarray, (y, t, m))))),
)
patched(
    "graphs",
    _front_door,
    "standard_error",
    "standard error of the front door five per cent too large",
    lambda true: lambda g, c=None: 1.05 * true(g, c),
)
patched(
    "graphs",
    _independence,
    "_take_out",
    "what is given is not taken out",
    lambda true: lambda values, regressors: values - values.mean(axis=0),
)
patched("graphs", _independence, "cluster_codes", "rows of a user count apart", lambda true: lambda c, n: None)
patched(
    "graphs",
    graphs,
    "check_independences",
    "many tests, each at five per cent",
    lambda true: lambda claims, data: true(claims, data).assign(refuted=lambda d: d["p"] < 0.05),
)


@pytest.mark.parametrize("battery", BATTERY)
def test_the_true_estimator_passes(battery):
    assert first_failure(battery, Tools()) is None


def killer(name: str) -> str | None:
    """Return the check that a twin fails."""
    battery, broken = TWINS[name]
    with broken() as tools:
        return first_failure(battery, tools)


def row(name: str, killed_by: str | None) -> dict[str, str | None]:
    """Return a row of the report."""
    estimator, _, broken = name.partition(": ")
    return {"estimator": estimator, "name": broken, "killed_by": killed_by}


@pytest.mark.parametrize("name", TWINS)
def test_a_broken_twin_fails(name, record_property):
    killed_by = killer(name)
    record_property("twin", {**row(name, killed_by), "of": len(TWINS)})
    assert killed_by is not None, f"the battery does not see the broken twin {name!r}"


def test_the_tools_are_whole_again_after_the_twins():
    assert weighting.ipw is Tools().ipw and effective_sample_size([1, 1]) == 2
    assert isinstance(Tools().ipw(np.arange(4.0), [0, 1, 0, 1], np.full(4, 0.5), rules=OPEN), Estimate)


if __name__ == "__main__":
    table = {name: killer(name) for name in TWINS}
    for twin_name, check in table.items():
        print(f"{twin_name:75s} {check or 'SURVIVES'}")
    print(f"{sum(map(bool, table.values()))} of {len(table)} broken twins killed")
    print(write_report([row(*found) for found in table.items()], whole=True))
