"""Items and users of the world: what the platform sees of them, and what it does not."""

from __future__ import annotations

from functools import lru_cache
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
POPULARITY_MEAN = 5.0
PRICE_MEAN, PRICE_DEPARTMENT, PRICE_QUALITY, PRICE_SD = 3.6, 0.08, 0.15, 0.3
AGE_MEAN, AGE_SD = 43.0, 12.5
SEGMENT_LEVEL = (0.2, 0.0, 0.3, 0.0)
SEGMENT_AGE = (-0.2, 0.7, 0.3, -0.8)
ACTIVITY_MEAN, ACTIVITY_SD = 1.6, 0.7
PROTOTYPE_SD = 0.8
LIKES_SD = 0.6
COMMUNITY_NOISE = 0.7
ANNOYED, ANNOYED_OLD, ANNOYED_CLASSIC, OLD = -3.2, 2.4, 1.0, 55
PRAISE = (
    "love", "loved", "perfect", "beautiful", "beautifully", "great", "comfortable",
    "soft", "favourite", "favorite", "gorgeous", "flattering",
)  # fmt: skip
BLAME = (
    "disappointed", "returned", "return", "cheap", "poor", "poorly", "huge", "unflattering",
    "itchy", "itches", "thin", "tore", "faded", "weird", "bad",
)  # fmt: skip
MAX_TERMS = 2000
FACTOR_DECIMALS = 6
_LEAST_SPREAD = 1e-9
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

    Rounded, so that the last bits of a matrix product (they differ between processors) never reach a draw. Worlds
    that differ in their parameters alone share their texts, so the last few answers are kept.
    """
    return _text_factors(tuple(texts), d).copy()


@lru_cache(maxsize=8)
def _text_factors(texts: tuple[str, ...], d: int) -> Array:
    words = CountVectorizer(min_df=2, stop_words="english", dtype=np.int64)
    try:
        counts = words.fit_transform(texts)
    except ValueError as err:
        raise ValueError(f"reviews have no words that two items share ({err}); pass texts in English.") from err
    x = TfidfTransformer(sublinear_tf=True).fit_transform(
        counts[:, vocabulary(counts, words.get_feature_names_out())].astype(np.float64)
    )
    k = min(d + 1, min(x.shape) - 1)
    with np.errstate(invalid="ignore", divide="ignore"):  # shares of a variance of zero, which the next line refuses
        z = TruncatedSVD(n_components=k, n_iter=4, random_state=0).fit_transform(x)[:, 1:]
    told = int((z.std(axis=0) > _LEAST_SPREAD).sum())
    if told < z.shape[1] or not told:
        raise ValueError(
            f"reviews tell items apart in {told} ways only, but taste has d = {d}; pass texts that differ more, or "
            f"Parameters(d={max(told, 1)})."
        )
    return np.round(standardise(z), FACTOR_DECIMALS)


def tone(texts: pd.Series) -> Array:
    """Return X, the tone of each item's reviews: standardised log ratio of words of praise and of blame."""
    return _tone(tuple(texts)).copy()


@lru_cache(maxsize=8)
def _tone(texts: tuple[str, ...]) -> Array:
    counts = [
        np.asarray(CountVectorizer(vocabulary=words).transform(texts).sum(axis=1)).ravel()
        for words in (PRAISE, BLAME)
    ]
    x = np.log((1.0 + counts[0]) / (1.0 + counts[1]))
    return np.round(standardise(x) if x.std() > 0 else np.zeros(len(x)), FACTOR_DECIMALS)


def annoyed_probability(age: Array, segment: Array) -> Array:
    """Return the chance that a user is annoyed by advertising, given age and the code of the segment."""
    return expit(ANNOYED + ANNOYED_OLD * (np.asarray(age) >= OLD) + ANNOYED_CLASSIC * (np.asarray(segment) == 1))


def turned_taste(now: Array, later: Array, phi: Array, angle: float) -> Array:
    """Return hidden taste turned by `angle` towards the part of `later` that has nothing to do with `now`.

    Tastes are compared by what they say about the items: the correlation of `now` and the turned taste over all
    pairs is exactly the cosine of the angle.
    """
    gram = phi.T @ phi
    inner = float(np.sum((now.T @ now) * gram))
    apart = later - now * (np.sum((now.T @ later) * gram) / inner)
    apart = apart * np.sqrt(inner / np.sum((apart.T @ apart) * gram))
    return np.cos(angle) * now + np.sin(angle) * apart


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
    log_pop = POPULARITY_MEAN + p.sd_popularity * ndtri((place + 0.5) / n_items)
    department = by["department"].first()
    level = pd.factorize(department, sort=True)[0] * PRICE_DEPARTMENT
    words = by["text"].agg(" ".join)
    items = pd.DataFrame(
        {
            "item": np.arange(n_items),
            "department": pd.Categorical(department),
            "category": by["category"].first().to_numpy(),
            "price": np.round(np.exp(PRICE_MEAN + level + PRICE_QUALITY * quality + PRICE_SD * eps[2]), 2),
            "ad_spend": np.round(np.exp(4 + ad), 1),
            "sponsored": (rng.uniform(size=n_items) < p.sponsored).astype(int),
            "popularity": np.maximum(np.rint(np.exp(log_pop)), 1).astype(int),
            "n_reviews": by.size().to_numpy(),
            "text": by["text"].first().to_numpy(),
            "quality": quality,
            "mean_stars": by["stars"].mean().to_numpy(),
            "tone": tone(words),
        }
    )
    items.insert(7, "log_popularity", np.log(items["popularity"]))
    return items, dealt, text_factors(words, p.d)


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
    z = (age - AGE_MEAN) / AGE_SD
    pull = np.asarray(SEGMENT_LEVEL) + np.asarray(SEGMENT_AGE) * z[:, None]
    segment = np.argmax(pull + rng.gumbel(size=(n_users, 4)), axis=1)
    activity = np.maximum(np.rint(np.exp(ACTIVITY_MEAN + ACTIVITY_SD * rng.standard_normal(n_users))), 1).astype(int)
    prototype = PROTOTYPE_SD * rng.standard_normal((len(SEGMENTS), d))
    seen = (prototype[segment] + rng.standard_normal((n_users, d))) / np.sqrt((1 + PROTOTYPE_SD**2) * d)
    unseen = rng.standard_normal((n_users, d))
    order = np.argsort(unseen[:, 0] + COMMUNITY_NOISE * rng.standard_normal(n_users), kind="stable")
    community = np.empty(n_users, dtype=int)
    community[order] = np.arange(n_users) // COMMUNITY_SIZE
    annoyed = rng.uniform(size=n_users) < annoyed_probability(age, segment)
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
