"""Checks of the exercises of latent/03_factor_models_and_deconfounder."""

from __future__ import annotations

import numpy as np

from causalrec_lib.course.check import Answer, Draw, exercise, expect_on_draws


def _first(y: np.ndarray, *terms: np.ndarray) -> float:
    """Return the first coefficient of least squares of y on terms and a constant."""
    return float(np.linalg.lstsq(np.column_stack([*terms, np.ones(len(y))]), y, rcond=None)[0][0])


@exercise("latent/03.1", task="Write the multiplicative update of the items.")
def check_update(answer: Answer) -> None:
    """Accept the update that shares counts out among factors."""

    def make(rng: np.random.Generator) -> Draw:
        theta, lam = rng.gamma(2, 0.5, (12, 2)), rng.gamma(2, 0.5, (2, 7))
        A = rng.poisson(theta @ lam).astype(float)
        share = theta.T @ (A / (theta @ lam))
        want = lam * share / theta.sum(axis=0)[:, None]
        known = {
            "Divide by what the users add up to, factor by factor.": lam * share,
            "That divides by the items' sums; the update of the items divides by the users'.": (
                lam * share / lam.sum(axis=1)[:, None]
            ),
            "Multiply the old items by the ratio; you have returned the ratio alone.": (
                share / theta.sum(axis=0)[:, None]
            ),
        }
        return (A, theta, lam), want, known

    expect_on_draws(
        answer,
        make,
        hint="How many of an item's displays belong to a factor, if each is shared out by theta times lambda?",
        recipe="Take A over its mean, multiply from the left by theta transposed and by lam; divide by theta's sums.",
    )


@exercise("latent/03.2", task="Write the deconfounder with one factor.")
def check_deconfounder(answer: Answer) -> None:
    """Accept the coefficient of the first genre beside the user's total."""

    def make(rng: np.random.Generator) -> Draw:
        z = rng.gamma(2, 0.5, 150)
        A = rng.poisson(z[:, None] * rng.uniform(0.5, 2, 8)).astype(float)
        y = 0.5 * A[:, 0] + 0.2 * A[:, 1:].sum(axis=1) + 2 * z + rng.normal(size=150)
        total = A.sum(axis=1)
        known = {
            "Nothing is adjusted for: the substitute is missing.": _first(y, A[:, 0]),
            "That is plain regression on all genres; the deconfounder has one column for the factor.": _first(y, A),
            "The factor is fitted to all displays: genre one belongs to the total.": (
                _first(y, A[:, 0], total - A[:, 0])
            ),
        }
        return (A, y), _first(y, A[:, 0], total), known

    expect_on_draws(
        answer,
        make,
        hint="With one factor, which number of a user's row does the Poisson fit keep?",
        recipe="Regress y on the first column of A, the row sums of A and a constant; return the first coefficient.",
    )


def _proxies(rng: np.random.Generator, n: int = 300) -> tuple[np.ndarray, ...]:
    u = rng.normal(size=n)
    t = (u + rng.normal(size=n) > 0).astype(float)
    z, w = u + rng.normal(size=n), u + rng.normal(size=n)
    return t + 2 * u + rng.normal(size=n), t, w, z


def _predicted(w: np.ndarray, *terms: np.ndarray) -> np.ndarray:
    first = np.column_stack([*terms, np.ones(len(w))])
    return np.asarray(first @ np.linalg.lstsq(first, w, rcond=None)[0])


@exercise("latent/03.3", task="Estimate an effect with two proxies.")
def check_proxies(answer: Answer) -> None:
    """Accept two-stage least squares with t in both stages."""

    def make(rng: np.random.Generator) -> Draw:
        y, t, w, z = _proxies(rng)
        known = {
            "The first stage lacks t: taste is predicted from z alone.": _first(y, t, _predicted(w, z)),
            "That takes w as a column: its noise leaves confounding in.": _first(y, t, w),
            "Both proxies as columns are still noisy: predict w first.": _first(y, t, w, z),
            "The proxies have changed places: predict w from z, not z from w.": _first(y, t, _predicted(z, t, w)),
        }
        return (y, t, w, z), _first(y, t, _predicted(w, t, z)), known

    expect_on_draws(
        answer,
        make,
        hint="Which noise must go out of w, and what do you have that goes with taste but not with that noise?",
        recipe="Regress w on t, z and a constant; regress y on t, that prediction and a constant; return t's slope.",
    )


@exercise("latent/03.4", task="Mend the standard error of two proxies.")
def check_proxy_error(answer: Answer) -> None:
    """Accept the error from the residual with the recorded proxy."""

    def make(rng: np.random.Generator) -> Draw:
        y, t, w, z = _proxies(rng)
        known = {
            "That is still the colleague's error: look at the residual.": _error(y, t, w, z, planted=True),
            "That is the variance; take its root.": _error(y, t, w, z) ** 2,
        }
        return (y, t, w, z), _error(y, t, w, z), known

    expect_on_draws(
        answer,
        make,
        hint="What does the bridge take in: the proxy as recorded, or what the first stage makes of it?",
        recipe="Keep beta and the bread. In the residual put w in the place of its prediction; the rest stays.",
    )


def _error(y: np.ndarray, t: np.ndarray, w: np.ndarray, z: np.ndarray, planted: bool = False) -> float:
    one, predicted = np.ones(len(y)), _predicted(w, t, z)
    second = np.column_stack([t, predicted, one])
    beta = np.linalg.lstsq(second, y, rcond=None)[0]
    residual = y - (second if planted else np.column_stack([t, w, one])) @ beta
    bread = np.linalg.inv(second.T @ second)
    meat = (second * residual[:, None] ** 2).T @ second
    return float(np.sqrt((bread @ meat @ bread)[0, 0]))
