"""Truth about policies, rankings and slates; `Truth` adds effects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from causalrec_lib import _validate
from causalrec_lib.data.world._core import Pairs
from causalrec_lib.data.world._truth_pairs import PairTruth
from causalrec_lib.data.world.policies import make_policy

Array = NDArray[Any]


class PolicyTruth(PairTruth):
    """Exact values of policies, rankings and slates."""

    def _policy_blocks(self, policy: Any) -> Iterator[tuple[Pairs, Array]]:
        chosen = make_policy(self._core, policy)
        for x in self._core.blocks():
            yield x, chosen.probabilities(x.users[:, 0])

    def policy_value(self, policy: Any, outcome: str = "reward") -> float:
        """Return the value of showing each user one item drawn from a policy.

        Parameters
        ----------
        policy : str, array, callable or Policy
            As in `world.policy`.
        outcome : {"reward", "lift"}
            "reward": P(the shown item is consumed), what the bandit log measures.
            "lift": consumption that would not have happened without the recommendation.

        Returns
        -------
        float
            Mean over users, a probability or a difference of two.

        Raises
        ------
        ValueError
            If `policy` is none, see `world.policy`.

        Notes
        -----
        Chapter: concepts/01_why_causal
        """
        _validate.one_of(outcome, "outcome", ("reward", "lift"))
        total = 0.0
        for x, pi in self._policy_blocks(policy):
            total += float(np.sum(pi * self._relevance(outcome)(x), dtype=np.float64))
        return total / self._core.shape[0]

    def logging_value(self, outcome: str = "reward") -> float:
        """Return the value of the bandit log's default policy.

        Parameters
        ----------
        outcome : {"reward", "lift"}
            As in `policy_value`.

        Returns
        -------
        float
            Mean over users.

        Notes
        -----
        Chapter: recommenders
        """
        return self.policy_value("logging", outcome)

    def best_policy(self, outcome: str = "reward") -> Array:
        """Return each user's best item.

        Parameters
        ----------
        outcome : {"reward", "lift"}
            As in `policy_value`.

        Returns
        -------
        array of int, shape (n_users,)
            Item numbers.

        Notes
        -----
        Chapter: recommenders
        """
        return np.concatenate([self._relevance(outcome)(x).argmax(axis=1) for x in self._core.blocks()])

    def _relevance(self, outcome: str) -> Callable[[Pairs], Array]:
        _validate.one_of(outcome, "outcome", ("reward", "lift"))
        if outcome == "reward":
            return lambda x: self._outcomes(x)[1]
        return lambda x: np.subtract(*self._outcomes(x)[::-1])

    def ranking(self, user: int, outcome: str = "lift") -> Array:
        """Return all items for one user, best first.

        Parameters
        ----------
        user : int
            The user, 0 to n_users - 1.
        outcome : {"reward", "lift"}
            As in `policy_value`.

        Returns
        -------
        array of int, shape (n_items,)
            Item numbers; ties in order of number.

        Notes
        -----
        Chapter: recommenders
        """
        u = np.array([[_validate.integer(user, "user", 0, self._core.shape[0] - 1)]])
        x = self._core.pairs(u, np.arange(self._core.shape[1])[None, :])
        return np.argsort(-self._relevance(outcome)(x)[0], kind="stable")

    def ndcg(self, scores: ArrayLike, k: int = 10, outcome: str = "reward") -> float:
        """Return the mean NDCG@k of a ranking by scores.

        Parameters
        ----------
        scores : array-like of float, shape (n_users, n_items)
            Higher comes first.
        k : int
            Length of the list, 1 to n_items.
        outcome : {"reward", "lift"}
            Gains are the true probabilities of consuming when shown, or the true effects, where negative ones count
            as 0.

        Returns
        -------
        float
            Mean over users, 0 to 1.

        Raises
        ------
        ValueError
            If the scores have another shape or holes, or `k` is out of range.

        Notes
        -----
        The gain at rank r is divided by log2(r + 1), and the sum by that of the best list. A user without any gain
        counts 0.
        Chapter: recommenders/05_evaluation
        """
        s = _validate.table(scores, "scores", self._core.shape)
        k = _validate.integer(k, "k", 1, self._core.shape[1])
        discount = 1 / np.log2(np.arange(2, k + 2))
        total = 0.0
        for x in self._core.blocks():
            gain = np.maximum(self._relevance(outcome)(x), 0)
            order = np.argsort(-s[x.users[:, 0]], axis=1, kind="stable")[:, :k]
            best = -np.sort(-gain, axis=1)[:, :k] @ discount
            total += float(np.sum((np.take_along_axis(gain, order, 1) @ discount) / np.maximum(best, 1e-12)))
        return total / self._core.shape[0]

    def position_effect(self, k: int, log: pd.DataFrame | None = None, relative: bool = False) -> float:
        """Return the effect on P(click) of standing at slot k instead of slot 1.

        Parameters
        ----------
        k : int
            The slot, 1 or more.
        log : DataFrame, optional
            Average over the user-item pairs of this slate log (columns `user` and `item`); all pairs by default.
        relative : bool
            Return the ratio P(click at k) / P(click at 1) instead, the same for every pair.

        Returns
        -------
        float
            Difference of probabilities, or their ratio.

        Raises
        ------
        ValueError
            If the log is empty, lacks a column, or holds a pair that is not of this world.

        Notes
        -----
        The ratio is k ** -eta.
        Chapter: recommenders
        """
        theta = float(self.examination(_validate.integer(k, "k", 1)))
        x = None if log is None else self._pairs_of(log)
        if _validate.flag(relative, "relative"):
            return theta
        p1 = self._mean(lambda x: self._outcomes(x)[1]) if x is None else float(np.mean(self._outcomes(x)[1]))
        return (theta - 1.0) * p1

    def slate_value(self, slates: ArrayLike) -> float:
        """Return the expected clicks a session of one fixed slate a user.

        Parameters
        ----------
        slates : array-like of int, shape (n_users, slate_size)
            Item numbers, the top slot first; no item twice in a slate.

        Returns
        -------
        float
            Mean over users, 0 to slate_size.

        Raises
        ------
        ValueError
            If the shape is another, or a slate holds what is no item, or an item twice.

        Notes
        -----
        Chapter: recommenders
        """
        n, n_items = self._core.shape
        s = _validate.distinct_positions(slates, "slates", n_items, n)
        x = self._core.pairs(np.arange(len(s))[:, None] + np.zeros_like(s), s)
        return float((self._outcomes(x)[1] * self.examination(np.arange(1, s.shape[1] + 1))).sum(axis=1).mean())
