"""Checks of the exercises of latent/01_structural_models."""

from __future__ import annotations

import numpy as np

from causalrec_lib.course.check import Answer, Draw, exercise, expect_on_draws


@exercise("latent/01.1", task="Return the covariance that linear equations imply for two variables.")
def check_covariance(answer: Answer) -> None:
    """Accept one cell of (I - B)^-1 V (I - B)^-T."""

    def make(rng: np.random.Generator) -> Draw:
        B = np.tril(rng.uniform(0.3, 1.2, (4, 4)), -1)
        v = rng.uniform(0.5, 2, 4)
        i, j = 3, int(rng.integers(1, 3))
        through = np.linalg.inv(np.eye(4) - B)
        direct = np.eye(4) + B
        known = {
            "Only paths of one arrow are in it: longer ones count, too.": (direct @ np.diag(v) @ direct.T)[i, j],
            "The noises must be on the way: multiply by their variances.": (through @ through.T)[i, j],
            "B is turned: a row holds what is moved.": (through.T @ np.diag(v) @ through)[i, j],
        }
        return (B, v, i, j), (through @ np.diag(v) @ through.T)[i, j], known

    expect_on_draws(
        answer,
        make,
        hint="x = B x + noise. Solve for x: which matrix stands before the noise?",
        recipe="through = inverse of (I - B). Then through, times a diagonal of v, times through transposed.",
    )


@exercise("latent/01.2", task="Return the natural indirect effect through a yes-or-no mediator.")
def check_indirect(answer: Answer) -> None:
    """Accept the mediation formula without covariates."""

    def make(rng: np.random.Generator) -> Draw:
        n = 200
        t = rng.permutation(np.arange(n) % 2).astype(float)
        m = (rng.random(n) < 0.3 + 0.4 * t).astype(float)
        y = m * (1 + 2 * t) + 0.5 * t + rng.normal(size=n)

        def part(arm: float) -> float:
            return float(y[(t == arm) & (m == 1)].mean() - y[(t == arm) & (m == 0)].mean())

        moved = m[t == 1].mean() - m[t == 0].mean()
        total = y[t == 1].mean() - y[t == 0].mean()
        known = {
            "That is the pure indirect effect: outcomes of the treated were asked for.": part(0.0) * moved,
            "That is the total effect.": total,
            "That is the direct part, the rest of the total.": total - part(1.0) * moved,
            "That is what the mediator does. By how much does the treatment move it?": part(1.0),
            "The difference of outcomes mixes both arms: take the treated alone.": (
                y[m == 1].mean() - y[m == 0].mean()
            )
            * moved,
        }
        return (y, t, m), part(1.0) * moved, known

    expect_on_draws(
        answer,
        make,
        hint="What does m = 1 add among the treated, and how much more often is m = 1 under treatment?",
        recipe="(mean y at t=1, m=1 minus mean y at t=1, m=0) times (share m=1 at t=1 minus share at t=0).",
    )


@exercise("latent/01.3", task="Return the reliability of the first of three signals.")
def check_reliability(answer: Answer) -> None:
    """Accept the triad of covariances over the variance."""

    def make(rng: np.random.Generator) -> Draw:
        n = 400
        loads = rng.uniform(0.8, 1.6, 3)
        x = rng.normal(size=n)[:, None] * loads + rng.normal(size=(n, 3)) * rng.uniform(0.5, 0.9, 3)
        S = np.cov(x.T)
        square = S[0, 1] * S[0, 2] / S[1, 2]
        known = {
            "That is the variance from the taste: what share of all is it?": square,
            "That is the share of noise.": 1 - square / S[0, 0],
            "That is the loading in standard deviations: its square is the share.": np.sqrt(square / S[0, 0]),
            "That is the second signal's.": S[0, 1] * S[1, 2] / S[0, 2] / S[1, 1],
        }
        return (x,), square / S[0, 0], known

    expect_on_draws(
        answer,
        make,
        hint="cov12 = l1 l2, cov13 = l1 l3, cov23 = l2 l3. How do l2 and l3 cancel?",
        recipe="cov12 times cov13 over cov23 is l1 squared; divide it by the variance of the first signal.",
    )


@exercise("latent/01.4", task="Mend a product of coefficients.")
def check_product(answer: Answer) -> None:
    """Accept the product with the treatment in the second regression."""

    def make(rng: np.random.Generator) -> Draw:
        n = 150
        t = rng.permutation(np.arange(n) % 2).astype(float)
        m = t + rng.normal(size=n)
        y = 0.5 * m + rng.uniform(1, 2) * t + rng.normal(size=n)
        a = np.polyfit(t, m, 1)[0]
        alone = np.polyfit(m, y, 1)[0]
        direct, b = np.linalg.lstsq(np.column_stack([np.ones(n), t, m]), y, rcond=None)[0][1:]
        known = {
            "That is still the colleague's: the path back through the treatment is open.": a * alone,
            "That is the total effect.": a * b + direct,
            "That is the mediator's coefficient: by how much is the mediator moved?": b,
            "That is the direct effect.": direct,
        }
        return (y, t, m), a * b, known

    expect_on_draws(
        answer,
        make,
        hint="What must be held still when y is compared between rows with more and less of m?",
        recipe="Regress y on a constant, t and m; take the coefficient of m; multiply by the slope of m on t.",
    )
