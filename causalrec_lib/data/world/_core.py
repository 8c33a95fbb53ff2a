"""The state of a world, and everything that holds for a user-item pair, computed where it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from causalrec_lib.data.world import _mechanisms as m
from causalrec_lib.data.world import _population as population
from causalrec_lib.data.world._streams import pair_uniform, stream
from causalrec_lib.data.world.parameters import Parameters

Array = NDArray[Any]

CACHE_PAIRS = 4_000_000
BLOCK_PAIRS = 1_000_000
MAX_NETWORK_PAIRS = 20_000_000


class InterferenceRefused(ValueError):
    """A log or a truth that is not offered together with interference."""


@dataclass
class Core:
    """What decides a world: switches, tables with hidden columns, low-rank factors of score and hidden affinity.

    No matrix of all pairs is kept beyond `CACHE_PAIRS` pairs: `pairs` computes any sample or block from the factors,
    `blocks` walks over all of them about `BLOCK_PAIRS` at a time.
    """

    seed: int
    confounding: str
    overlap: str
    interference: float
    drift: float
    parameters: Parameters
    users: pd.DataFrame
    items: pd.DataFrame
    reviews: pd.DataFrame
    friends: sparse.csr_matrix
    score_factors: tuple[Array, Array]
    hidden_taste: tuple[Array, Array]
    hidden_right: Array
    P: Array = field(init=False)
    L: Array = field(init=False)
    C: Array = field(init=False)
    v: Array = field(init=False)
    q: Array = field(init=False)
    X: Array = field(init=False)

    def __post_init__(self) -> None:
        f = np.float32
        self.P = population.standardise(self.items["log_popularity"].to_numpy()).astype(f)
        self.C = population.standardise(np.log(self.items["price"].to_numpy())).astype(f)
        self.L = population.standardise(self.users["log_activity"].to_numpy()).astype(f)
        self.q = self.items["quality"].to_numpy().astype(f)
        self.X = self.items["tone"].to_numpy().astype(f)
        self.v = self.users["annoyed"].to_numpy().astype(f)

    @property
    def shape(self) -> tuple[int, int]:
        """Return (n_users, n_items)."""
        return len(self.users), len(self.items)

    @cached_property
    def _matrices(self) -> dict[str, Array]:
        named = {"score": self.score_factors, "hidden": self.hidden_factors}
        return {n: (a @ b.T).astype(np.float32) for n, (a, b) in named.items()}

    @cached_property
    def hidden_factors(self) -> tuple[Array, Array]:
        """Return the factors of hidden affinity at the start."""
        return self.hidden_in_week(0)

    def hidden_in_week(self, week: int) -> tuple[Array, Array]:
        """Return the factors of hidden affinity: taste has turned by `drift` radians a week, quality has not."""
        now, later = self.hidden_taste
        angle = self.drift * week
        taste = now if angle == 0 else population.turned_taste(now, later, self.hidden_right[:, :-1], angle)
        return population.scaled_factors(np.hstack([taste, np.ones((len(taste), 1))]), self.hidden_right)

    def low_rank(self, name: str, users: Array, items: Array, week: int = 0) -> Array:
        """Return the score or the hidden affinity at the pairs, as float32; users and items broadcast."""
        moved = name == "hidden" and week * self.drift != 0
        if not moved and self.shape[0] * self.shape[1] <= CACHE_PAIRS:
            return self._matrices[name][users, items]
        left, right = (
            self.score_factors if name == "score" else (self.hidden_in_week(week) if moved else self.hidden_factors)
        )
        if users.ndim == 2 and users.shape[1] == 1 and items.shape[0] == 1:
            return (left[users[:, 0]] @ right[items[0]].T).astype(np.float32)
        return _row_products(left, right, users, items).astype(np.float32)

    def pairs(self, users: Array, items: Array, week: int = 0) -> Pairs:
        """Return the pairs (users[j], items[j]); pass a column and a row for a block."""
        return Pairs(self, np.asarray(users), np.asarray(items), week)

    def blocks(self, week: int = 0) -> Iterator[Pairs]:
        """Walk over all pairs, some users at a time."""
        n, n_items = self.shape
        step = max(1, BLOCK_PAIRS // n_items)
        everything = np.arange(n_items)[None, :]
        for first in range(0, n, step):
            yield self.pairs(np.arange(first, min(first + step, n))[:, None], everything, week)

    def shown_chance(self, users: Array, items: Array) -> Array:
        """Return P(Y(1) = 1) of the pairs, from memory where all pairs fit."""
        if self.shape[0] * self.shape[1] > CACHE_PAIRS:
            return self.pairs(users, items).p1
        return self._all_shown[users, items]

    @cached_property
    def _all_shown(self) -> Array:
        return np.concatenate([x.p1 for x in self.blocks()])

    @cached_property
    def found_alone(self) -> Array:
        """Return each user's mean P(Y(0) = 1) over all items."""
        return np.concatenate([x.p0.mean(axis=1, dtype=np.float64) for x in self.blocks()])

    @cached_property
    def segment_means(self) -> tuple[Array, Array]:
        """Return mean P(Y(1)) and mean effect by segment and item, exact."""
        segment = self.users["segment"].cat.codes.to_numpy()
        k = len(self.users["segment"].cat.categories)
        p1, lift = np.zeros((2, k, self.shape[1]))
        for x in self.blocks():
            one = np.eye(k)[segment[x.users[:, 0]]].T
            p1 += one @ x.p1
            lift += one @ (x.p1 - x.p0)
        count = np.maximum(np.bincount(segment, minlength=k), 1)[:, None]
        return p1 / count, lift / count

    def without_interference(self, what: str) -> None:
        """Refuse what has no exact answer, or no meaning, where friends speak to each other."""
        if self.interference:
            raise InterferenceRefused(
                f"{what} must be asked of a world without interference, but this one has interference="
                f"{self.interference:g}; use make_world(interference=0)."
            )

    @cached_property
    def friend_share(self) -> sparse.csr_matrix:
        """Return the row-normalised friendship graph."""
        degree = np.maximum(np.asarray(self.friends.sum(axis=1)).ravel(), 1)
        return (sparse.diags((1 / degree).astype(np.float32)) @ self.friends).tocsr()

    def expected_friends_shown(self) -> Array:
        """Return the mean share of friends shown each item, shape (n_users, n_items), from the propensities."""
        self.matrix_fits()
        return self.friend_share @ np.concatenate([b.e for b in self.blocks()])

    def friends_shown(self, draw: int) -> Array:
        """Return the realised share of friends shown each item in one draw of the exposures."""
        self.matrix_fits()
        return self.friend_share @ np.concatenate([b.exposed(draw).astype(np.float32) for b in self.blocks()])

    def matrix_fits(self, why: str = "interference needs the exposures of all friends at once") -> None:
        """Refuse worlds whose matrices of all pairs would not fit in memory."""
        if self.shape[0] * self.shape[1] > MAX_NETWORK_PAIRS:
            raise ValueError(f"{why}; {self.shape} is too large, keep n_users * n_items at most {MAX_NETWORK_PAIRS}.")


