"""Experiments with a known effect, and the checks of what is made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from causalrec_lib import experiments
from causalrec_lib.experiments import SampleRatioMismatch

from .weighting_world import Runs, honest

EFFECT = 0.5  # of a session, the same for all users


@dataclass(frozen=True)
class Tools:
    """The functions under test; a broken twin replaces one of them."""

    ratio_metric: object = experiments.ratio_metric
    cuped: object = experiments.cuped
    sample_ratio: object = experiments.sample_ratio
    confidence_sequence: object = experiments.confidence_sequence
    chance_of_an_alarm: object = experiments.chance_of_an_alarm
    team_draft: object = experiments.team_draft
    interleaving_credit: object = experiments.interleaving_credit


@dataclass(frozen=True)
class Draw:
    """Sums and counts of users, their arm, what was known before, and what they do in each session."""

    y: np.ndarray
    n: np.ndarray
    t: np.ndarray
    x: np.ndarray
    session_user: np.ndarray
    session_y: np.ndarray


def draw(seed: int, users: int = 400, share: float = 0.4) -> Draw:
    """Draw users whose taste goes with how often they come; the coin of arm 1 has the chance `share`."""
    rng = np.random.default_rng([41, seed])
    taste = rng.normal(size=users)
    n = rng.poisson(np.exp(1.2 + 0.5 * taste))
    t = np.zeros(users)
    t[rng.permutation(users)[: int(share * users)]] = 1
    who = np.repeat(np.arange(users), n)
    session = 1 + taste[who] + EFFECT * t[who] + rng.normal(size=len(who))
    return Draw(
        np.bincount(who, session, users), n.astype(float), t, taste + 0.5 * rng.normal(size=users), who, session
    )


def many(estimate, runs: int, wanted: float) -> Runs:
    """Return estimates and errors over many draws."""
    found = [estimate(draw(seed)) for seed in range(runs)]
    return Runs.of(found, wanted)


def ratio_battery(tools: Tools, runs: int):
    """Check ratios: identities, then centre, coverage and error against the truth, with and without CUPED."""
    d = draw(0)
    base = tools.ratio_metric(d.y, d.n, d.t)
    rows = tools.ratio_metric(d.session_y, np.ones(len(d.session_y)), d.t[d.session_user], clusters=d.session_user)
    yield "users and their sessions give one value", np.isclose(base.value, rows.value)
    yield "and nearly one error", np.isclose(base.se, rows.se, rtol=0.005)
    turned = tools.ratio_metric(d.y, d.n, 1 - d.t)
    yield "arms turned", np.allclose([turned.value, turned.se], [-base.value, base.se])
    yield "influence", np.isclose(abs(base.influence.mean()), 0, atol=1e-12) and len(base.influence) == 400
    yield "sound splits pass", not tools.ratio_metric(d.y, d.n, d.t, planned=0.4).flags
    try:
        tools.ratio_metric(d.y, d.n, d.t, planned=0.6)
        refused = False
    except SampleRatioMismatch as error:
        refused = error.estimate is not None
    yield "broken splits are refused", refused
    plain = many(lambda d: tools.ratio_metric(d.y, d.n, d.t), runs, EFFECT)
    helped = many(lambda d: tools.ratio_metric(d.y, d.n, d.t, d.x), runs, EFFECT)
    yield from honest("plain", plain)
    yield from honest("CUPED", helped)
    yield "CUPED is sharper", helped.ses.mean() < 0.9 * plain.ses.mean()


def cuped_battery(tools: Tools, runs: int):
    """Check CUPED on the mean a session of a user who came."""

    def of(d: Draw):
        came = d.n > 0
        return tools.cuped(d.y[came] / d.n[came], d.t[came], d.x[came])

    d = draw(1)
    came = d.n > 0
    y, t, x = d.y[came] / d.n[came], d.t[came], d.x[came]
    slope = np.linalg.lstsq(np.column_stack([np.ones(len(y)), t, x]), y, rcond=None)[0]
    yield "the value of a regression", np.isclose(tools.cuped(y, t, x).value, slope[1])
    yield "a shift of x changes nothing", np.isclose(tools.cuped(y, t, x + 7).value, slope[1])
    yield from honest("CUPED", many(of, runs, EFFECT))


def split_battery(tools: Tools, runs: int):
    """Check the sample ratio: its level under the plan, and its power off it."""
    rng = np.random.default_rng(43)
    shares = np.array([0.5, 0.3, 0.2])
    draws = rng.multinomial(3_000, shares, size=20 * runs)
    p = np.array([tools.sample_ratio(c, shares, alarm=0.05).p_value for c in draws])
    low, high = binom.ppf([0.001, 0.999], len(p), 0.05) / len(p)
    yield "level of one in twenty", low <= np.mean(p < 0.05) <= high
    yield "upper half", 0.42 < np.mean(p > 0.5) < 0.58
    off = rng.multinomial(3_000, [0.45, 0.33, 0.22], size=runs)
    yield "a shift is seen", np.mean([tools.sample_ratio(c, shares).mismatch for c in off]) > 0.8
    yield "equal shares are the default", tools.sample_ratio([900, 1_100]).mismatch


def sequence_battery(tools: Tools, runs: int):
    """Check the sequence: level over all looks, width, p-values; and the ladder of peeking."""
    rng = np.random.default_rng(44)
    looks = np.arange(1, 101)
    walks = rng.standard_normal((20 * runs, 100)).cumsum(axis=1) / looks
    made = tools.confidence_sequence(walks[0], 1 / np.sqrt(looks), tightest=0.1)
    radius = (made["high"] - made["low"]).to_numpy() / 2
    out = (np.abs(walks) > radius).any(axis=1).mean()
    yield "level over a hundred looks", out < 0.05
    yield "and not far below", out > 0.004
    yield "wider than one look everywhere", (radius > 1.96 / np.sqrt(looks)).all()
    widths = [
        (lambda f: (f["high"] - f["low"]).iloc[-1])(tools.confidence_sequence([0.0], [0.1], tightest=aim))
        for aim in (0.07, 0.1, 0.14)
    ]
    yield "narrowest where asked", widths[1] < min(widths[0], widths[2])
    moved = tools.confidence_sequence(0.5 + walks[1], 1 / np.sqrt(looks), tightest=0.1)
    first = (moved["low"] > 0) | (moved["high"] < 0)
    yield "p-value and interval agree", (moved["p_value"] < 0.05).to_numpy().argmax() == first.to_numpy().argmax()
    yield "p-values never rise", (moved["p_value"].diff().dropna() <= 0).all()
    ladder = [tools.chance_of_an_alarm(k) for k in (1, 2, 5, 10)]
    yield "one look is nominal", np.isclose(ladder[0], 0.05)
    exact = [(np.abs(walks[:, :k] * np.sqrt(looks[:k])) > 1.96).any(axis=1).mean() for k in (2, 5, 10)]
    noise = 3.5 * np.sqrt(0.2 * 0.8 / len(walks))
    yield "the ladder", np.allclose(ladder[1:], exact, atol=noise)


def interleaving_battery(tools: Tools, runs: int):
    """Check team draft and its credit: fair, complete, in order, and right in sign."""
    rng = np.random.default_rng(45)
    n = 40 * runs
    a = np.tile(np.arange(6), (n, 1))
    b = np.tile(np.array([3, 4, 5, 0, 1, 7]), (n, 1))
    lists, teams = tools.team_draft(a, b, rng=rng)
    yield "no item twice", (np.diff(np.sort(lists, axis=1), axis=1) > 0).all()
    yield "as many picks each", (teams.sum(axis=1) == 3).all()
    yield "the coin is fair", abs(teams[:, 0].mean() - 0.5) < 3.5 * 0.5 / np.sqrt(n)
    yield (
        "captains pick their best",
        set(lists[teams[:, 0] == 0, 0]) == {0} and set(lists[teams[:, 0] == 1, 0]) == {3},
    )
    rows = np.arange(n)
    second = np.where(teams[:, 0] == 0, 3, 0)
    yield "the other one comes next", (lists[rows, 1] == second).all()
    same, _ = tools.team_draft(a, a, rng=rng)
    yield "equal rankings stay as they are", (same == a).all()
    chance = np.array([0.5, 0.3, 0.2, 0.6, 0.4, 0.3, 0.0, 0.1])
    user = rows // 4
    mood = rng.uniform(0.4, 1.6, user[-1] + 1)[user]
    clicks = (rng.uniform(size=lists.shape) < chance[lists] * mood[:, None]).astype(float)
    credit = tools.interleaving_credit(clicks, teams, clusters=user)
    yield (
        "clicks go to the team that picked",
        np.isclose(credit.value, (clicks * np.where(teams == 1, 1, -1)).sum(1).mean()),
    )
    null = []
    for seed in range(runs):
        coin = np.random.default_rng([46, seed])
        shown, side = tools.team_draft(a[:200], a[:200], rng=coin)
        tapped = (coin.uniform(size=shown.shape) < chance[shown]).astype(float)
        null.append(tools.interleaving_credit(tapped, side))
    yield from honest("no difference", Runs.of(null, 0.0))
