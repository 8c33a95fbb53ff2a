"""Truth about ratings and text; `PolicyTruth` and `Truth` add the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causalrec_lib import _validate
from causalrec_lib.data.world import _mechanisms as m
from causalrec_lib.data.world import _ratings as ratings
from causalrec_lib.data.world._core import Pairs
from causalrec_lib.data.world._logs import draw_number
from causalrec_lib.data.world._textroles import ATTRIBUTES
from causalrec_lib.data.world._truth_studies import StudyTruth

Array = NDArray[Any]


class RoleTruth(StudyTruth):
    """Exact answers about stars and about text in its roles."""

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
            `stars` (1 to 5), `writes` (0/1), `propensity` (of writing, given the stars), on the index of `log`.

        Raises
        ------
        ValueError
            If the log is empty, lacks a column, or holds a pair that is not of this world.

        Notes
        -----
        Chapter: concepts/02_behaviour_data
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
        self._core.matrix_fits("a matrix of all pairs is asked for, where truth.pairs(log) answers for some")
        return np.concatenate([of(x) for x in self._core.blocks()])

    # Ratings ----------------------------------------------------------------------------------------------

    @property
    def stars(self) -> Array:
        """Return the stars of every pair, written down or not, 1 to 5, shape (n_users, n_items).

        Raises
        ------
        ValueError
            If the world has more than 20 million pairs.

        Notes
        -----
        Chapter: recommenders
        """
        return self._matrix(lambda x: ratings.stars(x).astype(np.int8))

    @property
    def rating_propensity(self) -> Array:
        """Return P(rated | the pair's stars and causes), shape (n_users, n_items).

        Raises
        ------
        InterferenceRefused
            In a world with interference.
        ValueError
            If the world has more than 20 million pairs.

        Notes
        -----
        It is {1 - (1 - p) ** W} o_r: consumed in one of W = `history` weeks, each with p = (1 - e) p0 + e p1, and
        bothered to write down r stars.
        Chapter: recommenders

        References
        ----------
        bib: schnabel2016recommendations
        """
        self._core.without_interference("rating_propensity")
        return self._matrix(lambda x: ratings.rating_propensity(x, ratings.stars(x)).astype(np.float32))

    def mean_stars(self) -> float:
        """Return the mean stars over all pairs, what a log of volunteers overstates.

        Returns
        -------
        float
            From 1 to 5.

        Notes
        -----
        Chapter: recommenders
        """
        return self._mean(ratings.stars)

    def rated_share(self) -> pd.Series:
        """Return P(rated | stars) over all pairs.

        Returns
        -------
        Series of float
            Index `stars`, 1 to 5; 0 where no pair has these stars.

        Raises
        ------
        InterferenceRefused
            In a world with interference.

        Notes
        -----
        Chapter: recommenders
        """
        self._core.without_interference("rated_share")
        seen, all_ = np.zeros((2, 5))
        for x in self._core.blocks():
            r = ratings.stars(x)
            seen += np.bincount(r.ravel() - 1, ratings.rating_propensity(x, r).ravel(), 5)
            all_ += np.bincount(r.ravel() - 1, minlength=5)
        return pd.Series(seen / np.maximum(all_, 1), index=pd.RangeIndex(1, 6, name="stars"), name="rated")

    # Text -------------------------------------------------------------------------------------------------

    def attribute_effect(self, name: str) -> float:
        """Return the effect on P(click) of one attribute of the blurb, the other one a fair coin, over all pairs.

        Parameters
        ----------
        name : {"promise", "number"}
            The attribute.

        Returns
        -------
        float
            Difference of probabilities, present less absent.

        Notes
        -----
        Chapter: language
        """
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
        dict of str to float
            "total"; "direct" (natural: the promise is made, the expectation stays that of no promise); "indirect"
            (natural, the rest: the promise is made, the expectation moves); "pure indirect" (no promise, the
            expectation moves); "controlled direct" (the expectation is held). They differ if `s_both` is not 0.

        Notes
        -----
        total = direct + indirect. In the unit of the outcome.
        Chapter: language

        References
        ----------
        bib: pearl2009causality
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
        """Return the effect of the promise on the mood of a reaction, over all pairs.

        Returns
        -------
        dict of str to float
            "positive" and "negative": differences of P(4 or 5 stars) and P(1 or 2 stars), promise less none;
            "sentiment": difference of the mean of -1, 0, 1.

        Notes
        -----
        Chapter: language
        """
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
