"""Finding partners: nearest neighbours on a line or in space, greedy, optimal and full matching.

Every search returns pairs as three flat arrays (focal, partner, distance) of positions in its two inputs. Coordinates
are arrays of shape (m, d); d = 1 takes the sorted-line route, which is what lets a million rows match in seconds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from causalrec_lib._validate import FloatArray

IntArray = NDArray[np.int64]
MAX_CELLS = 25_000_000  # focal x partner table that optimal, full and spatial greedy matching may fill (200 MB)
MAX_PAIRS = 50_000_000
TIE = 1e-12  # numbers this close, relative to the coordinates' size, are the same number
_SAME_COST = 1e-9  # costs in a table this close, relative to the largest, are the same cost


class Pairs(NamedTuple):
    """Matched pairs by position: `focal[k]` is matched to `partner[k]` at `distance[k]`."""

    focal: IntArray
    partner: IntArray
    distance: FloatArray


def snapped(space: FloatArray) -> FloatArray:
    """Return coordinates in which numbers that differ by rounding only are equal, column by column.

    Rows with equal covariates may get scores that differ in their last bits, and in which way depends on the
    processor. Runs of numbers closer than the tolerance take the smallest of the run.
    """
    out = np.empty_like(space)
    for j in range(space.shape[1]):
        order = np.argsort(space[:, j], kind="stable")
        s = space[order, j]
        new = np.r_[True, np.diff(s) > TIE * np.abs(s).max(initial=1e-300)]
        out[order, j] = s[new][np.cumsum(new) - 1]
    return out


def nearest(focal: FloatArray, partner: FloatArray, ratio: int, ties: str, caliper: float) -> Pairs:
    """Match with replacement: each focal row to its `ratio` nearest partners, and all ties of the last."""
    if len(partner) < ratio:
        raise ValueError(f"ratio={ratio} asks for more partners than there are ({len(partner)}); lower the ratio.")
    search = _nearest_on_line if focal.shape[1] == 1 else _nearest_in_space
    pairs = search(focal, partner, ratio, ties == "all")
    kept = pairs.distance <= caliper
    return Pairs(pairs.focal[kept], pairs.partner[kept], pairs.distance[kept])


def _nearest_on_line(focal: FloatArray, partner: FloatArray, ratio: int, all_ties: bool) -> Pairs:
    f = focal[:, 0]
    order = np.argsort(partner[:, 0], kind="stable")
    s = partner[order, 0]
    window = np.searchsorted(s, f)[:, None] + np.arange(-ratio, ratio)
    inside = (window >= 0) & (window < len(s))
    gaps = np.where(inside, np.abs(s[np.clip(window, 0, len(s) - 1)] - f[:, None]), np.inf)
    slack = TIE * max(np.abs(s).max(), np.abs(f).max(), 1e-300)
    if all_ties:
        radius = np.partition(gaps, ratio - 1, axis=1)[:, ratio - 1] + slack
        low, high = np.searchsorted(s, f - radius, "left"), np.searchsorted(s, f + radius, "right")
        owner, hit = _ranges(low, high)
    else:
        best = np.argsort(np.round(gaps / slack), axis=1, kind="stable")[:, :ratio]
        owner, hit = np.repeat(np.arange(len(f)), ratio), np.take_along_axis(window, best, axis=1).ravel()
    return Pairs(owner, order[hit], np.abs(s[hit] - f[owner]))


def _ranges(low: IntArray, high: IntArray) -> tuple[IntArray, IntArray]:
    """Return (row, position) for every position in low[row] ... high[row] - 1."""
    count = high - low
    total = int(count.sum())
    if total > MAX_PAIRS:
        raise ValueError(
            f"X has so few distinct values that ties make {total:,} pairs (limit {MAX_PAIRS:,}); "
            "match exactly on the discrete columns with exact=, or take one of the tied rows with ties='first'."
        )
    row = np.repeat(np.arange(len(low)), count)
    start = np.cumsum(count) - count
    return row, np.arange(total) - start[row] + low[row]


def _nearest_in_space(focal: FloatArray, partner: FloatArray, ratio: int, all_ties: bool) -> Pairs:
    tree = cKDTree(partner, balanced_tree=False)  # unbalanced: duplicate rows would make a balanced tree degenerate
    k = min(ratio + 1, len(partner))
    gaps, hits = (a.reshape(len(focal), k) for a in tree.query(focal, k=k))
    owner = np.repeat(np.arange(len(focal)), ratio)
    hit = hits[:, :ratio].ravel()
    slack = TIE * 100 * max(np.abs(partner).max(), np.abs(focal).max(), 1e-300)
    if k > ratio:
        tied = gaps[:, ratio] <= gaps[:, ratio - 1] + slack
        if tied.any():
            reach = gaps[tied, ratio - 1] + slack
            total = int(tree.query_ball_point(focal[tied], reach, return_length=True).sum())
            _ranges(np.zeros(1, dtype=np.int64), np.array([total if all_ties and total > MAX_PAIRS else 0]))
            balls = tree.query_ball_point(focal[tied], reach, return_sorted=True)
            count = np.fromiter(map(len, balls), dtype=np.int64, count=len(balls))
            alone = ~tied[owner]
            owner = np.concatenate([owner[alone], np.repeat(np.flatnonzero(tied), count)])
            hit = np.concatenate([hit[alone], *map(np.asarray, balls)]).astype(np.int64)
    gap = np.linalg.norm(focal[owner] - partner[hit], axis=1)
    if not all_ties:  # of those that tie, the first in the order of rows
        order = np.lexsort((hit, np.round(gap / slack), owner))
        order = order[np.arange(len(order)) - np.searchsorted(owner[order], owner[order]) < ratio]
        owner, hit, gap = owner[order], hit[order], gap[order]
    return Pairs(owner, hit, gap)


def greedy(focal: FloatArray, partner: FloatArray, ratio: int, caliper: float, order: IntArray) -> Pairs:
    """Match without replacement: focal rows choose in `order`, one partner a round, each partner is taken once."""
    choose = _greedy_on_line if focal.shape[1] == 1 else _greedy_in_space
    owner, hit = choose(focal, partner, ratio, caliper, order)
    return Pairs(owner, hit, np.linalg.norm(focal[owner] - partner[hit], axis=1))


def _greedy_on_line(
    focal: FloatArray, partner: FloatArray, ratio: int, caliper: float, order: IntArray
) -> tuple[IntArray, IntArray]:
    """Choose the nearest free partner with two union-find forests, "next free to the right" and "to the left".

    Each choice depends on all earlier ones, so this loop can't be vectorised; near-linear all the same.
    """
    sort = np.argsort(partner[:, 0], kind="stable")
    s = partner[sort, 0]
    values, at, mine = s.tolist(), np.searchsorted(s, focal[:, 0]).tolist(), focal[:, 0].tolist()
    slack = TIE * float(np.abs(partner).max(initial=1e-300))
    right, left = list(range(len(s) + 1)), list(range(len(s) + 1))  # left is shifted by one; len(s) and 0 mean none
    owner: list[int] = []
    hit: list[int] = []
    for _ in range(ratio):
        for i in order.tolist():
            r, here = _find(right, at[i]), mine[i]
            low = _find(left, at[i]) - 1
            to_right = values[r] - here if r < len(values) else np.inf
            to_left = here - values[low] if low >= 0 else np.inf
            if min(to_right, to_left) > caliper or min(to_right, to_left) == np.inf:
                continue
            j = low if to_left <= to_right + slack else r
            right[j], left[j + 1] = j + 1, j
            owner.append(i)
            hit.append(j)
    return np.array(owner, dtype=np.int64), sort[np.array(hit, dtype=np.int64)]


def _find(parent: list[int], i: int) -> int:
    """Return the root of i, halving the path on the way."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


