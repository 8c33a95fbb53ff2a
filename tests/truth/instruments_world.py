"""A world of compliers, always-takers and never-takers with a hidden cause, and the checks of instruments in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from causalrec_lib import instruments
from causalrec_lib.instruments import WeakInstrument

from .weighting_world import Runs, honest

LATE = 3.0  # always-takers gain 5, never-takers would lose 1
SHARES = (0.3, 0.45, 0.25)  # never-takers, compliers, always-takers


@dataclass(frozen=True)
class Tools:
    """The functions under test; a broken twin replaces one of them."""

    two_stage_least_squares: object = instruments.two_stage_least_squares
    anderson_rubin: object = instruments.anderson_rubin
    complier_means: object = instruments.complier_means


@dataclass(frozen=True)
class Draw:
    """Outcome, treatment, instrument, a column that moves z and y, one that goes with compliance, and groups."""

    y: np.ndarray
    t: np.ndarray
    z: np.ndarray
    X: np.ndarray
    w: np.ndarray
    group: np.ndarray


def draw(seed: int, n: int = 1200, moved: bool = False, each: int = 1) -> Draw:
    """Draw rows; with `moved` the column X moves z and y; with `each`, so many rows share a coin and noise."""
    rng = np.random.default_rng([99, seed])
    group = np.arange(n) // each
    X = rng.integers(0, 2, n).astype(float)
    chance = 0.3 + 0.4 * X if moved else np.full(n, 0.4)
    z = (rng.random(n) < chance).astype(float)
    if each > 1:
        z = (rng.random(group[-1] + 1) < 0.4).astype(float)[group]
    hidden = rng.normal(size=n)
    if each > 1:  # most of the hidden cause is the group's
        hidden = np.sqrt(0.8) * rng.normal(size=group[-1] + 1)[group] + np.sqrt(0.2) * hidden
    kind = np.digitize(hidden + rng.normal(size=n), np.sqrt(2) * np.array([-0.5244, 0.6745]))  # quantiles .30 and .75
    t = np.choose(kind, [np.zeros(n), z, np.ones(n)])
    effect = np.choose(kind, [-1.0, LATE, LATE if moved else 5.0])
    shared = 2 * rng.normal(size=group[-1] + 1)[group] if each > 1 else 0.0
    y = (2 * X if moved else 0) + 2 * hidden + effect * t + shared + rng.normal(size=n)
    return Draw(y, t, z, X, hidden, group)


def faint(seed: int, pull: float, n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw outcome, dose and a coin that pulls it a little; both share nearly all noise, and the effect is 0."""
    rng = np.random.default_rng([98, seed])
    shared, own, z = rng.normal(size=n), rng.normal(size=n), rng.integers(0, 2, n).astype(float)
    return 0.95 * shared + 0.31 * own, pull * z + shared, z


def sandwich(y, t, z, X):
    """Return estimate and error by the textbook's matrices."""
    n = len(y)
    W, V = np.column_stack([t, np.ones(n), X]), np.column_stack([z, np.ones(n), X])
    bread = np.linalg.inv(V.T @ W)
    beta = bread @ V.T @ y
    scores = V * (y - W @ beta)[:, None]
    return beta[0], np.sqrt((bread @ scores.T @ scores @ bread.T)[0, 0])


def many(estimate, runs, wanted, **how):
    """Return estimates and errors over many draws."""
    found = [estimate(draw(seed, **how)) for seed in range(runs)]
    return Runs(np.array([f.value for f in found]), np.array([f.se for f in found]), wanted)


