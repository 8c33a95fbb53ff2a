"""Logs of one week: what was shown, in which slot, what was consumed and rated."""

from __future__ import annotations

from typing import Any

import pandas as pd

from causalrec_lib.data.world import _core as core_
from causalrec_lib.data.world import _logs as logs
from causalrec_lib.data.world import _ratings as ratings
from causalrec_lib.data.world import _slates as slates
from causalrec_lib.data.world.policies import make_policy


class Platform:
    """What a platform logs in a week; `Studies` has the logs of time, words and trials."""

    core: core_.Core

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
            Size of a simple random sample of distinct pairs; all pairs by default.
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
            `user`, `item`, their observed columns, `score`, `marketing`, `exposed` (treatment), `consumed` (outcome),
            the last three 0/1; under interference `friends_shown`, the share of the user's friends who were shown the
            item.

        Raises
        ------
        ValueError
            If `n_pairs` exceeds the number of pairs, or is None in a world too large for one frame; under
            interference also if the world has more than 20 million pairs.

        Notes
        -----
        Chapter: concepts/01_why_causal
        """
        return logs.exposure_log(self.core, n_pairs, seed, with_propensity, text, with_placebo)

    def bandit_log(self, n_rounds: int = 10_000, policy: Any = "logging", seed: int | None = None) -> pd.DataFrame:
        """Return the log of a policy that shows one item a round, with its exact propensity and the reward.

        Parameters
        ----------
        n_rounds : int
            Number of rounds, 1 or more; users come uniformly at random.
        policy : str, array, callable or Policy
            As in `world.policy`. The default, "logging", is stochastic and gives every item a chance in every round;
            any other bare name but "random" shows each user one item only, which no off-policy estimate can mend.
        seed : int, optional
            Another draw of the log.

        Returns
        -------
        DataFrame
            `round`, `user`, `item`, their observed columns, `score`, `propensity` (of the item given the user),
            `reward` (0/1: consumed); under interference `friends_shown`.

        Raises
        ------
        ValueError
            If `policy` is none; see `world.policy`.

        Notes
        -----
        Chapter: recommenders
        """
        return logs.bandit_log(self.core, n_rounds, make_policy(self.core, policy), seed)

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
            Number of sessions, 1 or more.
        slate_size : int
            Slots a session, 1 to n_items.
        randomised_share : float
            Share of sessions whose slots were shuffled after the slate was chosen, 0 to 1.
        seed : int, optional
            Another draw of the log.
        with_slate_propensity : bool
            Add `slate_propensity`, of the whole slate in its order given the candidates and `randomised`; shuffled
            slates of up to 8 slots.

        Returns
        -------
        DataFrame
            One row a slot: `session`, `user`, `item`, their observed columns, `sponsored`, `score`, `position` (1 is
            the top), `randomised` (0/1), `propensity` (of this item in this slot given the candidates and the slots
            above; in shuffled sessions given the set instead), `clicked` (0/1); under interference `friends_shown`.

        Raises
        ------
        ValueError
            If `with_slate_propensity` meets a shuffled slate of more than 8 slots.

        Notes
        -----
        P(click) = k ** -eta P(Y(1) = 1) at slot k.
        Chapter: concepts/01_why_causal

        References
        ----------
        bib: joachims2017unbiased
        """
        return slates.slate_log(self.core, n_sessions, slate_size, randomised_share, seed, with_slate_propensity)

    def slate_candidates(self, n_sessions: int = 5_000, slate_size: int = 5, seed: int | None = None) -> pd.DataFrame:
        """Return the candidates that retrieval handed to the ranking in `slate_log` with the same arguments.

        Parameters
        ----------
        n_sessions : int
            Number of sessions, as in `slate_log`.
        slate_size : int
            Slots a session, as in `slate_log`.
        seed : int, optional
            Seed of the log.

        Returns
        -------
        DataFrame
            One row a candidate: `session`, `user`, `item`, their observed columns, `sponsored`, `score`,
            `logging_logit` (slates are drawn without replacement, each slot a softmax of the logits that are left).

        Notes
        -----
        Chapter: recommenders
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
            Weeks that the ratings cover, 1 to 52, the last one that of the exposure log; `parameters.history` by
            default.

        Returns
        -------
        DataFrame
            `user`, `item`, their observed columns, `score`, `weeks_ago` (when the pair was last consumed; 0 is a
            consumed row of the exposure log), `stars` (1 to 5).

        Raises
        ------
        InterferenceRefused
            In a world with interference.

        Notes
        -----
        Chapter: recommenders
        """
        return ratings.ratings_log(self.core, seed, with_propensity, weeks)

    def survey(self, per_user: int = 10, seed: int | None = None) -> pd.DataFrame:
        """Return stars for items drawn at random for each user, nothing missing.

        Parameters
        ----------
        per_user : int
            Items a user, without replacement, 1 to n_items.
        seed : int, optional
            Another draw of the items; the stars of a pair stay.

        Returns
        -------
        DataFrame
            n_users * per_user rows: `user`, `item`, their observed columns, `score`, `stars` (1 to 5).

        Notes
        -----
        Chapter: recommenders
        """
        return ratings.survey(self.core, per_user, seed)
