"""Item texts: real reviews dealt into listings, or generated phrases where no data set is at hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from causalrec_lib import _validate

_COLUMNS = {"clothing_id": "product", "review_text": "text", "rating": "stars", "class_name": "category",
            "department_name": "department", "clothing": "product", "class": "category"}  # fmt: skip
_NEEDED = ("product", "text", "stars", "department", "category")
MAX_PER_LISTING = 8
RARE_DEPARTMENT = 0.01
SHRINK = 4.0

_DEPARTMENTS = {
    "Tops": ("blouse", "knit", "sweater"),
    "Dresses": ("dress",),
    "Bottoms": ("skirt", "jeans", "trousers"),
    "Intimate": ("robe", "swimsuit"),
    "Jackets": ("coat", "jacket"),
}
_FABRICS = ("cotton", "linen", "wool", "silk", "denim", "jersey", "velvet", "corduroy")
_COLOURS = ("blue", "green", "black", "red", "cream", "grey", "mustard", "plum")
_PRAISE = (
    "I wear it every week and still love it",
    "it fits beautifully and feels soft",
    "the seams are perfect and the colour holds",
    "worth every cent, a favourite at once",
)
_SHRUG = (
    "it is fine for the price",
    "the cut is ordinary but it does its job",
    "nice enough, a little short for me",
    "not special, not bad either",
)
_BLAME = (
    "the seam tore after one wash",
    "it looked cheap and I sent it back",
    "the fabric itches and the colour faded",
    "poor fit, very disappointed",
)


def tidy_reviews(reviews: pd.DataFrame) -> pd.DataFrame:
    """Return reviews as product, text, stars, department, category; without empty texts and rare departments."""
    _validate.frame(reviews, "reviews")
    names = {c: str(c).lower().replace(" ", "_") for c in reviews.columns}
    df = reviews.rename(columns={c: _COLUMNS.get(n, n) for c, n in names.items()})
    _validate.frame(df, "reviews", _NEEDED)
    df = df[[*_NEEDED, *(["age"] if "age" in df.columns else [])]]
    _validate.positions(df["stars"], "stars of reviews", 6, low=1)
    _validate.labels(df["product"], "product of reviews", len(df))
    if "age" in df.columns:
        _validate.nonnegative(df["age"], "age of reviews")
    df = df.dropna(subset=["text", "department", "category"])
    _validate.texts(df["text"].to_numpy(), "text of reviews")
    df = df.astype({c: object for c in ("text", "department", "category")})
    share = df["department"].map(df["department"].value_counts(normalize=True)).astype(float)
    return df[share >= RARE_DEPARTMENT].drop_duplicates("text").reset_index(drop=True)


def template_reviews(n_items: int, rng: np.random.Generator) -> pd.DataFrame:
    """Write generated reviews for `n_items` items, 8 to 12 each: phrases of our own, no real customer."""
    n = rng.integers(MAX_PER_LISTING, MAX_PER_LISTING + 5, n_items)
    item = np.repeat(np.arange(n_items), n)
    department = np.array(list(_DEPARTMENTS))[rng.choice(5, n_items, p=[0.42, 0.27, 0.17, 0.07, 0.07])]
    garment = [_DEPARTMENTS[d][rng.integers(len(_DEPARTMENTS[d]))] for d in department]
    fabric = rng.choice(_FABRICS, n_items)
    colour = rng.choice(_COLOURS, n_items)
    level = 4.2 + 0.45 * rng.standard_normal(n_items)
    stars = np.clip(np.rint(level[item] + 1.0 * rng.standard_normal(len(item))), 1, 5).astype(int)
    phrase = np.array([_BLAME, _BLAME, _SHRUG, _PRAISE, _PRAISE])[stars - 1, rng.integers(0, 4, len(item))]
    text = [f"This {colour[i]} {fabric[i]} {garment[i]}: {p}." for i, p in zip(item, phrase, strict=True)]
    return pd.DataFrame(
        {"product": item, "text": text, "stars": stars, "department": department[item],
         "category": np.array(garment)[item].astype(object), "age": rng.integers(18, 80, len(item))}
    )  # fmt: skip


def deal(reviews: pd.DataFrame, n_items: int, rng: np.random.Generator) -> pd.DataFrame:
    """Deal reviews into `n_items` listings; a product with many reviews is listed more than once.

    Every listing holds reviews of one product, at least half of `MAX_PER_LISTING` where the set is large enough.

    Parameters
    ----------
    reviews : DataFrame
        Tidy reviews, one row each.
    n_items : int
        Number of listings.
    rng : Generator
        Stream of the draw.

    Returns
    -------
    DataFrame
        The reviews that were dealt, with a column `item` (0..n_items-1), sorted by item.

    Raises
    ------
    ValueError
        If the reviews cannot fill that many listings.

    Notes
    -----
    Chapter: reference/world
    """
    df = reviews.iloc[rng.permutation(len(reviews))]
    rank = df.groupby("product").cumcount().to_numpy()
    size = df.groupby("product")["text"].transform("size").to_numpy()
    for per in range(MAX_PER_LISTING, 0, -1):
        last = np.maximum(size // per - 1, 0)
        df = df.assign(listing=np.minimum(rank // per, last))
        keys = df.loc[size >= max(per // 2, 1), ["product", "listing"]].drop_duplicates()
        if len(keys) >= n_items:
            break
    else:
        raise ValueError(
            f"n_items is {n_items}, but the reviews fill only {len(keys)} listings; ask for fewer items."
        )
    keys = keys.sort_values(["product", "listing"]).iloc[rng.permutation(len(keys))[:n_items]]
    keys = keys.assign(item=np.arange(n_items))
    return df.merge(keys, on=["product", "listing"]).sort_values("item", kind="stable").reset_index(drop=True)


def shrunk_quality(dealt: pd.DataFrame) -> pd.Series:
    """Return each listing's mean stars, shrunk towards the mean of all by `SHRINK` pseudo-reviews."""
    by = dealt.groupby("item")["stars"]
    return (by.sum() + SHRINK * dealt["stars"].mean()) / (by.size() + SHRINK)
