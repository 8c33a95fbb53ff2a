"""What a log can't say: potential outcomes and effects, by enumeration or closed form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causalrec_lib import _validate
from causalrec_lib.data.world._core import Pairs
from causalrec_lib.data.world._logs import draw_number
from causalrec_lib.data.world._truth_policies import PolicyTruth

Array = NDArray[Any]

_PAIR_COLUMNS = ("score",)


class Truth(PolicyTruth):
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
        """Return the effect of exposure on P(consume), shape (n_users, n_items).

        Raises
        ------
        ValueError
            If the world has more than 20 million pairs; `pairs` answers for a sample.

        Notes
        -----
        tau = P(Y(1) = 1) - P(Y(0) = 1).
        Chapter: weighting/01_propensity_weighting
        """
        return self._matrix(lambda x: self._outcomes(x)[1] - self._outcomes(x)[0])

    @property
    def propensity(self) -> Array:
        """Return e, the propensity of exposure given the observed and hidden causes, shape (n_users, n_items).

        Raises
        ------
        ValueError
            If the world has more than 20 million pairs; `pairs` answers for a sample.

        Notes
        -----
        Chapter: weighting/01_propensity_weighting
        """
        return self._matrix(lambda x: x.e)

    def potential_outcomes(self, seed: int | None = None) -> tuple[Array, Array]:
        """Return the realised (Y(0), Y(1)) of all pairs in the week that `exposure_log(seed=seed)` shows.

        Parameters
        ----------
        seed : int, optional
            Seed of the log.

        Returns
        -------
        y0 : array of int, shape (n_users, n_items)
            Consumed if not shown, 0/1.
        y1 : array of int, shape (n_users, n_items)
            Consumed if shown, 0/1.

        Notes
        -----
        Chapter: concepts/01_why_causal

        References
        ----------
        bib: rubin1974estimating
        """
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
        """Return the average effect of exposure over all pairs.

        Returns
        -------
        float
            Difference of probabilities.

        Notes
        -----
        Chapter: concepts/01_why_causal
        """
        return self._averages["ate"]

    def att(self) -> float:
        """Return the average effect over exposed pairs (weights e).

        Returns
        -------
        float
            Difference of probabilities.

        Notes
        -----
        Chapter: concepts/01_why_causal
        """
        return self._averages["att"]

    def atc(self) -> float:
        """Return the average effect over pairs that were not exposed (weights 1 - e).

        Returns
        -------
        float
            Difference of probabilities.

        Notes
        -----
        Chapter: weighting/01_propensity_weighting
        """
        return self._averages["atc"]

    def ato(self) -> float:
        """Return the average effect over the overlap population (weights e (1 - e)).

        Returns
        -------
        float
            Difference of probabilities.

        Notes
        -----
        Chapter: weighting/01_propensity_weighting

        References
        ----------
        bib: li2018balancing
        """
        return self._averages["ato"]

    def late(self) -> float:
        """Return the effect among pairs that follow the marketing coin.

        Returns
        -------
        float
            Difference of probabilities.

        Notes
        -----
        The coin moves the exposure of a pair by kappa e (1 - e), so the weights are those of the ATO.
        Chapter: latent
        """
        return self._averages["ato"]

    def mean_propensity(self) -> float:
        """Return the share of pairs that are exposed, in expectation.

        Returns
        -------
        float
            Between 0 and 1.

        Notes
        -----
        Chapter: reference/world
        """
        return self._mean(lambda x: x.e)

    def consumption(self) -> dict[str, float]:
        """Return P(consumed) among exposed pairs and among the others, and their difference: the naive answer.

        Returns
        -------
        dict of str to float
            "exposed", "not exposed", "difference".

        Notes
        -----
        Chapter: reference/world
        """
        e = self._mean(lambda x: x.e)
        shown = self._mean(lambda x: x.e * self._outcomes(x)[1]) / e
        not_shown = self._mean(lambda x: (1 - x.e) * self._outcomes(x)[0]) / (1 - e)
        return {"exposed": shown, "not exposed": not_shown, "difference": shown - not_shown}

    def cate(self, by: str | Sequence[str], bins: int = 5) -> pd.Series:
        """Return the average effect in each group of some columns.

        Parameters
        ----------
        by : str or list of str
            Columns of users and items, hidden ones too (see `hidden`), or "score"; each once. Numeric columns with
            more than ten values are cut at their quantiles, "score" at those of the first million pairs.
        bins : int
            Number of quantile groups, 2 or more.

        Returns
        -------
        Series of float
            `cate`, a difference of probabilities, by group; one level of the index a column.

        Raises
        ------
        ValueError
            If a column is unknown or comes twice.

        Notes
        -----
        Chapter: concepts/01_why_causal
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
