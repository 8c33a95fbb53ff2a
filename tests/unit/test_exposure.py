"""Ratings that are missing not at random: what the functions return, and what they refuse."""

import numpy as np
import pytest
from scipy.stats import norm

from causalrec_lib import exposure
from causalrec_lib.estimate import EffectiveSampleTooSmall, Miscalibrated, NoOverlap


@pytest.fixture
def table():
    """Ratings of 60 users and 40 items from two factors, and which of them were rated with which chance."""
    rng = np.random.default_rng(3)
    stars = 3 + rng.normal(size=(60, 2)) @ rng.normal(size=(2, 40))
    stars = np.clip(np.round(stars), 1, 5)
    chance = np.array([0.1, 0.15, 0.2, 0.3, 0.4])[stars.astype(int) - 1]
    return stars, chance, rng.random(stars.shape) < chance


def cells(table):
    stars, chance, seen = table
    return (*np.nonzero(seen), stars[seen], stars.shape), chance[seen]


def test_snips_by_hand():
    y, p = np.tile([1.0, 2.0, 4.0], 40), np.tile([0.5, 0.25, 0.2], 40)
    found = exposure.mean_over_pairs(y, p)
    assert found.value == pytest.approx((2 * 1 + 4 * 2 + 5 * 4) / 11)
    w = 1 / p
    assert found.se == pytest.approx(np.sqrt(np.sum((1 - p) * (w * (y - found.value)) ** 2)) / w.sum())
    ips = exposure.mean_over_pairs(y, p, n_pairs=440, estimator="ips")
    assert ips.value == pytest.approx(found.value)
    assert ips.se == pytest.approx(np.sqrt(np.sum((1 - p) * (w * y) ** 2)) / 440)


def test_snips_keeps_constants_and_equal_chances_are_the_naive_mean(table):
    (_, _, y, _), p = cells(table)
    assert exposure.mean_over_pairs(np.full(len(y), 3.7), p).value == pytest.approx(3.7)
    naive = exposure.mean_over_pairs(y)
    assert exposure.mean_over_pairs(y, np.full(len(y), 0.2)).value == pytest.approx(naive.value)
    assert naive.se == pytest.approx(y.std() / np.sqrt(len(y)))


def test_a_pair_that_is_rated_for_sure_adds_no_error():
    y, p = np.arange(50.0), np.ones(50)
    assert exposure.mean_over_pairs(y, p, n_pairs=50).se == 0.0


def test_clusters_make_their_own_error(table):
    (users, _, y, _), p = cells(table)
    found = exposure.mean_over_pairs(y, p, clusters=users)
    assert found.n_clusters == len(np.unique(users))
    assert found.se != exposure.mean_over_pairs(y, p).se


def test_naive_bayes_returns_the_mean_of_the_survey_with_its_error():
    rng = np.random.default_rng(1)
    log, survey = rng.integers(1, 6, 4_000).astype(float), rng.integers(1, 6, 300).astype(float)
    found = exposure.mean_over_pairs(log, exposure.naive_bayes(log, survey, 50_000))
    assert found.value == pytest.approx(survey.mean())
    assert found.se == pytest.approx(survey.std() / np.sqrt(300))
    assert found.influence is None
    assert found.e_source == "naive Bayes"


def test_naive_bayes_by_hand():
    found = exposure.naive_bayes([1.0, 2.0, 2.0, 2.0], [1.0, 1.0, 1.0, 2.0], 40)
    np.testing.assert_allclose(found.by_star["p"], [1 / 30, 3 / 10])
    np.testing.assert_allclose(found.p, [1 / 30, 0.3, 0.3, 0.3])


def test_naive_bayes_refuses_stars_without_overlap():
    with pytest.raises(ValueError, match=r"stars lacks 1.*no overlap"):
        exposure.naive_bayes([2.0, 3.0], [1.0, 2.0, 3.0], 50)
    with pytest.raises(ValueError, match=r"survey has no pair with 3"):
        exposure.naive_bayes([2.0, 3.0], [2.0, 2.0], 50)
    with pytest.raises(ValueError, match=r"n_pairs.*above 1"):
        exposure.naive_bayes([2.0, 2.0, 2.0, 3.0], [2.0, 3.0, 3.0, 3.0], 5)


@pytest.mark.parametrize("bad", [0.0, -0.1, 1.2])
def test_chances_outside_are_refused(bad):
    with pytest.raises(ValueError, match=r"p must lie above 0 and up to 1.*row 1"):
        exposure.mean_over_pairs([1.0, 2.0], [0.5, bad])


def test_ips_needs_chances_and_the_number_of_pairs():
    with pytest.raises(ValueError, match=r"'ips' needs p, and n_pairs"):
        exposure.mean_over_pairs([1.0, 2.0], [0.5, 0.5], estimator="ips")