def _greedy_in_space(
    focal: FloatArray, partner: FloatArray, ratio: int, caliper: float, order: IntArray
) -> tuple[IntArray, IntArray]:
    cost = distances(focal, partner, "matching without replacement on several covariates")
    taken = np.zeros(len(partner))
    chosen: list[tuple[int, int]] = []
    for _ in range(ratio):
        for i in order.tolist():
            j = int(np.argmin(cost[i] + taken))
            if cost[i, j] + taken[j] <= caliper and taken[j] == 0:
                taken[j] = np.inf
                chosen.append((i, j))
    both = np.array(chosen, dtype=np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def distances(focal: FloatArray, partner: FloatArray, what: str) -> FloatArray:
    """Return the table of Euclidean distances, or refuse one that doesn't fit in memory."""
    if len(focal) * len(partner) > MAX_CELLS:
        raise ValueError(
            f"X: {what} needs a table of {len(focal):,} x {len(partner):,} distances (limit {MAX_CELLS:,}); "
            "match nearest neighbours on the propensity, split by exact=, or sample rows."
        )
    cost = cdist(focal, partner)
    top = float(cost.max(initial=0.0))
    if top == 0:
        return cost
    unit = 2.0 ** np.floor(np.log2(_SAME_COST * top))  # a power of two, so that sums of rounded costs are exact
    return np.round(cost / unit) * unit


def optimal(focal: FloatArray, partner: FloatArray, ratio: int, caliper: float) -> Pairs:
    """Match without replacement so that the most focal rows are matched, at the smallest total distance."""
    cost = distances(np.repeat(focal, ratio, axis=0), partner, "optimal matching")
    allowed = cost <= caliper
    longest = cost.max(initial=0.0, where=allowed)
    forbidden = (1.0 + longest) * (1 + min(cost.shape))  # dearer than any set of allowed pairs
    rows, hit = linear_sum_assignment(np.where(allowed, cost, forbidden))
    kept = allowed[rows, hit]
    return Pairs(rows[kept] // ratio, hit[kept], cost[rows[kept], hit[kept]])


def full(focal: FloatArray, partner: FloatArray, caliper: float) -> Pairs:
    """Match everybody into sets of one row with rows of the other group, at least total distance.

    A full matching without limits on set sizes is a cheapest edge cover: start from everybody's nearest neighbour,
    and pair up those for whom one shared edge is cheaper than two of their own; which is an assignment problem.
    """
    cost = distances(focal, partner, "full matching")
    cost[cost > caliper] = np.inf
    own, other = cost.min(axis=1), cost.min(axis=0)
    with np.errstate(invalid="ignore"):
        saving = np.minimum(cost - own[:, None] - other[None, :], 0.0)
    saving[~np.isfinite(saving)] = 0.0
    rows, cols = linear_sum_assignment(saving)
    shared = saving[rows, cols] < 0
    rows, cols = rows[shared], cols[shared]
    lone_rows = np.setdiff1d(np.flatnonzero(np.isfinite(own)), rows)
    lone_cols = np.setdiff1d(np.flatnonzero(np.isfinite(other)), cols)
    edges = np.concatenate(
        [
            np.c_[rows, cols],
            np.c_[lone_rows, cost[lone_rows].argmin(axis=1)],
            np.c_[cost[:, lone_cols].argmin(axis=0), lone_cols],
        ]
    )
    edges = _stars(np.unique(edges.astype(np.int64), axis=0))
    return Pairs(edges[:, 0], edges[:, 1], cost[edges[:, 0], edges[:, 1]])


def _stars(edges: IntArray) -> IntArray:
    """Drop edges between two rows that both have others: such an edge covers nobody, and costs nothing at best."""
    rows, cols = np.bincount(edges[:, 0]), np.bincount(edges[:, 1])
    kept = np.ones(len(edges), dtype=bool)
    for k in np.flatnonzero((rows[edges[:, 0]] > 1) & (cols[edges[:, 1]] > 1)):
        i, j = edges[k]
        if rows[i] > 1 and cols[j] > 1:
            rows[i] -= 1
            cols[j] -= 1
            kept[k] = False
    return edges[kept]
