"""Samples with a known effect for doubly robust estimation, and what must hold on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from sklearn.tree import DecisionTreeRegressor

from causalrec_lib import doubly_robust
from causalrec_lib.doubly_robust import Nuisances
from causalrec_lib.estimate import Estimate

from .intervals import centred, covers

ATE, ATT_GAP = 1.0, 0.3


def draw(seed: int, n: int = 1_500) -> tuple[np.ndarray, ...]:
    """Outcome, treatment, covariates; the effect is 1 + x0, so the treated gain more than all."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    t = (rng.random(n) < 1 / (1 + np.exp(0.7 - 0.6 * x[:, 0] + 0.3 * x[:, 1]))).astype(float)
    return x @ [2.0, 1.0, -1.0] + (1 + x[:, 0]) * t + rng.normal(size=n), t, x


def estimates(
    aipw: Callable[..., Estimate], cross_fit: Callable[..., Nuisances], runs: int, case: str
) -> list[Estimate]:
    """AIPW with one model blind to the first covariate, or neither."""
    found = []
    for seed in range(runs):
        y, t, x = draw(seed)
        full, blind = cross_fit(y, t, x, seed=seed), cross_fit(y, t, x[:, 1:], seed=seed)
        outcome, chance = (
            blind if case == "outcome model blind" else full,
            blind if case == "propensity blind" else full,
        )
        found.append(aipw(y, t, Nuisances(outcome.mu0, outcome.mu1, chance.e, full.fold), refuse="flag"))
    return found


def battery(runs: int = 40) -> Iterator[tuple[str, bool]]:
    """Yield checks by name; the tools are looked up in `doubly_robust`, where a twin has replaced them."""
    aipw, fit = doubly_robust.aipw, doubly_robust.cross_fit
    for case in ("both right", "outcome model blind", "propensity blind"):
        found = estimates(aipw, fit, runs, case)
        yield f"{case}: no bias", centred(found, ATE)
        if case == "both right":
            yield "it covers", covers(found, ATE)
            spread = np.std([e.value for e in found], ddof=1)
            yield "its error is the spread", abs(np.mean([e.se for e in found]) / spread - 1) < 0.25
    treated, gains = [], []
    for seed in range(runs):
        y, t, x = draw(seed)
        both = fit(y, t, x, seed=seed)
        both = both._replace(mu0=both.mu0 + 1)  # an outcome model that is off for everybody
        treated.append(aipw(y, t, both, estimand="ATT", refuse="flag"))
        gains.append(1 + x[t == 1, 0].mean())
    yield "on the treated: no bias", abs(np.mean([e.value for e in treated]) - np.mean(gains)) < 0.06 < ATT_GAP
    y, t, x = draw(1)
    both = fit(y, t, x, seed=1)
    raised = both._replace(mu1=both.mu1 + 10)
    same = aipw(y + 10 * t, t, raised, refuse="flag").se / aipw(y, t, both, refuse="flag").se
    yield "a constant effect moves no error", abs(same - 1) < 1e-6
    own = fit(y, t, x, outcome=DecisionTreeRegressor(random_state=0), seed=1)
    yield "no row is predicted by a model that saw it", bool(np.mean(np.where(t == 1, own.mu1, own.mu0) == y) < 0.5)
    slope = [doubly_robust.partially_linear(*draw(s), seed=s).value for s in range(runs)]
    weighted = []
    for s in range(runs):
        _, _, x = draw(s)
        e = 1 / (1 + np.exp(0.7 - 0.6 * x[:, 0] + 0.3 * x[:, 1]))
        weighted.append(np.average(1 + x[:, 0], weights=e * (1 - e)))
    yield "remainders: the overlap effect", abs(np.mean(slope) - np.mean(weighted)) < 0.06
    many = [aipw(y, t, fit(y, t, x, seed=s), refuse="flag") for s in range(7)]
    wide = doubly_robust.over_partitions(many)
    yield "partitions add their spread", wide.se >= np.median([e.se for e in many])
    narrow = [Estimate(v, 0.001, "ATE", "m", 9) for v in (0.0, 1.0, 2.0)]
    yield "and more of it where they disagree", doubly_robust.over_partitions(narrow).se > 0.5