def two_stage_battery(tools: Tools, runs: int):
    """Check two stages: identities, then centre, coverage and error against the truth."""
    estimator = tools.two_stage_least_squares
    d = draw(0, moved=True)
    base = estimator(d.y, d.t, d.z, d.X)
    yield "estimate and error by matrices", np.allclose([base.value, base.se], sandwich(d.y, d.t, d.z, d.X))
    yield "a stretch of the outcome stretches both", np.isclose(estimator(3 * d.y + 7, d.t, d.z, d.X).se, 3 * base.se)
    weak = faint(0, 0.0)
    yield "a weak instrument is flagged", "first stage" in estimator(*weak, refuse="flag").broken_rules
    try:
        estimator(*weak)
        refused = False
    except WeakInstrument as error:
        refused = error.estimate is not None
    yield "and refused", refused
    yield from honest("plain", many(lambda d: estimator(d.y, d.t, d.z), runs, LATE))
    yield from honest("columns", many(lambda d: estimator(d.y, d.t, d.z, d.X), runs, LATE, moved=True))
    got = many(lambda d: estimator(d.y, d.t, d.z, clusters=d.group), runs, LATE, each=6)
    yield from honest("clusters", got)


def held(sets, runs, wanted):
    """Say whether sets hold the truth as often as they claim."""
    low, high = binom.ppf([0.001, 0.999], runs, 0.95)
    return low <= sum(found.covers(wanted) for found in sets) <= high


def anderson_rubin_battery(tools: Tools, runs: int):
    """Check the set: its definition, its shapes, and coverage at every strength."""
    estimator = tools.anderson_rubin
    d = draw(0)
    found, b = estimator(d.y, d.t, d.z), np.array([-1.0, LATE, 4.1])
    rest = [d.y - value * d.t for value in b]
    stats = []
    for r in rest:
        one, zero = r[d.z == 1], r[d.z == 0]
        stats.append((one.mean() - zero.mean()) ** 2 / (one.var() / len(one) + zero.var() / len(zero)))
    yield "what a test keeps is in the set", [found.covers(v) for v in b] == [s <= 3.8415 for s in stats]
    shapes = [estimator(*faint(seed, 0.02)).shape for seed in range(60)]
    yield "the sets of a weak instrument mostly have no end", np.mean([s != "interval" for s in shapes]) > 0.7
    for pull in (0.02, 0.2, 1.0):
        sets = [estimator(*faint(seed, pull)) for seed in range(2 * runs)]
        yield f"coverage at pull {pull}", held(sets, 2 * runs, 0.0)
    yield "coverage in the world", held([estimator(e.y, e.t, e.z) for e in map(draw, range(runs))], runs, LATE)
    draws = [draw(seed, each=6) for seed in range(runs)]
    yield "coverage, clusters", held([estimator(e.y, e.t, e.z, clusters=e.group) for e in draws], runs, LATE)
    draws = [draw(seed, moved=True) for seed in range(runs)]
    yield "coverage, columns", held([estimator(e.y, e.t, e.z, e.X) for e in draws], runs, LATE)


def complier_battery(tools: Tools, runs: int):
    """Check share and means of compliers against the truth."""
    rng = np.random.default_rng(97)
    hidden = rng.normal(size=2_000_000)
    kind = np.digitize(hidden + rng.normal(size=len(hidden)), np.sqrt(2) * np.array([-0.5244, 0.6745]))
    for row, wanted in (("share", SHARES[1]), ("x0", hidden[kind == 1].mean())):
        tables = [tools.complier_means(d.w, d.t, d.z) for d in map(draw, range(runs))]
        value, se = (np.array([table.loc[row, c] for table in tables]) for c in ("compliers", "se"))
        yield from honest(row, Runs(value, se, wanted))
    d = draw(1)
    table = tools.complier_means(d.w, d.t, d.z)
    rest = [table.loc["share", c] for c in ("compliers", "always_takers", "never_takers")]
    yield "the shares sum to one", np.isclose(sum(rest), 1)
    clustered = [
        tools.complier_means(d.w, d.t, d.z, clusters=d.group) for d in (draw(s, each=6) for s in range(runs))
    ]
    value, se = (np.array([table.loc["share", c] for table in clustered]) for c in ("compliers", "se"))
    yield from honest("share, clusters", Runs(value, se, SHARES[1]))
