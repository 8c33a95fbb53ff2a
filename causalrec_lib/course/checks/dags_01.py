"""Checks of the exercises of dags/01_graphs_and_identification."""

from __future__ import annotations

from itertools import combinations, product

import networkx as nx
import numpy as np

from causalrec_lib.course.check import Answer, Draw, exercise, expect_on_draws


@exercise("dags/01.1", task="Say which paths with one node in the middle are open.")
def check_open_paths(answer: Answer) -> None:
    """Accept the rule for chain, fork and collider, descendants of colliders included."""

    def make(rng: np.random.Generator) -> Draw:
        every = list(product(("a>m", "m>a"), ("b>m", "m>b"), (False, True), (False, True)))
        picked = [every[k] for k in rng.permutation(16)] + [every[k] for k in rng.integers(0, 16, 4)]
        left, right, m, d = (np.array(column) for column in zip(*picked, strict=True))
        collider = (left == "a>m") & (right == "b>m")
        want = np.where(collider, m | d, ~m).astype(float)
        return (left, right, m, d), want, {
            "That treats every path alike. Two arrows that meet at m turn the rule round.": (~m).astype(float),
            "A collider opens, too, if something that it causes is held fixed.": 1.0 * np.where(collider, m, ~m),
            "A descendant of a chain or fork blocks nothing; only the node itself does.": np.where(
                collider, m | d, ~(m | d)
            ).astype(float),
            "Chain and fork are closed by holding m fixed, a collider is opened by it.": 1 - want,
        }  # fmt: skip

    expect_on_draws(
        answer,
        make,
        hint="Which of the three shapes is it, and what does holding the middle fixed do to that shape?",
        recipe="Where both arrows point at m the path is open if m or a descendant is fixed; else if m is not fixed.",
    )


@exercise("dags/01.2", task="Compute a difference of do-probabilities from tables.")
def check_effect_from_tables(answer: Answer) -> None:
    """Accept the adjustment formula."""

    def make(rng: np.random.Generator) -> Draw:
        p_z, p_t, p_y = (
            rng.dirichlet(np.full(4, 3.0)),
            np.sort(rng.uniform(0.1, 0.9, 4)),
            rng.uniform(0.1, 0.9, (2, 4)),
        )
        treated, others = p_z * p_t, p_z * (1 - p_t)
        effect = p_y[1] - p_y[0]
        seeing = p_y[1] @ treated / treated.sum() - p_y[0] @ others / others.sum()
        return (p_z, p_t, p_y), effect @ p_z, {
            "That is seeing, P(y | t): when everybody is treated, z is as common as in the population.": seeing,
            "That is the effect on the treated: use P(z), not P(z | t = 1).": effect @ treated / treated.sum(),
            "That weights all kinds alike: z has its own probabilities.": effect.mean(),
            "The sign is turned: doing minus not doing.": -(effect @ p_z),
        }  # fmt: skip

    expect_on_draws(
        answer,
        make,
        hint="After the intervention nobody listens to z when treatment is set. How common is each z then?",
        recipe="Take the difference of the two rows of p_y for each z, and average it with the weights p_z.",
    )


def _verdicts(graph: nx.DiGraph, candidates: list[tuple[str, ...]], *, after: bool, cut: bool) -> np.ndarray:
    """Judge candidates by the back-door criterion, or by one that forgets a condition."""
    doors = graph.copy()
    if cut:
        doors.remove_edges_from(list(graph.out_edges("t")))
    below = nx.descendants(graph, "t") if after else set()
    said = [not below & set(c) and nx.is_d_separator(doors, {"t"}, {"y"}, set(c)) for c in candidates]
    return np.array(said, dtype=float)


@exercise("dags/01.3", task="Say which sets of columns satisfy the back-door criterion.")
def check_back_door(answer: Answer) -> None:
    """Accept both conditions of the criterion."""

    def make(rng: np.random.Generator) -> Draw:
        while True:
            names = [str(v) for v in rng.permutation(["t", "y", "a", "b", "c", "d", "e"])]
            graph = nx.DiGraph([pair for pair in combinations(names, 2) if rng.random() < 0.45])
            graph.add_nodes_from(names)
            if not nx.has_path(graph, "t", "y"):
                continue
            columns = [v for v in names if v not in "ty"]
            every = [c for k in range(4) for c in combinations(columns, k)]
            candidates = [every[k] for k in rng.choice(len(every), 12, replace=False)]
            want = _verdicts(graph, candidates, after=True, cut=True)
            late = _verdicts(graph, candidates, after=False, cut=True)
            uncut = _verdicts(graph, candidates, after=True, cut=False)
            neighbours = {*graph.pred["t"]}
            parents = np.array([set(c) >= neighbours for c in candidates], dtype=float)
            mistakes = (late, uncut, parents)
            if 2 < want.sum() < 10 and all((m != want).any() for m in mistakes):
                return (graph, "t", "y", candidates), want, {
                    "A column that the treatment causes may not be in the set, even if it stops a path.": late,
                    "The causal path must stay open: cut the arrows out of the treatment before you look.": uncut,
                }  # fmt: skip

    expect_on_draws(
        answer,
        make,
        hint="Is anything in the set caused by the treatment? And with the treatment's own arrows cut, what is left?",
        recipe="Refuse sets with a descendant of the treatment; then ask for d-separation in the graph without the "
        "arrows out of the treatment.",
    )


@exercise("dags/01.4", task="Mend an adjustment that weights by the wrong shares.")
def check_adjusted_difference(answer: Answer) -> None:
    """Accept the adjustment formula on rows."""

    def make(rng: np.random.Generator) -> Draw:
        z = np.repeat([0, 1, 2], rng.integers(8, 20, 3))
        t = np.concatenate(
            [rng.permutation(np.arange(n) < k) for n, k in zip(np.bincount(z), rng.integers(2, 7, 3), strict=True)]
        )
        y, t = z + t * (1 + z) + rng.normal(size=len(z)), t.astype(int)
        gaps = np.array([y[(t == 1) & (z == k)].mean() - y[(t == 0) & (z == k)].mean() for k in range(3)])
        want = gaps @ np.bincount(z) / len(z)
        return (y, t, z), want, {
            "That is the naive difference: the shares of z within each arm are what made it naive.": (
                y[t == 1].mean() - y[t == 0].mean()
            ),
            "That is the effect on the treated: weight by how common each z is among all rows.": (
                gaps @ np.bincount(z[t == 1]) / t.sum()
            ),
            "That weights each value of z alike: some are more common than others.": gaps.mean(),
        }  # fmt: skip

    expect_on_draws(
        answer,
        make,
        hint="What does the sum give if P(z | t) stands in it? And what does the formula ask for?",
        recipe="Use the same shares for both arms: those of z among all rows.",
    )
