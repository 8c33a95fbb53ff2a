"""A valid call of every public function of the library, each argument with the ways to spoil it.

To add a function: an entry in CALLS. Those of the world stand in `world_calls`, of text encoders in `language_calls`.
"""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from unittest.mock import patch

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd

import causalrec_lib
from causalrec_lib import (
    course,
    data,
    discovery,
    doubly_robust,
    effects,
    estimate,
    experiments,
    exposure,
    factors,
    graphs,
    heterogeneity,
    instruments,
    learning,
    matching,
    metrics,
    plots,
    policy,
    refutation,
    sensitivity,
    simulation,
    structural,
    targeting,
    trees,
    weighting,
)
from causalrec_lib.course import attempts
from causalrec_lib.data import transfer, week, world
from causalrec_lib.estimate import Design, Estimate, Rules
from tests.unit import spoilings as say
from tests.unit.spoilings import Given

PLUMBING = {
    "causalrec_lib.course": "run by make and the command line on files of the checkout; chapters meet its __all__",
    "causalrec_lib.data.archive": "called by data.fetch alone, with facts of the checked registry",
    "causalrec_lib.data.cache": "called by data.fetch alone, with facts of the checked registry",
    "causalrec_lib.data.fetch": "what a chapter meets of it is in data.__all__",
    "causalrec_lib.data.index": "called by data.fetch alone, with facts of the checked registry",
    "causalrec_lib.data.loaders": "called by data.load alone, with files of the checked registry",
    "causalrec_lib.data.models": "what a chapter meets of it is in data.__all__",
    "causalrec_lib.data.registry": "what a chapter meets of it is in data.__all__",
    "causalrec_lib.data.transfer": "called by data.fetch alone, with facts of the checked registry",
}
"""Modules that no chapter calls; a package's own `__all__` is walked all the same."""

RESULTS = {
    data.Card: "made by data.card",
    discovery.GraphScores: "made by score_graph",
    discovery.ProposalScore: "made by score_proposals",
    doubly_robust.Nuisances: "made by cross_fit",
    experiments.RandomisationTest: "made by randomisation_test",
    experiments.SampleRatio: "made by sample_ratio",
    exposure.Factors: "made by factorise",
    exposure.StarChances: "made by naive_bayes",
    exposure.LatentExposure: "made by expomf",
    graphs.Independence: "made by implied_independences",
    factors.PoissonFactors: "made by poisson_factorisation",
    instruments.FirstStage: "made by first_stage",
    matching.Matches: "made by match",
    refutation.Controls: "made by negative_controls",
    refutation.EmpiricalNull: "made by empirical_null",
    sensitivity.EValue: "made by e_value",
    sensitivity.LinearSensitivity: "made by ols",
    sensitivity.Sensitivity: "made by Estimate.sensitivity",
    trees.CausalTree: "made by causal_tree",
    weighting.PropensityFit: "made by propensity",
    week.RawWeek: "made by raw_week",
    world.Policy: "made by World.policy",
    world.Truth: "made by World.truth",
    world.World: "made by make_world",
}
"""Classes that functions return; a reader reads them and never builds one."""

N = 60
_rng = np.random.default_rng(5)
X = _rng.normal(size=(N, 2))
E = 1 / (1 + np.exp(-0.5 * X[:, 0]))
T = (_rng.random(N) < E).astype(float)
Y = X[:, 0] + T + _rng.normal(size=N)
USER = np.arange(N) // 2
OPEN = Rules(min_ess=2, max_row_share=1.0, max_smd=9.0, min_ess_share=0.0, min_clusters=2, max_z=99.0)
FIT = weighting.propensity(X, T)
PAIRS = matching.match(FIT, T)
ALT = "A straight line that rises from the lower left to the upper right."
BALANCE = pd.DataFrame({"before": [0.4], "after": [0.1]}, index=["x"])
WORDS = "Because the shelf is sorted by the score."


class Call(NamedTuple):
    """A function with a valid value for each of its arguments."""

    function: Callable[..., Any]
    arguments: dict[str, Given]

    def run(self, **changed: Any) -> Any:
        """Call it, some arguments changed; figures are closed, and files go to a folder that is thrown away."""
        arguments = {name: given.value for name, given in self.arguments.items()} | changed
        with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, {"CAUSALREC_BUILD": folder}):
            try:
                return self.function(**arguments)
            finally:
                plt.close("all")


def made(**changes: Any) -> Estimate:
    """An estimate with every part filled in."""
    parts = {name: given.value for name, given in PARTS.items()}
    return Estimate(**(parts | changes))


def run_of_a_chapter() -> course.Run:
    return course.Run("ci", 1, "weighting/01_propensity_weighting")


def report_after_a_check(name: Any) -> Any:
    with patch.dict(attempts.LOG, {"weighting/01.1": attempts.Tries()}, clear=True):
        return course.report(name)


def sample_mean(seed: int) -> Estimate:
    return made(value=float(np.random.default_rng(seed).normal()))


def in_an_empty_cache(function: Callable[..., Any]) -> Callable[..., Any]:
    """Call a function where no set has been fetched: what it removes is not the reader's."""

    def call(**arguments: Any) -> Any:
        with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, {"CAUSALREC_CACHE": folder}):
            return function(**arguments)

    return call


# What several functions take ------------------------------------------------------------------------------------

