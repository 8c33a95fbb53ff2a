"""Checks of the exercises of discovery/01_learning_graphs."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from causalrec_lib.course.check import Answer, Draw, exercise, expect_on_draws


def _dag(rng: np.random.Generator, d: int = 7, share: float = 0.45) -> NDArray[np.int64]:
    """Arrows of a random acyclic graph, at least one of them."""
    upper = np.triu(rng.random((d, d)) < share, 1)
    upper[0, 1:3] = True
    order = rng.permutation(d)
    return upper[np.ix_(order, order)].astype(int)


def _changed(rng: np.random.Generator, truth: NDArray[np.int64]) -> NDArray[np.int64]:
    """Another graph: two arrows turned, one made a line, one or two edges added, one removed."""
    found = truth.copy()
    arrows = rng.permutation(np.argwhere(truth))
    for i, j in arrows[:2]:
        found[i, j], found[j, i] = 0, 1
    found[arrows[2][1], arrows[2][0]] = 1
    found[tuple(arrows[3])] = 0
    apart = [(i, j) for i, j in combinations(range(len(truth)), 2) if not truth[i, j] and not truth[j, i]]
    for k in rng.permutation(len(apart))[: rng.integers(1, 3)]:
        found[apart[k]] = 1
    return found


@exercise("discovery/01.1", task="Return the structural Hamming distance of two graphs.")
def check_hamming(answer: Answer) -> None:
    """Accept the number of pairs that differ, with arrows, lines, missing and extra edges."""

    def make(rng: np.random.Generator) -> Draw:
        truth = _dag(rng)
        found = _changed(rng, truth)
        differ = found != truth
        want = int(np.triu(differ | differ.T, 1).sum())
        skeletons = [np.triu(g | g.T, 1) for g in (found, truth)]
        known = {
            "That counts entries: a reversed arrow differs in two entries and is one pair.": int(differ.sum()),
            "That compares edges without their direction: a reversed arrow counts, too.": (
                int((skeletons[0] != skeletons[1]).sum())
            ),
            "That counts edges that were found and aren't true; missing ones count, too.": (
                int((found.astype(bool) & ~truth.astype(bool)).sum())
            ),
        }
        return (found, truth), want, {k: v for k, v in known.items() if v != want}

    expect_on_draws(
        answer,
        make,
        hint="Take one pair of nodes. Which two entries of each matrix belong to it, and when does the pair count?",
        recipe="Mark the entries that differ, or them with their transpose, and count the upper triangle.",
    )


def _colliders(arrows: NDArray[np.int64]) -> tuple[int, int]:
    """Return the numbers of v-structures and of all pairs of parents."""
    joined, apart, pairs = arrows + arrows.T, 0, 0
    for c in range(len(arrows)):
        for a, b in combinations(np.flatnonzero(arrows[:, c]), 2):
            pairs += 1
            apart += int(joined[a, b] == 0)
    return apart, pairs


@exercise("discovery/01.2", task="Count the v-structures of an acyclic graph.")
def check_colliders(answer: Answer) -> None:
    """Accept the number of pairs of parents that are not adjacent."""

    def make(rng: np.random.Generator) -> Draw:
        while True:
            arrows = _dag(rng, 8, 0.5)
            want, pairs = _colliders(arrows)
            children = _colliders(arrows.T)[0]
            one_way = sum(
                arrows[a, b] == 0 for c in range(8) for a, b in combinations(np.flatnonzero(arrows[:, c]), 2)
            )
            if want > 1 and len({want, pairs, children, int(one_way)}) == 4:
                break
        known = {
            "That counts all pairs of parents: those that are adjacent make no v-structure.": pairs,
            "That looks at children: column c of the matrix holds the parents of c, row c its children.": children,
            "Look both ways: parents a and b are adjacent if either arrow is there.": int(one_way),
        }
        return (arrows,), want, known

    expect_on_draws(
        answer,
        make,
        hint="Whose arrows stand in column c of the matrix? And when are two of them strangers to each other?",
        recipe="For each column list the rows with a one; count the pairs (a, b) with neither a -> b nor b -> a.",
    )


def _z(frame: NDArray[np.float64], given: list[int], lost: int, intercept: bool = True) -> float:
    """Fisher's z with `lost` rows subtracted."""
    left = np.column_stack([np.ones(len(frame))] * intercept + [frame[:, given]])
    a, b = (frame[:, k] - left @ np.linalg.lstsq(left, frame[:, k], rcond=None)[0] for k in (0, 1))
    return float(np.sqrt(len(frame) - lost) * np.arctanh(np.corrcoef(a, b)[0, 1]))


@exercise("discovery/01.3", task="Mend Fisher's z statistic of a partial correlation.")
def check_z(answer: Answer) -> None:
    """Accept the statistic that pays a degree of freedom for each column held fixed."""

    def make(rng: np.random.Generator) -> Draw:
        n, k = int(rng.integers(30, 45)), int(rng.integers(4, 7))
        frame = 2.0 + rng.normal(size=(n, 2 + k)) @ (np.eye(2 + k) + 0.4 * rng.random((2 + k, 2 + k)))
        given = list(range(2, 2 + k))
        raw = float(np.sqrt(n - 3) * np.arctanh(np.corrcoef(frame[:, 0], frame[:, 1])[0, 1]))
        known = {
            "The error is still there: columns held fixed cost degrees of freedom.": _z(frame, given, 3),
            "That holds nothing fixed: take the correlation of the residuals.": raw,
            "The three is still needed: subtract it and the number of columns held fixed.": _z(frame, given, k),
        }
        return (frame, given), _z(frame, given, 3 + k), known

    expect_on_draws(
        answer,
        make,
        hint="If as many columns are held fixed as there are rows, how much is left to correlate?",
        recipe="The root is over n - len(given) - 3; the rest of the colleague's function is right.",
    )
