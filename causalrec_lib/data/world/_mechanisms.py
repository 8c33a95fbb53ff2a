"""The structural equations: each function reads like its formula on the world's page.

Letters: S score (observed affinity), H hidden affinity, A affinity, P standardised log popularity, L standardised
log activity, C standardised log price, X tone of the reviews, K familiarity, v annoyed by advertising, e propensity.
All arrays broadcast; all are float32 except where a test of probabilities needs more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from causalrec_lib.data.world.parameters import Parameters

Array = NDArray[Any]

OVERLAP_SCALE = {"good": 1.0, "poor": 2.5, "none": 1.0}
NEVER_SHOWN_BELOW, ALWAYS_SHOWN_ABOVE = -0.5, 1.5


def affinity(p: Parameters, S: Array, H: Array) -> Array:
    """Return how much the user would like the item: w_s S + w_h H."""
    return np.float32(p.w_s) * S + np.float32(p.w_h) * H


def familiarity(p: Parameters, S: Array, P: Array) -> Array:
    """Return the chance that the user finds the item without the recommender."""
    return expit(np.float32(p.k0) + np.float32(p.k1) * P + np.float32(p.k2) * S)


def lift_log_odds(p: Parameters, A: Array, K: Array, v: Array) -> Array:
    """Return tau: large for liked but little-known items, negative for the annoyed."""
    return np.float32(p.t1) * (1 - K) * expit(np.float32(p.t2) * A) - np.float32(p.t3) * v


def base_log_odds(p: Parameters, A: Array, P: Array, L: Array, C: Array) -> Array:
    """Return the log-odds of consuming when not shown."""
    f = np.float32
    return f(p.b0) + f(p.b1) * A + f(p.b2) * P + f(p.b3) * L - f(p.b4) * C


def outcome_probability(base: Array, tau: Array | float) -> Array:
    """Return P(Y(t) = 1): the base log-odds plus tau where shown."""
    return expit(base + tau)


def exposure_log_odds(
    p: Parameters, confounding: str, overlap: str, S: Array, hidden: Array | float, P: Array, L: Array
) -> Array:
    """Return the log-odds of exposure under the confounding and overlap switches; `hidden` is `hidden_drive`."""
    f = np.float32
    if confounding == "none":
        return np.zeros(np.broadcast_shapes(S.shape, P.shape, L.shape), np.float32) + f(
            np.log(p.e_random / (1 - p.e_random))
        )
    drive = f(p.a1) * P + f(p.a2) * S + f(p.a3) * L + hidden
    return f(p.a0) + f(OVERLAP_SCALE[overlap]) * drive


def hidden_drive(p: Parameters, confounding: str, H: Array, q: Array, X: Array) -> Any:
    """Return what drives exposure and is in no column: nothing, the tone of the text, or hidden taste and quality."""
    if confounding == "text":
        return np.float32(p.a_x) * X
    if confounding == "hidden":
        return np.float32(p.a_h) * H + np.float32(p.a_q) * q
    return np.float32(0)


def exposure_probability(
    p: Parameters, confounding: str, overlap: str, S: Array, hidden: Array | float, P: Array, L: Array
) -> Array:
    """Return e, the exact propensity; with overlap="none" the score alone decides at both ends."""
    return cut_overlap(confounding, overlap, S, expit(exposure_log_odds(p, confounding, overlap, S, hidden, P, L)))


def cut_overlap(confounding: str, overlap: str, S: Array, e: Array) -> Array:
    """Return e; with overlap="none" it is 0 where the score is low and 1 where it is high."""
    if overlap == "none" and confounding != "none":
        e = np.where(NEVER_SHOWN_BELOW > S, e.dtype.type(0), np.where(ALWAYS_SHOWN_ABOVE < S, e.dtype.type(1), e))
    return e


def exposure_given_marketing(p: Parameters, e: Array, z: Array) -> Array:
    """Return P(T = 1 | X, Z = z) for the marketing coin: e + kappa (z - 1/2) e (1 - e), so its mean over Z is e."""
    return e + np.float32(p.kappa) * (z - np.float32(0.5)) * e * (1 - e)


def tell_a_friend(prob: Array, gamma: float, F: Array | float) -> Array:
    """Return the probability after friends have spoken: prob + gamma F (1 - prob), F the share of friends shown."""
    return prob + np.float32(gamma) * F * (1 - prob)


def examination(p: Parameters, position: Array) -> Array:
    """Return the chance that a reader looks at a slot (1 is the top)."""
    return np.asarray(position, dtype=np.float64) ** -p.eta


def star_probabilities(p: Parameters, cuts: Array, A: Array) -> Array:
    """Return P(stars = 1..5), shape (5, ...): an ordered probit in the affinity."""
    above = np.stack([ndtr((p.r1 * A - c) / p.r_sd) for c in cuts])
    one, zero = np.ones((1, *above.shape[1:])), np.zeros((1, *above.shape[1:]))
    return -np.diff(np.concatenate([one, above, zero]), axis=0)


def ever(weekly: Array, weeks: int) -> Array:
    """Return the chance of at least one consumption in some weeks of the same weekly chance."""
    return 1 - (1 - weekly) ** weeks


def promise_probability(p: Parameters, q: Array, C: Array) -> Array:
    """Return the chance that the seller promises: weak items need it more, dear ones use it more."""
    return expit(p.c0 + p.c_q * q + p.c_price * C).astype(np.float64)


def blurb_click(p: Parameters, base: Array, tau: Array, promise: Array | int, number: Array | int) -> Array:
    """Return P(click) on a shown blurb with the given attributes."""
    both = np.multiply(promise, number)
    return expit(base + tau + p.g_promise * np.asarray(promise) + p.g_number * np.asarray(number) + p.g_both * both)


def expectation(p: Parameters, S: Array, promise: Array | int) -> Array:
    """Return the mean expectation that the blurb raises."""
    return p.m_a * S + p.m_promise * np.asarray(promise)


def satisfaction(p: Parameters, A: Array, expected: Array | float, promise: Array | int) -> Array:
    """Return the mean satisfaction: liking, less what was expected, plus the pleasure of a promise."""
    a = np.asarray(promise)
    return p.s_0 + p.s_a * A + (p.s_expect + p.s_both * a) * expected + p.s_promise * a


def satisfaction_given(
    p: Parameters, S: Array, A: Array, promise: int, told: int | None, held: float
) -> tuple[Array, float]:
    """Return mean and standard deviation of satisfaction under a promise and an expectation.

    The expectation is that of the promise `told`, or with told=None a fixed number.
    """
    expected = expectation(p, S, told) if told is not None else held
    noise = (p.s_expect + p.s_both * promise) * p.m_sd if told is not None else 0.0
    return satisfaction(p, A, expected, promise), float(np.hypot(p.s_sd, noise))


def nested_outcome(
    p: Parameters, S: Array, A: Array, promise: int, told: int | None, held: float, outcome: str
) -> Array:
    """Return the mean satisfaction or the mean stars of each pair under a promise and an expectation."""
    mean, sd = satisfaction_given(p, S, A, promise, told, held)
    return mean if outcome == "satisfaction" else 1 + sum(ndtr((mean - grade) / sd) for grade in p.grades)


def mood_probabilities(p: Parameters, S: Array, A: Array, promise: int) -> tuple[Array, Array]:
    """Return P(reaction is positive: 4 or 5 stars), P(reaction is negative: 1 or 2)."""
    mean, sd = satisfaction_given(p, S, A, promise, promise, 0.0)
    return ndtr((mean - p.grades[2]) / sd), ndtr((p.grades[1] - mean) / sd)


def non_complier_probability(p: Parameters, compliance: float, L: Array) -> Array:
    """Return the chance that a user does not follow the assignment: rarer among the active."""
    return np.minimum(1.0, 2 * (1 - compliance) * expit(-np.asarray(L, dtype=np.float64)))
