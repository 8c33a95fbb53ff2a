"""A picture of a graph that was learnt, beside the one that it is held against."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from itertools import combinations

import networkx as nx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse, FancyArrowPatch

from causalrec_lib import _pdag, _validate
from causalrec_lib._style import COLORS

_STYLE = {(True, False): "-|>", (False, True): "<|-", (True, True): "-", (False, False): "-"}


def draw_graph(
    ax: Axes, found: nx.DiGraph, truth: nx.DiGraph, place: Mapping[Hashable, tuple[float, float]], title: str
) -> None:
    """Draw a graph that was found, each edge by whether it is as in the true one.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    found, truth : networkx.DiGraph
        On the same nodes; an edge in both directions has no direction, and is drawn as a plain line.
    place : mapping of node to (float, float)
        Where each node stands.
    title : str
        Heading of the picture.

    Raises
    ------
    ValueError
        If the nodes differ, one has no place, or a place is no pair of numbers.

    Notes
    -----
    Blue: as in the true graph. Orange: an edge that isn't there, or has another direction. Dotted grey: missing.
    Chapter: discovery/01_learning_graphs
    """
    _validate.instance(ax, "ax", Axes, "make one, plt.subplots()")
    _pdag.pdag(found, "found", cycles=True)
    _pdag.same_nodes(found, _pdag.pdag(truth, "truth"), ("found", "truth"))
    at = {v: _validate.pair(xy, f"place of {v!r}") for v, xy in _validate.mapping(place, "place").items()}
    if set(at) != set(found):
        raise ValueError("place must name each node of found, and nothing else; give each a pair of numbers.")
    (x0, y0), (x1, y1) = np.min(list(at.values()), axis=0), np.max(list(at.values()), axis=0)
    ax.set(xlim=(x0 - 0.5, x1 + 0.5), ylim=(y0 - 0.35, y1 + 0.35))
    box = ax.get_window_extent()
    point = np.array([(x1 - x0 + 1.0) / box.width, (y1 - y0 + 0.7) / box.height]) * ax.figure.dpi / 72
    room = {v: Ellipse(xy, *(point * (7 + 5.5 * len(str(v)), 17)), visible=False) for v, xy in at.items()}
    for v, xy in at.items():
        ax.add_patch(room[v])
        ax.text(*xy, str(v), ha="center", va="center", fontsize=9.5)
    for a, b in combinations(at, 2):
        there = (found.has_edge(a, b), found.has_edge(b, a))
        want = (truth.has_edge(a, b), truth.has_edge(b, a))
        if any(there) or any(want):
            color = COLORS["estimate" if there == want else "warn" if any(there) else "naive"]
            ax.add_patch(
                FancyArrowPatch(
                    at[a],
                    at[b],
                    patchA=room[a],
                    patchB=room[b],
                    shrinkA=1,
                    shrinkB=1,
                    arrowstyle=_STYLE[there],
                    mutation_scale=14,
                    color=color,
                    linewidth=1.8,
                    linestyle="-" if any(there) else ":",
                )
            )
    ax.set_title(_validate.text(title, "title"), fontsize=10.5)
    ax.axis("off")