def _row_products(left: Array, right: Array, users: Array, items: Array) -> Array:
    users, items = np.broadcast_arrays(users, items)
    return np.sum([left[users, k] * right[items, k] for k in range(left.shape[1])], axis=0)


class Pairs:
    """Everything that holds for some user-item pairs; each property is computed when first asked for."""

    def __init__(self, core: Core, users: Array, items: Array, week: int = 0) -> None:
        self.core, self.users, self.items, self.week = core, users, items, week
        self.p = core.parameters

    @cached_property
    def S(self) -> Array:
        """Return the recommender's score, the observed affinity."""
        return self.core.low_rank("score", self.users, self.items)

    @cached_property
    def H(self) -> Array:
        """Return the hidden affinity; its taste turns away from its start by `drift` radians a week."""
        return self.core.low_rank("hidden", self.users, self.items, self.week)

    @property
    def P(self) -> Array:
        """Return the standardised log popularity."""
        return self.core.P[self.items]

    @property
    def L(self) -> Array:
        """Return the standardised log activity."""
        return self.core.L[self.users]

    @cached_property
    def A(self) -> Array:
        """Return the affinity."""
        return m.affinity(self.p, self.S, self.H)

    @cached_property
    def tau(self) -> Array:
        """Return the effect of exposure on the log-odds."""
        K = m.familiarity(self.p, self.S, self.P)
        return m.lift_log_odds(self.p, self.A, K, self.core.v[self.users])

    @cached_property
    def base(self) -> Array:
        """Return the log-odds of consuming when not shown."""
        return m.base_log_odds(self.p, self.A, self.P, self.L, self.core.C[self.items])

    @cached_property
    def p0(self) -> Array:
        """Return P(Y(0) = 1)."""
        return m.outcome_probability(self.base, 0.0)

    @cached_property
    def p1(self) -> Array:
        """Return P(Y(1) = 1)."""
        return m.outcome_probability(self.base, self.tau)

    @cached_property
    def e(self) -> Array:
        """Return the propensity of exposure given everything but the marketing coin."""
        c = self.core
        return m.exposure_probability(self.p, c.confounding, c.overlap, self.S, self.hidden, self.P, self.L)

    @cached_property
    def hidden(self) -> Array | float:
        """Return the part of the log-odds of exposure that comes from no column of the log."""
        c = self.core
        return m.hidden_drive(self.p, c.confounding, self.H, c.q[self.items], c.X[self.items])

    def uniform(self, *names: str | int) -> Array:
        """Return the pairs' uniforms of that name."""
        return pair_uniform(self.core.seed, names, self.users, self.items)

    def marketing(self, *draw: int) -> Array:
        """Return the marketing coin of each pair."""
        return (self.uniform("marketing", *draw) < 0.5).astype(np.float32)

    def exposed(self, *draw: int) -> Array:
        """Return the realised exposures of one draw of the week, or of (draw, k): k weeks before it."""
        u = self.uniform("exposure", *draw)
        if len(draw) > 1:  # nobody logs the coins of earlier weeks: averaged out
            return u < self.e
        return u < m.exposure_given_marketing(self.p, self.e, self.marketing(*draw))

    def potential(self, *draw: int, F: Array | float = 0.0) -> tuple[Array, Array]:
        """Return the realised (Y(0), Y(1)): both are read off one uniform a pair."""
        u = self.uniform("outcome", *draw)
        g = self.core.interference
        return u < m.tell_a_friend(self.p0, g, F), u < m.tell_a_friend(self.p1, g, F)

    def with_friends(self, F: Array | float) -> tuple[Array, Array]:
        """Return P(Y(0) = 1) and P(Y(1) = 1) when a share F of the user's friends is shown the item."""
        g = self.core.interference
        return m.tell_a_friend(self.p0, g, F), m.tell_a_friend(self.p1, g, F)


