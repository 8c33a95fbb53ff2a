"""Randomisation inference: throw the experiment's own coin again, and see how rare the difference found is."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalrec_lib import _validate
from causalrec_lib._validate import FloatArray

_CHUNK = 2_000_000  # entries of the table of new assignments that are in memory at once
_TIE = 1e-9


@dataclass(frozen=True)
class RandomisationTest:
    """What a randomisation test found; made by `randomisation_test`.

    Parameters
    ----------
    observed : float
        Difference between treated and others that the experiment shows, the effect under test taken out.
    p_value : float
        Share of assignments, the real one among them, with a difference at least as large in absolute value.
    draws : ndarray of shape (n_draws,)
        The differences under new assignments.
    effect : float
        The effect that was tested.
    """

    observed: float
    p_value: float
    draws: FloatArray = field(repr=False)
    effect: float = 0.0


def randomisation_test(
    y: ArrayLike,
    t: ArrayLike,
    blocks: ArrayLike | None = None,
    *,
    rng: np.random.Generator,
    effect: float = 0.0,
    n_draws: int = 1_999,
) -> RandomisationTest:
    """Test that the treatment has the same effect, by default none, on every row (Fisher's sharp null).

    Parameters
    ----------
    y : array_like of shape (n,)
        Outcome.
    t : array_like of shape (n,)
        Treatment, 0 or 1.
    blocks : array_like of shape (n,), optional
        The rows among which the treated were drawn, for example the candidates of one prompt; by default all rows.
    rng : numpy.random.Generator
        Draws the new assignments.
    effect : float
        The effect under test, in units of the outcome. All values that are not rejected at .05 are a 95 % interval.
    n_draws : int
        New assignments; with 1,999 the smallest p-value is .0005.

    Returns
    -------
    RandomisationTest
        The difference, the two-sided p-value and the draws.

    Raises
    ------
    ValueError
        If inputs are no finite numbers or of other length, `t` is of one class in every block, or `n_draws` or `rng`
        is none.

    Notes
    -----
    Within each block the treated are drawn anew, as many as there were. The statistic is the difference in means of
    the outcome less its mean in the block; where each block has the same share of treated, that is the plain
    difference in means. The real assignment counts among the draws (the +1 in numerator and denominator), so the
    level holds exactly for any number of draws. Chapter: language/04_llm_as_recommender

    References
    ----------
    bib: fisher1971design, phipson2010permutation

    Examples
    --------
    >>> found = randomisation_test([3, 1, 4, 0], [1, 0, 1, 0], [0, 0, 1, 1], rng=np.random.default_rng(0))
    >>> found.observed
    3.0
    """
    outcome = _validate.vector(y, "y")
    group = _validate.binary(t, "t", len(outcome), "y")
    _validate.generator(rng, "rng")
    effect = _validate.number(effect, "effect")
    times = _validate.integer(n_draws, "n_draws", 19)
    codes = np.zeros(len(outcome), np.int64)
    if blocks is not None:
        codes = _validate.labels(blocks, "blocks", len(outcome), "y")
    order = np.argsort(codes, kind="stable")
    codes, outcome, group = codes[order], outcome[order] - effect * group[order], group[order]
    sizes, treated = np.bincount(codes), np.bincount(codes, group)
    if not ((treated > 0) & (treated < sizes)).any():
        raise ValueError("t is of one class in every block, so there is nothing to draw anew; check blocks.")
    centred = outcome - (np.bincount(codes, outcome) / sizes)[codes]
    weight = 1 / group.sum() + 1 / (len(group) - group.sum())
    observed = float(group @ centred * weight)
    draws = np.concatenate([_redrawn(group, codes, k, rng) @ centred * weight for k in _chunks(times, len(group))])
    extreme = int((np.abs(draws) >= abs(observed) - _TIE * max(1.0, abs(observed))).sum())
    return RandomisationTest(observed, (1 + extreme) / (1 + times), draws, effect)


def _redrawn(t: FloatArray, codes: NDArray[np.int64], k: int, rng: np.random.Generator) -> FloatArray:
    """Return k new assignments; rows are sorted by block, so sorting block + uniform shuffles within blocks."""
    places = np.argsort(codes + rng.random((k, len(t))), axis=1)
    return np.asarray(t[places], dtype=np.float64)


def _chunks(times: int, n: int) -> list[int]:
    size = max(1, _CHUNK // n)
    return [min(size, times - done) for done in range(0, times, size)]
