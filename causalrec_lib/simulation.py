"""Many samples, one truth: bias, spread, coverage and refusals of estimators, each with its Monte-Carlo error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from causalrec_lib import _validate
from causalrec_lib.estimate import Estimate, EstimateRefused

Answer = Estimate | Mapping[str, Estimate]
_COLUMNS = ["seed", "name", "value", "se", "low", "high", "ess", "truth", "covers", "refused", "reason", "unreleased"]


def repeat(
    answer: Callable[[int], Any],
    seeds: Iterable[int],
    truth: float | Mapping[str, float] | Callable[[Any], float | Mapping[str, float]],
    estimators: Mapping[str, Callable[[Any], Estimate]] | None = None,
) -> pd.DataFrame:
    """Estimate on many samples and hold each estimate against the truth; a refusal is a result like any other.

    Parameters
    ----------
    answer : callable
        Takes a seed, draws a sample with it, and returns an Estimate, or Estimates by name; with `estimators`, the
        sample itself.
    seeds : iterable of int
        One sample each; wrap it in `run.progress` to show how far it is.
    truth : float, mapping of str to float, or callable
        The true value, or one by name; or a function of what `answer` returned that gives either.
    estimators : mapping of str to callable, optional
        Estimators by name, each a function of the sample that returns an Estimate. One that refuses does not stop
        the others.

    Returns
    -------
    DataFrame
        One row a sample and estimator: seed, name, value, se, low, high, ess, truth, covers, refused (raised, or
        flagged), reason (the error's name, or the flags), unreleased (the value on the card of a raised refusal).
        value, se, low and high are NaN where the estimator raised.

    Raises
    ------
    ValueError
        If there is no seed or one is no whole number, `answer` returns no Estimate, or `truth` is not finite or lacks
        a name.

    Notes
    -----
    Chapter: weighting/01_propensity_weighting

    Examples
    --------
    >>> from causalrec_lib.estimate import Estimate
    >>> draw = lambda seed: np.random.default_rng(seed).normal(size=50)
    >>> mean = lambda x: Estimate(x.mean(), x.std() / len(x) ** 0.5, "mean", "mean", len(x))
    >>> len(repeat(draw, range(3), 0.0, {"mean": mean, "again": mean}))
    6
    """
    _validate.function(answer, "answer")
    _check_estimators(estimators)
    rows = []
    for seed in _validate.iterable(seeds, "seeds"):
        _validate.integer(seed, "each of seeds")
        sample: Any = None
        if estimators is not None:
            sample = answer(seed)
            found = [(name, _attempt(estimate, sample)) for name, estimate in estimators.items()]
        else:
            sample = _attempt(answer, seed)
            found = list(_named(sample, truth))
        source = f"answer({seed})" if estimators is None else "what estimators return"
        for _, result in found:
            if not isinstance(result, EstimateRefused):
                _validate.instance(result, source, Estimate, "return an Estimate, or a dict of them")
        true = truth(sample) if callable(truth) else truth
        rows += [_row(seed, name, result, true) for name, result in found]
    if not rows:
        raise ValueError("seeds is empty; pass one seed a sample, for example range(200).")
    return pd.DataFrame(rows, columns=_COLUMNS)


def _check_estimators(estimators: object) -> None:
    if estimators is None:
        return
    for name, estimator in _validate.mapping(estimators, "estimators").items():
        _validate.function(estimator, f"estimators[{name!r}]")
    if not estimators:
        raise ValueError("estimators is empty; pass at least one by name, or leave it out.")


def _attempt(call: Callable[[Any], Any], argument: Any) -> Any:
    try:
        return call(argument)
    except EstimateRefused as refusal:
        return refusal


def _named(found: Any, truth: object) -> Iterator[tuple[str, Estimate | EstimateRefused]]:
    """Name what an answer returned; a refusal of the whole answer counts for every name of the truth."""
    if isinstance(found, Mapping):
        yield from found.items()
    elif isinstance(found, EstimateRefused) and isinstance(truth, Mapping):
        yield from ((name, found) for name in truth)
    else:
        yield "estimate", found


def _row(
    seed: int, name: str, found: Estimate | EstimateRefused, truth: float | Mapping[str, float]
) -> tuple[Any, ...]:
    if isinstance(truth, Mapping):
        _validate.one_of(name, "truth", tuple(truth))
    true = _validate.number(truth[name] if isinstance(truth, Mapping) else truth, "truth")
    if isinstance(found, EstimateRefused):
        card = found.estimate
        held_back = (np.nan, np.nan) if card is None else (card.value, np.nan if card.ess is None else card.ess)
        none = (np.nan,) * 4
        return (seed, name, *none, held_back[1], true, False, True, type(found).__name__, held_back[0])
    ess = np.nan if found.ess is None else found.ess
    numbers = (found.value, found.se, found.low, found.high, ess, true, found.covers(true))
    return (seed, name, *numbers, bool(found.flags), " ".join(found.flags), np.nan)


def summary(runs: pd.DataFrame, *, answers_only: bool = True) -> pd.DataFrame:
    """Sum up what `repeat` returned.

    Parameters
    ----------
    runs : DataFrame
        What `repeat` returned, two samples or more.
    answers_only : bool
        Leave refused and flagged estimates out of everything but their rate; otherwise flagged ones count as answers.

    Returns
    -------
    DataFrame
        One row an estimator: runs, refused (share of runs), then among the answers bias, bias_mc_se, sd (the real
        scatter), mean_se (what the method reports), rmse, rmse_mc_se, coverage, coverage_mc_se (at the coverage
        found, but never less than with one miss). NaN where fewer than two answers are left.

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
    _validate.flag(answers_only, "answers_only")
    refused = table["refused"].astype(bool) if "refused" in table else table["value"].isna()
    _validate.vector(table["value"].where(~(refused & table["value"].isna()), 0.0), "value of runs")
    _validate.vector(table["truth"], "truth of runs")
    _validate.vector(table["se"].fillna(0.0), "se of runs")
    _validate.binary(table["covers"], "covers of runs", both=False)
    single = table["name"].value_counts().loc[lambda count: count < 2]
    if len(single):
        raise ValueError(f"runs has a single sample of {', '.join(single.index)}; its scatter needs two or more.")
    silent = refused if answers_only else table["value"].isna()
    out = {}
    for name, g in table.groupby("name", sort=False):
        out[name] = {"runs": len(g), "refused": float(refused[g.index].mean())} | _among(g[~silent[g.index]])
    return pd.DataFrame(out).T.astype({"runs": int})


def _among(answers: pd.DataFrame) -> dict[str, float]:
    names = ("bias", "bias_mc_se", "sd", "mean_se", "rmse", "rmse_mc_se", "coverage", "coverage_mc_se")
    n = len(answers)
    if n < 2:
        return dict.fromkeys(names, np.nan)
    error, covers = answers["value"] - answers["truth"], float(answers["covers"].mean())
    inside = float(np.clip(covers, 1 / n, 1 - 1 / n))
    sd = float(error.std())
    rmse = float(np.sqrt((error**2).mean()))
    values = (
        error.mean(),
        sd / np.sqrt(n),
        sd,
        answers["se"].mean(),
        rmse,
        float((error**2).std()) / (2 * rmse * np.sqrt(n)) if rmse else 0.0,
        covers,
        np.sqrt(inside * (1 - inside) / n),
    )
    return dict(zip(names, map(float, values), strict=True))
