"""Broken twins of the experiments: each, broken on purpose, must fail the battery that the true one passes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from causalrec_lib.estimate import difference_in_means
from tests.regression.twins import first_failure
from tests.truth import experiments_world as world
from tests.truth.experiments_world import Tools

RUNS = 120
BATTERY = {
    "ratio_metric": world.ratio_battery,
    "cuped": world.cuped_battery,
    "sample_ratio": world.split_battery,
    "confidence_sequence": world.sequence_battery,
    "chance_of_an_alarm": world.sequence_battery,
    "team_draft": world.interleaving_battery,
    "interleaving_credit": world.interleaving_battery,
}
TRUE = Tools()


def ratio(change):
    """Return a ratio metric whose estimate is changed."""

    def broken(y, n, t, X=None, **k):
        found = TRUE.ratio_metric(y, n, t, X, **k)
        return replace(found, **change(np.asarray(y, float), np.asarray(n, float), np.asarray(t), X, found))

    return broken


def mean_of_ratios(y, n, t, X, found):
    came = n > 0
    each = difference_in_means(y[came] / n[came], t[came])
    return {"value": each.value, "se": each.se}


def numerator_only(y, n, t, X, found):
    parts = [y[t == arm].var() / (t == arm).sum() / n[t == arm].mean() ** 2 for arm in (0, 1)]
    return {"se": float(np.sqrt(sum(parts)))}


def sessions_independent(y, n, t, X, found):
    parts = [(y[t == a] ** 2 / np.maximum(n[t == a], 1)).sum() / n[t == a].sum() ** 2 for a in (0, 1)]
    return {"se": float(np.sqrt(sum(parts))) * 0.6}


def inverted(y, t, x, **k):
    found = TRUE.cuped(y, t, x, **k)
    theta = np.var(x) / np.cov(y, x, ddof=0)[0, 1]
    rest = y - theta * (x - x.mean())
    return replace(found, value=float(rest[t == 1].mean() - rest[t == 0].mean()))


def added(y, t, x, **k):
    found, plain = TRUE.cuped(y, t, x, **k), difference_in_means(y, t)
    return replace(found, value=2 * plain.value - found.value)


def uncentred_error(y, t, x, **k):
    return replace(TRUE.cuped(y, t, x, **k), se=difference_in_means(y, t).se * 1.5)


def degrees(counts, shares=None, *, alarm=0.001):
    from scipy.stats import chi2

    found = TRUE.sample_ratio(counts, shares, alarm=alarm)
    p = float(chi2.sf(found.statistic, len(found.counts)))
    return replace(found, p_value=p, mismatch=p < alarm)


def blind_to_plan(counts, shares=None, *, alarm=0.001):
    return TRUE.sample_ratio(counts, None, alarm=alarm)


def lower_tail(counts, shares=None, *, alarm=0.001):
    found = TRUE.sample_ratio(counts, shares, alarm=alarm)
    return replace(found, p_value=1 - found.p_value, mismatch=1 - found.p_value < alarm)


def sequence(factor, of_p=lambda p: p):
    """Return a sequence whose width is changed."""

    def broken(values, ses, **k):
        made = TRUE.confidence_sequence(values, ses, **k)
        half = factor(np.asarray(ses), (made["high"] - made["low"]) / 2, np.arange(1, len(made) + 1))
        return made.assign(low=made["value"] - half, high=made["value"] + half, p_value=of_p(made["p_value"]))

    return broken


def own_aim(values, ses, *, tightest=None, level=0.95):
    return TRUE.confidence_sequence(values, ses, tightest=0.01, level=level)


def always_a_first(a, b, *, rng):
    return TRUE.team_draft(a, b, rng=Fixed())


class Fixed(np.random.Generator):
    """A coin that always says 0."""

    def __init__(self):
        super().__init__(np.random.PCG64(0))

    def integers(self, low, high, size):
        return np.zeros(size, dtype=np.int64)


def labels_turned(a, b, *, rng):
    lists, teams = TRUE.team_draft(a, b, rng=rng)
    return lists, 1 - teams


def one_captain(a, b, *, rng):
    _, teams = TRUE.team_draft(a, b, rng=rng)
    return np.where(teams[:, :1] == 1, b, a), teams


TWINS = {
    "mean of ratios": ("ratio_metric", ratio(mean_of_ratios)),
    "denominator taken as fixed": ("ratio_metric", ratio(numerator_only)),
    "sessions taken as independent": ("ratio_metric", ratio(sessions_independent)),
    "past ignored": ("ratio_metric", lambda y, n, t, X=None, **k: TRUE.ratio_metric(y, n, t, **k)),
    "split never looked at": (
        "ratio_metric",
        lambda y, n, t, X=None, planned=None, **k: TRUE.ratio_metric(y, n, t, X, **k),
    ),
    "arms turned": (
        "ratio_metric",
        lambda y, n, t, X=None, **k: TRUE.ratio_metric(y, n, 1 - np.asarray(t), X, **{**k, "planned": None}),
    ),
    "theta inverted": ("cuped", inverted),
    "lead added": ("cuped", added),
    "error too large": ("cuped", uncentred_error),
    "a degree of freedom too many": ("sample_ratio", degrees),
    "planned shares ignored": ("sample_ratio", blind_to_plan),
    "lower tail": ("sample_ratio", lower_tail),
    "one look's interval": ("confidence_sequence", sequence(lambda se, half, k: 1.96 * se)),
    "Bonferroni over two looks": ("confidence_sequence", sequence(lambda se, half, k: 2.24 * se)),
    "two thirds of the width": ("confidence_sequence", sequence(lambda se, half, k: 0.67 * half)),
    "aim ignored": ("confidence_sequence", own_aim),
    "p-value of one look": ("confidence_sequence", sequence(lambda se, half, k: half, lambda p: p**2)),
    "looks as if independent": ("chance_of_an_alarm", lambda k, level=0.95: 1 - level**k),
    "one look whatever": ("chance_of_an_alarm", lambda k, level=0.95: 1 - level),
    "a always first": ("team_draft", always_a_first),
    "labels turned": ("team_draft", labels_turned),
    "one captain picks all": ("team_draft", one_captain),
    "credit turned": ("interleaving_credit", lambda c, t, **k: TRUE.interleaving_credit(c, 1 - np.asarray(t), **k)),
    "credit for seeing": ("interleaving_credit", lambda c, t, **k: TRUE.interleaving_credit(np.ones_like(c), t, **k)),
}


@pytest.mark.parametrize("battery", BATTERY)
def test_the_true_function_passes(battery):
    assert first_failure(BATTERY[battery](TRUE, RUNS)) is None


@pytest.mark.parametrize("name", TWINS)
def test_a_broken_twin_fails(name):
    tool, broken = TWINS[name]
    failed = first_failure(BATTERY[tool](replace(TRUE, **{tool: broken}), RUNS))
    assert failed is not None, f"the battery does not see {name!r}"
