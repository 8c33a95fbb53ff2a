"""Broken twins of `exposure`: each, broken on purpose, must fail the battery that the true one passes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit

from causalrec_lib import _factorise, exposure
from tests.regression.twins import first_failure
from tests.truth import exposure_world as world
from tests.truth.exposure_world import Tools

RUNS = 60
TRUE = Tools()


def unweighted(y, p=None, **k):
    return TRUE.mean_over_pairs(y, **{key: v for key, v in k.items() if key in ("clusters",)})


def by_the_chance(y, p=None, **k):
    return replace(TRUE.mean_over_pairs(y, p, **k), value=float(np.average(y, weights=np.asarray(p))))


def over_the_rated(y, p=None, **k):
    found = TRUE.mean_over_pairs(y, p, **k)
    return replace(found, value=float(np.mean(y / np.asarray(p))))


def clipped(y, p=None, **k):
    return TRUE.mean_over_pairs(y, p, **{"clip": 0.15, **k})


def narrow(y, p=None, **k):
    found = TRUE.mean_over_pairs(y, p, **k)
    return replace(found, se=float(np.std(y) / np.sqrt(len(y))))


def not_squared(y, p=None, **k):
    found = TRUE.mean_over_pairs(y, p, **k)
    spread = np.average((y - found.value) ** 2, weights=1 / np.asarray(p))
    return replace(found, se=float(np.sqrt(spread / np.sum(1 / np.asarray(p)))))


def clusters_ignored(y, p=None, clusters=None, **k):
    return TRUE.mean_over_pairs(y, p, **k)


def never_looks(y, p=None, **k):
    return TRUE.mean_over_pairs(y, p, **k, refuse="flag")


def survey_taken_as_truth(y, p=None, **k):
    return TRUE.mean_over_pairs(y, replace(p, n_survey=10**9) if isinstance(p, exposure.StarChances) else p, **k)


def survey_is_the_log(stars, survey, n_pairs):
    return TRUE.naive_bayes(stars, stars, n_pairs)


def upside_down(stars, survey, n_pairs):
    found = TRUE.naive_bayes(stars, survey, n_pairs)
    wrong = found.by_star["p"].to_numpy()[::-1]
    return replace(found, p=wrong[found.code], by_star=found.by_star.assign(p=wrong))


def naive_model(*cells, p=None, **k):
    return exposure.factorise(*cells, **k)


def unweighted_risk(*cells, p=None, rank, seed):
    return exposure.penalty_risk(*cells, rank=rank, seed=seed)


def own_rows(u, i, y, shape, penalties, p=None, **k):
    risk = TRUE.penalty_risk(u, i, y, shape, penalties, p=p, **k)
    model = exposure.factorise(u, i, y, shape, p=p, penalty=penalties[0], **k)
    return risk * 0 + np.average((model.predict(u, i) - y) ** 2, weights=1 / p)


def em(posterior, learns=True):
    """Return ExpoMF with another posterior, a function of mu, prediction, precision and what was bought."""

    def fit(users, items, shape, *, prior=None, precision=1.0, rank=10, penalty=10.0, rounds=10, seed=0):
        Y = np.zeros(shape)
        Y[users, items] = 1
        P, Q = (side[:, :-1] for side in _factorise.start(shape, rank, seed))
        mu = np.full(shape[1], 0.5) if prior is None else prior
        for _ in range(rounds):
            W = posterior(mu, P @ Q.T, precision, Y)
            P = _factorise.ridge(W, (W * Y) @ Q, Q, penalty / precision)
            Q = _factorise.ridge(W.T, (W * Y).T @ P, P, penalty / precision)
            mu = W.mean(axis=0) if prior is None and learns else mu
        P_, Q_ = (np.column_stack([side, np.zeros(len(side))]) for side in (P, Q))
        found = posterior(mu, P @ Q.T, precision, Y)
        return exposure.LatentExposure(exposure.Factors(0.0, P_, Q_, -np.inf, np.inf), mu, found)

    return fit


def of_zero(mu, m, precision, sign=-1):
    return expit(logit(mu) + np.log(precision / (2 * np.pi)) / 2 + sign * precision * m**2 / 2)


def right(mu, m, precision, Y):
    return np.where(Y == 1, 1.0, of_zero(mu, m, precision))


def bought_unseen(mu, m, precision, Y):
    return of_zero(mu, m, precision)


def sign_turned(mu, m, precision, Y):
    return np.where(Y == 1, 1.0, of_zero(mu, m, precision, sign=1))


def without_prior(mu, m, precision, Y):
    return right(np.full_like(mu, 0.5), m, precision, Y)


def all_seen(mu, m, precision, Y):
    return np.ones_like(Y)


def zeros_alike(*cells, zeros=1.0, **k):
    return TRUE.implicit(*cells, **k)


def zeros_turned(*cells, zeros=1.0, **k):
    return TRUE.implicit(*cells, zeros=1 - np.asarray(zeros), **k)


TWINS = {
    "no weights": ("means", "mean_over_pairs", unweighted),
    "weights turned over": ("means", "mean_over_pairs", by_the_chance),
    "divided by the rated pairs": ("means", "mean_over_pairs", over_the_rated),
    "clipped unasked": ("means", "mean_over_pairs", clipped),
    "error of a plain mean": ("means", "mean_over_pairs", narrow),
    "weights taken for counts": ("means", "mean_over_pairs", not_squared),
    "clusters ignored": ("means", "mean_over_pairs", clusters_ignored),
    "missing pairs not noticed": ("means", "mean_over_pairs", never_looks),
    "survey without an error": ("naive Bayes", "mean_over_pairs", survey_taken_as_truth),
    "the log as its own survey": ("naive Bayes", "naive_bayes", survey_is_the_log),
    "chances turned over": ("naive Bayes", "naive_bayes", upside_down),
    "learning without weights": ("learning", "factorise", naive_model),
    "robust learning without weights": ("learning", "doubly_robust", naive_model),
    "held-out errors without weights": ("learning", "penalty_risk", unweighted_risk),
    "test rows in training": ("learning", "penalty_risk", own_rows),
    "bought without a display": ("latent exposure", "expomf", em(bought_unseen)),
    "posterior with its sign turned": ("latent exposure", "expomf", em(sign_turned)),
    "posterior without its prior": ("latent exposure", "expomf", em(without_prior)),
    "prior that never learns": ("latent exposure", "expomf", em(right, learns=False)),
    "everything was seen": ("latent exposure", "expomf", em(all_seen)),
    "all zeros weigh alike": ("latent exposure", "implicit", zeros_alike),
    "weights of zeros turned over": ("latent exposure", "implicit", zeros_turned),
}


@pytest.mark.parametrize("name", TWINS)
def test_a_broken_twin_fails(name):
    battery, tool, broken = TWINS[name]
    failed = first_failure(world.BATTERIES[battery](replace(TRUE, **{tool: broken}), RUNS))
    assert failed is not None, f"the battery does not see {name!r}"


def test_the_twins_of_expomf_differ_from_it_by_their_fault_alone():
    battery = world.BATTERIES["latent exposure"](replace(TRUE, expomf=em(right)), RUNS)
    assert first_failure(battery) is None
