"""Checks of the exercises of trees/01_causal_trees."""

from __future__ import annotations

import numpy as np

from causalrec_lib.course.check import Answer, Draw, exercise, expect_on_draws


def _experiment(rng: np.random.Generator, n: int = 120) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcome, treatment and a column that changes the effect; every middle cut has both arms on both sides."""
    x, t = rng.normal(size=n), rng.permutation(np.arange(n) % 3 == 0).astype(float)
    return x + t * (1 + (x > 0)) + rng.normal(size=n), t, x


def _worth(y: np.ndarray, t: np.ndarray, rows: np.ndarray, penalty: float = 2.0) -> float:
    """Return share of rows times (effect^2 - penalty * variance)."""
    one, zero = y[rows & (t == 1)], y[rows & (t == 0)]
    variance = one.var(ddof=1) / len(one) + zero.var(ddof=1) / len(zero)
    return float(rows.mean() * ((one.mean() - zero.mean()) ** 2 - penalty * variance))


def _outcome_gain(y: np.ndarray, low: np.ndarray) -> float:
    return float(low.mean() * y[low].mean() ** 2 + (~low).mean() * y[~low].mean() ** 2 - y.mean() ** 2)


@exercise("trees/01.1", task="Return the gain of the honest criterion from one split.")
def check_gain(answer: Answer) -> None:
    """Accept both children's worth minus that of all rows."""

    def make(rng: np.random.Generator) -> Draw:
        y, t, x = _experiment(rng)
        cut = float(rng.uniform(-0.3, 0.3))
        low, everybody = x <= cut, np.ones(len(y), bool)

        def gain(penalty: float = 2.0) -> float:
            return _worth(y, t, low, penalty) + _worth(y, t, ~low, penalty) - _worth(y, t, everybody, penalty)

        known = {
            "That is the criterion after the split. What was it before?": gain() + _worth(y, t, everybody),
            "That is the adaptive criterion: the leaves' errors are left out.": gain(penalty=0.0),
            "The errors count twice: once for the square, once for the effects to be estimated.": gain(penalty=1.0),
            "That looks for a difference in purchases, not in effects.": _outcome_gain(y, low),
        }
        return (y, t, x, cut), gain(), known

    expect_on_draws(
        answer,
        make,
        hint="What are left and right worth, and what was one leaf with all rows worth?",
        recipe="Of a group: share of rows times (effect squared minus twice its squared error). Left + right - all.",
    )


@exercise("trees/01.2", task="Return the honest weighted effects of given leaves.")
def check_effects(answer: Answer) -> None:
    """Accept Hajek differences over the rows that did not split."""

    def make(rng: np.random.Generator) -> Draw:
        n, k = 240, int(rng.integers(3, 5))
        leaf, split = rng.permutation(np.arange(n) % k), rng.random(n) < 0.5
        e = rng.uniform(0.25, 0.75, n)
        t = (rng.random(n) < e).astype(float)
        y = leaf * t + 3 * e + rng.normal(size=n)

        def effects(rows: np.ndarray, weighted: bool = True, total: bool = False) -> np.ndarray:
            out = []
            for j in range(k):
                r = rows & (leaf == j)
                w1, w0 = (t / e, (1 - t) / (1 - e)) if weighted else (t, 1 - t)
                sizes = (r.sum(), r.sum()) if total else (w1[r].sum(), w0[r].sum())
                out.append(w1[r] @ y[r] / sizes[0] - w0[r] @ y[r] / sizes[1])
            return np.array(out)

        known = {
            "These rows chose the splits: their estimates are adaptive.": effects(split),
            "All rows speak here, those that chose the splits, too.": effects(np.ones(n, bool)),
            "The weights are missing: within a leaf displays are not by lot.": effects(~split, weighted=False),
            "Divide each arm by the sum of its weights, so that a constant in y doesn't matter.": effects(
                ~split, total=True
            ),
            "The sign is turned: treated minus others.": -effects(~split),
        }
        return (y, t, e, leaf, split), effects(~split), known

    expect_on_draws(
        answer,
        make,
        hint="Which half has no part in where the leaves are?",
        recipe="Per leaf, rows with split False: mean of y weighted by 1/e over t = 1, minus by 1/(1-e) over t = 0.",
    )


@exercise("trees/01.3", task="Mend the standard errors of the leaves.")
def check_report(answer: Answer) -> None:
    """Accept each arm's variance over its own rows."""

    def make(rng: np.random.Generator) -> Draw:
        n, k = 160, int(rng.integers(2, 5))
        leaf = rng.permutation(np.arange(n) % k)
        t = np.zeros(n)
        for j in range(k):
            t[rng.permutation(np.flatnonzero(leaf == j))[: 5 + 3 * j]] = 1
        y = leaf * t + (1 + t) * rng.normal(size=n)

        def report(size: str) -> np.ndarray:
            out = []
            for j in range(k):
                one, zero = y[(leaf == j) & (t == 1)], y[(leaf == j) & (t == 0)]
                both = np.concatenate([one - one.mean(), zero - zero.mean()])
                pooled = both @ both / (len(both) - 2)
                variance = {
                    "own": one.var(ddof=1) / len(one) + zero.var(ddof=1) / len(zero),
                    "all": one.var(ddof=1) / len(both) + zero.var(ddof=1) / len(both),
                    "pooled": pooled / len(one) + pooled / len(zero),
                }[size]
                out.append([one.mean() - zero.mean(), np.sqrt(variance)])
            return np.array(out)

        known = {
            "That is still the colleague's error: each mean is over its own arm's rows.": report("all"),
            "One variance for both arms: the treated scatter more here.": report("pooled"),
            "That is the variance: take the root.": np.column_stack([report("own")[:, 0], report("own")[:, 1] ** 2]),
        }
        return (y, t, leaf), report("own"), known

    expect_on_draws(
        answer,
        make,
        hint="How many rows stand behind the mean of the treated, and how many behind that of the others?",
        recipe="Variance of each arm divided by the number of rows in that arm; add both; take the root.",
    )
