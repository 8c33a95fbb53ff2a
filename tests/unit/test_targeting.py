"""Gains of rules, budgets, and policies learned by gradient."""

import numpy as np
import pytest
from scipy.optimize import linprog

from causalrec_lib import learning, targeting
from causalrec_lib.policy import at_actions


@pytest.fixture
def rows():
    rng = np.random.default_rng(3)
    priority = rng.normal(size=400)
    return 0.1 + 0.2 * priority + rng.normal(size=400), priority


def test_a_share_is_the_rule_that_treats_it(rows):
    psi, priority = rows
    first = priority >= np.sort(priority)[-80]
    one, rule = targeting.share_gain(psi, priority, 0.2), targeting.policy_gain(psi, first)
    assert one.value == pytest.approx(rule.value) == pytest.approx(psi[first].sum() / 400)
    assert targeting.share_gain(psi, priority, 1.0).value == pytest.approx(psi.mean())


def test_ties_share_what_is_left(rows):
    psi, _ = rows
    assert targeting.share_gain(psi, np.zeros(400), 0.3).value == pytest.approx(0.3 * psi.mean())


def test_costs_are_taken_off_the_treated_alone(rows):
    psi, priority = rows
    costs = np.linspace(0.1, 0.5, 400)
    rule = priority > 0
    with_costs, without = (targeting.policy_gain(psi, rule, costs=c) for c in (costs, None))
    assert without.value - with_costs.value == pytest.approx(np.mean(rule * costs))


def test_the_curve_is_its_points(rows):
    curve = targeting.uplift_curve(*rows, (0.25, 0.5), costs=np.full(400, 0.1))
    point = targeting.share_gain(*rows, 0.5, costs=np.full(400, 0.1))
    assert list(curve.loc[0.5]) == [point.value, point.se, point.low, point.high]


def test_the_area_is_the_mean_height(rows):
    psi, priority = rows
    heights = [targeting.share_gain(psi, priority, k / 400).value for k in range(1, 401)]
    assert targeting.area(psi, priority).value == pytest.approx(np.mean(heights), abs=np.abs(psi.mean()) / 400 + 1e-9)


@pytest.mark.parametrize("must_pay", [True, False])
def test_no_plan_within_the_budget_is_better(must_pay):
    rng = np.random.default_rng(4)
    gain, costs = rng.normal(0.2, 0.5, 40), rng.uniform(0.1, 1.0, 40)
    plan = targeting.within_budget(gain, costs, 0.1, must_pay=must_pay)
    worth = gain - costs if must_pay else gain
    best = linprog(-worth, A_ub=costs[None, :], b_ub=[4.0], bounds=(0, 1))
    assert plan @ worth == pytest.approx(-best.fun)
    assert plan @ costs <= 4.0 + 1e-9
    assert not targeting.within_budget(gain, costs, 0.0).any()


@pytest.mark.parametrize(("p0", "p1"), [(0.2, 0.5), (0.6, 0.3), (0.7, 0.8), (0.1, 0.1), (0.9, 0.2)])
def test_bounds_of_harm_are_the_extremes_of_all_joint_distributions(p0, p1):
    # cells: (y0, y1) = (0, 0), (0, 1), (1, 0), (1, 1); the sum, the mean of y0 and the mean of y1 are given
    margins, given = [[1, 1, 1, 1], [0, 0, 1, 1], [0, 1, 0, 1]], [1, p0, p1]
    ends = [s * linprog([0, 0, s, 0], A_eq=margins, b_eq=given, bounds=(0, 1)).fun for s in (1, -1)]
    found = targeting.harm_bounds(*(np.full(10, p) for p in (p0, p1, p0, p1)))
    assert [found.low.value, found.high.value] == pytest.approx(ends, abs=1e-9)


def test_bounds_by_columns_are_means_of_the_bounds_of_groups_and_lie_within_those_of_the_means():
    p0, p1 = np.repeat([0.6, 0.1], 50), np.repeat([0.3, 0.5], 50)
    by_group = targeting.harm_bounds(p0, p1, p0, p1)
    overall = targeting.harm_bounds(p0, p1, *(np.full(100, p.mean()) for p in (p0, p1)))
    assert by_group.low.value == pytest.approx((0.3 + 0.0) / 2)
    assert by_group.high.value == pytest.approx((0.6 + 0.1) / 2)
    assert (overall.low.value, overall.high.value) == pytest.approx((0.0, 0.35))


def test_the_interval_of_harm_stays_a_share():
    rng = np.random.default_rng(6)
    psi0, psi1 = rng.normal(0.5, 3.0, 40), rng.normal(0.5, 3.0, 40)
    found = targeting.harm_bounds(psi0, psi1, np.full(40, 0.6), np.full(40, 0.5))
    assert found.low.low < 0 and found.high.high > 1
    assert found.interval == (0.0, 1.0)


def _log(n=3_000):
    rng = np.random.default_rng(5)
    x, e = rng.integers(0, 2, n), np.full(n, 0.25)
    a = rng.integers(0, 4, n)
    return x, a, (rng.random(n) < np.where(a == x, 0.8, 0.2)).astype(float), e


@pytest.mark.parametrize(
    ("objective", "how"),
    [("IPS", {}), ("clipped IPS", {"threshold": 3.0}), ("pessimistic", {"caution": 2.0}), ("DR", {})],
)
def test_each_objective_finds_the_best_action(objective, how):
    x, a, y, e = _log()
    if objective == "DR":
        how = {"q": np.full((2, 4), 0.3)}
    policy = learning.softmax_policy(x, a, y, e, 4, objective=objective, **how)
    assert policy.sum(axis=1) == pytest.approx(np.ones(2))
    assert list(policy.argmax(axis=1)) == [0, 1]


def test_caution_lowers_the_estimate_and_its_error():
    x, a, y, e = (part[:150] for part in _log())
    rows = {}
    for caution in (0.01, 5.0):
        policy = learning.softmax_policy(x, a, y, e, 4, objective="pessimistic", caution=caution)
        rows[caution] = at_actions(policy[x], a) / e * y
    assert rows[5.0].std() < rows[0.01].std() and rows[5.0].mean() < rows[0.01].mean()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"objective": "pessimistic"}, "caution is missing"),
        ({"objective": "clipped IPS"}, "threshold is missing"),
        ({"objective": "DR"}, "q is missing"),
        ({"objective": "IPS", "caution": 1.0}, "caution is for"),
        ({"objective": "IPS", "q": np.zeros((2, 4))}, "q is for"),
    ],
)
def test_what_an_objective_needs_is_said(how, message):
    with pytest.raises(ValueError, match=message):
        learning.softmax_policy(*_log(50), 4, **how)
