"""Broken twins of mediation: each must fail the battery that the true one passes."""

from dataclasses import replace

import numpy as np
import pytest

from tests.truth.structural_world import TRUE, battery

RUNS = 100


def changed(change):
    """Mediation whose answer is changed."""

    def twin(y, t, m, x, **options):
        return change(TRUE(y, t, m, x, **options), (y, t, m, x))

    return twin


def with_part(part, of):
    """Replace one part by a function of all."""
    return changed(lambda found, _: found | {part: of(found)})


def known_first_stage(found, data):
    """An indirect effect whose error takes the first regression for known."""
    y, t, m, x = data
    design = np.column_stack([np.ones(len(y)), t, m, t * m, x])
    beta = np.linalg.lstsq(design, y, rcond=None)[0]
    rows = (design * (y - design @ beta)[:, None]) @ np.linalg.inv(design.T @ design)
    a = m[t == 1].mean() - m[t == 0].mean()
    se = abs(a) * np.sqrt(np.sum((rows[:, 2] + rows[:, 3]) ** 2))
    return found | {"indirect": replace(found["indirect"], se=float(se), interval=None, influence=None)}


TWINS = {
    "covariates forgotten": lambda y, t, m, x, **o: TRUE(y, t, m, **o),
    "no product": lambda y, t, m, x, **o: TRUE(y, t, m, x, interact=False, **o),
    "direct and indirect exchanged": changed(lambda f, _: f | {"direct": f["indirect"], "indirect": f["direct"]}),
    "pure and total indirect exchanged": changed(
        lambda f, _: f | {"pure indirect": f["indirect"], "indirect": f["pure indirect"]}
    ),
    "direct at a mediator of zero": changed(
        lambda f, _: f | {"direct": replace(f["direct"], value=f["direct"].value + 0.3 * 0.7, interval=None)}
    ),
    "first regression taken for known": changed(known_first_stage),
    "errors by a normal formula of one stage": with_part(
        "total", lambda f: replace(f["total"], se=f["direct"].se, interval=None)
    ),
    "clusters forgotten": lambda y, t, m, x, clusters=None, **o: TRUE(y, t, m, x, **o),
    "arms exchanged": lambda y, t, m, x, **o: TRUE(y, 1 - t, m, x, **o),
    "mediator and outcome exchanged": lambda y, t, m, x, **o: TRUE(m, t, y, x, **o),
}


def test_the_true_one_passes():
    assert [check for check, good in battery(TRUE, RUNS).items() if not good] == []


@pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)
def test_a_broken_twin_fails(twin):
    assert not all(battery(twin, RUNS).values())
