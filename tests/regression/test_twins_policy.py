"""Broken twins of off-policy evaluation: each must fail the battery that the true one passes."""

from dataclasses import replace

import numpy as np
import pytest

from tests.truth.policy_world import TRUE, TRUE_SLATES, battery, slate_battery

RUNS = 60


def arguments(change):
    """A twin that changes what it was given."""
    return lambda y, target, e, q, v, **o: TRUE(*change(y, target, e, q, v), **o)


def answers(change, only=None):
    """A twin that changes what it answers."""

    def twin(*data, estimator, **o):
        found = TRUE(*data, estimator=estimator, **o)
        return change(found, data) if only is None or estimator in only else found

    return twin


def fixed(found, **changes):
    return replace(found, interval=None, influence=None, clusters=None, **changes)


TWINS = {
    "weights upside down": arguments(lambda y, t, e, q, v: (y, np.minimum(e, 1), t, q, v)),
    "agreeing rounds": arguments(lambda y, t, e, q, v: (y, t, np.full(len(y), 0.5), q, v)),
    "no weights": arguments(lambda y, t, e, q, v: (y, e, e, q, v)),
    "predictions exchanged": arguments(lambda y, t, e, q, v: (y, t, e, v, q)),
    "error of the rewards": answers(lambda f, d: fixed(f, se=float(d[0].std() / len(d[0]) ** 0.5)), ("IPS", "DR")),
    "SNIPS with the error of IPS": answers(
        lambda f, d: fixed(f, se=float((d[1] / d[2] * d[0]).std() / len(d[0]) ** 0.5)), ("SNIPS",)
    ),
    "SNDR without the model": answers(
        lambda f, d: fixed(f, value=f.value + float(d[3].mean() - d[4].mean()) + 0.02), ("SNDR",)
    ),
    "clusters forgotten": lambda *d, clusters=None, **o: TRUE(*d, **o),
    "SWITCH keeps the large weights": lambda *d, estimator, threshold=None, **o: (
        TRUE(*d, estimator="DR", **o) if estimator == "clipped IPS" else TRUE(*d, estimator=estimator,
                                                                              threshold=threshold, **o)
    ),
    "clipped by dropping": answers(
        lambda f, d: fixed(f, value=float(np.mean(np.where(d[1] <= d[2], d[1] / d[2], 0) * d[0]))), ("clipped IPS",)
    ),
}  # fmt: skip


def slates(change):
    """A twin of cascade DR that changes what it was given."""
    return lambda y, w, session, place, q, v, **o: TRUE_SLATES(*change(y, w, session, place, q, v), **o)


SLATE_TWINS = {
    "own slot's weight": lambda *d, estimator, **o: TRUE_SLATES(
        d[0] - d[4] + d[5] / np.where(d[1] > 0, d[1], 1), *d[1:4], estimator="IIPS", **o
    ),
    "model's mean forgotten": slates(lambda y, w, s, k, q, v: (y, w, s, k, q, 0 * v)),
    "predictions exchanged": slates(lambda y, w, s, k, q, v: (y, w, s, k, v, q)),
    "reward of the slot alone in q, of all below in v": slates(
        lambda y, w, s, k, q, v: (y, w, s, k, np.where(k == 1, q - q.mean() / 3, q), v)
    ),
    "model left out": slates(lambda y, w, s, k, q, v: (y, w, s, k, 0 * q, 0 * v)),
    "slots as if independent": lambda *d, **o: replace(
        f := TRUE_SLATES(*d, **o), interval=None, influence=None, clusters=None,
        se=float((d[1] * (d[0] - d[4])).std() * (2 / f.n) ** 0.5) / 2,
    ),
}  # fmt: skip


def test_the_true_one_passes():
    assert [check for check, good in battery(TRUE, RUNS).items() if not good] == []
    assert [check for check, good in slate_battery(TRUE_SLATES, RUNS).items() if not good] == []


@pytest.mark.parametrize("twin", SLATE_TWINS.values(), ids=SLATE_TWINS)
def test_a_broken_twin_of_cascade_dr_fails(twin):
    assert not all(slate_battery(twin, RUNS).values())


@pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)
def test_a_broken_twin_fails(twin):
    assert not all(battery(twin, RUNS).values())
