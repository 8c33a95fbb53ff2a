"""Truth about experiments, time and structure; `PolicyTruth` and `Truth` add the rest."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pandas as pd

from causalrec_lib import _validate
from causalrec_lib.data.world import _dynamics as dynamics
from causalrec_lib.data.world import _events as events
from causalrec_lib.data.world import _experiment as experiment
from causalrec_lib.data.world import _graph as graph
from causalrec_lib.data.world._core import Core
from causalrec_lib.data.world.policies import make_policy


class StudyTruth:
    """Exact answers about trials, weeks and the graph.

    Parameters
    ----------
    core : Core
        The world.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    def compliance_types(self, compliance: float = 1.0, sides: str = "two") -> pd.Series:
        """Return each user's type in a trial.

        Parameters
        ----------
        compliance : float
            As in `world.ab_test`, 0 to 1.
        sides : {"two", "one"}
            As in `world.ab_test`.

        Returns
        -------
        Series of str, shape (n_users,)
            "complier", "never-taker" (always sees a) or "always-taker" (always sees b); index `user`.

        Raises
        ------
        InterferenceRefused
            If `compliance` is below 1 in a world with interference.

        Notes
        -----
        Chapter: recommenders
        """
        kind = experiment.compliance_types(self._core, compliance, sides)
        return pd.Series(kind, index=pd.RangeIndex(len(kind), name="user"), name="type")

    def ab_effect(
        self,
        policy_a: Any,
        policy_b: Any,
        outcome: str = "consumed",
        compliance: float = 1.0,
        sides: str = "two",
        trend: float = 0.0,
        arrivals: str = "uniform",
        estimand: str = "late",
    ) -> float:
        """Return the effect of giving everybody b instead of a, a session; under interference the global one.

        Parameters
        ----------
        policy_a, policy_b : str, array, callable or Policy
            The arms, as in `world.policy`.
        outcome : {"consumed", "clicked"}
            The column of the trial.
        compliance : float
            As in `world.ab_test`, 0 to 1; with "late" it must leave a complier.
        sides : {"two", "one"}
            As in `world.ab_test`.
        trend : float
            As in `world.ab_test`, 0 to 1.
        arrivals : {"uniform", "activity"}
            As in `world.ab_test`.
        estimand : {"late", "itt", "ate"}
            "late": the mean over sessions of compliers, what the trial's instrument can find. "itt": the effect of
            being assigned, over all sessions. "ate": of receiving, over all sessions. All one with full compliance.

        Returns
        -------
        float
            Difference b - a, consumptions or clicks a session.

        Raises
        ------
        InterferenceRefused
            If `compliance` is below 1 in a world with interference.
        ValueError
            If an arm is no policy, or "late" is asked where nobody complies.

        Notes
        -----
        Chapter: recommenders
        """
        _validate.one_of(estimand, "estimand", ("late", "itt", "ate"))
        scale = 1 - _validate.number(trend, "trend", 0, 1) / 2
        often = experiment.arrival_weights(self._core, arrivals)
        complier = experiment.compliance_types(self._core, compliance, sides) == "complier"
        if estimand == "late" and not complier.any():
            raise ValueError(
                f"compliance is {compliance:g} and nobody complies, so there is no late; ask for the itt."
            )
        a = make_policy(self._core, policy_a, what="policy_a")
        b = make_policy(self._core, policy_b, what="policy_b")
        effect = experiment.ab_effect(self._core, a, b, outcome)
        if estimand == "late":
            return scale * float(np.average(effect, weights=often * complier))
        return scale * float(np.average(effect * (complier if estimand == "itt" else 1), weights=often))

    def weekly_ate(self, n_weeks: int = 12) -> pd.Series:
        """Return the average effect of exposure in each week of `world.weeks`, over pairs whose item is out.

        Parameters
        ----------
        n_weeks : int
            As in `world.weeks`, 1 or more; launches depend on it.

        Returns
        -------
        Series of float, shape (n_weeks,)
            Differences of probability; index `week`.

        Raises
        ------
        InterferenceRefused
            In a world with interference.

        Notes
        -----
        Chapter: frontier
        """
        return dynamics.weekly_ate(self._core, n_weeks)

    def event_labels(self, n_sessions: int = 5_000, days: int = 28, seed: int | None = None) -> pd.DataFrame:
        """Return what is wrong with which row of `world.events` with the same arguments.

        Parameters
        ----------
        n_sessions : int
            As in `world.events`.
        days : int
            As in `world.events`.
        seed : int, optional
            As in `world.events`.

        Returns
        -------
        DataFrame
            `is_bot`, `is_duplicate`, `is_outlier`, on the rows of the stream.

        Notes
        -----
        Chapter: concepts/02_behaviour_data
        """
        return events.event_stream(self._core, n_sessions, days, seed)[1]

    # Structure --------------------------------------------------------------------------------------------

    def dag(self, question: str = "exposure") -> nx.DiGraph:
        """Return the causal graph of a question under the world's switches.

        Parameters
        ----------
        question : str
            As in `world.dag`.

        Returns
        -------
        networkx.DiGraph
            As in `world.dag`.

        Notes
        -----
        Chapter: reference/world
        """
        return graph.dag(self._core.confounding, self._core.interference, question)

    def adjustment_set(self, question: str = "exposure") -> tuple[str, ...] | str | None:
        """Return the columns to adjust for.

        Parameters
        ----------
        question : str
            As in `world.dag`.

        Returns
        -------
        tuple of str, str or None
            Columns of the log; an empty tuple where a plain difference is right, None where no observed columns
            suffice, and the text "weight by the logged propensity" where the log holds the weights instead.

        Notes
        -----
        Under confounding="text" the tuple for exposure holds "text": all words of the item's reviews.
        Chapter: reference/world

        References
        ----------
        bib: pearl1995causal
        """
        return graph.adjustment_set(question, self._core.confounding)

    def hidden(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return users and items with the columns that no log shows.

        Returns
        -------
        users : DataFrame
            `world.users` and `annoyed` (0/1).
        items : DataFrame
            `world.items` and `quality` (standardised), `mean_stars` (1 to 5), `tone` (standardised).

        Notes
        -----
        Chapter: reference/world
        """
        return self._core.users.copy(), self._core.items.copy()
