"""What a log can't say: potential outcomes, effects and policy values, by enumeration or closed form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from causalrec_lib import _validate
from causalrec_lib.data.world._core import Pairs
from causalrec_lib.data.world._logs import draw_number
from causalrec_lib.data.world._truth_pairs import PairTruth
from causalrec_lib.data.world.policies import make_policy

Array = NDArray[Any]

_PAIR_COLUMNS = ("score",)


class Truth(PairTruth):
    """Exact answers about a world; no estimator may see this object.

    Parameters
    ----------
    core : Core
        The world.

    Notes
    -----
    Under interference the effects are those of showing the item to this user while friends are shown it as the
    logging policy does: the average over friends' exposures is exact, because it enters linearly. The same holds for
    the value of policies and slates: one user is served otherwise, friends are shown what they were shown. What
    happens when everybody is served otherwise: `ab_effect`, `spillover`.
    Chapter: reference/world
    """

    def __repr__(self) -> str:
        return f"Truth(ate={self.ate():.4f}, att={self.att():.4f}, ato={self.ato():.4f})"

    # Pairs ------------------------------------------------------------------------------------------------

    @property
    def tau(self) -> Array:
        """Return the effect of exposure on P(consume), shape (n_users, n_items)."""
        return self._matrix(lambda x: self._outcomes(x)[1] - self._outcomes(x)[0])

    @property
    def propensity(self) -> Array:
        """Return e, the propensity of exposure given the observed and hidden causes, shape (n_users, n_items)."""
        return self._matrix(lambda x: x.e)

    def potential_outcomes(self, seed: int | None = None) -> tuple[Array, Array]:
        """Return the realised (Y(0), Y(1)) of all pairs, 0/1, in the week that `exposure_log(seed=seed)` shows."""
        draw = draw_number(seed)
        F = self._core.friends_shown(draw) if self._core.interference else None
        both = [x.potential(draw, F=0.0 if F is None else F[x.users, x.items]) for x in self._core.blocks()]
        return np.concatenate([y for y, _ in both]).astype(np.int8), np.concatenate([y for _, y in both]).astype(
            np.int8
        )

    # Effects ----------------------------------------------------------------------------------------------

    def _sums(self, weight: Callable[[Array], Array]) -> float:
        top = bottom = 0.0
        for x in self._core.blocks():
            p0, p1 = self._outcomes(x)
            w = weight(x.e.astype(np.float64))
            top += float(np.sum(w * (p1 - p0), dtype=np.float64))
            bottom += float(np.sum(w, dtype=np.float64))
        return top / bottom

    @cached_property
    def _averages(self) -> dict[str, float]:
        return {
            "ate": self._sums(np.ones_like),
            "att": self._sums(lambda e: e),
            "atc": self._sums(lambda e: 1 - e),
            "ato": self._sums(lambda e: e * (1 - e)),
        }

    def ate(self) -> float:
        """Return the average effect of exposure over all pairs."""
        return self._averages["ate"]

    def att(self) -> float:
        """Return the average effect over exposed pairs (weights e)."""
        return self._averages["att"]

    def atc(self) -> float:
        """Return the average effect over pairs that were not exposed (weights 1 - e)."""
        return self._averages["atc"]

    def ato(self) -> float:
        """Return the average effect over the overlap population (weights e (1 - e))."""
        return self._averages["ato"]

    def late(self) -> float:
        """Return the effect among pairs that follow the marketing coin; their weights are those of the ATO."""
        return self._averages["ato"]

    def mean_propensity(self) -> float:
        """Return the share of pairs that are exposed."""
        return self._mean(lambda x: x.e)

    def consumption(self) -> dict[str, float]:
        """Return P(consumed) among exposed pairs and among the others, and their difference: the naive answer."""
        e = self._mean(lambda x: x.e)
        shown = self._mean(lambda x: x.e * self._outcomes(x)[1]) / e
        not_shown = self._mean(lambda x: (1 - x.e) * self._outcomes(x)[0]) / (1 - e)
        return {"exposed": shown, "not exposed": not_shown, "difference": shown - not_shown}

    def cate(self, by: str | Sequence[str], bins: int = 5) -> pd.Series:
        """Return the average effect in each group of observed columns.

        Parameters
        ----------
        by : str or list of str
            Columns of `world.users`, of `world.items`, or "score". Numeric columns with more than ten values are cut
            at their quantiles.
        bins : int
            Number of quantile groups.

        Returns
        -------
        Series
            Effect by group.
        """
        names = [by] if isinstance(by, str) else _validate.unique(_validate.texts(by, "by"), "by").tolist()
        if not names:
            raise ValueError("by is empty, but groups need a column; name one, for example 'segment'.")
        coders = [self._coder(n, _validate.integer(bins, "bins", 2)) for n in names]
        sizes = [len(levels) for levels, _ in coders]
        total, count = np.zeros(np.prod(sizes)), np.zeros(np.prod(sizes))
        for x in self._core.blocks():
            codes = np.zeros(x.S.shape, dtype=np.int64)
            for size, (_, code) in zip(sizes, coders, strict=True):
                codes = codes * size + code(x)
            p0, p1 = self._outcomes(x)
            total += np.bincount(codes.ravel(), (p1 - p0).ravel().astype(np.float64), len(total))
            count += np.bincount(codes.ravel(), minlength=len(count))
        index = pd.MultiIndex.from_product([levels for levels, _ in coders], names=names)
        value = pd.Series(total, index=index, name="cate")[count > 0] / count[count > 0]
        return value if len(names) > 1 else value.set_axis(index[count > 0].get_level_values(0))

    def _coder(self, name: str, bins: int) -> tuple[list[Any], Callable[[Pairs], Array]]:
        core = self._core
        _validate.one_of(name, "by", [*core.users.columns, *core.items.columns, *_PAIR_COLUMNS])
        if name == "score":
            edges = np.quantile(next(core.blocks()).S, np.linspace(0, 1, bins + 1)[1:-1]).astype(np.float32)
            cuts = np.concatenate([[-np.inf], edges, [np.inf]])
            return list(pd.IntervalIndex.from_breaks(cuts)), lambda x: np.searchsorted(edges, x.S, side="left")
        users = name in core.users.columns
        table = core.users if users else core.items
        column = table[name]
        if pd.api.types.is_numeric_dtype(column) and column.nunique() > 10:
            column = pd.qcut(column, bins, duplicates="drop")
        codes, levels = pd.factorize(column, sort=True)
        return list(levels), lambda x: codes[x.users if users else x.items]

    # Policies ---------------------------------------------------------------------------------------------

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
            Mean over users.
        """
        _validate.one_of(outcome, "outcome", ("reward", "lift"))
        total = 0.0
        for x, pi in self._policy_blocks(policy):
            total += float(np.sum(pi * self._relevance(outcome)(x), dtype=np.float64))
        return total / self._core.shape[0]

    def logging_value(self, outcome: str = "reward") -> float:
        """Return the value of the bandit log's default policy."""
        return self.policy_value("logging", outcome)

    def best_policy(self, outcome: str = "reward") -> Array:
        """Return each user's best item, shape (n_users,)."""
        return np.concatenate([self._relevance(outcome)(x).argmax(axis=1) for x in self._core.blocks()])

    def _relevance(self, outcome: str) -> Callable[[Pairs], Array]:
        _validate.one_of(outcome, "outcome", ("reward", "lift"))
        if outcome == "reward":
            return lambda x: self._outcomes(x)[1]
        return lambda x: np.subtract(*self._outcomes(x)[::-1])

    def ranking(self, user: int, outcome: str = "lift") -> Array:
        """Return all items for one user, best first."""
        u = np.array([[_validate.integer(user, "user", 0, self._core.shape[0] - 1)]])
        x = self._core.pairs(u, np.arange(self._core.shape[1])[None, :])
        return np.argsort(-self._relevance(outcome)(x)[0], kind="stable")

    def ndcg(self, scores: ArrayLike, k: int = 10, outcome: str = "reward") -> float:
        """Return the mean NDCG@k of a ranking by `scores`, shape (n_users, n_items), gains the true probabilities.

        With outcome="lift" negative effects count as gain 0.
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

    # Slates -----------------------------------------------------------------------------------------------

    def position_effect(self, k: int, log: pd.DataFrame | None = None, relative: bool = False) -> float:
        """Return the effect on P(click) of standing at slot k instead of slot 1.

        Parameters
        ----------
        k : int
            The slot.
        log : DataFrame, optional
            Average over the user-item pairs of this slate log; all pairs by default.
        relative : bool
            Return the ratio P(click at k) / P(click at 1) instead, the same for every pair.

        Returns
        -------
        float
            Difference of probabilities, or their ratio.
        """
        theta = float(self.examination(_validate.integer(k, "k", 1)))
        x = None if log is None else self._pairs_of(log)
        if _validate.flag(relative, "relative"):
            return theta
        p1 = self._mean(lambda x: self._outcomes(x)[1]) if x is None else float(np.mean(self._outcomes(x)[1]))
        return (theta - 1.0) * p1

    def slate_value(self, slates: ArrayLike) -> float:
        """Return the expected clicks a session of one fixed slate a user, shape (n_users, slate_size)."""
        n, n_items = self._core.shape
        s = _validate.distinct_positions(slates, "slates", n_items, n)
        x = self._core.pairs(np.arange(len(s))[:, None] + np.zeros_like(s), s)
        return float((self._outcomes(x)[1] * self.examination(np.arange(1, s.shape[1] + 1))).sum(axis=1).mean())
