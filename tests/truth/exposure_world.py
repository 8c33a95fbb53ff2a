"""A table of pairs whose values decide about their being rated, and the checks of `exposure` in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score

from causalrec_lib import exposure
from causalrec_lib.estimate import EstimateRefused

from .weighting_world import Runs, honest

SHAPE = (60, 80)
BY_STAR = np.array([0.03, 0.05, 0.15, 0.3, 0.45])
N = SHAPE[0] * SHAPE[1]


@dataclass(frozen=True)
class Tools:
    """The functions under test; a broken twin replaces one of them."""

    mean_over_pairs: object = exposure.mean_over_pairs
    naive_bayes: object = exposure.naive_bayes
    factorise: object = exposure.factorise
    doubly_robust: object = exposure.doubly_robust
    penalty_risk: object = exposure.penalty_risk
    implicit: object = exposure.implicit
    expomf: object = exposure.expomf


def population() -> tuple[np.ndarray, np.ndarray]:
    """Return the stars of all pairs, two factors and rounding, and an error that differs within a star."""
    rng = np.random.default_rng(11)
    product = rng.normal(size=(SHAPE[0], 2)) @ rng.normal(size=(2, SHAPE[1]))
    stars = np.clip(np.round(2.8 + 1.4 * product), 1, 5)
    return stars, 2 * np.abs(stars - 3.8) + rng.gamma(1.0, size=SHAPE)


STARS, LOSS = population()
CHANCE = BY_STAR[STARS.astype(int) - 1]


def runs_of(estimate, truth: float, runs: int) -> Runs:
    """Draw logs, and a survey of 300 random pairs each, and estimate from each."""
    found = []
    for seed in range(runs):
        rng = np.random.default_rng([7, seed])
        seen = rng.random(SHAPE) < CHANCE
        survey = rng.integers(N, size=300)
        found.append(estimate(seen, survey))
    return Runs.of(found, truth)


def mean_battery(tools: Tools, runs: int):
    """Check IPS and SNIPS with known chances, then clipping, clusters and refusals."""
    for how in ("ips", "snips"):
        got = runs_of(
            lambda seen, _, how=how: tools.mean_over_pairs(LOSS[seen], CHANCE[seen], n_pairs=N, estimator=how),
            LOSS.mean(),
            runs,
        )
        yield from honest(how, got)
    seen = np.random.default_rng(5).random(SHAPE) < CHANCE
    y, p = LOSS[seen], CHANCE[seen]
    shifted = tools.mean_over_pairs(y + 10, p, n_pairs=N)
    yield "a constant moves SNIPS by itself", abs(shifted.value - 10 - tools.mean_over_pairs(y, p).value) < 1e-9
    yield "clipping", np.isclose(tools.mean_over_pairs(y, p, clip=0.2).value, np.average(y, weights=1 / p.clip(0.2)))
    twice = tools.mean_over_pairs(np.tile(y, 2), np.tile(p, 2), clusters=np.tile(np.arange(len(y)), 2))
    once = tools.mean_over_pairs(y, p, clusters=np.arange(len(y)))
    yield "rows that are there twice add nothing", abs(twice.se / once.se - 1) < 0.01
    try:
        tools.mean_over_pairs(y, p, n_pairs=2 * N)
        yield "missing pairs are noticed", False
    except EstimateRefused:
        yield "missing pairs are noticed", True


def bayes_battery(tools: Tools, runs: int):
    """Check naive Bayes chances, and that the error counts the survey."""

    def estimate(seen, survey):
        chances = tools.naive_bayes(STARS[seen], STARS.ravel()[survey], N)
        return tools.mean_over_pairs(LOSS[seen], chances)

    yield from honest("naive Bayes", runs_of(estimate, LOSS.mean(), runs))
    seen = np.random.default_rng(5).random(SHAPE) < CHANCE
    found = tools.naive_bayes(STARS[seen], STARS.ravel(), N)
    yield "chances by star", np.abs(found.by_star["p"].to_numpy() / BY_STAR - 1).max() < 0.3


def learning_battery(tools: Tools, runs: int):
    """Check that weights and imputation bring the learned table closer to the truth, and how penalties are judged."""
    off: dict[str, list[float]] = {"naive": [], "weighted": [], "robust": [], "risk": [], "held out": []}
    for seed in range(max(runs // 12, 4)):
        rng = np.random.default_rng([8, seed])
        seen = rng.random(SHAPE) < CHANCE
        cells, p = (*np.nonzero(seen), STARS[seen], SHAPE), CHANCE[seen]
        options = {"rank": 2, "penalty": 2.0, "seed": seed}
        off["naive"].append(np.mean((exposure.factorise(*cells, **options).table() - STARS) ** 2))
        weighted = tools.factorise(*cells, p=p, **options)
        off["weighted"].append(np.mean((weighted.table() - STARS) ** 2))
        off["robust"].append(np.mean((tools.doubly_robust(*cells, p=p, **options).table() - STARS) ** 2))
        off["risk"].append(tools.penalty_risk(*cells, [2.0], p=p, rank=2, seed=seed).iloc[0])
        part = rng.random(len(p)) < 0.75
        mine = exposure.factorise(*(c[part] for c in cells[:3]), SHAPE, p=p[part], **options)
        off["held out"].append(np.mean((mine.table() - STARS)[~seen] ** 2))
    mean = {name: np.mean(each) for name, each in off.items()}
    yield "weights help", mean["weighted"] < 0.75 * mean["naive"]
    yield "so does doubly robust learning", mean["robust"] < 0.75 * mean["naive"]
    yield "the weighted risk is about the error on other pairs", 0.7 < mean["risk"] / mean["held out"] < 1.45


def shown_and_bought(seed: int) -> tuple[np.ndarray, ...]:
    """Draw a shop that shows by item and whatever people like: displays, preferences, their chances, purchases."""
    rng = np.random.default_rng([9, seed])
    liked = 0.9 * rng.dirichlet(np.full(3, 0.3), 300) @ rng.beta(0.5, 1.5, (3, 120))
    mu = np.broadcast_to(rng.uniform(0.1, 0.9, 120), liked.shape)
    shown = rng.random(liked.shape) < mu
    return shown, liked, mu, shown & (rng.random(liked.shape) < liked)


def latent_battery(tools: Tools, runs: int):
    """Check what a log of purchases says of preferences, without displays, with their chances, and with them."""
    gain: dict[str, list[float]] = {"displays": [], "chances": [], "inferred": [], "posterior": [], "by item": []}
    certain = True
    for seed in range(max(runs // 8, 4)):
        shown, liked, mu, bought = shown_and_bought(seed)
        cells, options = (*np.nonzero(bought), bought.shape), {"rank": 4, "rounds": 15, "seed": seed}

        def ten(factors, liked=liked, bought=bought):
            first = np.argsort(-np.where(bought, -np.inf, factors.table()), axis=1)[:, :10]
            return np.take_along_axis(liked, first, 1).mean()

        naive = {k: ten(exposure.implicit(*cells, penalty=k, **options)) for k in (4.0, 8.0)}
        seen = tools.implicit(*cells, zeros=shown.astype(float), penalty=4.0, **options)
        known = tools.expomf(*cells, prior=mu, penalty=4.0, **options)
        found = tools.expomf(*cells, precision=4.0, penalty=32.0, **options)
        gain["displays"].append(ten(seen) - naive[4.0])
        gain["chances"].append(ten(known.factors) - naive[4.0])
        gain["inferred"].append(ten(found.factors) - naive[8.0])
        hit = shown[~bought]
        gain["posterior"].append(roc_auc_score(hit, known.posterior[~bought]) - roc_auc_score(hit, mu[~bought]))
        gain["by item"].append(np.corrcoef(found.prior, mu[0])[0, 1] if np.ptp(found.prior) > 0 else 0.0)
        certain &= bool((found.posterior[bought] == 1).all() and (found.posterior[~bought] < 1).all())
    yield "what was bought was seen", certain
    yield "displays help", np.mean(gain["displays"]) > 0.04
    yield "so do their chances", np.mean(gain["chances"]) > 0.03
    yield "inferred ones help a little", np.mean(gain["inferred"]) > 0.005
    yield "who would have bought and didn't saw less", min(gain["posterior"]) > 0.0005
    yield "items that are shown more are found", np.mean(gain["by item"]) > 0.4


BATTERIES = {
    "means": mean_battery,
    "naive Bayes": bayes_battery,
    "learning": learning_battery,
    "latent exposure": latent_battery,
}