LEVEL = say.number(0.9, 0.0, 1.0, -0.1, 95.0)
REFUSE = say.option("raise")
RULES = say.thing(OPEN, optional=True)
CLUSTERS = say.labels(USER, **{"one group": np.zeros(N)})
COMMON = {"level": LEVEL, "unit": say.words("kg")}
JUDGED = {"rules": RULES, "refuse": REFUSE}
PARTS = {
    "value": say.number(2.0),
    "se": say.number(0.5, -0.1, missing=True),
    "estimand": say.option("ATE"),
    "method": say.words("a method", empty=False),
    "n": say.whole(100, 0, -3),
    "level": LEVEL,
    "interval": say.thing(
        (1.0, 3.0),
        optional=True,
        turned=(3.0, 1.0),
        holed=(np.nan, 0.0),
        endless=(0.0, np.inf),
        three=(1.0, 2.0, 3.0),
    ),
    "ess": say.number(40.0, -1.0, optional=True),
    "overlap": say.thing(
        {"min": 0.1, "max": 0.9}, optional=True, outside={"min": -0.1, "max": 0.9}, half={"min": 0.1}
    ),
    "balance": say.thing(BALANCE, optional=True, empty=BALANCE.iloc[:0], half=BALANCE[["after"]]),
    "converged": say.flag(optional=True),
    "assumptions": say.texts(),
    "flags": say.texts(()),
    "unit": say.words("kg"),
    "population": say.words("among the few"),
    "arms": say.thing({"control": 1.0, "treated": 3.0}, optional=True, text={"a": "b"}, holed={"a": np.nan}),
    "checks": say.texts(()),
    "notes": say.texts(()),
    "e_source": say.words("known"),
    "n_clusters": say.whole(30, 0, -1, optional=True),
    "influence": say.vector(X[:, 0], optional=True, partner=False),
    "clusters": say.vector(USER, optional=True, bad=(-1.0, 0.5)),
    "design": say.thing(Design(np.ones(N)), optional=True),
}
SEGMENTED = {name: PARTS[name] for name in ("value", "se", "estimand", "method", "n")} | {
    "segments": say.thing(
        ((-np.inf, -1.0), (3.0, np.inf)),
        optional=True,
        turned=((3.0, 1.0),),
        holed=((np.nan, 0.0),),
        three=((1.0, 2.0, 3.0),),
        flat=(1.0, 2.0),
    ),
}
ERRORS = say.Given(
    np.array([0.1, 0.2, np.nan]),
    say.vector([0.1, 0.2, 0.3], bad=(-0.1,)).spoilt.filter(
        lambda bad: bad.what != "a missing object" and not bad.what.startswith("nan ")
    ),
)
EFFECTS = {
    "values": say.vector([1.0, 2.0, 3.0]),
    "se": ERRORS,
    "index": say.thing(["a", "b", "c"]),
    "n": say.whole(100, 0, -3),
    "estimand": say.option("CATE"),
    "method": say.words("a forest"),
    "level": LEVEL,
    "unit": say.words("kg"),
    "assumptions": say.texts(),
    "flags": say.texts(()),
}
NAME = say.option("nsw")
TABLE = say.option("people", optional=True)
BAD_GRAPHS = {
    "empty": nx.DiGraph(),
    "a cycle": nx.DiGraph([("a", "b"), ("b", "a")]),
    "without directions": nx.Graph([("a", "b")]),
    "an unknown kind": nx.DiGraph([("a", "b", {"kind": "nonsense"})]),
}
BAD_RUNS = {
    "empty": pd.DataFrame(columns=["seed", "name", "value", "se", "truth", "covers"]),
    "a column short": simulation.repeat(sample_mean, range(3), 0.0).drop(columns="covers"),
    "a single sample": simulation.repeat(sample_mean, range(1), 0.0),
    "NaN": simulation.repeat(sample_mean, range(3), 0.0).assign(value=np.nan),
    "texts": simulation.repeat(sample_mean, range(3), 0.0).assign(truth="a"),
}
BAD_OPTIONS = {
    "two only": {"Yes, this one": (True, WORDS), "No, that one": (False, WORDS)},
    "all right": {word: (True, WORDS) for word in "abc"},
    "unexplained": {"a": (True, WORDS), "b": (False, WORDS), "c": (False, "")},
    "no pair": {"a": (True, WORDS), "b": (False, WORDS), "c": False},
}
MATCHED = {
    "t": say.binary(T),
    "estimand": say.option("ATT"),
    "metric": say.option("logit"),
    "method": say.option("nearest"),
    "ratio": say.whole(1, 0, -1),
    "replace": say.flag(),
    "caliper": say.number(5.0, -0.1, optional=True),
    "exact": say.labels(USER % 2, several=True),
    "ties": say.option("all"),
    "order": say.option("largest"),
    "seed": say.whole(0, -1),
}
WEIGHTED = {
    "y": say.vector(Y),
    "t": say.binary(T),
    "estimand": say.option("ATE"),
    "estimator": say.option("hajek"),
    "trim": say.number(0.01, -0.1, 0.5, 0.9, optional=True),
    "se": say.option("sandwich"),
    "e_source": say.option("known"),
    "clusters": CLUSTERS,
    **JUDGED,
    **COMMON,
}
PLOTTED = {"alt": say.words(ALT, short=True), "caption": say.words(ALT, short=True)}

CALLS: dict[Callable[..., Any], tuple[Call, ...]] = {}


def add(function: Callable[..., Any], call: Callable[..., Any] | None = None, /, **arguments: Given) -> None:
    """Register a valid call of a public function; `call` stands for it where it can't be called by name."""
    CALLS[function] = (*CALLS.get(function, ()), Call(call or function, arguments))


# The estimate, its rules and its checks -------------------------------------------------------------------------

add(
    estimate.Rules,
    min_ess=say.number(30.0, -5.0),
    max_row_share=say.number(0.1, 0.0, -0.1, 1.5),
    max_smd=say.number(0.1, -0.1, -np.inf, finite=False),
    min_ess_share=say.number(0.05, -0.1, 1.5),
    min_clusters=say.number(30.0, -1.0),
    max_z=say.number(3.0, 0.0, -1.0, -np.inf, finite=False),
)
add(estimate.Estimate, **PARTS)
add(estimate.Estimate, **SEGMENTED)
add(
    estimate.Design,
    weights=say.vector(np.ones(N), partner=False),
    residual=say.vector(np.zeros(N), optional=True),
    focal=say.vector(np.arange(5), optional=True, bad=(-1.0, 0.5, N)),
    partner=say.vector(np.arange(5, 10), optional=True, bad=(-1.0, 0.5, N)),
)
add(estimate.Estimate.covers, made().covers, truth=say.number(1.0))
add(estimate.Estimate.flagged, lambda reasons: made().flagged(*reasons), reasons=say.reasons(("too few",)))
add(estimate.effective_sample_size, weights=say.weights(E, partner=False))
add(
    estimate.difference_in_means,
    y=say.vector(Y),
    t=say.binary(T),
    clusters=CLUSTERS,
    estimand=say.option("ATE"),
    **COMMON,
)
add(
    estimate.judge,
    estimate=say.thing(made()),
    weights=say.thing(
        {"treated": np.ones(50)},
        negative={"treated": -np.ones(50)},
        holed={"treated": [np.nan]},
        none={"treated": []},
    ),
    rules=say.thing(OPEN),
    refuse=REFUSE,
    found=say.texts((), numbers_alone=(1.0,)),
    checked=say.texts(()),
)

# Several estimates ----------------------------------------------------------------------------------------------

SILENT = made(influence=None, clusters=None)
OTHER_ROWS = made(influence=np.ones(3), clusters=None)
add(effects.contrast, a=say.thing(made(), silent=SILENT), b=say.thing(made(value=1.0), silent=SILENT))
add(
    effects.combine,
    estimates=say.thing(
        [made(), made(value=1.0)],
        one=[made()],
        numbers=[1.0, 2.0],
        silent=[made(), SILENT],
        rows=[made(), OTHER_ROWS],
        levels=[made(), made(level=0.5)],
    ),
    weights=say.vector([0.5, 0.5], optional=True),
    same_rows=say.flag(),
    estimand=say.Given("difference", say.option("difference").spoilt.filter(lambda bad: bad.what != "empty")),
)
add(effects.Effects, **EFFECTS)
add(
    effects.Effects.covers,
    lambda truth: effects.Effects(**{name: given.value for name, given in EFFECTS.items()}).covers(truth),
    truth=say.Given(
        np.ones(3),
        say.vector(np.ones(3)).spoilt.filter(lambda bad: bad.what != "a number") | say.listed({"inf": np.inf}),
    ),
)

# Sensitivity ----------------------------------------------------------------------------------------------------

