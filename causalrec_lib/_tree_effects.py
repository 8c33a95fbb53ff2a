"""Effects in the leaves of a causal tree: which rows speak, what they say, and how sure one may be."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2
from scipy.stats import t as student

from causalrec_lib._mestimation import n_groups, standard_error
from causalrec_lib._refusal import Flag
from causalrec_lib._tree_split import Integers
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import Estimate, Rules, judge

_ADAPTIVE = Flag(
    "the rows that chose the splits also estimate the effects, which makes them too large where they are largest; "
    "the intervals cover too seldom. Use honest=True.",
    "honesty",
)


class Sample(NamedTuple):
    """The rows that estimate the effects."""

    y: FloatArray
    t: FloatArray
    e: FloatArray
    leaf: Integers
    codes: Integers | None


class Reading(NamedTuple):
    """What is said of every leaf of a tree alike."""

    honest: bool
    level: float
    unit: str
    objections: tuple[str, ...]


def leaf_effect(s: Sample, leaf: int, rule: str, how: Reading) -> Estimate:
    """Return the weighted difference of means in a leaf, with influence values over all estimating rows."""
    here = s.leaf == leaf
    w1, w0 = np.where(here, s.t / s.e, 0.0), np.where(here, (1 - s.t) / (1 - s.e), 0.0)
    mean1, mean0 = (w1 @ s.y) / w1.sum(), (w0 @ s.y) / w0.sum()
    influence, spread = np.zeros(len(s.y)), []
    for sign, w, mean in ((1, w1, mean1), (-1, w0, mean0)):
        n = float((w > 0).sum())
        part = sign * np.sqrt(n / (n - 1)) * w * (s.y - mean) / w.mean()
        influence += part
        spread.append((part @ part, n - 1))
    value, se = float(mean1 - mean0), standard_error(influence, s.codes)
    estimate = Estimate(
        value=value,
        se=se,
        estimand="GATE",
        method=f"{'honest' if how.honest else 'adaptive'} causal tree",
        n=int(here.sum()),
        level=how.level,
        interval=None if s.codes is not None else _welch(value, se, spread, how.level),
        assumptions=("exchangeability given the propensity", "overlap", "no interference"),
        flags=() if how.honest else (_ADAPTIVE,),
        unit=how.unit,
        population="among rows with " + rule,
        arms={"control": float(mean0), "treated": float(mean1)},
        notes=how.objections,
        n_clusters=n_groups(s.codes),
        influence=influence,
        clusters=s.codes,
    )
    return judge(estimate, {"treated": w1[w1 > 0], "controls": w0[w0 > 0]}, Rules(), "flag")


def _welch(value: float, se: float, parts: list[tuple[float, float]], level: float) -> tuple[float, float]:
    """Return the interval of a difference of two means with variances of their own."""
    total = sum(squares for squares, _ in parts)
    loss = sum(squares**2 / free for squares, free in parts)
    reach = se * float(student.ppf(0.5 + level / 2, total**2 / loss if loss > 0 else np.inf))
    return value - reach, value + reach


def equal_effects(found: list[Estimate], s: Sample) -> float:
    """Return the p-value of a Wald test that all leaves have one effect, NaN for a single leaf."""
    if len(found) < 2:
        return float("nan")
    influence = np.stack([np.asarray(e.influence) for e in found], axis=1)
    if s.codes is not None:
        sums = [np.bincount(s.codes, column) for column in influence.T]
        groups = len(sums[0])
        influence = np.stack(sums, axis=1) * np.sqrt(groups / (groups - 1))
    apart, spread = np.diff([e.value for e in found]), np.diff(influence, axis=1)
    covariance = spread.T @ spread / len(s.y) ** 2
    return float(chi2.sf(apart @ np.linalg.solve(covariance, apart), len(apart)))


def part(n: int, codes: Integers | None, parts: int, rng: np.random.Generator) -> Integers:
    """Deal rows, or whole clusters, to parts of equal size at random."""
    if codes is None:
        return np.asarray(rng.permutation(n) % parts)
    labels, place = np.unique(codes, return_inverse=True)
    return np.asarray((rng.permutation(len(labels)) % parts)[place])


def refuse_one_armed(t: FloatArray, *halves: NDArray[np.bool_]) -> None:
    """Raise where a half has too few rows of an arm for an effect and its error."""
    for half in halves:
        if min(t[half].sum(), (1 - t[half]).sum()) < 2:
            raise ValueError(
                "t has fewer than two rows of an arm in one half; pass more rows of both, or honest=False."
            )
