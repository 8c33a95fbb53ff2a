"""Broken twins of `exposure`: each, broken on purpose, must fail the battery that the true one passes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from causalrec_lib import exposure
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
}


@pytest.mark.parametrize("name", TWINS)
def test_a_broken_twin_fails(name):
    battery, tool, broken = TWINS[name]
    failed = first_failure(world.BATTERIES[battery](replace(TRUE, **{tool: broken}), RUNS))
    assert failed is not None, f"the battery does not see {name!r}"