ADJUSTED = weighting.ipw(Y, T, X=X, refuse="flag")
SHARES = {"r2_outcome": say.number(0.2, -0.1, 1.1), "r2_treatment": say.number(0.1, -0.1, 1.0, 1.5)}
CONTROL = weighting.ipw(X[:, 1], T, X=X, refuse="flag")
OTHER_ROWS = weighting.ipw(Y[:-2], T[:-2], X=X[:-2], refuse="flag")
add(
    refutation.battery,
    effect=say.thing(lambda y, t, x: float(y[t == 1].mean() - y[t == 0].mean()), **{"no number": lambda y, t, x: y}),
    y=say.vector(Y),
    t=say.binary(T),
    X=say.table(X),
    seed=say.whole(1, -1),
    n_draws=say.whole(2, 1, 0),
    share=say.number(0.8, 0.0, 1.0, 1.5),
)
add(
    refutation.negative_controls,
    controls=say.thing(
        {"x": CONTROL},
        **{
            "none": {},
            "bare": {"x": Estimate(0.1, 0.1, "ATE", "by hand", N)},
            "twice": {"x": CONTROL, "again": CONTROL},
            "other rows": {"x": CONTROL, "short": OTHER_ROWS},
            "no estimate": {"x": 0.3},
        },
    ),
)
add(
    refutation.empirical_null,
    values=say.vector([0.1, 0.3, 0.2, 0.4], bad=()),
    se=say.vector([0.1, 0.1, 0.2, 0.1], bad=(0.0, -0.1)),
)
add(
    refutation.calibrate,
    estimate=say.thing(CONTROL, errorless=made(se=float("nan"), interval=(0.0, 1.0))),
    null=say.thing(refutation.EmpiricalNull(0.1, 0.05, 0.1, 8)),
)
LINEAR = sensitivity.ols(Y, T, X)
GAMMAS = say.vector([1.0, 2.0], partner=False, bad=(0.5, -1.0))
add(estimate.Estimate.sensitivity, made().sensitivity, null=say.number(0.5))
for bounded in ("bias", "bounds", "interval"):
    add(getattr(sensitivity.Sensitivity, bounded), getattr(ADJUSTED.sensitivity(), bounded), **SHARES)
add(sensitivity.LinearSensitivity.bias, LINEAR.bias, **SHARES)
add(sensitivity.LinearSensitivity.adjusted, LINEAR.adjusted, **SHARES, reduce=say.flag())
add(
    sensitivity.LinearSensitivity.robustness_value,
    LINEAR.robustness_value,
    q=say.number(1.0, 0.0, -1.0),
    alpha=say.number(0.05, 0.0, -0.1, 1.1),
)
add(
    sensitivity.e_value,
    ratio=say.number(2.0, 0.0, -1.0),
    low=say.number(1.5, 0.0, -1.0, 2.5, float("nan"), missing=True),
    high=say.number(3.0, 0.0, -1.0, 1.7, float("nan"), missing=True),
)
add(
    sensitivity.benchmarks,
    estimate=say.thing(ADJUSTED, bare=made(), other_rows=weighting.ipw(Y[:-2], T[:-2], X=X[:-2], refuse="flag")),
    y=say.vector(Y),
    t=say.binary(T),
    X=say.table(X, design=True),
)
add(
    sensitivity.ols,
    y=say.vector(Y),
    t=say.vector(T, constant=np.ones(N), of_x=X.sum(axis=1)),
    X=say.table(X, design=True),
    benchmark=say.texts(("x0",), unknown=("x7",), empty={"group": ()}),
    multiples=say.vector([1.0, 2.0], partner=False, bad=(0.0, -1.0)),
    unit=say.words("kg"),
)
add(sensitivity.rosenbaum_bounds, differences=say.vector(Y, partner=False, zeros=np.zeros(N)), gammas=GAMMAS)
add(
    sensitivity.rosenbaum_gamma,
    differences=say.vector(Y, partner=False, zeros=np.zeros(N)),
    alpha=say.number(0.05, 0.0, 0.5, 1.0),
)
add(
    sensitivity.marginal_bounds,
    y=say.vector(Y),
    t=say.binary(T),
    e=say.propensities(E),
    gammas=GAMMAS,
    n_boot=say.whole(3, -1),
    seed=say.whole(0, -1),
    level=LEVEL,
)

# Weighting ------------------------------------------------------------------------------------------------------

add(
    weighting.weights,
    t=say.binary(T),
    e=say.propensities(E),
    estimand=say.option("ATE"),
    stabilised=say.flag(False),
)
add(weighting.crump_threshold, e=say.propensities(E, partner=False))
add(weighting.overlap_summary, e=say.propensities(E), t=say.binary(T))
add(
    weighting.balance,
    X=say.table(X),
    t=say.binary(T),
    weights=say.weights(E, optional=True),
    names=say.Given(
        ("a", "b"), say.texts(twice=("a", "a"), short=("a",)).spoilt.filter(lambda b: b.value is not None)
    ),
)
add(
    weighting.propensity,
    X=say.table(X, design=True),
    t=say.binary(T),
    penalty=say.number(1.0, -1.0, optional=True),
    max_iter=say.whole(100, 0, -1),
    refuse=REFUSE,
)
add(weighting.PropensityFit.predict, FIT.predict, X=say.table(X, partner=False))
add(weighting.PropensityFit.influence, FIT.influence, direction=say.vector(np.ones(3)))
add(weighting.ipw, **WEIGHTED, e=say.propensities(E, optional=True), X=say.table(X, optional=True))
add(weighting.ipw, **WEIGHTED, e=say.propensities(E))
add(weighting.ipw, **WEIGHTED, X=say.table(X, design=True))
add(weighting.ipw, **WEIGHTED, e=say.thing(FIT))
add(
    weighting.standardisation,
    y=say.vector(Y),
    t=say.binary(T),
    X=say.table(X, design=True),
    interact=say.Given(
        [0],
        say.texts(numbers=[0.5], outside=[2], below=[-1], twice=[0, 0], unknown=["z"], truths=[True]).spoilt.filter(
            lambda bad: bad.what != "a single text" or bad.value == "a"
        ),
    ),
    estimand=say.option("ATE"),
    clusters=CLUSTERS,
    **COMMON,
)

# Matching -------------------------------------------------------------------------------------------------------

add(matching.match, **MATCHED, X=say.table(X, design=True))
add(matching.match, **MATCHED, X=say.thing(FIT, **{"of other rows": weighting.propensity(X, 1 - T)}))
for more in ({}, {"X": say.table(X, design=True, optional=True)}):
    add(
        matching.matching_estimate,
        **more,
        y=say.vector(Y),
        matches=say.thing(PAIRS),
        bias_correction=say.flag(),
        se=say.option("adjusted"),
        neighbours=say.whole(2, 0, -1),
        clusters=CLUSTERS,
        **JUDGED,
        **COMMON,
    )

# Instruments ----------------------------------------------------------------------------------------------------

