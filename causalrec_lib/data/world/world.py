"""The recommender world: one simulator with known potential outcomes for the whole course."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import networkx as nx
import pandas as pd
from scipy import sparse

from causalrec_lib.data.world import _core as core_
from causalrec_lib.data.world import _graph as graph
from causalrec_lib.data.world import _logs as logs
from causalrec_lib.data.world import _ratings as ratings
from causalrec_lib.data.world import _slates as slates
from causalrec_lib.data.world import marginals
from causalrec_lib.data.world._studies import Studies
from causalrec_lib.data.world.equations import equations
from causalrec_lib.data.world.policies import Policy, make_policy
from causalrec_lib.data.world.truth import Truth


@dataclass
class World(Studies):
    """Users, items, logs, and (apart from them) the truth.

    Parameters
    ----------
    core : Core
        State of the world; use `make_world`.

    Notes
    -----
    Logs are plain frames without hidden columns. Every log takes a `seed`: None is the world's own history, any other
    number another draw of the same log from the same world. Estimators never see `truth`.
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
        """Return (n_users, n_items)."""
        return self.core.shape

    @cached_property
    def users(self) -> pd.DataFrame:
        """Return what the platform knows about its users."""
        return self.core.users.drop(columns=[c for c in logs.HIDDEN_COLUMNS if c in self.core.users])

    @cached_property
    def items(self) -> pd.DataFrame:
        """Return what the platform knows about its items; `text` is the review on top of the page."""
        return self.core.items.drop(columns=[c for c in logs.HIDDEN_COLUMNS if c in self.core.items])

    @cached_property
    def reviews(self) -> pd.DataFrame:
        """Return all review texts: `item`, `text` (without their stars, which would give hidden quality away)."""
        return self.core.reviews[["item", "text"]]

    @property
    def friends(self) -> sparse.csr_matrix:
        """Return the friendship graph, a symmetric 0/1 matrix of shape (n_users, n_users)."""
        return self.core.friends.copy()

    @cached_property
    def truth(self) -> Truth:
        """Return the exact answers, for checking estimates only."""
        return Truth(self.core)

    def policy(self, policy: Any, temperature: float | None = None, epsilon: float | None = None) -> Policy:
        """Return a policy by name, from a table of probabilities or from a function; see `make_policy`.

        A bare name means its top item, here and in every other call; "random" is uniform, and "logging" is the
        stochastic policy that writes the bandit log (temperature 1, a tenth of uniform exploration).
        """
        return make_policy(self.core, policy, temperature, epsilon)

    def exposure_log(
        self,
        n_pairs: int | None = None,
        seed: int | None = None,
        with_propensity: bool = False,
        text: bool = False,
        with_placebo: bool = False,
    ) -> pd.DataFrame:
        """Return the observational log of a week: one row a user-item pair.

        Parameters
        ----------
        n_pairs : int, optional
            Size of a simple random sample of pairs; all pairs by default.
        seed : int, optional
            Another week of the same world; None is the week of `truth.potential_outcomes()`.
        with_propensity : bool
            Add the exact `propensity` of exposure (before the marketing coin is thrown).
        text : bool
            Add the review `text` on top of the item's page.
        with_placebo : bool
            Add `consumed_before`: the outcome of the week before anybody was shown anything. It has the causes of
            `consumed`, and exposure can't move it.

        Returns
        -------
        DataFrame
            `user`, `item`, their observed columns, `score`, `marketing`, `exposed` (treatment), `consumed` (outcome);
            under interference `friends_shown`, the share of the user's friends who were shown the item.

        Raises
        ------
        ValueError
            If `n_pairs` exceeds the number of pairs, or is None in a world too large for one frame.
        """
        return logs.exposure_log(self.core, n_pairs, seed, with_propensity, text, with_placebo)

    def bandit_log(self, n_rounds: int = 10_000, policy: Any = "logging", seed: int | None = None) -> pd.DataFrame:
        """Return the log of a policy that shows one item a round, with its exact propensity and the reward.

        Parameters
        ----------
        n_rounds : int
            Number of rounds; users come uniformly at random.
        policy : str, array, callable or Policy
            As in `world.policy`. The default, "logging", is stochastic and gives every item a chance in every round;
            any other bare name shows each user one item only, which no off-policy estimate can mend.
        seed : int, optional
            Another draw of the log.

        Returns
        -------
        DataFrame
            `round`, `user`, `item`, their observed columns, `score`, `propensity`, `reward`.
        """
        return logs.bandit_log(self.core, n_rounds, self.policy(policy), seed)

    def slate_log(
        self,
        n_sessions: int = 5_000,
        slate_size: int = 5,
        randomised_share: float = 0.1,
        seed: int | None = None,
        with_slate_propensity: bool = False,
    ) -> pd.DataFrame:
        """Return Plackett-Luce slates in long form: clicks need a look at the slot and relevance.

        Parameters
        ----------
        n_sessions : int
            Number of sessions.
        slate_size : int
            Slots a session.
        randomised_share : float
            Share of sessions whose slots were shuffled after the slate was chosen.
        seed : int, optional
            Another draw of the log.
        with_slate_propensity : bool
            Add `slate_propensity`, of the whole slate in its order given the candidates and `randomised`; shuffled
            slates of up to 8 slots.

        Returns
        -------
        DataFrame
            One row a slot: `session`, `user`, `item`, their observed columns, `sponsored`, `score`, `position`,
            `randomised`, `propensity` (of this item in this slot given the candidates and the slots above; in
            shuffled sessions given the set instead), `clicked`.
        """
        return slates.slate_log(self.core, n_sessions, slate_size, randomised_share, seed, with_slate_propensity)

    def slate_candidates(self, n_sessions: int = 5_000, slate_size: int = 5, seed: int | None = None) -> pd.DataFrame:
        """Return the candidates that retrieval handed to the ranking in `slate_log` with the same arguments.

        Parameters
        ----------
        n_sessions, slate_size, seed
            As in `slate_log`.

        Returns
        -------
        DataFrame
            One row a candidate: `session`, `user`, `item`, their observed columns, `sponsored`, `score`,
            `logging_logit` (slates are drawn without replacement, each slot a softmax of the logits that are left).
        """
        return slates.candidates_frame(self.core, n_sessions, slate_size, seed)

    def ratings_log(
        self, seed: int | None = None, with_propensity: bool = False, weeks: int | None = None
    ) -> pd.DataFrame:
        """Return the ratings that customers wrote down: missing not at random.

        Parameters
        ----------
        seed : int, optional
            Another draw: the week of `exposure_log(seed=seed)` and the weeks before it; the stars of a pair stay.
        with_propensity : bool
            Add the exact `propensity` of being written down, given the stars: consumed in these weeks, and bothered.
        weeks : int, optional
            Weeks that the ratings cover, the last one that of the exposure log; `parameters.history` by default.

        Returns
        -------
        DataFrame
            `user`, `item`, their observed columns, `score`, `weeks_ago` (when the pair was last consumed; 0 is a
            consumed row of the exposure log), `stars`.
        """
        return ratings.ratings_log(self.core, seed, with_propensity, weeks)

    def survey(self, per_user: int = 10, seed: int | None = None) -> pd.DataFrame:
        """Return stars for items drawn at random for each user, nothing missing; columns as in `ratings_log`."""
        return ratings.survey(self.core, per_user, seed)

    def equations(self) -> pd.DataFrame:
        """Return every structural equation: `symbol`, `equation` (LaTeX), `parameters`, `code`."""
        return equations(self.core.parameters)

    def marginals(self) -> pd.DataFrame:
        """Return what the world looks like from outside: one row a `quantity`, column `world`."""
        return marginals.of_world(self)

    def dag(self, question: str = "exposure") -> nx.DiGraph:
        """Return the causal graph of a question under the world's switches; see `graph.dag`."""
        return graph.dag(self.core.confounding, self.core.interference, question)

    @classmethod
    def toy(cls, seed: int = 0, **switches: Any) -> World:
        """Return a world of 40 users and 30 items that fits on a page, with generated texts."""
        from causalrec_lib.data.world.make import make_world

        return make_world(n_users=40, n_items=30, seed=seed, **{"text": "templates", **switches})
