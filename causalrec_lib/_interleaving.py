"""Interleaving: two rankings in one list, and who gets the clicks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalrec_lib import _validate
from causalrec_lib._mestimation import cluster_codes, n_groups, standard_error
from causalrec_lib.estimate import ESTIMANDS, Estimate, Rules, judge

ESTIMANDS["credit"] = "clicks a session on the items of one team less those of the other"
Ints = NDArray[np.int64]


def _rankings(x: ArrayLike, name: str, shape: tuple[int, ...] | None = None) -> Ints:
    """Return rankings of whole numbers, one row a session, no item twice in a row."""
    table = _validate.matrix(x, name)
    if (table != np.round(table)).any():
        raise ValueError(f"{name} must hold whole numbers, the ids of items; encode them first.")
    if shape is not None and table.shape != shape:
        raise ValueError(f"{name} must have shape {shape} as a does, but has {table.shape}; rank equally many items.")
    ordered = np.sort(table, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
    if twice.any():
        raise ValueError(f"{name} ranks an item twice in {_validate.rows(twice)}; keep its first place.")
    return table.astype(np.int64)


def team_draft(a: ArrayLike, b: ArrayLike, *, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Interleave two rankings for each session: captains take turns, a coin says who picks first in each round.

    Parameters
    ----------
    a, b : array_like of shape (n, k)
        Item ids of both rankings, best first, no item twice in a row.
    rng : numpy.random.Generator
        Source of the coins.

    Returns
    -------
    lists : ndarray of shape (n, k)
        The items to show, best first.
    teams : ndarray of shape (n, k)
        Who picked each: 0 for `a`, 1 for `b`.

    Raises
    ------
    ValueError
        If a ranking holds no whole numbers, an item twice in a row, or both have other shapes.

    Notes
    -----
    With k odd the last round is cut after its first pick. Chapter: recommenders/04_ab_tests

    References
    ----------
    bib: radlinski2008how
    """
    first = _rankings(a, "a")
    second = _rankings(b, "b", first.shape)
    _validate.generator(rng, "rng")
    n, k = first.shape
    lists, teams = np.empty((n, k), dtype=np.int64), np.empty((n, k), dtype=np.int64)
    free = np.ones((2, n, k), dtype=bool)  # of each ranking: what is not on the page yet
    rows = np.arange(n)
    for place in range(k):
        if place % 2 == 0:
            turn = rng.integers(0, 2, n)
        best = [ranking[rows, still.argmax(axis=1)] for ranking, still in zip((first, second), free, strict=True)]
        lists[:, place] = np.where(turn == 1, best[1], best[0])
        teams[:, place] = turn
        free &= np.stack([first, second]) != lists[:, [place]]
        turn = 1 - turn
    return lists, teams


def interleaving_credit(
    clicked: ArrayLike, teams: ArrayLike, *, clusters: ArrayLike | None = None, level: float = 0.95
) -> Estimate:
    """Return how many more clicks a session the items of team 1 get than those of team 0.

    Parameters
    ----------
    clicked : array_like of shape (n, k)
        Clicks on the list shown, 0 or 1.
    teams : array_like of shape (n, k)
        Who picked each item, 0 or 1, as `team_draft` returned it.
    clusters : array_like of shape (n,), optional
        Labels of sessions that share noise, for example users.
    level : float
        Coverage that the interval claims.

    Returns
    -------
    Estimate
        Mean credit a session, team 1 minus team 0, flagged with fewer than 30 clusters. Its sign says which ranking
        draws more clicks when both share a page. It is not the effect of switching rankings, in clicks or otherwise.

    Raises
    ------
    ValueError
        If clicks or teams are not 0 or 1, or of other shapes.

    Notes
    -----
    Chapter: recommenders/04_ab_tests

    References
    ----------
    bib: radlinski2008how, chapelle2012large
    """
    click = _validate.matrix(clicked, "clicked")
    team = _validate.matrix(teams, "teams", len(click), "clicked")
    if team.shape != click.shape:
        raise ValueError(f"teams must have shape {click.shape} as clicked does, but has {team.shape}.")
    for name, table in (("clicked", click), ("teams", team)):
        bad = ((table != 0) & (table != 1)).any(axis=1)
        if bad.any():
            raise ValueError(f"{name} must be 0 or 1, but is not in {_validate.rows(bad)}; recode it.")
    credit = (click * (2 * team - 1)).sum(axis=1)
    codes = cluster_codes(clusters, len(credit))
    value = float(credit.mean())
    estimate = Estimate(
        value=value,
        se=standard_error(credit - value, codes),
        estimand="credit",
        method="team-draft interleaving",
        n=len(credit),
        level=_validate.number(level, "level", above=0, below=1),
        assumptions=("a click is for the item, not for its neighbours",),
        unit="clicks a session",
        n_clusters=n_groups(codes),
        influence=credit - value,
        clusters=codes,
    )
    return judge(estimate, {}, Rules(), "flag")
