"""Broken twins of targeting: each, broken on purpose, must fail the battery that the true one passes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from causalrec_lib import targeting
from tests.regression.twins import first_failure
from tests.truth import targeting_world as world

TRUE = world.Tools()
RUNS = 80


def mean_of_treated(psi, x, share, **how):
    found = TRUE.share_gain(psi, x, share, **how)
    return replace(found, value=found.value / share, se=found.se / share)


def last_rows(psi, x, share, **how):
    return TRUE.share_gain(psi, -x, share, **how)


def ranked_in_sample(psi, x, share, **how):
    """Rank by the scores themselves: judged on the rows that made the ranking."""
    return TRUE.share_gain(psi, psi, share, **how)


def no_costs(psi, x, share, *, costs):
    return TRUE.share_gain(psi, x, share)


def known_cut(psi, x, share, *, costs):
    """Take the cut for given: no influence of ranks."""
    found = TRUE.share_gain(psi, x, share, costs=costs)
    rows = (x >= np.quantile(x, 1 - share)) * (psi - costs)
    return replace(found, se=float(rows[rows != 0].std() * share / np.sqrt(len(psi))))


def everybody_pays(psi, treat, *, costs):
    return targeting.policy_gain(psi * treat - costs, np.ones(len(psi)))


def above_the_line(psi, x):
    return targeting.area(psi - psi.mean(), x)


def without_ranks(psi, x):
    found = TRUE.area(psi, x)
    return replace(found, se=float(psi.std() / np.sqrt(len(psi)) / 4))


def who_gains(psi0, psi1, p0, p1):
    return targeting.harm_bounds(psi1, psi0, p1, p0)


def of_the_means(psi0, psi1, p0, p1):
    """Ignore the columns: right, but not as narrow as they allow."""
    return targeting.harm_bounds(psi0, psi1, np.full(len(p0), p0.mean()), np.full(len(p0), p1.mean()))


def branch_by_scores(psi0, psi1, p0, p1):
    """Let the rows' own outcomes choose the branch."""
    return targeting.harm_bounds(psi0, psi1, np.clip(psi0, 0, 1), np.clip(psi1, 0, 1))


def independent(psi0, psi1, p0, p1):
    """Pretend to know the joint distribution: both outcomes drawn apart."""
    found, rows = targeting.harm_bounds(psi0, psi1, p0, p1), p0 * (1 - p1)
    one = replace(found.high, value=rows.mean(), se=rows.std() / np.sqrt(len(rows)), interval=None)
    return found._replace(low=one, high=one)


TWINS = {
    "mean of the treated": replace(TRUE, share_gain=mean_of_treated),
    "last rows first": replace(TRUE, share_gain=last_rows),
    "ranked by its own scores": replace(TRUE, share_gain=ranked_in_sample),
    "costs forgotten": replace(TRUE, share_gain=no_costs),
    "error of the treated alone": replace(TRUE, share_gain=known_cut),
    "everybody pays": replace(TRUE, policy_gain=everybody_pays),
    "area above the line": replace(TRUE, area=above_the_line),
    "area's error without ranks": replace(TRUE, area=without_ranks),
    "harm of not treating": replace(TRUE, harm_bounds=who_gains),
    "harm without columns": replace(TRUE, harm_bounds=of_the_means),
    "harm's branch by own scores": replace(TRUE, harm_bounds=branch_by_scores),
    "harm as if drawn apart": replace(TRUE, harm_bounds=independent),
}


@pytest.mark.parametrize("name", TWINS)
def test_a_broken_twin_is_refused(name):
    assert first_failure(world.battery(TWINS[name], RUNS)) is not None


def test_the_true_one_passes():
    assert first_failure(world.battery(TRUE, RUNS)) is None
