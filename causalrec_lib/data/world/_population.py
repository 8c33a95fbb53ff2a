"""Items and users of the world: what the platform sees of them, and what it does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit, ndtri
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from causalrec_lib.data.world import _listings as listings
from causalrec_lib.data.world._streams import stream
from causalrec_lib.data.world.parameters import Parameters

Array = NDArray[Any]

SEGMENTS = ("bargain", "classic", "comfort", "trend")
MAX_TERMS = 2000
FACTOR_DECIMALS = 6
COMMUNITY_SIZE = 25
FRIENDS_INSIDE, FRIENDS_OUTSIDE = 8, 1


def standardise(x: Array) -> Array:
    """Return x minus its mean, over its standard deviation."""
    x = np.asarray(x, dtype=np.float64)
    return (x - x.mean(axis=0)) / x.std(axis=0)


def vocabulary(counts: sparse.csr_matrix, terms: Array) -> Array:
    """Return the columns of the most frequent terms in alphabetical order; ties go to the first in the alphabet.

    The order is explicit because `max_features` of scikit-learn cuts ties as the processor's sort happens to.
    """
    total = np.asarray(counts.sum(axis=0)).ravel()
    return np.sort(np.lexsort((terms, -total))[:MAX_TERMS])


def text_factors(texts: pd.Series, d: int) -> Array:
    """Return phi, shape (n_items, d): truncated SVD of TF-IDF, first component (length) left out, standardised.

    Rounded, so that the last bits of a matrix product (they differ between processors) never reach a draw.
    """
    words = CountVectorizer(min_df=2, stop_words="english", dtype=np.int64)
    counts = words.fit_transform(texts)
    x = TfidfTransformer(sublinear_tf=True).fit_transform(
        counts[:, vocabulary(counts, words.get_feature_names_out())].astype(np.float64)
    )
    k = min(d + 1, min(x.shape) - 1)
    z = TruncatedSVD(n_components=k, n_iter=4, random_state=0).fit_transform(x)[:, 1:]
    return np.round(standardise(z), FACTOR_DECIMALS)


def make_items(
    p: Parameters, n_items: int, seed: int, reviews: pd.DataFrame | None
) -> tuple[pd.DataFrame, pd.DataFrame, Array]:
    """Return the items (hidden columns included), the reviews dealt to them, and phi.

    Parameters
    ----------
    p : Parameters
        Coefficients.
    n_items : int
        Number of items.
    seed : int
        Seed of the world.
    reviews : DataFrame or None
        Tidy reviews; None generates phrases.

    Returns
    -------
    items : DataFrame
        One row an item; `quality` (hidden) is standardised.
    dealt : DataFrame
        The reviews with their item.
    phi : array of shape (n_items, d)
        Text factors.

    Notes
    -----
    Chapter: reference/world
    """
    rng = stream(seed, "items")
    if reviews is None:
        reviews = listings.template_reviews(n_items, stream(seed, "templates"))
    dealt = listings.deal(reviews, n_items, stream(seed, "deal"))
    by = dealt.groupby("item")
    quality = standardise(listings.shrunk_quality(dealt).to_numpy())
    eps = rng.standard_normal((3, n_items))
    ad = eps[0]
    push = np.sqrt(1 - p.pop_q**2 - p.pop_m**2)
    place = np.argsort(np.argsort(p.pop_q * quality + p.pop_m * ad + push * eps[1], kind="stable"), kind="stable")
    log_pop = 5.0 + p.sd_popularity * ndtri((place + 0.5) / n_items)
    department = by["department"].first()
    level = pd.factorize(department, sort=True)[0] * 0.08
    items = pd.DataFrame(
        {
            "item": np.arange(n_items),
            "department": pd.Categorical(department),
            "category": by["category"].first().to_numpy(),
            "price": np.round(np.exp(3.6 + level + 0.15 * quality + 0.3 * eps[2]), 2),
            "ad_spend": np.round(np.exp(4 + ad), 1),
            "sponsored": (rng.uniform(size=n_items) < p.sponsored).astype(int),
            "popularity": np.maximum(np.rint(np.exp(log_pop)), 1).astype(int),
            "n_reviews": by.size().to_numpy(),
            "text": by["text"].first().to_numpy(),
            "quality": quality,
            "mean_stars": by["stars"].mean().to_numpy(),
        }
    )
    items.insert(7, "log_popularity", np.log(items["popularity"]))
    return items, dealt, text_factors(by["text"].agg(" ".join), p.d)


def make_users(
    p: Parameters, n_users: int, seed: int, ages: Array | None, d: int
) -> tuple[pd.DataFrame, Array, Array]:
    """Return the users (hidden columns included), their observed taste and their hidden taste.

    Parameters
    ----------
    p : Parameters
        Coefficients.
    n_users : int
        Number of users.
    seed : int
        Seed of the world.
    ages : array or None
        Ages to draw from; None draws from a gamma distribution.
    d : int
        Number of taste dimensions.

    Returns
    -------
    users : DataFrame
        One row a user; `annoyed` is hidden.
    seen, unseen : array of shape (n_users, d)
        Observed and hidden taste, each of mean square 1 over a row.

    Notes
    -----
    Chapter: reference/world
    """
    rng = stream(seed, "users")
    age = rng.choice(ages, n_users) if ages is not None else np.clip(np.rint(18 + rng.gamma(4, 6, n_users)), 18, 90)
    z = (age - 43) / 12.5
    pull = np.stack([0.2 - 0.2 * z, 0.7 * z, 0.3 + 0.3 * z, -0.8 * z], axis=1)
    segment = np.argmax(pull + rng.gumbel(size=(n_users, 4)), axis=1)
    activity = np.maximum(np.rint(np.exp(1.6 + 0.7 * rng.standard_normal(n_users))), 1).astype(int)
    prototype = 0.8 * rng.standard_normal((len(SEGMENTS), d))
    seen = (prototype[segment] + rng.standard_normal((n_users, d))) / np.sqrt(1.64 * d)
    unseen = rng.standard_normal((n_users, d))
    order = np.argsort(unseen[:, 0] + 0.7 * rng.standard_normal(n_users), kind="stable")
    community = np.empty(n_users, dtype=int)
    community[order] = np.arange(n_users) // COMMUNITY_SIZE
    annoyed = rng.uniform(size=n_users) < expit(-3.2 + 2.4 * (age >= 55) + 1.0 * (segment == 1))
    users = pd.DataFrame(
        {
            "user": np.arange(n_users),
            "age": np.asarray(age).astype(int),
            "segment": pd.Categorical.from_codes(segment, pd.Index(SEGMENTS)),
            "activity": activity,
            "log_activity": np.log(activity),
            "community": community,
            "annoyed": annoyed.astype(int),
        }
    )
    return users, seen, unseen / np.sqrt(d)


def make_friends(users: pd.DataFrame, seed: int) -> sparse.csr_matrix:
    """Return the friendship graph, symmetric 0/1: many friends inside a community, a few outside."""
    rng = stream(seed, "friends")
    n = len(users)
    order = np.argsort(users["community"].to_numpy(), kind="stable")
    place = np.arange(n)
    start = place - place % COMMUNITY_SIZE
    width = np.minimum(COMMUNITY_SIZE, n - start)
    half = FRIENDS_INSIDE // 2
    inside = start[:, None] + np.floor(rng.uniform(size=(n, half)) * width[:, None]).astype(int)
    outside = rng.integers(0, n, (n, FRIENDS_OUTSIDE))
    a = order[np.repeat(place, half + FRIENDS_OUTSIDE)]
    b = order[np.concatenate([inside, outside], axis=1).ravel()]
    keep = a != b
    g = sparse.coo_matrix((np.ones(keep.sum(), np.float32), (a[keep], b[keep])), shape=(n, n))
    g = (g + g.T).tocsr()
    g.data[:] = 1.0
    return g


def scaled_factors(left: Array, right: Array) -> tuple[Array, Array]:
    """Rescale low-rank factors so that left @ right.T has mean 0 and variance 1 over all pairs, in closed form."""
    mean = left.mean(axis=0) @ right.mean(axis=0)
    square = np.sum((left.T @ left / len(left)) * (right.T @ right / len(right)))
    sd = np.sqrt(square - mean**2)
    ones = np.ones((len(left), 1))
    return (
        np.hstack([left, ones]) / sd,
        np.hstack([right, np.full((len(right), 1), -mean)]),
    )
