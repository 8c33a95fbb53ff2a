"""Logs of time, of words and of experiments."""

from __future__ import annotations

from typing import Any

import pandas as pd

from causalrec_lib.data.world import _core as core_
from causalrec_lib.data.world import _dynamics as dynamics
from causalrec_lib.data.world import _events as events
from causalrec_lib.data.world import _experiment as experiment
from causalrec_lib.data.world import _feedback as feedback
from causalrec_lib.data.world import _textroles as textroles
from causalrec_lib.data.world.policies import make_policy


class Studies:
    """What a platform can log over time, about words, and by experiment."""

    core: core_.Core

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
            Weeks after the first, which follows past popularity; 1 or more.
        retrain : {"clicks", "weighted", "random"} or callable
            The belief: counts of clicks so far, clicks a display so far, or none. A function gets the log so far
            (columns as below) and returns beliefs of shape (segments in alphabetical order, n_items).
        sharpness : float
            Exponent of the belief, 0 or more. Counts feed on themselves: below 1 the loop forgets, at 1 it keeps,
            above 1 ("the winner takes all") attention collapses.
        explore : float
            Share of displays spread evenly over all items, 0 to 1.
        seed : int, optional
            Another run in the same world.
        impressions : int
            Displays a week, 100 or more, users uniform within their segment.
        with_log : bool
            Return the displays as well.

        Returns
        -------
        DataFrame, or two of them with `with_log`
            One row a week: `round`, `gini`, `top_1pct_share` and `effective_items` of attention,
            `popularity_correlation`, `clicks`, and the policy's exact `reward` and `lift` a display. The log has one
            row a display: `round`, `user`, `item`, `segment`, `propensity` (exact, given the segment), `clicked`
            (0/1).

        Raises
        ------
        InterferenceRefused
            In a world with interference.
        ValueError
            If a function returns beliefs of another shape, below 0, or all 0 for a segment.

        Notes
        -----
        Chapter: concepts/01_why_causal

        References
        ----------
        bib: chaney2018algorithmic
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
            Number of weeks, 1 or more; a fifth of the items are launched in the course of them.
        pairs_per_week : int
            Rows a week, random pairs (a pair can come twice) whose item is out.
        seed : int, optional
            Another draw of the logs.
        with_propensity : bool
            Add the exact `propensity`.

        Returns
        -------
        DataFrame
            `week`, `user`, `item`, `item_age` (weeks since launch), their observed columns, `score`, `exposed` and
            `consumed` (0/1).

        Raises
        ------
        InterferenceRefused
            In a world with interference.

        Notes
        -----
        Chapter: frontier
        """
        return dynamics.weeks(self.core, n_weeks, pairs_per_week, seed, with_propensity)

    def events(self, n_sessions: int = 5_000, days: int = 28, seed: int | None = None) -> pd.DataFrame:
        """Return a raw event stream with bots, duplicates, gaps and outliers, in no order.

        Parameters
        ----------
        n_sessions : int
            Sessions of people, 1 or more; one in a hundred more (at least one) is a bot's.
        days : int
            Days on which sessions start, 1 or more.
        seed : int, optional
            Another draw of the stream.

        Returns
        -------
        DataFrame
            `event_id` (an event sent twice keeps it), `timestamp`, `session_id`, `user_id`, `item_id` (labels),
            `event` ("impression", "click", "purchase"), `device`, `price`, `dwell_seconds` (of clicks). What is
            wrong with which row: `truth.event_labels` with the same arguments.

        Notes
        -----
        Chapter: concepts/02_behaviour_data
        """
        return events.event_stream(self.core, n_sessions, days, seed)[0]

    def text_treatment_log(
        self, n: int = 10_000, assignment: str = "random", seed: int | None = None, with_propensity: bool = False
    ) -> pd.DataFrame:
        """Return shown blurbs, their attributes and clicks (text as treatment).

        Parameters
        ----------
        n : int
            Rows, 1 or more, random user-item pairs.
        assignment : {"random", "confounded"}
            Who promises: a coin, or sellers, who promise more for weak and for dear items.
        seed : int, optional
            Another draw of the log.
        with_propensity : bool
            Add the exact `propensity` of a promise.

        Returns
        -------
        DataFrame
            `user`, `item`, their observed columns, `score`, `text` (a review), `blurb`, and `promise`, `number`,
            `clicked` (0/1).

        Notes
        -----
        Chapter: language
        """
        return textroles.text_treatment_log(self.core, n, assignment, seed, with_propensity)

    def reactions(self, n: int = 5_000, seed: int | None = None, text: bool = True) -> pd.DataFrame:
        """Return reactions after consuming (text as outcome, expectation as mediator).

        Parameters
        ----------
        n : int
            Rows, 1 or more, random user-item pairs; the promise is a fair coin.
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

        Notes
        -----
        Chapter: language
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
            Sessions, 2 or more.
        compliance : float
            Share of users who see what they were assigned, about; the others are less active.
        periods : int
            Periods of the trial, 2 or more.
        carryover : float
            In a switchback under interference: share of friends' influence that comes from the period before, 0 to 1.
        seed : int, optional
            Another trial in the same world.
        sides : {"two", "one"}
            Non-compliers are never-takers and always-takers, or never-takers alone.
        trend : float
            Share by which demand is lower in the first period than in the last, 0 to 1.
        arrivals : {"uniform", "activity"}
            Users come equally often, or in proportion to their activity: then sums a user vary much, and
            the pre-period says how.

        Returns
        -------
        DataFrame
            `session`, `user`, `item` (shown), their observed columns, `community`, `shadow_item` (the other arm's
            choice), `period`, `pre_sessions` and `pre_clicks` (earlier, under a), `pre_found` (bought then without a
            recommendation), `assigned` and `received` (0: a, 1: b), `clicked` (the shown item), `consumed` (shown and
            shadow item together, 0 to 2: what would have been consumed anyway counts in both arms). Truth:
            `truth.ab_effect`.

        Raises
        ------
        InterferenceRefused
            If `compliance` is below 1 in a world with interference.
        ValueError
            If an arm is no policy, see `world.policy`, or a number is out of range.

        Notes
        -----
        Chapter: recommenders

        References
        ----------
        bib: kohavi2020trustworthy
        """
        d = experiment.Design(unit, n, compliance, periods, carryover, sides, trend, arrivals)
        a = make_policy(self.core, policy_a, what="policy_a")
        b = make_policy(self.core, policy_b, what="policy_b")
        return experiment.ab_test(self.core, a, b, d, seed)