def test_pairs_that_cannot_be_rated_are_noticed(table):
    (_, _, y, (n, k)), p = cells(table)
    with pytest.raises(NoOverlap, match="no chance to be rated") as caught:
        exposure.mean_over_pairs(y, p, n_pairs=2 * n * k)
    assert caught.value.estimate.value == pytest.approx(exposure.mean_over_pairs(y, p).value)
    with pytest.raises(Miscalibrated, match="too low"):
        exposure.mean_over_pairs(y, p / 2, n_pairs=n * k)
    assert not exposure.mean_over_pairs(y, p, n_pairs=n * k).flags
    assert exposure.mean_over_pairs(y, p / 2, n_pairs=n * k, refuse="flag").broken_rules == ("calibration of e",)


def test_few_effective_rows_and_one_heavy_row_are_refused():
    y = np.arange(200.0)
    with pytest.raises(EffectiveSampleTooSmall):
        exposure.mean_over_pairs(y, np.r_[np.full(5, 0.001), np.full(195, 0.9)])
    with pytest.raises((NoOverlap, EffectiveSampleTooSmall)):
        exposure.mean_over_pairs(y, np.r_[0.001, np.full(199, 0.1)])


def test_clipping_raises_small_chances_and_says_so(table):
    (_, _, y, _), p = cells(table)
    found = exposure.mean_over_pairs(y, p, clip=0.25)
    assert found.value == pytest.approx(np.average(y, weights=1 / np.maximum(p, 0.25)))
    assert "clipped at 0.25" in found.method


def test_popularity_and_poisson(table):
    (users, items, _, shape), _ = cells(table)
    p = exposure.popularity(items, shape[0])
    assert p[0] == (items == items[0]).sum() / shape[0]
    with pytest.raises(ValueError, match="n_users"):
        exposure.popularity([0, 0, 0], 2)
    q = exposure.poisson(users, items, shape, rank=2)
    assert ((q > 0) & (q <= 1)).all()
    assert np.array_equal(q, exposure.poisson(users, items, shape, rank=2))
    assert np.corrcoef(p, q)[0, 1] > 0.3


def test_alternating_least_squares_reaches_a_stationary_point(table):
    (users, items, y, shape), p = cells(table)
    model = exposure.factorise(users, items, y, shape, p=p, rank=2, penalty=4.0, rounds=300)
    w = 1 / p
    w /= w.mean()
    linear = model.mean + model.users[users, -1] + model.items[items, -1]
    linear += np.einsum("nk,nk->n", model.users[users, :-1], model.items[items, :-1])
    pull = w * (y - linear)
    by_item = np.column_stack([model.items[items, :-1], np.ones(len(y))]) * pull[:, None]
    slope = np.column_stack([np.bincount(users, c, shape[0]) for c in by_item.T]) - 4.0 * model.users
    assert np.abs(slope).max() < 1e-3


def test_predictions_stay_within_the_stars_and_agree_with_the_table(table):
    given, _ = cells(table)
    model = exposure.factorise(*given, rank=3, penalty=0.1)
    assert model.table().min() >= 1
    assert model.table().max() <= 5
    np.testing.assert_allclose(model.predict(given[0], given[1]), model.table()[given[0], given[1]])
    with pytest.raises(ValueError, match="users"):
        model.predict([60], [0])


def test_a_doubly_robust_fit_of_a_table_without_holes_is_the_plain_one(table):
    stars, _, _ = table
    users, items = (a.ravel() for a in np.indices(stars.shape))
    cells_ = (users, items, stars.ravel(), stars.shape)
    options = {"p": np.ones(stars.size), "rank": 2, "penalty": 5.0, "rounds": 200}
    plain, robust = exposure.factorise(*cells_, **options), exposure.doubly_robust(*cells_, **options)
    np.testing.assert_allclose(plain.table(), robust.table(), atol=1e-3)


def test_weights_help_where_selection_is_strong(table):
    stars = table[0]
    strong = np.where(stars >= 4, 0.5, np.where(stars == 3, 0.2, 0.03))
    picked = np.random.default_rng(0).random(stars.shape) < strong
    cells_ = (*np.nonzero(picked), stars[picked], stars.shape)
    off = {
        name: np.mean((learn(*cells_, p=p, rank=2, penalty=2.0).table() - stars) ** 2)
        for name, learn, p in (
            ("naive", exposure.factorise, None),
            ("weighted", exposure.factorise, strong[picked]),
            ("robust", exposure.doubly_robust, strong[picked]),
        )
    }
    assert off["weighted"] < 0.8 * off["naive"]
    assert off["robust"] < 0.9 * off["naive"]


def test_a_pair_that_stands_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        exposure.factorise([0, 0], [1, 1], [3.0, 4.0], (2, 2))
    with pytest.raises(ValueError, match="shape"):
        exposure.factorise([0, 0], [0, 1], [3.0, 4.0], 2)