def build(
    p: Parameters, seed: int, n_users: int, n_items: int, reviews: pd.DataFrame | None, **switches: Any
) -> Core:
    """Draw the population and return the core of the world.

    Parameters
    ----------
    p : Parameters
        Coefficients.
    seed : int
        Seed of the world.
    n_users, n_items : int
        Sizes.
    reviews : DataFrame or None
        Tidy reviews; None generates phrases.
    **switches
        `confounding`, `overlap`, `interference`, `drift`.

    Returns
    -------
    Core
        The state of the world.

    Notes
    -----
    Chapter: reference/world
    """
    items, dealt, phi = population.make_items(p, n_items, seed, reviews)
    d = phi.shape[1]
    ages = dealt["age"].to_numpy() if reviews is not None and "age" in dealt else None
    users, seen, unseen = population.make_users(p, n_users, seed, ages, d)
    rng = stream(seed, "tastes")
    departments = items["department"].cat.codes.to_numpy()
    G = population.LIKES_SD * rng.standard_normal((len(population.SEGMENTS), departments.max() + 1))
    likes = G[users["segment"].cat.codes.to_numpy()]
    later = rng.standard_normal((n_users, d)) / np.sqrt(d)
    q = p.w_q * items["quality"].to_numpy()[:, None]
    return Core(
        seed=seed,
        parameters=p,
        users=users,
        items=items,
        reviews=dealt[["item", "text", "stars"]],
        friends=population.make_friends(users, seed),
        score_factors=population.scaled_factors(
            np.hstack([seen, likes]), np.hstack([phi, np.eye(likes.shape[1])[departments]])
        ),
        hidden_taste=(unseen, later),
        hidden_right=np.hstack([phi, q]),
        **switches,
    )
