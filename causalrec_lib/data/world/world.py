"""The recommender world: one simulator with known potential outcomes for the whole course."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
from scipy import sparse

from causalrec_lib.data.world import _core as core_
from causalrec_lib.data.world import _graph as graph
from causalrec_lib.data.world import _logs as logs
from causalrec_lib.data.world import marginals
from causalrec_lib.data.world._platform import Platform
from causalrec_lib.data.world._studies import Studies
from causalrec_lib.data.world.equations import equations
from causalrec_lib.data.world.policies import Policy, make_policy
from causalrec_lib.data.world.truth import Truth


@dataclass
class World(Platform, Studies):
    """Users, items, logs, and (apart from them) the truth.

    Parameters
    ----------
    core : Core
        State of the world; use `make_world`.

    Notes
    -----
    Logs are plain frames without hidden columns. Every log takes a `seed`: None is the world's own history, any other
    number another draw of the same log from the same world. Estimators never see `truth`.
    An argument out of its range raises a ValueError that names it; `Raises` of a method lists what goes beyond that.
    Chapter: concepts/01_why_causal
    """

    core: core_.Core

    def __repr__(self) -> str:
        c = self.core
        n, k = c.shape
        return (
            f"World({n} users x {k} items, seed={c.seed}, confounding={c.confounding!r}, overlap={c.overlap!r}, "
            f"interference={c.interference:g}, drift={c.drift:g})"
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Return (n_users, n_items), two whole numbers.

        Notes
        -----
        Chapter: concepts/01_why_causal
        """
        return self.core.shape

    @cached_property
    def users(self) -> pd.DataFrame:
        """Return what the platform knows about its users, one row a user.

        Columns: `user` (0 to n_users - 1), `age` (years), `segment`, `activity` (a count) and its logarithm
        `log_activity`, `community`.

        Notes
        -----
        Chapter: concepts/02_behaviour_data
        """
        return self.core.users.drop(columns=[c for c in logs.HIDDEN_COLUMNS if c in self.core.users])

    @cached_property
    def items(self) -> pd.DataFrame:
        """Return what the platform knows about its items, one row an item.

        Columns: `item` (0 to n_items - 1), `department`, `category`, `price`, `ad_spend` (both money), `sponsored`
        (0/1), `popularity` (a count) and its logarithm `log_popularity`, `n_reviews`, `text` (the review on top of
        the page).

        Notes
        -----
        Chapter: concepts/01_why_causal
        """
        return self.core.items.drop(columns=[c for c in logs.HIDDEN_COLUMNS if c in self.core.items])

    @cached_property
    def scores(self) -> np.ndarray:
        """Return the platform's score of every pair, an array of shape (n_users, n_items): the `score` of its logs.

        Notes
        -----
        Chapter: recommenders/02_off_policy_evaluation
        """
        n, k = self.core.shape
        return np.asarray(self.core.pairs(np.arange(n)[:, None], np.arange(k)[None, :]).S, dtype=float)

    @cached_property
    def reviews(self) -> pd.DataFrame:
        """Return all review texts: `item`, `text` (without their stars, which would give hidden quality away).

        Notes
        -----
        Chapter: language
        """
        return self.core.reviews[["item", "text"]]

    @property
    def friends(self) -> sparse.csr_matrix:
        """Return the friendship graph, a symmetric 0/1 matrix of shape (n_users, n_users) with an empty diagonal.

        Notes
        -----
        Chapter: recommenders
        """
        return self.core.friends.copy()

    @cached_property
    def truth(self) -> Truth:
        """Return the exact answers, for checking estimates only.

        Notes
        -----
        Chapter: concepts/01_why_causal
        """
        return Truth(self.core)

    def policy(self, policy: Any, temperature: float | None = None, epsilon: float | None = None) -> Policy:
        """Return a policy by name, from a table of probabilities or from a function.

        Parameters
        ----------
        policy : str, array, callable or Policy
            A name ("random", "popular", "score", "logging", "consumption", "best", "uplift"), probabilities of shape
            (n_users, n_items), a function from users (n,) to probabilities (n, n_items), or a policy of this world.
        temperature : float, optional
            Softmax temperature of a named policy, 0 or more; 0 picks the top item.
        epsilon : float, optional
            Share of uniformly random recommendations mixed into a named policy, 0 to 1.

        Returns
        -------
        Policy
            One item a user, with known probabilities.

        Raises
        ------
        ValueError
            If the name is unknown, a row of probabilities does not sum to 1, the policy is of another world, or
            temperature or epsilon come with a policy that has no name.

        Notes
        -----
        A bare name means its top item, here and in every other call; "random" is uniform, and "logging" is the
        stochastic policy that writes the bandit log (temperature 1, a tenth of uniform exploration).
        Chapter: reference/world
        """
        return make_policy(self.core, policy, temperature, epsilon)

    def equations(self) -> pd.DataFrame:
        """Return every structural equation as a table.

        Returns
        -------
        DataFrame
            One row an equation: `name`, `symbol` and `equation` (LaTeX), `parameters` (name = value), `code` (the
            function that draws it).

        Notes
        -----
        Chapter: reference/world
        """
        return equations(self.core.parameters)

    def marginals(self) -> pd.DataFrame:
        """Return what the world looks like from outside: concentration, density, stars and rates.

        Returns
        -------
        DataFrame
            Index `quantity`, column `world`; shares, correlations and stars.

        Raises
        ------
        InterferenceRefused
            In a world with interference, where ratings are not offered.

        Notes
        -----
        Chapter: reference/world
        """
        return marginals.of_world(self)

    def dag(self, question: str = "exposure") -> nx.DiGraph:
        """Return the causal graph of a question under the world's switches.

        Parameters
        ----------
        question : str
            "exposure", "exposure_by_coin", "instrument", "weeks", "ratings", "position", "slate", "bandit",
            "ab_test", "text_treatment", "text_treatment_confounded", "mediation".

        Returns
        -------
        networkx.DiGraph
            Nodes carry `label`, `observed`, `role` and `pos`; edges `kind`: "effect", "bias", "selection" or "cause".

        Notes
        -----
        Chapter: concepts/01_why_causal
        """
        return graph.dag(self.core.confounding, self.core.interference, question)

    @classmethod
    def toy(cls, seed: int = 0, **switches: Any) -> World:
        """Return a world of 40 users and 30 items that fits on a page, with generated texts.

        Parameters
        ----------
        seed : int
            Decides everything.
        **switches
            Other arguments of `make_world`, but for the sizes.

        Returns
        -------
        World
            The small world; it needs no data set.

        Notes
        -----
        Chapter: concepts/01_why_causal
        """
        from causalrec_lib.data.world.make import make_world

        return make_world(n_users=40, n_items=30, seed=seed, **{"text": "templates", **switches})
