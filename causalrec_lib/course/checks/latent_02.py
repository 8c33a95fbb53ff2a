"""Checks of the exercises of latent/02_instruments."""

from __future__ import annotations

import numpy as np

from causalrec_lib.course.check import Answer, Draw, exercise, expect_on_draws


def _rows(rng: np.random.Generator, n: int = 200) -> tuple[np.ndarray, ...]:
    """Outcome, treatment, instrument and a column of a log with compliers, always-takers and never-takers."""
    x = rng.normal(size=n)
    z = (rng.permutation(n) < 0.4 * n).astype(float)
    kind = np.digitize(x + rng.normal(size=n), [-0.6, 0.9])
    t = np.choose(kind, [np.zeros(n), z, np.ones(n)])
    return 1 + x + t * (1 + 0.5 * x) + rng.normal(size=n), t, z, x


@exercise("latent/02.1", task="Write the Wald ratio.")
def check_wald(answer: Answer) -> None:
    """Accept the reduced form over the first stage."""

    def make(rng: np.random.Generator) -> Draw:
        y, t, z, _ = _rows(rng)
        reduced = y[z == 1].mean() - y[z == 0].mean()
        first = t[z == 1].mean() - t[z == 0].mean()
        known = {
            "That is the effect of being pushed, not of being shown: divide by the first stage.": reduced,
            "That compares the shown with the others: the push is not in it.": y[t == 1].mean() - y[t == 0].mean(),
            "Instrument and treatment have changed places: group the rows by z.": (
                (y[t == 1].mean() - y[t == 0].mean()) / (z[t == 1].mean() - z[t == 0].mean())
            ),
        }
        return (y, t, z), reduced / first, known

    expect_on_draws(
        answer,
        make,
        hint="What does a push change in purchases, and for what share of pairs did it change the display?",
        recipe="Difference of the means of y between z = 1 and z = 0, divided by the same difference of t.",
    )


@exercise("latent/02.2", task="Return the share of compliers and their mean of x.")
def check_compliers(answer: Answer) -> None:
    """Accept the mean of kappa and the mean of x weighted by kappa."""

    def make(rng: np.random.Generator) -> Draw:
        _, t, z, x = _rows(rng)
        p = z.mean()
        kappa = 1 - t * (1 - z) / (1 - p) - (1 - t) * z / p
        share = kappa.mean()
        known = {
            "Divide by the share of compliers: kappa averages less than one.": np.array([share, (kappa * x).mean()]),
            "Pairs with t = z are compliers and others: a pushed and shown one may be an always-taker.": np.array(
                [(t == z).mean(), x[t == z].mean()]
            ),
            "p is the share of pushed rows, not a half.": _half(x, t, z),
        }
        return (x, t, z), np.array([share, (kappa * x).mean() / share]), known

    expect_on_draws(
        answer,
        make,
        hint="Kappa is 1 for a row that may be a complier. What does it do to rows that surely are none?",
        recipe="Compute kappa a row, with p the mean of z. The share is its mean; the mean of x is weighted by it.",
    )


def _half(x: np.ndarray, t: np.ndarray, z: np.ndarray) -> np.ndarray:
    kappa = 1 - 2 * t * (1 - z) - 2 * (1 - t) * z
    return np.array([kappa.mean(), (kappa * x).mean() / kappa.mean()])


@exercise("latent/02.3", task="Return the Anderson-Rubin statistic of one value.")
def check_ar(answer: Answer) -> None:
    """Accept the squared difference of the rest's means over its variance."""

    def make(rng: np.random.Generator) -> Draw:
        y, t, z, _ = _rows(rng)
        b = float(rng.uniform(-1, 0.5))
        want = _statistic(y - b * t, z)
        known = {
            "That is the statistic of no effect: take b times t out of y first.": _statistic(y, z),
            "Square the ratio of the difference to its error.": np.sqrt(want),
            "The sign of b is turned: what is left without the effect is y - b t.": _statistic(y + b * t, z),
            "Group by the push z: under b, the display t may well predict the rest.": _statistic(y - b * t, t),
        }
        return (y, t, z, b), want, known

    expect_on_draws(
        answer,
        make,
        hint="Take the effect out of y as if it were b. May a fair coin still tell the two groups apart?",
        recipe="With r = y - b t: (mean of r at z = 1 minus mean at z = 0) squared, over the sum of var / n of each.",
    )


def _statistic(rest: np.ndarray, z: np.ndarray) -> float:
    one, zero = rest[z == 1], rest[z == 0]
    return float((one.mean() - zero.mean()) ** 2 / (one.var() / len(one) + zero.var() / len(zero)))


@exercise("latent/02.4", task="Mend the standard error of two stages run by hand.")
def check_two_stages(answer: Answer) -> None:
    """Accept the estimate with the error from the residual of the actual treatment."""

    def make(rng: np.random.Generator) -> Draw:
        y, t, z, _ = _rows(rng)
        right, planted = _by_hand(y, t, z)
        slope = np.cov(t, y)[0, 1] / np.var(t, ddof=1)
        intercept = y.mean() - slope * t.mean()
        plain = np.sqrt(np.mean((y - intercept - slope * t) ** 2) / (len(y) * np.var(t)))
        known = {
            "That is still the colleague's error: look at the residual.": planted,
            "That is least squares of y on t: the instrument is gone.": np.array([slope, plain]),
        }
        return (y, t, z), right, known

    expect_on_draws(
        answer,
        make,
        hint="In the model for y, does the effect multiply what was shown, or what the first stage predicts?",
        recipe="Keep beta. Compute the residual with the actual t, not the prediction; the rest stays.",
    )


def _by_hand(y: np.ndarray, t: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the estimate with the right error, and with the planted one."""
    first = np.column_stack([np.ones(len(y)), z])
    second = np.column_stack([np.ones(len(y)), first @ np.linalg.lstsq(first, t, rcond=None)[0]])
    beta = np.linalg.lstsq(second, y, rcond=None)[0]
    bread = np.linalg.inv(second.T @ second)[1, 1]
    errors = [np.sqrt(np.mean((y - beta[0] - beta[1] * c) ** 2) * bread) for c in (t, second[:, 1])]
    return np.array([beta[1], errors[0]]), np.array([beta[1], errors[1]])
