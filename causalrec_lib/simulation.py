"""Many samples, one truth: bias, spread and coverage of estimators, each with its Monte-Carlo error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd

from causalrec_lib import _validate
from causalrec_lib.estimate import Estimate

Answer = Estimate | Mapping[str, Estimate]


def repeat(answer: Callable[[int], Answer], seeds: Iterable[int], truth: float | Mapping[str, float]) -> pd.DataFrame:
    """Estimate on many samples and hold each estimate against the truth.

    Parameters
    ----------
    answer : callable
        Takes a seed, draws a sample with it, and returns an Estimate, or Estimates by name.
    seeds : iterable of int
        One sample each; wrap it in `run.progress` to show how far it is.
    truth : float or mapping of str to float
        The true value, or one by name.

    Returns
    -------
    DataFrame
        One row a sample and estimator: seed, name, value, se, truth, covers.

    Raises
    ------
    ValueError
        If there is no seed or one is no whole number, `answer` returns no Estimate, or `truth` is not finite or lacks
        a name.

    Notes
    -----
    Chapter: weighting/01_propensity_weighting
    """
    _validate.function(answer, "answer")
    rows = []
    for seed in _validate.iterable(seeds, "seeds"):
        found = answer(_validate.integer(seed, "each of seeds"))
        for name, estimate in (found if isinstance(found, Mapping) else {"estimate": found}).items():
            _validate.instance(estimate, f"answer({seed})", Estimate, "return an Estimate, or a dict of them")
            if isinstance(truth, Mapping):
                _validate.one_of(name, "truth", tuple(truth))
            true = _validate.number(truth[name] if isinstance(truth, Mapping) else truth, "truth")
            rows.append((seed, name, estimate.value, estimate.se, true, estimate.covers(true)))
    if not rows:
        raise ValueError("seeds is empty; pass one seed a sample, for example range(200).")
    return pd.DataFrame(rows, columns=["seed", "name", "value", "se", "truth", "covers"])


def summary(runs: pd.DataFrame) -> pd.DataFrame:
    """Sum up what `repeat` returned.

    Parameters
    ----------
    runs : DataFrame
        What `repeat` returned, two samples or more.

    Returns
    -------
    DataFrame
        One row an estimator: runs, bias, bias_mc_se, sd (the real scatter), mean_se (what the method reports), rmse,
        coverage, coverage_mc_se (at the coverage found, but never less than with one miss).

    Raises
    ------
    ValueError
        If columns lack, are no finite numbers (`se` may be NaN), or an estimator has a single sample.

    Notes
    -----
    Chapter: weighting/01_propensity_weighting

    References
    ----------
    bib: morris2019using
    """
    table = _validate.frame(runs, "runs", ["name", "value", "se", "truth", "covers"])
    for column in ("value", "truth"):
        _validate.vector(table[column], f"{column} of runs")
    _validate.vector(table["se"].fillna(0.0), "se of runs")
    _validate.binary(table["covers"], "covers of runs", both=False)
    single = table["name"].value_counts().loc[lambda count: count < 2]
    if len(single):
        raise ValueError(f"runs has a single sample of {', '.join(single.index)}; its scatter needs two or more.")
    out = {}
    for name, g in table.groupby("name", sort=False):
        error, n, covers = g["value"] - g["truth"], len(g), g["covers"].mean()
        inside = np.clip(covers, 1 / n, 1 - 1 / n)
        out[name] = {
            "runs": n,
            "bias": error.mean(),
            "bias_mc_se": error.std() / np.sqrt(n),
            "sd": error.std(),
            "mean_se": g["se"].mean(),
            "rmse": np.sqrt((error**2).mean()),
            "coverage": covers,
            "coverage_mc_se": np.sqrt(inside * (1 - inside) / n),
        }
    return pd.DataFrame(out).T.astype({"runs": int})