def test_penalty_risk_is_the_weighted_held_out_error(table):
    given, p = cells(table)
    risk = exposure.penalty_risk(*given, [0.5, 5.0, 500.0], p=p, folds=3, rank=2, seed=4)
    fold = np.random.default_rng(4).permutation(len(p)) % 3
    want = 0.0
    for k in range(3):
        a, b = fold != k, fold == k
        model = exposure.factorise(*(x[a] for x in given[:3]), given[3], p=p[a], penalty=5.0, rank=2, seed=4)
        want += np.average((model.predict(given[0][b], given[1][b]) - given[2][b]) ** 2, weights=1 / p[b]) / 3
    assert risk[5.0] == pytest.approx(want)
    assert risk.idxmin() != 500.0


@pytest.fixture
def bought():
    """Purchases of 50 users among 30 items from three tastes, as a table of zeros and ones."""
    rng = np.random.default_rng(6)
    liked = rng.dirichlet(np.full(3, 0.3), 50) @ rng.uniform(0, 0.8, (3, 30))
    return (rng.random(liked.shape) < liked).astype(float)


def stationary(Y, W, model, penalty):
    """Return the largest slope of sum W (Y - P Q')^2 + penalty (P^2 + Q^2) in the users' factors."""
    P, Q = model.users[:, :-1], model.items[:, :-1]
    return np.abs((W * (Y - P @ Q.T)) @ Q - penalty * P).max()


def test_weighted_zeros_reach_a_stationary_point(bought):
    where = (*np.nonzero(bought), bought.shape)
    for zeros in (0.3, np.random.default_rng(1).random(bought.shape)):
        model = exposure.implicit(*where, zeros=zeros, rank=2, penalty=2.0, rounds=600)
        W = np.where(bought == 1, 1.0, zeros)
        assert stationary(bought, W, model, 2.0) < 1e-3
        assert stationary(bought, np.ones_like(W), model, 2.0) > 0.1
    assert (model.users[:, -1] == 0).all()
    assert model.mean == 0


def test_zeros_of_weight_nothing_leave_only_purchases(bought):
    model = exposure.implicit(*np.nonzero(bought), bought.shape, zeros=0.0, rank=2, penalty=0.01, rounds=50)
    assert model.table()[bought == 1] == pytest.approx(1.0, abs=0.05)
    assert model.table()[bought == 0].mean() > 0.7


def test_expomf_settles_where_its_equations_hold(bought):
    where = (*np.nonzero(bought), bought.shape)
    found = exposure.expomf(*where, precision=2.0, rank=2, penalty=4.0, rounds=1_000)
    density = norm.pdf(0, found.factors.table(), 2.0**-0.5)
    seen = found.prior * density
    np.testing.assert_allclose(found.posterior, np.where(bought == 1, 1, seen / (seen + 1 - found.prior)), atol=1e-9)
    np.testing.assert_allclose(found.prior, found.posterior.mean(axis=0), atol=1e-4)
    assert stationary(bought, found.posterior, found.factors, 4.0 / 2.0) < 1e-3


def test_the_level_of_the_prior_is_set_by_the_precision():
    """Without preferences mu settles where the docstring says: share of buyers over 1 - sqrt(precision / 2 pi)."""
    bought = np.random.default_rng(2).random((400, 20)) < 0.1
    for precision in (0.5, 1.0, 2.0):
        found = exposure.expomf(*np.nonzero(bought), bought.shape, precision=precision, penalty=1e6, rounds=200)
        np.testing.assert_allclose(found.prior, bought.mean(axis=0) / (1 - np.sqrt(precision / (2 * np.pi))))


def test_a_prior_that_is_known_stays(bought):
    prior = np.full(bought.shape, 0.4)
    prior[:, 0], prior[:, 1] = 0.0, 1.0
    found = exposure.expomf(*np.nonzero(bought), bought.shape, prior=prior, rank=2)
    assert (found.prior == prior).all()
    assert (found.posterior[:, 0] == bought[:, 0]).all()
    assert (found.posterior[:, 1] == 1).all()
    sure = exposure.expomf(*np.nonzero(bought), bought.shape, prior=np.ones(bought.shape), rank=2, penalty=3.0)
    plain = exposure.implicit(*np.nonzero(bought), bought.shape, rank=2, penalty=3.0)
    np.testing.assert_allclose(sure.factors.table(), plain.table())


def test_chances_of_displays_outside_are_refused(bought):
    where = (*np.nonzero(bought), bought.shape)
    with pytest.raises(ValueError, match="prior must lie between 0 and 1"):
        exposure.expomf(*where, prior=np.full(bought.shape, 1.2))
    with pytest.raises(ValueError, match="prior must have shape"):
        exposure.expomf(*where, prior=np.full((2, 2), 0.5))
    with pytest.raises(ValueError, match="zeros must lie between 0 and 1"):
        exposure.implicit(*where, zeros=np.full(bought.shape, -0.1))
    with pytest.raises(ValueError, match="zeros"):
        exposure.implicit(*where, zeros=1.5)
    with pytest.raises(ValueError, match="twice"):
        exposure.expomf([0, 0], [1, 1], (2, 2))
