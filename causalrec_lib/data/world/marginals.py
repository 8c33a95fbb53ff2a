"""What a log looks like from outside: the same quantities for the world and for real sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from causalrec_lib import _validate

if TYPE_CHECKING:
    from causalrec_lib.data.world.world import World

STARS = (1, 2, 3, 4, 5)


def top_share(counts: ArrayLike, share: float = 0.01) -> float:
    """Return the share of events that falls on the top `share` of items.

    Parameters
    ----------
    counts : array-like, shape (n_items,)
        Events of each item, 0 or more.
    share : float
        Share of items, above 0 and at most 1; at least one item counts.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If a count is negative or missing, all are zero, or the share is out of range.

    Notes
    -----
    Chapter: reference/world
    """
    c = np.sort(_validate.nonnegative(counts, "counts"))[::-1]
    _validate.number(share, "share", above=0, high=1)
    if c.sum() == 0:
        raise ValueError("counts are zero in every row; there is no event to share out.")
    return float(c[: max(1, round(share * len(c)))].sum() / c.sum())


def _stars(x: ArrayLike, name: str) -> NDArray[np.int64]:
    return _validate.positions(x, name, 6, low=1)


def of_stars(stars: ArrayLike) -> dict[str, float]:
    """Return the mean and the distribution of stars.

    Parameters
    ----------
    stars : array-like of int, shape (n,)
        Stars from 1 to 5.

    Returns
    -------
    dict of str to float
        "mean stars" and the five shares.

    Raises
    ------
    ValueError
        If some stars are not whole numbers from 1 to 5.

    Notes
    -----
    Chapter: reference/world
    """
    r = _stars(stars, "stars")
    return {"mean stars": float(r.mean()), **{f"share of {k} stars": float((r == k).mean()) for k in STARS}}


def of_ratings(
    ratings: pd.DataFrame, user: str = "user", item: str = "item", stars: str = "stars"
) -> dict[str, float]:
    """Return the marginals of a set of ratings.

    Parameters
    ----------
    ratings : DataFrame
        One row a rating.
    user, item, stars : str
        Column names.

    Returns
    -------
    dict of str to float
        Density, concentration on the top items, stars, and the correlation of popularity and mean stars.

    Raises
    ------
    ValueError
        If a column is missing, a user or an item has no label, or some stars are not whole numbers from 1 to 5.

    Notes
    -----
    Chapter: reference/world
    """
    _validate.frame(ratings, "ratings")
    for name, column in {"user": user, "item": item, "stars": stars}.items():
        _validate.column(column, name, ratings, "ratings")
    for column in (user, item):
        _validate.labels(ratings[column], f"{column} of ratings", len(ratings))
    _stars(ratings[stars], "stars of ratings")
    by = ratings.groupby(item, observed=True)[stars].agg(["size", "mean"])
    cells = ratings[user].nunique() * len(by)
    return {
        "density of ratings": len(ratings) / cells,
        "top 1 % of items, share of ratings": top_share(by["size"]),
        "correlation of log popularity and mean stars": float(np.corrcoef(np.log(by["size"]), by["mean"])[0, 1]),
        **of_stars(ratings[stars]),
    }


def _of_a_world(world: World) -> World:
    from causalrec_lib.data.world.world import World as Kind

    return _validate.instance(world, "world", Kind, "make one with make_world()")


def of_world(world: World) -> pd.DataFrame:
    """Return the world's marginals.

    Parameters
    ----------
    world : World
        The world.

    Returns
    -------
    DataFrame
        Index `quantity`, column `world`.

    Raises
    ------
    ValueError
        If `world` is no World, or has interference.

    Notes
    -----
    Chapter: reference/world
    """
    t = _of_a_world(world).truth
    rated = t.rated_share()
    rows = {
        "top 1 % of items, share of past events": top_share(world.items["popularity"]),
        "top 1 % of items, share of raw events": top_share(world.events()["item_id"].value_counts()),
        **of_ratings(world.ratings_log()),
        "mean stars of all pairs": t.mean_stars(),
        **{f"rated, given {k} stars": float(rated[k]) for k in STARS},
        "exposed, share of pairs": t.mean_propensity(),
        "consumed, share of exposed pairs": t.consumption()["exposed"],
        "consumed, share of other pairs": t.consumption()["not exposed"],
        "clicks per shown slot": float(world.slate_log(5_000)["clicked"].mean()),
    }
    return pd.DataFrame({"world": pd.Series(rows)}).rename_axis("quantity")
