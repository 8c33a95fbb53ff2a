"""Broken twins of list values and ranking metrics: each must fail the battery that the true one passes."""

from dataclasses import replace

import numpy as np
import pytest

from tests.truth.metrics_world import RANKING, TRUE, battery

RUNS = 50


def arguments(change):
    """A twin that changes what it was given."""
    return lambda y, t, e, d, **o: TRUE(*change(y, t, e, d), **o)


def fixed(found, **changes):
    return replace(found, interval=None, influence=None, clusters=None, design=None, **changes)


def relevant_first(R, s, **o):
    """Ties broken in favour of what is relevant."""
    return RANKING(R, np.round(s) + 1e-6 * R, **o)


TWINS = {
    "propensities upside down": (arguments(lambda y, t, e, d: (y, t, 1 - e, d)), RANKING),
    "no weights": (arguments(lambda y, t, e, d: (y, t, np.full(len(y), 0.5), d)), RANKING),
    "the whole catalogue": (arguments(lambda y, t, e, d: (y, t, e, np.ones(len(d)))), RANKING),
    "ranks forgotten": (arguments(lambda y, t, e, d: (y, t, e, (d > 0).astype(float))), RANKING),
    "treatment flipped": (arguments(lambda y, t, e, d: (y, 1 - t, 1 - e, d)), RANKING),
    "clusters forgotten": (lambda *a, clusters=None, **o: TRUE(*a, **o), RANKING),
    "error too small": (lambda *a, **o: fixed(f := TRUE(*a, **o), se=0.6 * f.se), RANKING),
    "users without purchases count zero": (TRUE, lambda R, s, **o: RANKING(R, s, **(o | {"empty": "zero"}))),
    "worst first": (TRUE, lambda R, s, **o: RANKING(R, -s, **o)),
    "one item too many": (TRUE, lambda R, s, **o: RANKING(R, s, **(o | {"k": o["k"] + 1}))),
    "ties in favour of the relevant": (TRUE, relevant_first),
    "error without the square root of users": (TRUE, lambda R, s, **o: fixed(f := RANKING(R, s, **o), se=f.se / 3)),
}


def test_the_true_ones_pass():
    assert [check for check, good in battery(TRUE, RANKING, RUNS).items() if not good] == []


@pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)
def test_a_broken_twin_fails(twin):
    assert not all(battery(*twin, RUNS).values())
