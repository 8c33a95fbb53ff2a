"""The checks that matching must pass: who is matched with whom, and what the estimate is worth."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog

from causalrec_lib.estimate import Rules

from .weighting_world import OPEN, Tools, draw, honest, refused, simulate, truth

BALANCED = Rules(min_ess=2, max_row_share=1.0, min_ess_share=0.0)


def served_by_few(tools: Tools):
    """Return an outcome and matches in which twenty controls serve two hundred treated."""
    x = np.r_[np.linspace(0, 1, 200), np.linspace(0, 1, 20), np.linspace(9, 10, 200)]
    t = np.r_[np.ones(200), np.zeros(220)]
    return x + np.sin(99 * x), tools.match(x, t)


def match_battery(tools: Tools, runs: int):
    """Check the pairs themselves against brute force."""
    d = draw(11, n=160)
    score = d.X[:, 0]
    treated, control = np.flatnonzero(d.t == 1), np.flatnonzero(d.t == 0)
    table = np.abs(score[treated][:, None] - score[control])
    m = tools.match(score, d.t)
    yield "the nearest control", np.array_equal(m.partner, control[table.argmin(axis=1)])
    yield "focal rows are the treated", np.array_equal(m.focal, treated)
    three = tools.match(score, d.t, ratio=3)
    want = np.sort(table, axis=1)[:, :3].sum()
    yield (
        "the three nearest controls",
        np.isclose(three.distance.sum(), want) and len(three.focal) == 3 * len(treated),
    )
    yield "shares of a row sum to one", np.allclose(np.bincount(three.focal, weights=three.share)[treated], 1)
    yield "weights sum to focal rows twice", np.isclose(three.weights.sum(), 2 * len(treated))
    near = tools.match(score, d.t, caliper=0.02)
    alone = treated[table.min(axis=1) > 0.02]
    yield "a caliper leaves far rows unmatched", near.distance.max() <= 0.02 and np.array_equal(near.unmatched, alone)
    strata = (d.X[:, 1] > 0).astype(int)
    exact = tools.match(score, d.t, exact=strata)
    yield "exact strata agree", np.array_equal(strata[exact.focal], strata[exact.partner])
    once = tools.match(score, d.t, replace=False)
    few = min(len(treated), len(control))
    yield "without replacement nobody serves twice", len(np.unique(once.partner)) == len(once.partner) == few
    yield "the largest score chooses first", once.focal[0] == treated[score[treated].argmax()]
    best = tools.match(score, d.t, method="optimal")
    yield "optimal pairs cost no more than greedy ones", best.distance.sum() < once.distance.sum() - 1e-9
    yield "optimal pairs are disjoint", len(np.unique(best.partner)) == len(best.partner) == few
    yield from full_checks(tools, d.X[:, :2], d.t)
    yield from caliper_checks(tools)
    tied = tools.match(np.array([0.0, 1.0, 1.0, -1.0, 5.0]), np.array([1, 0, 0, 0, 0]))
    yield "all ties share the row", sorted(tied.partner) == [1, 2, 3] and np.allclose(tied.share, 1 / 3)
    both = tools.match(score, d.t, estimand="ATE")
    yield "the average effect gives everybody a partner", len(np.unique(both.focal)) == len(d.t)
    space = tools.match(d.X, d.t, metric="mahalanobis")
    inverse = np.linalg.inv(np.cov(d.X.T))
    gap = d.X[treated][:, None] - d.X[control]
    brute = np.sqrt(np.einsum("ijk,kl,ijl->ij", gap, inverse, gap))
    yield "Mahalanobis neighbours", np.array_equal(space.partner, control[brute.argmin(axis=1)])
    yield "Mahalanobis distances", np.allclose(space.distance, brute.min(axis=1), rtol=1e-2)


def full_checks(tools: Tools, X: np.ndarray, t: np.ndarray):
    """Check that full matching covers everybody with stars."""
    m = tools.match(X, t, metric="euclidean", method="full")
    rows, cols = np.bincount(m.focal, minlength=len(t)), np.bincount(m.partner, minlength=len(t))
    yield "full matching uses everybody", bool(((rows + cols) > 0).all())
    yield "full matching makes stars", bool(np.minimum(rows[m.focal], cols[m.partner]).max() == 1)


def caliper_checks(tools: Tools):
    """Check optimal and full matching within a caliper against linear programming, on small crowded data."""
    for seed in range(4):
        rng = np.random.default_rng([9, seed])
        X, t = rng.normal(size=(24, 2)), (np.arange(24) < 9).astype(float)
        caliper = 0.7
        cost = np.linalg.norm(X[:9, None] - X[None, 9:], axis=2)
        allowed = cost <= caliper
        i, j = np.nonzero(allowed)
        rows, cols = (np.arange(9)[:, None] == i).astype(float), (np.arange(15)[:, None] == j).astype(float)
        best = tools.match(X, t, metric="euclidean", method="optimal", caliper=caliper)
        most = linprog(cost[i, j] - 100, A_ub=np.vstack([rows, cols]), b_ub=np.ones(24), bounds=(0, 1))
        pairs = round(most.x.sum())
        yield f"optimal matching keeps its caliper ({seed})", best.distance.max() <= caliper
        yield f"optimal matching pairs as many as it can ({seed})", len(best.focal) == pairs
        yield f"... at the least distance ({seed})", np.isclose(best.distance.sum(), cost[i, j] @ most.x, rtol=1e-6)
        yield f"... and names the others ({seed})", len(best.unmatched) == 9 - pairs > 0
        sets = tools.match(X, t, metric="euclidean", method="full", caliper=caliper)
        reached = np.r_[allowed.any(axis=1), allowed.any(axis=0)]
        cover = linprog(
            cost[i, j], A_ub=-np.vstack([rows, cols])[reached], b_ub=-np.ones(reached.sum()), bounds=(0, 1)
        )
        used = np.unique(np.r_[sets.focal, sets.partner])
        yield f"full matching keeps its caliper ({seed})", sets.distance.max() <= caliper
        yield f"full matching uses all within reach ({seed})", np.array_equal(used, np.flatnonzero(reached))
        yield f"... at the least distance ({seed})", np.isclose(sets.distance.sum(), cover.fun, rtol=1e-6)


def matching_battery(tools: Tools, runs: int):
    """Check the estimates: centre, coverage and size of the error on covariates and on the score."""
    d = draw(12)
    yield from estimate_identities(tools, d)
    for estimand in ("ATT", "ATC", "ATE"):
        got = simulate(
            lambda d, g=estimand: tools.matching_estimate(
                d.y, tools.match(d.X, d.t, metric="mahalanobis", estimand=g), rules=OPEN
            ),
            truth(estimand),
            runs,
        )
        yield from honest(f"bias-corrected {estimand} on covariates", got)
    for estimand in ("ATT", "ATE"):
        for corrected in (False, True):
            got = simulate(
                lambda d, g=estimand, c=corrected: tools.matching_estimate(
                    d.y, tools.match(d.X, d.t, estimand=g), bias_correction=c, rules=OPEN
                ),
                truth(estimand),
                runs,
            )
            name = f"{'bias-corrected' if corrected else 'plain'} {estimand} on the fitted score"
            yield from honest(name, got, biased=0.0 if corrected else 0.25)


def estimate_identities(tools: Tools, d):
    """Check what must hold in every single data set."""
    m = tools.match(d.X, d.t, metric="mahalanobis")
    plain = tools.matching_estimate(d.y, m, bias_correction=False, rules=OPEN)
    treated = np.flatnonzero(d.t == 1)
    by_hand = d.y[treated] - np.array([d.y[m.partner[m.focal == i]].mean() for i in treated])
    yield "mean of the pairs' differences", np.isclose(plain.value, by_hand.mean(), rtol=1e-9)
    again = np.bincount(m.partner, minlength=len(d.t))
    yield "lending a row twice costs precision", again.max() < 2 or plain.se**2 > by_hand.var() / len(by_hand)
    line = d.X @ [1.0, -2.0, 0.5] + 7
    yield (
        "a linear outcome leaves nothing after bias correction",
        np.isclose(tools.matching_estimate(line, m, rules=OPEN).value, 0, atol=1e-8),
    )
    moved = tools.matching_estimate(3 * d.y + 100, m, rules=OPEN)
    base = tools.matching_estimate(d.y, m, rules=OPEN)
    yield "a shift of the outcome does nothing", np.isclose(moved.value, 3 * base.value, rtol=1e-7)
    yield "a stretch of the outcome stretches the error", np.isclose(moved.se, 3 * base.se, rtol=1e-7)
    near = tools.match(d.X, d.t, metric="mahalanobis", caliper=0.2)
    some = tools.matching_estimate(d.y, near, rules=OPEN)
    yield "dropped rows are named", f"{len(treated) - len(near.unmatched):,} of {len(treated):,}" in some.population
    yield (
        "too few effective rows are refused",
        refused(lambda: tools.matching_estimate(d.y, m, rules=Rules(min_ess=10_000))),
    )
    yield (
        "few controls that serve often are refused",
        refused(lambda: tools.matching_estimate(*served_by_few(tools), rules=Rules(max_smd=9, max_row_share=1))),
    )
    yield (
        "twins that are no twins are refused",
        refused(lambda: tools.matching_estimate(d.y, tools.match(d.X, d.t, replace=False), rules=BALANCED)),
    )
    pairs = tools.match(d.X, d.t, replace=False, caliper=0.2)
    once = tools.matching_estimate(d.y, pairs, bias_correction=False, se="score_known", rules=OPEN)
    gaps = d.y[pairs.focal] - d.y[pairs.partner]
    yield (
        "pairs without replacement: the paired standard error",
        np.isclose(once.se, gaps.std() / np.sqrt(len(gaps)), rtol=1e-9),
    )
