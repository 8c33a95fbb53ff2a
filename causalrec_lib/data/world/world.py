"""The recommender world: one simulator with known potential outcomes for the whole course."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import networkx as nx
import pandas as pd
from scipy import sparse

from causalrec_lib.data.world import _core as core_
from causalrec_lib.data.world import _dynamics as dynamics
from causalrec_lib.data.world import _events as events
from causalrec_lib.data.world import _experiment as experiment
from causalrec_lib.data.world import _feedback as feedback
from causalrec_lib.data.world import _graph as graph
from causalrec_lib.data.world import _logs as logs
from causalrec_lib.data.world import _ratings as ratings
from causalrec_lib.data.world import _slates as slates
from causalrec_lib.data.world import _textroles as textroles
from causalrec_lib.data.world import marginals
from causalrec_lib.data.world.equations import equations
from causalrec_lib.data.world.policies import Policy, make_policy
from causalrec_lib.data.world.truth import Truth


@dataclass
class World:
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

    def feedback_loop(
        self,
        rounds: int = 20,
        retrain: Any = "clicks",
        sharpness: float = 1.0,
        explore: float = 0.0,
        seed: int | None = None,
        impressions: int = 20_000,
        with_log: bool = False,
    ) -> Any:
        """Run a recommender that retrains weekly on its own log; each segment gets one list.

        Next week's share of displays of an item is proportional to belief ** sharpness, with a share `explore` spread
        evenly. The arms differ in the belief alone.

        Parameters
        ----------
        rounds : int
            Weeks after the first, which follows past popularity.
        retrain : {"clicks", "weighted", "random"} or callable
            The belief: counts of clicks so far, clicks a display so far, or none. A function gets the log so far
            (columns as below) and returns beliefs of shape (segments in alphabetical order, n_items).
        sharpness : float
            Exponent of the belief. Counts feed on themselves: below 1 the loop forgets, at 1 it keeps, above 1
            ("the winner takes all") attention collapses.
        explore : float
            Share of displays spread evenly over all items.
        seed : int, optional
            Another run in the same world.
        impressions : int
            Displays a week, users uniform within their segment.
        with_log : bool
            Return the displays as well.

        Returns
        -------
        DataFrame, or two of them with `with_log`
            One row a week: `round`, `gini`, `top_1pct_share` and `effective_items` of attention,
            `popularity_correlation`, `clicks`, and the policy's exact `reward` and `lift` a display. The log has one
            row a display: `round`, `user`, `item`, `segment`, `propensity` (exact, given the segment), `clicked`.
        """
        report, log = feedback.feedback_loop(
            self.core, rounds, retrain, sharpness, explore, impressions, seed, with_log
        )
        return (report, log) if with_log else report

    def weeks(
        self, n_weeks: int = 12, pairs_per_week: int = 2_000, seed: int | None = None, with_propensity: bool = False
    ) -> pd.DataFrame:
        """Return weekly exposure logs: hidden taste turns by `drift` radians a week, new items arrive.

        Parameters
        ----------
        n_weeks : int
            Number of weeks.
        pairs_per_week : int
            Rows a week, random pairs whose item is out.
        seed : int, optional
            Another draw of the logs.
        with_propensity : bool
            Add the exact `propensity`.

        Returns
        -------
        DataFrame
            `week`, `user`, `item`, `item_age`, their observed columns, `score`, `exposed`, `consumed`.
        """
        return dynamics.weeks(self.core, n_weeks, pairs_per_week, seed, with_propensity)

    def events(self, n_sessions: int = 5_000, days: int = 28, seed: int | None = None) -> pd.DataFrame:
        """Return a raw event stream with bots, duplicates, gaps and outliers, in no order.

        Parameters
        ----------
        n_sessions : int
            Sessions of people; one in a hundred more is a bot's.
        days : int
            Days that the stream covers.
        seed : int, optional
            Another draw of the stream.

        Returns
        -------
        DataFrame
            `event_id` (an event sent twice keeps it), `timestamp`, `session_id`, `user_id`, `item_id` (labels),
            `event` ("impression", "click", "purchase"), `device`, `price`, `dwell_seconds` (of clicks). What is
            wrong with which row: `truth.event_labels` with the same arguments.
        """
        return events.event_stream(self.core, n_sessions, days, seed)[0]

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

    def text_treatment_log(
        self, n: int = 10_000, assignment: str = "random", seed: int | None = None, with_propensity: bool = False
    ) -> pd.DataFrame:
        """Return shown blurbs, their attributes and clicks (text as treatment).

        Parameters
        ----------
        n : int
            Rows, random user-item pairs.
        assignment : {"random", "confounded"}
            Who promises: a coin, or sellers, who promise more for weak and for dear items.
        seed : int, optional
            Another draw of the log.
        with_propensity : bool
            Add the exact `propensity` of a promise.

        Returns
        -------
        DataFrame
            `user`, `item`, their observed columns, `score`, `text` (a review), `blurb`, `promise`, `number`,
            `clicked`.
        """
        return textroles.text_treatment_log(self.core, n, assignment, seed, with_propensity)

    def reactions(self, n: int = 5_000, seed: int | None = None, text: bool = True) -> pd.DataFrame:
        """Return reactions after consuming (text as outcome, expectation as mediator).

        Parameters
        ----------
        n : int
            Rows, random user-item pairs; the promise is a fair coin.
        seed : int, optional
            Another draw of the log.
        text : bool
            Add the free-text `reaction`, a review of that department and mood.

        Returns
        -------
        DataFrame
            `user`, `item`, their observed columns, `score`, `promise`, `expectation`, `satisfaction`, `stars` (1 to
            5), `sentiment` (-1, 0, 1), `reaction`. Given `promise` and `score`, nothing else moves both expectation
            and satisfaction. `Parameters(s_both=-0.3)` lets a promise change what the expectation does.
        """
        return textroles.reactions(self.core, n, seed, text)

    def ab_test(
        self,
        policy_a: Any,
        policy_b: Any,
        unit: str = "user",
        n: int = 10_000,
        compliance: float = 1.0,
        periods: int = 28,
        carryover: float = 0.0,
        seed: int | None = None,
        sides: str = "two",
        trend: float = 0.0,
        arrivals: str = "uniform",
    ) -> pd.DataFrame:
        """Run an A/B test of two policies.

        Parameters
        ----------
        policy_a, policy_b : str, array, callable or Policy
            The arms, as in `world.policy`.
        unit : {"user", "cluster", "switchback"}
            What is assigned: users, communities of friends, or periods; half of the units to each arm.
        n : int
            Sessions.
        compliance : float
            Share of users who see what they were assigned, about; the others are less active.
        periods : int
            Periods of the trial.
        carryover : float
            In a switchback under interference: share of friends' influence that comes from the period before.
        seed : int, optional
            Another trial in the same world.
        sides : {"two", "one"}
            Non-compliers are never-takers and always-takers, or never-takers alone.
        trend : float
            Share by which demand is lower in the first period than in the last.
        arrivals : {"uniform", "activity"}
            Users come equally often, or in proportion to their activity: then sums a user vary much, and
            the pre-period says how.

        Returns
        -------
        DataFrame
            `session`, `user`, `item` (shown), their observed columns, `community`, `shadow_item` (the other arm's
            choice), `period`, `pre_sessions` and `pre_clicks` (earlier, under a), `pre_found` (bought then without a
            recommendation), `assigned`, `received`, `clicked` (the shown item), `consumed` (shown and shadow item
            together: what would have been consumed anyway counts in both arms). Truth: `truth.ab_effect`.

        Raises
        ------
        InterferenceRefused
            If `compliance` is below 1 in a world with interference.
        """
        d = experiment.Design(unit, n, compliance, periods, carryover, sides, trend, arrivals)
        return experiment.ab_test(self.core, self.policy(policy_a), self.policy(policy_b), d, seed)

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
