"""Truth about pairs, friends and slates; `PolicyTruth` and `Truth` add the rest."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from causalrec_lib import _validate
from causalrec_lib.data.world import _marginal as marginal
from causalrec_lib.data.world import _mechanisms as m
from causalrec_lib.data.world import _slates as slates
from causalrec_lib.data.world._core import InterferenceRefused, Pairs
from causalrec_lib.data.world._truth_roles import RoleTruth
from causalrec_lib.data.world.policies import SCORERS

Array = NDArray[Any]


class PairTruth(RoleTruth):
    """Exact answers about single pairs, about friends and about slates."""

    @cached_property
    def _friends(self) -> Array | None:
        return self._core.expected_friends_shown() if self._core.interference else None

    def _outcomes(self, x: Pairs) -> tuple[Array, Array]:
        return (x.p0, x.p1) if self._friends is None else x.with_friends(self._friends[x.users, x.items])

    def _pairs_of(self, log: pd.DataFrame) -> Pairs:
        _validate.frame(log, "log", ("user", "item"))
        n_users, n_items = self._core.shape
        users = _validate.positions(log["user"], "user of log", n_users)
        return self._core.pairs(users, _validate.positions(log["item"], "item of log", n_items))

    def pairs(self, log: pd.DataFrame) -> pd.DataFrame:
        """Return what a log can't say about each of its rows.

        Parameters
        ----------
        log : DataFrame
            Columns `user` and `item`.

        Returns
        -------
        DataFrame
            On the index of `log`: `p0`, `p1`, `tau` = p1 - p0; `propensity`, the exact e(x, h); `hidden`, what hidden
            causes add to its log-odds; and `propensity_observed`, e(x) given popularity, score and activity alone,
            hidden causes averaged out. The odds ratio of the two propensities is the strength of hidden confounding
            (Gamma) in that pair.

        Raises
        ------
        ValueError
            If the log is empty, lacks a column, or holds a pair that is not of this world.

        Notes
        -----
        Chapter: concepts/01_why_causal
        """
        x = self._pairs_of(log)
        p0, p1 = (p.astype(np.float64) for p in self._outcomes(x))
        scale = m.OVERLAP_SCALE[self._core.overlap]
        columns = {
            "p0": p0,
            "p1": p1,
            "tau": p1 - p0,
            "propensity": x.e.astype(np.float64),
            "hidden": scale * np.asarray(x.hidden, dtype=np.float64),
            "propensity_observed": marginal.observed_propensity(x),
        }
        return pd.DataFrame(columns, index=log.index)

    def cate_given_observed(self, log: pd.DataFrame) -> pd.Series:
        """Return E[tau | what the exposure log shows]: the best that any learner of effects can reach.

        `pairs(log)["tau"]` also knows hidden taste and who is annoyed. Here both are averaged out, given the columns
        of user and item, the score, and the item itself: given the item, hidden affinity is normal over users, and
        annoyance depends on age and segment.

        Parameters
        ----------
        log : DataFrame
            Columns `user` and `item`; under interference also `friends_shown`.

        Returns
        -------
        Series of float
            `tau`, a difference of probabilities, on the index of `log`.

        Raises
        ------
        InterferenceRefused
            Under interference and confounding="hidden", where there is no closed form.
        ValueError
            If the log is empty, lacks a column, or holds a pair that is not of this world.

        Notes
        -----
        Chapter: reference/world
        """
        x = self._pairs_of(log)
        p0, p1 = marginal.given_observed(x)
        tau = p1 - p0
        if self._core.interference:
            if self._core.confounding == "hidden":
                raise InterferenceRefused(
                    "cate_given_observed has no closed form where hidden taste moves exposure and friends share it; "
                    'use make_world(interference=0) or confounding="observed".'
                )
            _validate.frame(log, "log", ("friends_shown",))
            share = _validate.vector(log["friends_shown"], "friends_shown of log")
            tau = tau * (1 - self._core.interference * share)
        return pd.Series(tau, index=log.index, name="tau")

    # Friends ----------------------------------------------------------------------------------------------

    def spillover(self, friends: float = 1.0) -> dict[str, float]:
        """Return what showing does when a share `friends` of each user's friends is shown the item too.

        Parameters
        ----------
        friends : float
            Share of friends shown, 0 to 1.

        Returns
        -------
        dict of str to float
            "direct": the user is shown or not, friends stay as they are. "indirect": friends are shown instead of
            nobody, the user is not; "indirect when shown": the user is. "total": user and friends against nobody;
            with friends=1 the effect of showing all against showing none. Differences of probability over all pairs.

        Notes
        -----
        total = direct + indirect.
        Chapter: recommenders
        """
        f = _validate.number(friends, "friends", 0, 1)
        has = np.asarray(self._core.friend_share.sum(axis=1)).ravel() > 0
        g = self._core.interference

        def mean(of: Any) -> float:
            return self._mean(lambda x: of(x, np.float32(f) * has[x.users].astype(np.float32)))

        shown = mean(lambda x, F: m.tell_a_friend(x.p1, g, F))
        unshown = mean(lambda x, F: m.tell_a_friend(x.p0, g, F))
        alone, nothing = self._mean(lambda x: x.p1), self._mean(lambda x: x.p0)
        return {
            "direct": shown - unshown,
            "indirect": unshown - nothing,
            "indirect when shown": shown - alone,
            "total": shown - nothing,
        }

    # Slates -----------------------------------------------------------------------------------------------

    def examination(self, position: ArrayLike) -> Array:
        """Return the chance that a slot is looked at, k ** -eta.

        Parameters
        ----------
        position : int or array-like of int, shape (n,)
            Slots k, 1 is the top.

        Returns
        -------
        float or array of float, shape (n,)
            In (0, 1].

        Raises
        ------
        ValueError
            If a slot is no whole number of 1 or more.

        Notes
        -----
        Chapter: concepts/01_why_causal

        References
        ----------
        bib: joachims2017unbiased
        """
        one = np.isscalar(position)
        slots = _validate.positions(np.array([position]) if one else position, "position", low=1)
        return m.examination(self._core.parameters, slots[0] if one else slots)

    def slate_policy_value(
        self,
        policy: Any = "logging",
        n_sessions: int = 5_000,
        slate_size: int = 5,
        seed: int | None = None,
        temperature: float | None = None,
    ) -> float:
        """Return the expected clicks a session of a Plackett-Luce policy, exact over the sessions of a slate log.

        Parameters
        ----------
        policy : str or array
            A name as in `world.policy`, or scores of shape (n_users, n_items).
        n_sessions : int
            As in `world.slate_log`: the same users and candidates.
        slate_size : int
            As in `world.slate_log`.
        seed : int, optional
            As in `world.slate_log`.
        temperature : float, optional
            Divides the logits, 0 or more; 0 ranks by score. By default 1 for "logging" and "random", whose slates are
            drawn (those of "logging" fill the log, but for sessions that were shuffled), and 0 for all others.

        Returns
        -------
        float
            Mean over sessions, 0 to slate_size.

        Raises
        ------
        ValueError
            If the name is unknown, or the scores have another shape or holes.

        Notes
        -----
        Chapter: recommenders
        """
        core = self._core
        users, candidates = slates.sessions(core, n_sessions, slate_size, seed)
        logits = self._logits(policy, users, candidates)
        usual = 1.0 if isinstance(policy, str) and policy in ("logging", "random") else 0.0
        t = _validate.number(usual if temperature is None else temperature, "temperature", 0)
        x = core.pairs(np.broadcast_to(users[:, None], candidates.shape), candidates)
        relevance = self._outcomes(x)[1].astype(np.float64)
        look = self.examination(np.arange(1, slate_size + 1))
        if t == 0:
            top = np.argsort(-logits, axis=1, kind="stable")[:, :slate_size]
            return float((np.take_along_axis(relevance, top, 1) @ look).mean())
        total = 0.0
        for first in range(0, n_sessions, 500):
            part = slice(first, first + 500)
            chance = slates.slot_probabilities(logits[part] / t, slate_size)
            total += float(np.einsum("nkc,nc,k->", chance, relevance[part], look))
        return total / n_sessions

    def _logits(self, policy: Any, users: Array, candidates: Array) -> Array:
        if isinstance(policy, str):
            name = _validate.one_of(policy, "policy", tuple(SCORERS))
            return slates.candidate_logits(self._core, users, candidates, name)
        return _validate.table(policy, "policy", self._core.shape)[users[:, None], candidates]
