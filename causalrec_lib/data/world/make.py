"""Draw a world: the switches of the course in one call."""

from __future__ import annotations

import pandas as pd

from causalrec_lib import _validate
from causalrec_lib.data.world import _core as core_
from causalrec_lib.data.world import _listings as listings
from causalrec_lib.data.world.parameters import Parameters
from causalrec_lib.data.world.world import World

MAX_USERS, MAX_ITEMS = 20_000, 5_000


def make_world(
    n_users: int = 2000,
    n_items: int = 1000,
    seed: int = 0,
    *,
    confounding: str = "observed",
    overlap: str = "good",
    interference: float = 0.0,
    text: str = "reviews",
    drift: float = 0.05,
    parameters: Parameters | None = None,
    reviews: pd.DataFrame | None = None,
) -> World:
    """Draw a world.

    Parameters
    ----------
    n_users : int
        Number of users, 10 to 20,000.
    n_items : int
        Number of items, 10 to 5,000.
    seed : int
        Decides everything, 0 or more.
    confounding : {"none", "observed", "text", "hidden"}
        What drives exposure: a coin; observed columns only; the tone of the reviews as well, which is in the words
        and in no column; or hidden quality and taste as well.
    overlap : {"good", "poor", "none"}
        How far propensities come from 0 and 1; with "none" the score alone decides for some pairs.
    interference : float
        Chance that a friend who was shown an item talks the user into it, 0 to 1.
    text : {"reviews", "templates"}
        Real customer reviews (the data set `womens_reviews`), or generated phrases that need no data set.
    drift : float
        Radians a week by which hidden taste turns in `world.weeks`, 0 or more; hidden quality stays.
    parameters : Parameters, optional
        Coefficients of the equations; `Parameters.few_clicks()` has click rates of a few per cent.
    reviews : DataFrame, optional
        Reviews to use instead of loading them; columns as in `womens_reviews`.

    Returns
    -------
    World
        The world; pairs are computed where they are asked for, so 20,000 x 5,000 fits in memory.

    Raises
    ------
    ValueError
        If a size or a switch is out of range, or the reviews lack a column, have stars other than 1 to 5, come with
        text="templates", fill too few listings, or hardly differ in their words.

    Notes
    -----
    Chapter: concepts/01_why_causal
    """
    _validate.integer(n_users, "n_users", 10, MAX_USERS)
    _validate.integer(n_items, "n_items", 10, MAX_ITEMS)
    _validate.integer(seed, "seed")
    switches = {
        "confounding": _validate.one_of(confounding, "confounding", ("none", "observed", "text", "hidden")),
        "overlap": _validate.one_of(overlap, "overlap", ("good", "poor", "none")),
        "interference": _validate.number(interference, "interference", 0, 1),
        "drift": _validate.number(drift, "drift", 0),
    }
    _validate.one_of(text, "text", ("reviews", "templates"))
    p = (
        Parameters()
        if parameters is None
        else _validate.instance(parameters, "parameters", Parameters, "make them, for example Parameters(kappa=2.0)")
    )
    if reviews is not None and text == "templates":
        raise ValueError('reviews are given, but text is "templates", which writes its own; use text="reviews".')
    tidy = None
    if text == "reviews":
        if reviews is None:
            from causalrec_lib import data

            reviews = data.load("womens_reviews")
        tidy = listings.tidy_reviews(reviews)
    return World(core_.build(p, seed, n_users, n_items, tidy, **switches))
