"""Refuters of an analysis, tests on negative controls, and intervals that learn from negative controls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.stats import chi2, norm
from scipy.stats import t as student

from causalrec_lib import _validate
from causalrec_lib._mestimation import n_groups
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import Estimate

__all__ = ["Controls", "EmpiricalNull", "battery", "calibrate", "empirical_null", "negative_controls"]

Effect = Callable[[FloatArray, FloatArray, FloatArray], float]
_Draw = tuple[FloatArray, FloatArray, FloatArray]


class Controls(NamedTuple):
    """Negative controls one by one, and all at once.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a control: `effect`, `se`, `z`, `p`, `p_holm`, `detectable`.
    statistic : float
        Wald statistic of the joint test.
    df : int
        Its degrees of freedom, the number of controls.
    p : float
        Its p-value.

    Notes
    -----
    Chapter: dags/02_estimate_and_refute
    """

    table: pd.DataFrame
    statistic: float
    df: int
    p: float


class EmpiricalNull(NamedTuple):
    """Systematic error as negative controls show it.

    Parameters
    ----------
    mean : float
        Its mean, in units of the outcome.
    mean_se : float
        The standard error of the mean.
    sd : float
        Its standard deviation, sampling noise taken out.
    n : int
        Number of controls.

    Notes
    -----
    Chapter: dags/02_estimate_and_refute
    """

    mean: float
    mean_se: float
    sd: float
    n: int


def battery(
    effect: Effect, y: ArrayLike, t: ArrayLike, X: ArrayLike, *, seed: int, n_draws: int = 20, share: float = 0.8
) -> pd.DataFrame:
    """Run an analysis again on data that were changed so that its answer is known, or should stay.

    Parameters
    ----------
    effect : callable
        The analysis: a function of outcome (n,), treatment (n,) and columns (n, p) that returns a number.
    y : array_like of shape (n,)
        Outcome.
    t : array_like of shape (n,)
        Treatment, 0 or 1.
    X : array_like of shape (n, p)
        Columns that the analysis adjusts for, without a constant.
    seed : int
        Seed of the draws.
    n_draws : int
        Draws a refuter, 2 or more.
    share : float
        Share of rows that a random subset keeps, above 0 and below 1.

    Returns
    -------
    pandas.DataFrame
        One row a refuter: "random common cause" (a column of noise is added), "data subset" and "bootstrap" (other
        rows) expect the estimate; "placebo treatment" (treatment permuted) and "dummy outcome" (outcome permuted)
        expect zero; "simulated outcome" (linear in X, with residuals permuted, and an effect equal to the estimate)
        expects that effect. Columns: `expected`; `mean` and `sd` of the draws; `z`, how many `sd` lie between;
        two-sided `p` of the normal distribution; `alarm`, p below 0.05.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, of one class, options leave their range, or `effect` returns
        no finite number.

    Notes
    -----
    The p-values are no p-values of the hypothesis that the estimate is right: nobody draws from that hypothesis.
    Chapter: dags/02_estimate_and_refute

    References
    ----------
    bib: sharma2020dowhy, sharma2021dowhy
    """
    _validate.function(effect, "effect")
    outcome = _validate.vector(y, "y")
    group = _validate.binary(t, "t", len(outcome), "y")
    x = _validate.matrix(X, "X", len(outcome), "y")
    _validate.integer(n_draws, "n_draws", 2)
    kept = max(int(_validate.number(share, "share", above=0.0, below=1.0) * len(outcome)), 2)
    rng = np.random.default_rng(_validate.integer(seed, "seed"))

    def answer(data: _Draw) -> float:
        return _validate.number(effect(*data), "what effect returns")

    found = answer((outcome, group, x))
    rows = {}
    for name, (expected, draw) in _refuters(outcome, group, x, found, kept, rng).items():
        draws = np.array([answer(draw()) for _ in range(n_draws)])
        rows[name] = (expected, *_verdict(draws, expected))
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["expected", "mean", "sd", "z", "p"])
    return table.assign(alarm=table["p"] < 0.05)


def _refuters(
    y: FloatArray, t: FloatArray, x: FloatArray, found: float, kept: int, rng: np.random.Generator
) -> dict[str, tuple[float, Callable[[], _Draw]]]:
    """Return each refuter with the answer that it expects and a function that draws changed data."""
    n = len(y)
    Z = np.column_stack([np.ones(n), t, x])
    slopes = np.linalg.lstsq(Z, y, rcond=None)[0]
    known, residual = x @ slopes[2:] + found * t, y - Z @ slopes

    def rows(picked: NDArray[np.int64]) -> _Draw:
        return y[picked], t[picked], x[picked]

    return {
        "random common cause": (found, lambda: (y, t, np.column_stack([x, rng.normal(size=n)]))),
        "placebo treatment": (0.0, lambda: (y, rng.permutation(t), x)),
        "data subset": (found, lambda: rows(rng.permutation(n)[:kept])),
        "bootstrap": (found, lambda: rows(rng.integers(0, n, n))),
        "dummy outcome": (0.0, lambda: (rng.permutation(y), t, x)),
        "simulated outcome": (found, lambda: (known + rng.permutation(residual), t, x)),
    }


def _verdict(draws: FloatArray, expected: float) -> tuple[float, float, float, float]:
    """Return mean, sd, z and p; draws that never move pass if they are what was expected, and fail otherwise."""
    mean, sd = float(draws.mean()), float(draws.std(ddof=1))
    gap = mean - expected
    if sd <= 1e-12 * max(abs(mean), abs(expected), 1e-300):
        z = 0.0 if abs(gap) <= 1e-9 * max(abs(expected), 1.0) else float(np.copysign(np.inf, gap))
    else:
        z = gap / sd
    return mean, sd, z, float(2 * norm.sf(abs(z)))


def negative_controls(controls: Mapping[str, Estimate]) -> Controls:
    """Test estimates whose true value is zero, one by one and all at once.

    Parameters
    ----------
    controls : mapping of str to Estimate
        Estimates by name, on the same rows: the effect on an outcome that the treatment can't reach, or of an
        exposure that can't reach the outcome. Each keeps its influence values.

    Returns
    -------
    Controls
        A table with one row a control: `effect`, `se`, `z`, two-sided `p`, `p_holm` (Holm's correction for the number
        of controls), and `detectable`, the bias in the control that a test at five per cent finds in eighty of a
        hundred samples, in units of the outcome. And the joint test: a Wald statistic that knows how the controls'
        errors correlate, with its degrees of freedom and p.

    Raises
    ------
    ValueError
        If there is no control, one is no Estimate, has no influence values or an error of zero, they are about other
        rows or clusters, or two say the same.

    Notes
    -----
    A control that is silent says nothing about causes that don't move it. Chapter: dags/02_estimate_and_refute

    References
    ----------
    bib: lipsitch2010negative, shi2020selective, holm1979simple
    """
    names = list(_validate.mapping(controls, "controls"))
    if not names:
        raise ValueError("controls is empty; pass at least one estimate by name.")
    _check_same_rows(controls)
    first = controls[names[0]]
    sums = np.column_stack([_by_cluster(controls[name]) for name in names])
    groups = n_groups(first.clusters)
    correction = 1.0 if groups is None else groups / (groups - 1)
    covariance = correction * sums.T @ sums / len(_influence(first, names[0])) ** 2
    values = np.array([controls[name].value for name in names])
    if np.linalg.matrix_rank(np.corrcoef(sums, rowvar=False).reshape(len(names), -1), tol=1e-8) < len(names):
        raise ValueError("controls holds the same control twice, or one that others add up to; leave one out.")
    statistic = float(values @ np.linalg.solve(covariance, values))
    se = np.array([controls[name].se for name in names])
    z = values / se
    p = 2 * norm.sf(np.abs(z))
    table = pd.DataFrame({"effect": values, "se": se, "z": z, "p": p}, index=names)
    table["p_holm"] = _holm(p)
    table["detectable"] = (norm.ppf(0.975) + norm.ppf(0.8)) * se
    return Controls(table, statistic, len(names), float(chi2.sf(statistic, len(names))))


def _holm(p: FloatArray) -> FloatArray:
    """Return Holm's p-values: the smallest times their number, the next times one less, never falling."""
    order = np.argsort(p)
    out = np.empty_like(p)
    out[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return out


def _influence(estimate: Estimate, name: str) -> FloatArray:
    if estimate.influence is None or not np.isfinite(estimate.se) or estimate.se <= 0:
        raise ValueError(
            f"controls[{name!r}] keeps no influence values, or its error is zero; pass what weighting.ipw or "
            "another estimator of this course returned."
        )
    return estimate.influence


def _by_cluster(estimate: Estimate) -> FloatArray:
    """Return influence values, summed within clusters where there are any."""
    influence = _influence(estimate, "control")
    if estimate.clusters is None:
        return influence
    return np.bincount(estimate.clusters, weights=influence).astype(float)


def _check_same_rows(controls: Mapping[str, Estimate]) -> None:
    first = None
    for name, control in controls.items():
        _validate.instance(control, f"controls[{name!r}]", Estimate, "pass what an estimator returned")
        n = len(_influence(control, name))
        if first is None:
            first = (n, control.clusters)
        a, b = first[1], control.clusters
        if n != first[0] or not (a is b or (a is not None and b is not None and np.array_equal(a, b))):
            raise ValueError(
                f"controls[{name!r}] is about other rows or clusters than the first; estimate all on one table."
            )


def empirical_null(values: ArrayLike, se: ArrayLike) -> EmpiricalNull:
    """Estimate the distribution of systematic error from negative controls.

    Parameters
    ----------
    values : array_like of shape (k,)
        Estimates whose true value is zero, three or more, in units of the outcome.
    se : array_like of shape (k,)
        Their standard errors, same unit, above zero.

    Returns
    -------
    EmpiricalNull
        Mean and standard deviation of the systematic error, with sampling error taken out (Paule-Mandel), and the
        standard error of the mean.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, fewer than three, or an error is zero or less.

    Notes
    -----
    Chapter: dags/02_estimate_and_refute

    References
    ----------
    bib: schuemie2014interpreting
    """
    found = _validate.vector(values, "values")
    errors = _validate.vector(se, "se", len(found), "values")
    if (errors <= 0).any():
        raise ValueError(f"se must be above zero, but is not in {_validate.rows(errors <= 0)}; drop those controls.")
    if len(found) < 3:
        raise ValueError(f"values has {len(found)} controls; a mean and a spread need three or more.")

    def excess(spread: float) -> float:
        w = 1 / (errors**2 + spread)
        return float(w @ (found - w @ found / w.sum()) ** 2) - (len(found) - 1)

    widest = len(found) * float(np.ptp(found)) ** 2
    spread = float(brentq(excess, 0.0, widest)) if excess(0.0) > 0 else 0.0
    w = 1 / (errors**2 + spread)
    return EmpiricalNull(float(w @ found / w.sum()), float(1 / np.sqrt(w.sum())), float(np.sqrt(spread)), len(found))


def calibrate(estimate: Estimate, null: EmpiricalNull) -> Estimate:
    """Take the systematic error of negative controls out of an estimate, and put its spread into the interval.

    Parameters
    ----------
    estimate : Estimate
        The effect, estimated in the way in which the controls were.
    null : EmpiricalNull
        What `empirical_null` returned.

    Returns
    -------
    Estimate
        The value less the mean error; the standard error holds sampling, the spread of the systematic error, and how
        well its mean is known. The interval takes Student's t with n - 1 degrees of freedom, for n controls. It keeps
        no influence values and no design.

    Raises
    ------
    ValueError
        If `estimate` is no Estimate or has no error, or `null` is no EmpiricalNull.

    Notes
    -----
    It is right if the estimate's own systematic error could have been one of the controls', whatever the true effect:
    the paper estimates from positive controls how the error changes with it. No data test that here.
    Chapter: dags/02_estimate_and_refute

    References
    ----------
    bib: schuemie2018empirical
    """
    _validate.instance(estimate, "estimate", Estimate, "pass what an estimator returned")
    _validate.instance(null, "null", EmpiricalNull, "pass what empirical_null returned")
    if not np.isfinite(estimate.se):
        raise ValueError("estimate has no standard error; there is nothing to widen.")
    value = estimate.value - null.mean
    se = float(np.sqrt(estimate.se**2 + null.sd**2 + null.mean_se**2))
    reach = float(student.ppf(0.5 + estimate.level / 2, null.n - 1)) * se
    return replace(
        estimate,
        value=value,
        se=se,
        method=f"{estimate.method}, calibrated",
        interval=(value - reach, value + reach),
        segments=None,
        arms=None,
        assumptions=(*estimate.assumptions, "the systematic error is exchangeable with that of the controls"),
        notes=(*estimate.notes, f"calibrated on {null.n} negative controls"),
        influence=None,
        design=None,
    )
