"""Truth about ratings, text, experiments, time and structure; `Truth` adds effects and policies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causalrec_lib import _validate
from causalrec_lib.data.world import _dynamics as dynamics
from causalrec_lib.data.world import _events as events
from causalrec_lib.data.world import _experiment as experiment
from causalrec_lib.data.world import _graph as graph
from causalrec_lib.data.world import _mechanisms as m
from causalrec_lib.data.world import _ratings as ratings
from causalrec_lib.data.world._core import Core, Pairs
from causalrec_lib.data.world._logs import draw_number
from causalrec_lib.data.world._textroles import ATTRIBUTES
from causalrec_lib.data.world.policies import make_policy

Array = NDArray[Any]


class RoleTruth:
    """Exact answers beyond the effect of exposure.

    Parameters
    ----------
    core : Core
        The world.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    def ratings(self, log: pd.DataFrame, seed: int | None = None) -> pd.DataFrame:
        """Return for each row of a log the stars of its pair, and who would write them down after consuming.

        Parameters
        ----------
        log : DataFrame
            Columns `user` and `item`.
        seed : int, optional
            Seed of the log. A row of `exposure_log(seed=seed)` that is consumed and `writes` stands in
            `ratings_log(seed=seed)` too.

        Returns
        -------
        DataFrame
            `stars`, `writes` (0/1), `propensity` (of writing, given the stars).
        """
        x = self._pairs_of(log)
        given = ratings.stars(x)
        writes = ratings.writes(x, given, draw_number(seed)).astype(int)
        columns = {"stars": given, "writes": writes, "propensity": np.asarray(x.p.bother)[given - 1]}
        return pd.DataFrame(columns, index=log.index)

    def _pairs_of(self, log: pd.DataFrame) -> Pairs:
        raise NotImplementedError

    def _mean(self, of: Callable[[Pairs], Array]) -> float:
        """Return the mean over all pairs."""
        total = sum(float(np.sum(of(x), dtype=np.float64)) for x in self._core.blocks())
        return total / float(np.prod(self._core.shape))

    def _matrix(self, of: Callable[[Pairs], Array]) -> Array:
        self._core.network_fits()
        return np.concatenate([of(x) for x in self._core.blocks()])

    # Ratings ----------------------------------------------------------------------------------------------

    @property
    def stars(self) -> Array:
        """Return the stars of every pair, written down or not, shape (n_users, n_items)."""
        return self._matrix(lambda x: ratings.stars(x).astype(np.int8))

    @property
    def rating_propensity(self) -> Array:
        """Return P(rated | the pair's stars and causes), shape (n_users, n_items)."""
        self._core.without_interference("rating_propensity")
        return self._matrix(lambda x: ratings.rating_propensity(x, ratings.stars(x)).astype(np.float32))

    def mean_stars(self) -> float:
        """Return the mean stars over all pairs, what a log of volunteers overstates."""
        return self._mean(ratings.stars)

    def rated_share(self) -> pd.Series:
        """Return P(rated | stars) for 1 to 5 stars, over all pairs."""
        self._core.without_interference("rated_share")
        seen, all_ = np.zeros((2, 5))
        for x in self._core.blocks():
            r = ratings.stars(x)
            seen += np.bincount(r.ravel() - 1, ratings.rating_propensity(x, r).ravel(), 5)
            all_ += np.bincount(r.ravel() - 1, minlength=5)
        return pd.Series(seen / np.maximum(all_, 1), index=pd.RangeIndex(1, 6, name="stars"), name="rated")

    # Text -------------------------------------------------------------------------------------------------

    def attribute_effect(self, name: str) -> float:
        """Return the effect on P(click) of one attribute of the blurb, the other one a fair coin, over all pairs."""
        _validate.one_of(name, "name", ATTRIBUTES)
        p = self._core.parameters

        def effect(x: Pairs) -> Array:
            total = np.zeros(x.S.shape)
            for other in (0, 1):
                for level, sign in ((1, 0.5), (0, -0.5)):
                    both = (level, other) if name == "promise" else (other, level)
                    total += sign * m.blurb_click(p, x.base, x.tau, *both)
            return total

        return self._mean(effect)

    def mediation(self, outcome: str = "satisfaction", expectation: float = 0.0) -> dict[str, float]:
        """Return the effect of the promise after consuming, in parts, over all pairs.

        Parameters
        ----------
        outcome : {"satisfaction", "stars"}
            The column of `world.reactions`.
        expectation : float
            Where the controlled direct effect holds the expectation.

        Returns
        -------
        dict
            "total"; "direct" (natural: the promise is made, the expectation stays that of no promise); "indirect"
            (natural, the rest: the promise is made, the expectation moves); "pure indirect" (no promise, the
            expectation moves); "controlled direct" (the expectation is held). They differ if `s_both` is not 0.
        """
        _validate.one_of(outcome, "outcome", ("satisfaction", "stars"))
        held = _validate.number(expectation, "expectation")
        p = self._core.parameters

        def mean(promise: int, told: int | None) -> float:
            return self._mean(lambda x: m.nested_outcome(p, x.S, x.A, promise, told, held, outcome))

        nothing, all_, direct, pure = mean(0, 0), mean(1, 1), mean(1, 0), mean(0, 1)
        return {
            "total": all_ - nothing,
            "direct": direct - nothing,
            "indirect": all_ - direct,
            "pure indirect": pure - nothing,
            "controlled direct": mean(1, None) - mean(0, None),
        }

    def reaction_effect(self) -> dict[str, float]:
        """Return the effect of the promise on P(positive), P(negative) and the mean coded sentiment of a reaction."""
        p = self._core.parameters

        def change(of: Callable[[Array, Array], Array]) -> float:
            return self._mean(
                lambda x: of(*m.mood_probabilities(p, x.S, x.A, 1)) - of(*m.mood_probabilities(p, x.S, x.A, 0))
            )

        return {
            "positive": change(lambda up, down: up),
            "negative": change(lambda up, down: down),
            "sentiment": change(lambda up, down: up - down),
        }

    # Experiments and time ---------------------------------------------------------------------------------

    def compliance_types(self, compliance: float = 1.0, sides: str = "two") -> pd.Series:
        """Return each user's type in a trial: "complier", "never-taker" or "always-taker"."""
        kind = experiment.compliance_types(self._core, compliance, sides)
        return pd.Series(kind, index=pd.RangeIndex(len(kind), name="user"), name="type")

    def ab_effect(
        self,
        policy_a: Any,
        policy_b: Any,
        outcome: str = "consumed",
        compliance: float = 1.0,
        sides: str = "two",
        trend: float = 0.0,
        arrivals: str = "uniform",
        estimand: str = "late",
    ) -> float:
        """Return the effect of giving everybody b instead of a, a session; under interference the global one.

        Parameters
        ----------
        policy_a, policy_b, compliance, sides, trend, arrivals
            As in `world.ab_test`.
        outcome : {"consumed", "clicked"}
            The column of the trial.
        estimand : {"late", "itt", "ate"}
            "late": the mean over sessions of compliers, what the trial's instrument can find. "itt": the effect of
            being assigned, over all sessions. "ate": of receiving, over all sessions. All one with full compliance.

        Returns
        -------
        float
            Difference b - a.
        """
        _validate.one_of(estimand, "estimand", ("late", "itt", "ate"))
        scale = 1 - _validate.number(trend, "trend", 0, 1) / 2
        often = experiment.arrival_weights(self._core, arrivals)
        complier = experiment.compliance_types(self._core, compliance, sides) == "complier"
        a = make_policy(self._core, policy_a, what="policy_a")
        b = make_policy(self._core, policy_b, what="policy_b")
        effect = experiment.ab_effect(self._core, a, b, outcome)
        if estimand == "late":
            return scale * float(np.average(effect, weights=often * complier))
        return scale * float(np.average(effect * (complier if estimand == "itt" else 1), weights=often))

    def weekly_ate(self, n_weeks: int = 12) -> pd.Series:
        """Return the average effect of exposure in each week of `world.weeks`, over pairs whose item is out."""
        return dynamics.weekly_ate(self._core, n_weeks)

    def event_labels(self, n_sessions: int = 5_000, days: int = 28, seed: int | None = None) -> pd.DataFrame:
        """Return which rows of `world.events` (same arguments) are bots', duplicates or outliers."""
        return events.event_stream(self._core, n_sessions, days, seed)[1]

    # Structure --------------------------------------------------------------------------------------------

    def dag(self, question: str = "exposure") -> nx.DiGraph:
        """Return the causal graph of a question under the world's switches; see `graph.dag`."""
        return graph.dag(self._core.confounding, self._core.interference, question)

    def adjustment_set(self, question: str = "exposure") -> tuple[str, ...] | str | None:
        """Return the columns to adjust for; see `graph.adjustment_set`.

        An empty tuple means that a plain difference is right, None that no observed columns suffice, and the text
        "weight by the logged propensity" that the log holds the weights instead.
        """
        return graph.adjustment_set(question, self._core.confounding)

    def hidden(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return users and items with the columns that no log shows: `annoyed`; `quality`, `mean_stars`."""
        return self._core.users.copy(), self._core.items.copy()
