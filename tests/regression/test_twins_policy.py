"""Broken twins of off-policy evaluation: each must fail the battery that the true one passes."""

from dataclasses import replace

import numpy as np
import pytest

from tests.truth.policy_world import TRUE, battery

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


def test_the_true_one_passes():
    assert [check for check, good in battery(TRUE, RUNS).items() if not good] == []


@pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)
def test_a_broken_twin_fails(twin):
    assert not all(battery(twin, RUNS).values())