PUSH = np.tile([0.0, 1.0], N // 2)
MOVED = np.where(np.arange(N) % 5 == 0, T, PUSH)
WITH_PUSH = {"z": say.table(PUSH[:, None]), "X": say.table(X, design=True, optional=True), "clusters": CLUSTERS}
for function, more in (
    (instruments.two_stage_least_squares, {"min_f": say.number(0.0, -1.0), **JUDGED}),
    (instruments.anderson_rubin, {}),
):
    add(
        function,
        y=say.vector(Y),
        t=say.vector(MOVED),
        se=say.option("robust"),
        **WITH_PUSH,
        **more,
        **COMMON,
    )
add(instruments.first_stage, t=say.vector(MOVED), **WITH_PUSH)
add(instruments.complier_means, x=say.table(X), t=say.binary(MOVED), z=say.binary(PUSH), clusters=CLUSTERS)

# Ratings --------------------------------------------------------------------------------------------------------

RATED = {
    "users": say.Given(np.arange(N) // 8, say.vector(np.arange(N) // 8, bad=(-1.0, 0.5, 1e6)).spoilt),
    "items": say.Given(np.arange(N) % 8, say.vector(np.arange(N) % 8, bad=(-1.0, 0.5, 1e6)).spoilt),
}
STARRED = {
    **RATED,
    "stars": say.vector(1.0 + np.arange(N) % 5),
    "shape": say.thing((N // 8 + 1, 9), **{"one side": (8,), "a fraction": (8.5, 9), "no users": (0, 9)}),
}
CHANCES = say.vector(0.2 + 0.7 * E, optional=True, bad=(0.0, -0.1, 1.2))
FITTED = {
    "rank": say.whole(2, 0, -1),
    "penalty": say.number(3.0, 0.0, -1.0),
    "rounds": say.whole(3, 0, -1),
    "seed": say.whole(0, -1),
}
add(
    exposure.mean_over_pairs,
    y=say.vector(Y),
    p=CHANCES,
    n_pairs=say.whole(10_000, 3, optional=True),
    estimator=say.option("snips"),
    clip=say.number(0.1, 0.0, -0.1, 1.1, optional=True),
    p_source=say.option("known"),
    clusters=CLUSTERS,
    **JUDGED,
    **COMMON,
)
add(
    exposure.naive_bayes,
    stars=say.vector(1.0 + np.arange(N) % 5, partner=False),
    survey=say.vector(np.repeat(np.arange(1.0, 6.0), 4), partner=False, bad=(9.0,)),
    n_pairs=say.whole(10_000, 3, -1),
)
add(
    exposure.popularity,
    items=say.vector(np.arange(N) % 8, partner=False, bad=(-1.0, 0.5)),
    n_users=say.whole(N, 0, 1),
)
add(
    exposure.poisson,
    **RATED,
    shape=STARRED["shape"],
    rank=say.whole(2, 0),
    rounds=say.whole(5, 0),
    seed=say.whole(0, -1),
)
LEARNED = exposure.factorise(np.arange(N) // 8, np.arange(N) % 8, 1.0 + np.arange(N) % 5, (N // 8 + 1, 9), rank=2)
add(exposure.Factors.predict, LEARNED.predict, **RATED)
add(exposure.factorise, **STARRED, p=CHANCES, **FITTED)
SHOWN = np.full((N // 8 + 1, 9), 0.4)
BAD_SHARES = {"above one": 3 * SHOWN, "below zero": -SHOWN, "another shape": SHOWN[:, 1:], "a hole": SHOWN * np.nan}
ONES = {**RATED, "shape": STARRED["shape"], **FITTED}
add(exposure.implicit, **ONES, zeros=say.thing(SHOWN, **BAD_SHARES))
add(
    exposure.expomf, **ONES, prior=say.thing(SHOWN, optional=True, **BAD_SHARES), precision=say.number(1.0, 0.0, -1.0)
)
add(exposure.doubly_robust, **STARRED, p=CHANCES, **FITTED, passes=say.whole(1, 0))
add(
    exposure.penalty_risk,
    **STARRED,
    penalties=say.vector([1.0, 10.0], partner=False, bad=(0.0, -1.0)),
    p=CHANCES,
    folds=say.whole(2, 0, 1),
    seed=say.whole(0, -1),
    learner=say.thing(exposure.factorise),
    rank=FITTED["rank"],
    rounds=FITTED["rounds"],
)

# Experiments ----------------------------------------------------------------------------------------------------

SIDE = (USER % 2).astype(float)  # users are in one arm
VISITS = _rng.integers(1, 6, N).astype(float)
PLAN = {"share": say.number(0.5, 0.0, 1.0), "level": LEVEL}
CHANCE = say.number(0.8, 0.01, 1.0)
RANKED = np.array([[0, 1, 2], [4, 3, 9], [5, 6, 7]])
TAPS, TEAMS = _rng.integers(0, 2, (N, 3)), _rng.integers(0, 2, (N, 3))
FOUND = experiments.ratio_metric(Y, VISITS, SIDE)
SPLIT = {
    "clusters": CLUSTERS,
    "planned": say.number(0.5, 0.0, 1.0, optional=True),
    "refuse": REFUSE,
    **COMMON,
}
add(experiments.power, effect=say.number(0.1), sd=say.number(1.0, 0.0, -1.0), n=say.whole(400, 3, 0), **PLAN)
add(
    experiments.minimum_detectable_effect,
    sd=say.number(1.0, 0.0, -1.0),
    n=say.whole(400, 3, 0),
    power=CHANCE,
    **PLAN,
)
add(experiments.sample_size, effect=say.number(0.1, 0.0), sd=say.number(1.0, 0.0, -1.0), power=CHANCE, **PLAN)
add(
    experiments.sample_ratio,
    counts=say.vector([400, 420, 380], partner=False, bad=(-1.0, 0.5), **{"all zero": [0, 0, 0], "one arm": [5]}),
    shares=say.vector([0.3, 0.4, 0.3], optional=True, bad=(0.0, -0.2)),
    alarm=say.number(0.001, 0.0, 1.0),
)
add(
    experiments.randomisation_test,
    y=say.vector(Y),
    t=say.binary(SIDE),
    blocks=say.labels(np.arange(N) // 4),
    rng=say.thing(np.random.default_rng(0)),
    effect=say.number(0.1),
    n_draws=say.whole(49, 0),
)
add(
    experiments.ratio_metric,
    numerator=say.vector(Y),
    denominator=say.vector(VISITS, bad=(-1.0,), **{"all zero": np.zeros(N)}),
    t=say.binary(SIDE),
    X=say.table(X, design=True, optional=True),
    **SPLIT,
)
add(experiments.cuped, y=say.vector(Y), t=say.binary(SIDE), X=say.table(X, design=True), **SPLIT)
add(experiments.chance_of_an_alarm, looks=say.whole(5, 0, 1_001), level=LEVEL)
add(
    experiments.confidence_sequence,
    values=say.vector([0.3, 0.1, 0.2]),
    ses=say.vector([0.3, 0.2, 0.1], bad=(0.0, -0.1)),
    tightest=say.number(0.1, 0.0, -1.0, optional=True),
    level=LEVEL,
)
add(experiments.always_valid, estimate=say.thing(FOUND), tightest=say.number(0.1, 0.0, -1.0))
add(
    experiments.team_draft,
    a=say.table(RANKED),
    b=say.table(RANKED[:, ::-1]),
    rng=say.thing(np.random.default_rng(0)),
)
add(
    experiments.interleaving_credit,
    clicked=say.table(TAPS),
    teams=say.table(TEAMS),
    clusters=CLUSTERS,
    level=LEVEL,
)

# Structural models ----------------------------------------------------------------------------------------------

ARROWS = np.array([[0.0, 0.0], [0.5, 0.0]])
MEDIATED = {
    "y": say.vector(Y),
    "t": say.binary(T),
    "mediator": say.vector(np.roll(X[:, 0], 1) + T),
    "X": say.table(X, design=True, optional=True),
}
add(
    structural.implied_covariance,
    effects=say.table(ARROWS),
    noise=say.table(np.array([[1.0, 0.2], [0.2, 1.0]])),
)
add(structural.mediation, **MEDIATED, interact=say.flag(), clusters=CLUSTERS, **COMMON)
add(
    structural.mediation_sensitivity,
    **MEDIATED,
    correlations=say.thing((-0.5, 0.0, 0.5), turned=(0.5, 0.0), beyond=(0.0, 1.0), holed=(np.nan, 0.5), none=()),
)

# Factors --------------------------------------------------------------------------------------------------------

PROXY = Y + np.arange(N) % 7
add(
    factors.proximal_two_stage,
    y=say.vector(Y),
    t=say.vector(MOVED),
    w=say.vector(PROXY),
    min_f=say.number(0.0, -1.0),
    **WITH_PUSH,
    **JUDGED,
    **COMMON,
)
add(
    factors.poisson_factorisation,
    counts=say.table(np.arange(1.0, 13.0).reshape(4, 3), partner=False),
    k=say.whole(2, 0, 5),
    seed=say.whole(0, -1),
    sweeps=say.whole(5, 0),
    tol=say.number(1e-7, -1.0),
)

# Trees ----------------------------------------------------------------------------------------------------------

TREE = trees.causal_tree(Y, T, X, min_leaf=2, pruned=False, max_leaves=3)
add(
    trees.causal_tree,
    y=say.vector(Y),
    t=say.binary(T),
    X=say.table(X),
    e=say.propensities(E, optional=True),
    clusters=CLUSTERS,
    honest=say.flag(),
    min_leaf=say.whole(2, 1, 0, -1),
    max_depth=say.whole(2, 0, -1),
    max_leaves=say.whole(4, 0, -1),
    pruned=say.flag(),
    folds=say.whole(2, 1, 0, -1),
    grid=say.whole(10, 0, -1),
    seed=say.whole(0, -1),
    **COMMON,
)
for method in (trees.CausalTree.apply, trees.CausalTree.predict):
    add(method, getattr(TREE, method.__name__), X=say.table(X, partner=False))
add(
    trees.CausalTree.rules,
    TREE.rules,
    words=say.thing({"x0": "age"}, optional=True, unknown={"x9": "age"}, number={"x0": 1}, wordless={"x0": ""}),
)
add(trees.CausalTree.path_to, TREE.path_to, leaf=say.whole(TREE.leaf_numbers[0], -1, 99))
add(
    plots.effect_tree,
    tree=say.thing(TREE, bare=made()),
    words=say.thing({"x0": ("young", "old")}, optional=True, one={"x0": "age"}, three={"x0": ("a", "b", "c")}),
    truth=say.thing(
        {TREE.leaf_numbers[0]: 1.0}, optional=True, unknown={99: 1.0}, holed={TREE.leaf_numbers[0]: np.nan}
    ),
    line=say.number(0.1, optional=True),
    scale=say.number(100.0, 0.0, -1.0),
    unit=say.words("sales"),
    rows=say.words("pairs"),
    xlabel=say.words("effect"),
)

# Heterogeneity ----------------------------------------------------------------------------------------------------

JUDGED_EFFECTS = {
    "y": say.vector(Y),
    "t": say.binary(T),
    "predicted": say.vector(X[:, 0]),
    "y_hat": say.vector(X[:, 1]),
    "e": say.propensities(E),
}
add(heterogeneity.pehe, effect=say.vector(X[:, 0]), predicted=say.vector(X[:, 1]))
add(heterogeneity.r_losses, **JUDGED_EFFECTS)
add(heterogeneity.calibration, **JUDGED_EFFECTS, clusters=CLUSTERS, level=LEVEL)
add(
    heterogeneity.rate,
    scores=say.vector(Y),
    priority=say.vector(X[:, 0]),
    weighting=say.option("autoc"),
    clusters=CLUSTERS,
    **COMMON,
)
add(
    heterogeneity.targeting_curve,
    scores=say.vector(Y),
    priority=say.vector(X[:, 0]),
    shares=say.thing((0.2, 0.5, 1.0), turned=(0.5, 0.2), beyond=(0.5, 1.2), zero=(0.0, 0.5), holed=(np.nan, 1.0)),
    draws=say.whole(5, 1, 0, -3),
    seed=say.whole(0, -1),
)

# Off-policy evaluation --------------------------------------------------------------------------------------------

CHANCES = np.tile([0.5, 0.3, 0.2], (N, 1))
TAKEN = np.arange(N) % 3
ROUNDS = {
    "y": say.vector(T),
    "target": say.vector(0.2 + 0.5 * E, bad=(-0.1, 1.5)),
    "e": say.vector(E, bad=(0.0, -0.1, 1.5)),
    "q": say.vector(E),
    "v": say.vector(E),
}
PLACE = np.tile([1.0, 2.0], N // 2)
add(policy.at_actions, probabilities=say.table(CHANCES), actions=say.vector(TAKEN, bad=(-1.0, 3.0, 0.5)))
add(policy.uncovered, target=say.table(CHANCES), logging=say.table(CHANCES))
add(
    policy.off_policy_value,
    **ROUNDS,
    estimator=say.option("SWITCH-DR"),
    threshold=say.number(5.0, 0.0, -1.0),
    clusters=CLUSTERS,
    **JUDGED,
    **COMMON,
)
add(
    policy.thresholds,
    **ROUNDS,
    estimator=say.option("DRos"),
    candidates=say.vector([1.0, 5.0], partner=False, bad=(0.0, -1.0), turned=np.array([5.0, 1.0])),
)
add(
    policy.bernstein,
    rows=say.vector(E, partner=False, bad=(2.0, -1.0)),
    low=say.number(0.0),
    high=say.number(1.0, 0.0, -1.0),
    level=LEVEL,
)
add(
    policy.slate_value,
    y=say.vector(T),
    ratio=say.weights(E),
    session=say.labels(USER, optional=False),
    position=say.vector(PLACE, bad=(0.0, 1.5)),
    q=say.vector(E),
    v=say.vector(E),
    estimator=say.option("cascade DR"),
    **JUDGED,
    **COMMON,
)

# Evaluation -------------------------------------------------------------------------------------------------------

RELEVANCE = (np.random.default_rng(9).random((N, 8)) < 0.3).astype(float)
RELEVANCE[:, 0] = 1.0
RANKED = {
    "relevance": say.Given(RELEVANCE, say.table(RELEVANCE).spoilt | say.entries(RELEVANCE, (-1.0,))),
    "scores": say.table(np.random.default_rng(10).normal(size=(N, 8))),
    "k": say.whole(3, 0, 9),
    "candidates": say.Given(
        np.ones((N, 8)), say.table(np.ones((N, 8)), optional=True).spoilt | say.entries(np.ones((N, 8)), (0.5, 2.0))
    ),
}
add(metrics.user_metric, **RANKED, metric=say.option("MAP"))
add(metrics.ranking_metric, **RANKED, metric=say.option("NDCG"), empty=say.option("skip"), level=LEVEL)
add(
    metrics.list_value,
    y=say.vector(T),
    t=say.binary(T),
    e=say.propensities(E),
    listed=say.weights(np.tile([1.0, 0.5], N // 2)),
    outcome=say.option("effect"),
    clusters=CLUSTERS,
    **JUDGED,
    **COMMON,
)
THREE = np.tile([0, 1, 2], (N, 1))
LISTED = say.Given(
    THREE,
    say.table(THREE, partner=False).spoilt
    | say.entries(THREE, (-1.0, 0.5, 4.0))
    | say.listed({"an item twice": np.zeros((N, 2))}),
)
add(metrics.item_exposure, lists=LISTED, n_items=say.whole(4, 0), discounted=say.flag())
add(metrics.gini, shares=say.Given(E, say.weights(E, partner=False).spoilt))
add(
    metrics.novelty,
    lists=LISTED,
    popularity=say.vector([3.0, 2.0, 1.0, 1.0], partner=False, bad=(0.0, -1.0)),
    level=LEVEL,
)
add(metrics.diversity, lists=LISTED, features=say.table(np.eye(4) + 0.1, partner=False), level=LEVEL)
add(
    metrics.miscalibration,
    lists=LISTED,
    groups=say.vector([0, 1, 0, 1], partner=False, bad=(-1.0, 0.5, 2.0)),
    history=say.table(np.tile([0.25, 0.75], (N, 1))),
    level=LEVEL,
)
add(
    metrics.sampled_metric,
    rank=say.vector([1, 5, 20], partner=False, bad=(0.0, 0.5, 21.0)),
    n_items=say.whole(20, 1, 0),
    negatives=say.whole(5, 0, 20),
    metric=say.option("NDCG"),
    k=say.whole(3, 0, 21),
)

# Targeting, and learning from logs ---------------------------------------------------------------------------------

GAINS = {"scores": say.vector(Y), "priority": say.vector(X[:, 1])}
PAID = {"costs": say.vector(E, optional=True), "clusters": CLUSTERS, "level": LEVEL}
add(targeting.policy_gain, scores=say.vector(Y), treat=say.vector(T, bad=(-0.1, 1.5)), **PAID, unit=COMMON["unit"])
add(targeting.share_gain, **GAINS, share=say.number(0.3, 0.0, 1.5), **PAID, unit=COMMON["unit"])
add(
    targeting.uplift_curve,
    **GAINS,
    shares=say.thing((0.2, 0.5), turned=(0.5, 0.2), out=(0.5, 1.5), zero=(0.0, 0.5)),
    **PAID,
)
add(targeting.area, **GAINS, clusters=CLUSTERS, **COMMON)
add(
    targeting.harm_bounds,
    scores0=say.vector(Y),
    scores1=say.vector(X[:, 1]),
    predicted0=say.vector(E, bad=(-0.1, 1.5)),
    predicted1=say.vector(np.full(N, 0.4), bad=(-0.1, 1.5)),
    clusters=CLUSTERS,
    level=LEVEL,
)
add(
    targeting.within_budget,
    predicted=say.vector(Y),
    costs=say.vector(E, bad=(0.0, -1.0)),
    budget=say.number(0.2, -1.0),
    must_pay=say.flag(),
)
add(targeting.by_convention, y=say.binary((Y > 0.5).astype(float)), t=say.binary(T), priority=say.vector(X[:, 1]))
ROUNDS = {
    "contexts": say.vector(USER % 2, bad=(-1.0, 0.5)),
    "actions": say.vector(TAKEN, bad=(-1.0, 3.0, 0.5)),
    "y": say.vector(T),
    "e": say.vector(E, bad=(0.0, -0.1, 1.5)),
    "n_actions": say.whole(3, 1),
    "steps": say.whole(3, 0),
    "rate": say.number(0.1, 0.0, -1.0),
}
add(learning.softmax_policy, **ROUNDS, objective=say.option("pessimistic"), caution=say.number(1.0, 0.0, -1.0))
add(learning.softmax_policy, **ROUNDS, objective=say.anything("clipped IPS"), threshold=say.number(2.0, 0.0, -1.0))
add(
    learning.softmax_policy,
    **ROUNDS,
    objective=say.anything("DR"),
    q=say.table(np.full((2, 3), 0.5), partner=False),
)

# Simulation -----------------------------------------------------------------------------------------------------

add(
    simulation.repeat,
    answer=say.thing(sample_mean, plain=lambda seed: 1.0, nothing=lambda seed: None, named=lambda seed: {"a": 1.0}),
    seeds=say.Given(
        range(3), say.listed({"None": None, "a number": 3, "texts": "abc", "empty": [], "floats": [0.5]})
    ),
    truth=say.Given(0.0, say.number(0.0).spoilt | say.listed({"another name": {"another": 1.0}})),
)
add(
    simulation.repeat,
    answer=say.anything(sample_mean),
    seeds=say.anything(range(3)),
    truth=say.anything(0.0),
    estimators=say.thing(
        {"same": lambda sample: sample},
        optional=True,
        empty={},
        number={"same": lambda sample: sample.value},
        nothing={"same": None},
    ),
)
add(
    simulation.summary,
    runs=say.thing(simulation.repeat(sample_mean, range(3), 0.0), **BAD_RUNS),
    answers_only=say.flag(),
)

# Pictures -------------------------------------------------------------------------------------------------------

add(plots.hash_text, text=say.words())
add(
    plots.show,
    lambda fig, **k: plots.show(plt.figure() if fig == "fig" else fig, **k),
    fig=say.thing("fig"),
    **PLOTTED,
)
add(
    plots.truth_line,
    lambda ax, **k: plots.truth_line(plt.figure().add_subplot() if ax == "ax" else ax, **k),
    ax=say.thing("ax"),
    value=say.number(1.0),
    label=say.words(),
    axis=say.option("x"),
)
add(
    plots.forest,
    estimates=say.thing(
        {"one": made(), "two": 1.0}, empty={}, text={"one": "1.0"}, holed={"one": np.nan}, none={"one": None}
    ),
    truth=say.number(1.0, optional=True),
    naive=say.texts(("one",), single=True, unknown=("three",), name="three"),
    xlabel=say.words(),
    ax=say.thing(None, optional=True),
)
add(
    plots.draw_dag,
    graph=say.thing(nx.DiGraph([("a", "b")]), **BAD_GRAPHS),
    **PLOTTED,
    figsize=say.thing((3.0, 2.0), optional=True, negative=(-1.0, 2.0), three=(1.0, 2.0, 3.0), holed=(1.0, np.nan)),
)

AX = say.thing(None, optional=True)
add(
    plots.overlap,
    e=say.vector(E),
    t=say.binary(T),
    weights=say.weights(E, optional=True),
    bins=say.whole(10, 0, -1),
    labels=say.texts(("treated", "controls"), three=("a", "b", "c"), one=("a",)),
    density=say.flag(False),
    xlabel=say.words(),
    ax=AX,
)
add(
    plots.bias_plane,
    sensitivity=say.thing(ADJUSTED.sensitivity(), bare=made().sensitivity()),
    lines=say.thing({0.0: "zero"}, optional=True, itself={ADJUSTED.value: "a"}, words={"a": "b"}, wordless={0.0: 3}),
    benchmarks=say.thing(
        pd.DataFrame({"r2_treatment": [0.1], "r2_outcome": [0.1]}, ["x"]),
        optional=True,
        half=pd.DataFrame({"r2_treatment": [0.1]}),
        beyond=pd.DataFrame({"r2_treatment": [1.1], "r2_outcome": [0.1]}),
    ),
    hidden=say.thing((0.1, 0.2), optional=True, beyond=(1.0, 0.2), three=(0.1, 0.2, 0.3)),
    limits=say.thing((0.5, 0.5), optional=True, beyond=(0.5, 1.5), none=(0.0, 0.5)),
    labels=say.texts(("treatment", "outcome"), three=("a", "b", "c"), one=("a",)),
    ax=AX,
)
add(
    plots.love,
    balance=say.thing(BALANCE, none={}, half=BALANCE[["before"]], empty=BALANCE.iloc[:0], bare=made(balance=None)),
    limit=say.number(0.1, -0.1),
    labels=say.thing({"x": "age"}, optional=True, numbers={"x": 1}),
    ax=AX,
)
add(
    plots.coverage,
    runs=say.thing(
        simulation.repeat(sample_mean, range(3), 0.0), **{k: BAD_RUNS[k] for k in ("empty", "a column short")}
    ),
    show=say.whole(60, 0, -1),
    naive=say.texts(("estimate",), single=True, unknown=("three",), name="three"),
    xlabel=say.words(),
    what=say.words(),
)

# Doubly robust --------------------------------------------------------------------------------------------------

MODELS = doubly_robust.cross_fit(Y, T, X, folds=2)
FITTED = {"folds": say.whole(2, 0, N + 1), "seed": say.whole(1, -1), "clusters": CLUSTERS}
LEARNER = say.thing(None, optional=True)
SPLITS = [doubly_robust.aipw(Y, T, MODELS, rules=OPEN) for _ in range(2)]
add(
    doubly_robust.cross_fit,
    y=say.vector(Y),
    t=say.binary(T),
    X=say.table(X),
    outcome=LEARNER,
    propensity=LEARNER,
    **FITTED,
    clip=say.number(0.01, -0.1, 0.5),
)
add(
    doubly_robust.aipw,
    y=say.vector(Y),
    t=say.binary(T),
    nuisances=say.thing(MODELS, short=MODELS._replace(mu0=MODELS.mu0[:3]), sure=MODELS._replace(e=0 * MODELS.e)),
    estimand=say.option("ATE"),
    X=say.table(X, optional=True),
    clusters=CLUSTERS,
    e_source=say.option("fitted", optional=True),
    **COMMON,
    **JUDGED,
)
add(
    doubly_robust.partially_linear,
    y=say.vector(Y),
    t=say.vector(T),
    X=say.table(X),
    outcome=LEARNER,
    treatment=LEARNER,
    **FITTED,
    **COMMON,
)
add(
    doubly_robust.over_partitions,
    estimates=say.Given(SPLITS, say.listed({"empty": [], "one": SPLITS[:1], "numbers": [1.0, 2.0], "a number": 3.0})),
)

# Graphs -----------------------------------------------------------------------------------------------------------

SHAPE = nx.DiGraph([("c", "t"), ("c", "y"), ("t", "m"), ("m", "y")])
GRAPH = say.thing(SHAPE, **{k: v for k, v in BAD_GRAPHS.items() if k != "an unknown kind"})
NET = graphs.BayesianNetwork.fit(
    SHAPE, pd.DataFrame(np.arange(64)[:, None] >> np.arange(4) & 1, columns=list("ctym"))
)
ROWS = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "z": Y})


def node(value: str, **more: object) -> say.Given:
    """A node of the graph."""
    return say.Given(value, say.listed({"unknown": "nobody", "a number": 3, "None": None, **more}))


def some_nodes(value: list[str], **more: object) -> say.Given:
    """Several nodes."""
    return say.Given(value, say.listed({"unknown": ["nobody"], "a number": 3, **more}))


def table_of(value: pd.DataFrame) -> say.Given:
    """A table of numbers."""
    return say.thing(value, holed=value.shift(1), **{"a column short": value.iloc[:, :1]})


EFFECT = {"treatment": node("t", outcome="y"), "outcome": node("y", treatment="t")}
add(graphs.d_separated, graph=GRAPH, x=node("t"), y=node("y", same="t"), given=some_nodes(["c"], an_end=["t"]))
add(graphs.paths, graph=GRAPH, x=node("t"), y=node("y", same="t"), given=some_nodes(["c"], an_end=["t"]))
add(graphs.is_adjustment_set, graph=GRAPH, **EFFECT, columns=some_nodes(["c"], treatment=["t"]))
add(graphs.adjustment_sets, graph=GRAPH, **EFFECT, observed=some_nodes(["c", "m"]))
add(graphs.is_front_door, graph=GRAPH, **EFFECT, mediators=some_nodes(["m"], outcome=["y"], empty=[]))
add(graphs.implied_independences, graph=GRAPH, observed=some_nodes(["c", "t", "y"]))
add(
    graphs.independence_test,
    data=table_of(ROWS),
    a=node("a", b="b"),
    b=node("b", a="a"),
    given=some_nodes(["z"], twice=["a"], text="z"),
    clusters=CLUSTERS,
    degree=say.whole(2, 0, 7),
)
add(
    graphs.check_independences,
    claims=say.Given(
        [graphs.Independence("a", "b", ("z",))],
        say.listed(
            {"empty": [], "a number": 3, "texts": ["a ⊥ b"], "unknown": [graphs.Independence("a", "nobody", ())]}
        ),
    ),
    data=table_of(ROWS),
    clusters=CLUSTERS,
    degree=say.whole(2, 0, 7),
)
add(graphs.front_door, y=say.vector(Y), t=say.binary(T), mediator=say.labels(USER % 3, optional=False, several=True),
    clusters=CLUSTERS, unit=say.words("kg"))  # fmt: skip
add(
    graphs.BayesianNetwork,
    graph=GRAPH,
    tables=say.thing(NET.tables, short={"c": [1.0]}, negative=NET.tables | {"c": [1.5, -0.5]}, unknown={"q": [1.0]}),
    states=say.thing(NET.states, short={"c": [0, 1]}, longer=NET.states | {"c": [0, 1, 2]}),
)
add(
    graphs.BayesianNetwork.fit,
    graph=GRAPH,
    data=say.thing(NET.sample(200, np.random.default_rng(3)), short=pd.DataFrame({"c": [0, 1]})),
    smoothing=say.number(1.0, -1.0),
)
SEEN = say.thing({"t": 1}, optional=True, **{"unknown": {"nobody": 1}, "a value": {"t": 7}})
add(graphs.BayesianNetwork.query, NET.query, target=node("y"), given=SEEN)
add(graphs.BayesianNetwork.do, NET.do, setting=say.thing({"t": 1}, **{"unknown": {"nobody": 1}, "a value": {"t": 7}}))
add(graphs.BayesianNetwork.parents, NET.parents, v=node("y"))
add(graphs.BayesianNetwork.sample, NET.sample, n=say.whole(5, 0), rng=say.thing(np.random.default_rng(1)))

# Discovery ------------------------------------------------------------------------------------------------------

LEARNT = nx.DiGraph([("a", "b"), ("z", "b")])
HALF = nx.DiGraph([("a", "b"), ("b", "a"), ("z", "b"), ("b", "z")])
NO_GRAPHS = {
    "empty": nx.DiGraph(),
    "a loop": nx.DiGraph([("a", "a"), ("b", "z")]),
    "undirected": nx.Graph([("a", "b")]),
}
ROUND = {"a cycle": nx.DiGraph([("a", "b"), ("b", "z"), ("z", "a")])}
ANY_GRAPH = say.thing(LEARNT, **NO_GRAPHS)
ARROWS = say.thing(LEARNT, **NO_GRAPHS, **ROUND, **{"a line": HALF})
PARTLY = say.thing(HALF, **NO_GRAPHS, **ROUND)
OTHER = {"other nodes": nx.DiGraph([("a", "b"), ("b", "q")])}
CLASS = discovery.equivalence_class(HALF)
add(discovery.cpdag, graph=ARROWS)
add(
    discovery.equivalence_class,
    graph=say.thing(HALF, **NO_GRAPHS, **ROUND, **{"no member": nx.DiGraph([e for a, b in
        [("a", "b"), ("b", "c"), ("c", "d"), ("d", "a")] for e in ((a, b), (b, a))])}),
)  # fmt: skip
add(
    discovery.order_in_time,
    graph=say.thing(HALF, **NO_GRAPHS),
    tiers=say.Given(
        [["a", "z"], ["b"]],
        say.listed(
            {"one short": [["a"], ["b"]], "twice": [["a", "z"], ["a", "b"]], "unknown": [["a", "z"], ["q"]],
             "a number": 3, "numbers": [1, 2], "None": None}
        ),
    ),
)  # fmt: skip
for scored in (discovery.shd, discovery.score_graph):
    add(
        scored,
        found=say.thing(LEARNT, **NO_GRAPHS, **OTHER),
        truth=say.thing(LEARNT, **NO_GRAPHS, **OTHER, **ROUND),
    )
add(
    discovery.varsortability,
    data=say.thing(ROWS, empty=ROWS[:0], short=ROWS[["a"]], constant=ROWS.assign(a=1.0), holed=ROWS.assign(a=np.nan)),
    graph=say.thing(LEARNT, **NO_GRAPHS, **ROUND, **OTHER, **{"a line": HALF}),
)
add(
    discovery.sort_by_variance,
    data=say.thing(ROWS, empty=ROWS[:0], few=ROWS[:4], constant=ROWS.assign(a=1.0), holed=ROWS.assign(a=np.nan)),
)
add(
    discovery.class_effects,
    data=say.thing(ROWS, empty=ROWS[:0], few=ROWS[:4], short=ROWS[["a"]], constant=ROWS.assign(a=1.0)),
    graphs=say.thing(CLASS, nothing=(), texts=("a",), differ=(*CLASS, nx.DiGraph([("a", "q")]))),
    treatment=node("a", outcome="b"),
    outcome=node("b", treatment="a"),
)
add(
    discovery.bootstrap_edges,
    learn=say.Given(lambda x: LEARNT, say.listed({"a number": 3, "None": None, "no graph": lambda x: 3,
        "other nodes": lambda x: nx.DiGraph([("a", "q")])})),
    data=say.thing(ROWS, empty=ROWS[:0], other=ROWS[["a"]]),
    seed=say.whole(0, -1),
    n_draws=say.whole(3, 1),
)  # fmt: skip
add(
    discovery.from_causallearn,
    graph=say.Given(
        np.array([[0, -1], [1, 0]]),
        say.listed({"circles": np.array([[0, 2], [1, 0]]), "two heads": np.array([[0, 1], [1, 0]]), "None": None,
                    "three": np.zeros((3, 3)), "a text": "a"}),
    ),
    names=say.Given(["a", "b"], say.listed({"one": ["a"], "twice": ["a", "a"], "a text": "ab", "None": None})),
)  # fmt: skip
add(
    discovery.score_proposals,
    edges=say.Given(
        [("a", "b")],
        say.listed({"nothing": [], "twice": [("a", "b"), ("a", "b")], "unknown": [("a", "q")], "a loop": [("a", "a")],
                    "texts": ["a"], "None": None, "three": [("a", "b", "z")]}),
    ),
    truth=ARROWS,
    seed=say.whole(0, -1),
    n_draws=say.whole(100, 99),
)  # fmt: skip
add(
    discovery.draw_graph,
    ax=say.thing(plt.figure().add_subplot()),
    found=say.thing(LEARNT, **NO_GRAPHS, **OTHER),
    truth=say.thing(LEARNT, **NO_GRAPHS, **OTHER, **ROUND),
    place=say.thing({"a": (0, 0), "b": (1, 0), "z": (2, 1)}, short={"a": (0, 0)},
                    text={"a": "x", "b": (1, 0), "z": (2, 1)}),
    title=say.words("what was learnt"),
)  # fmt: skip
plt.close("all")

# Data -----------------------------------------------------------------------------------------------------------

add(data.card, name=NAME)
add(data.tables, name=NAME)
add(data.present, name=NAME)
add(data.verify, name=NAME)
add(data.remove, in_an_empty_cache(data.remove), name=NAME)
add(data.fetch, name=NAME, progress=say.flag(False), policy=say.thing(transfer.Policy()))
add(data.load, name=NAME, table=TABLE)
add(data.load_optional, name=NAME, table=TABLE)
add(data.model_path, name=say.option("minilm"))
add(data.names, kind=say.option("url", optional=True), group=say.option("data", optional=True))
add(data.status, group=say.option("model", optional=True))

# What a chapter calls of the course -----------------------------------------------------------------------------

CHAPTER = {
    "profile": say.option("ci"),
    "seed": say.whole(1, -1),
    "chapter": say.words("weighting/01_propensity_weighting", empty=False, short=True),
}
add(course.Run, **CHAPTER)
add(course.start, **CHAPTER)
add(course.Run.size, run_of_a_chapter().size, ci=say.whole(10, 0, -1), full=say.whole(100, 0, -1))
add(course.Run.seeds, run_of_a_chapter().seeds, n=say.whole(3, 0, -1), stream=say.words("weeks", empty=False))
add(
    course.Run.progress,
    run_of_a_chapter().progress,
    items=say.Given(range(3), say.listed({"None": None, "a number": 3})),
    what=say.words(),
)
add(
    course.Run.claim,
    lambda words, holds, numbers: run_of_a_chapter().claim(words, holds, **numbers),
    numbers=say.anything({"one": 1.0, "two": 2.0}),
    words=say.words("one is less than two", empty=False),
    holds=say.flag(),
)
add(
    course.Run.record,
    lambda **k: run_of_a_chapter().record(**k),
    name=say.words("ate", empty=False, short=True),
    value=say.number(1.0),
    truth=say.number(1.0, optional=True),
    naive=say.number(2.0, optional=True),
    kind=say.option("stochastic", optional=True),
    mc_se=say.number(0.1, 0.0, -0.1),
    optional=say.flag(False),
)
add(
    course.quiz,
    question=say.words("Which one?", empty=False),
    options=say.thing({word: (word == "a", WORDS) for word in "abc"}, **BAD_OPTIONS),
)
add(
    course.check,
    exercise_id=say.Given("weighting/01.1", say.words().spoilt | say.listed({"unknown": "weighting/77.1"})),
    answer=say.thing(lambda *a: NotImplemented),
)
add(course.report, report_after_a_check, name=say.words("Ann", empty=False))
add(course.say, text=say.words())


# The walk -------------------------------------------------------------------------------------------------------


def below(name: str, modules: dict[str, str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def modules() -> Iterator[Any]:
    """Yield the public modules that a chapter may call."""
    for info in pkgutil.walk_packages(causalrec_lib.__path__, "causalrec_lib."):
        hidden = any(part.startswith("_") for part in info.name.split("."))
        package_face = info.ispkg and hasattr(importlib.import_module(info.name), "__all__")
        if not hidden and (package_face or not below(info.name, PLUMBING)):
            yield importlib.import_module(info.name)


def names_of(module: Any) -> list[str]:
    own = [n for n, thing in vars(module).items() if getattr(thing, "__module__", None) == module.__name__]
    return list(getattr(module, "__all__", own))


def members(cls: type) -> Iterator[str]:
    """Yield the public methods of a class, those of its bases in the library too."""
    for base in cls.__mro__:
        for name, member in vars(base).items() if base.__module__.startswith("causalrec_lib") else ():
            if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, classmethod)):
                yield name


def public() -> dict[Callable[..., Any], str]:
    """Every public function and method with an argument, and its name; errors are raised, not called."""
    found: dict[Callable[..., Any], str] = {}
    for module in modules():
        for name in names_of(module):
            thing = getattr(module, name)
            if name.startswith("_") or not (inspect.isclass(thing) or inspect.isfunction(thing)):
                continue
            if not thing.__module__.startswith("causalrec_lib"):  # an alias, such as Estimand = str
                continue
            if inspect.isclass(thing):
                if issubclass(thing, BaseException):
                    continue
                for member in members(thing):
                    found.setdefault(getattr(thing, member), f"{module.__name__}.{name}.{member}")
            if thing not in RESULTS:
                found.setdefault(thing, f"{module.__name__}.{name}")
    return {thing: name for thing, name in found.items() if parameters(thing)}


def parameters(function: Callable[..., Any]) -> set[str]:
    return {name for name in inspect.signature(function).parameters if name != "self"}
