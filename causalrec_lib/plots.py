"""One style for every figure: colour-blind safe, alt text required, legible in light and dark."""

from __future__ import annotations

import html
import io
import re
import zlib
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
from cycler import cycler
from IPython.display import HTML, display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from causalrec_lib import _validate
from causalrec_lib._figures import coverage, love, overlap
from causalrec_lib._plane import bias_plane
from causalrec_lib._style import COLORS, CYCLE, INK, truth_line
from causalrec_lib._tree_figure import effect_tree
from causalrec_lib.estimate import Estimate

__all__ = [
    "COLORS",
    "CYCLE",
    "INK",
    "bias_plane",
    "coverage",
    "draw_dag",
    "effect_tree",
    "forest",
    "hash_text",
    "love",
    "overlap",
    "show",
    "truth_line",
    "use_style",
]


def use_style() -> None:
    """Set matplotlib's defaults to the course's style.

    Notes
    -----
    Chapter: concepts/01_why_causal
    """
    mpl.rcParams.update(
        {
            "figure.figsize": (6.6, 3.6),
            "figure.dpi": 100,
            "figure.facecolor": "none",
            "axes.facecolor": "none",
            "savefig.facecolor": "none",
            "font.family": "sans-serif",
            "font.sans-serif": ["DejaVu Sans"],
            "font.size": 10,
            "axes.titlesize": 11,
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": cycler(color=CYCLE),
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.alpha": 0.15,
            "grid.color": INK,
            "legend.frameon": False,
            "lines.linewidth": 1.8,
            "svg.fonttype": "none",
            "figure.constrained_layout.use": True,
            **{
                k: INK
                for k in (
                    "text.color",
                    "axes.edgecolor",
                    "axes.labelcolor",
                    "axes.titlecolor",
                    "xtick.color",
                    "ytick.color",
                    "patch.edgecolor",
                    "boxplot.boxprops.color",
                    "boxplot.whiskerprops.color",
                    "boxplot.capprops.color",
                )
            },
        }
    )


def _inline_svg(fig: Figure, key: str) -> str:
    """Return the figure as an SVG element that takes the page's ink colour and has no clashing ids."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": key, "svg.fonttype": "none"}):
        fig.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.S)
    svg = svg.replace(INK, "currentColor")
    svg = re.sub(r"'DejaVu Sans'[^;\"]*", "inherit", svg)
    used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", svg))
    tag = f"f{abs(hash_text(key)):x}"
    svg = re.sub(r' id="([^"]+)"', lambda m: f' id="{tag}-{m[1]}"' if m[1] in used else "", svg)
    svg = re.sub(r"(url\(#|href=\"#)([^)\"]+)", rf"\g<1>{tag}-\g<2>", svg)
    width, height = fig.get_size_inches() * 100
    return re.sub(
        r'^<svg[^>]*viewBox="([^"]+)"[^>]*>',
        rf'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="\1" '
        rf'width="{width:.0f}" height="{height:.0f}" aria-hidden="true" focusable="false">',
        svg,
        count=1,
    )


def hash_text(text: str) -> int:
    """Return a 32-bit hash of `text` that is the same in every process.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    int
        Between 0 and 2**32 - 1.

    Raises
    ------
    ValueError
        If `text` is no text.

    Notes
    -----
    Chapter: concepts/01_why_causal
    """
    return zlib.crc32(_validate.text(text, "text").encode())


def _refuse_no_words(alt: str, caption: str) -> None:
    for name, text in (("alt", alt), ("caption", caption)):
        if not isinstance(text, str) or len(text.strip()) < 20:
            raise ValueError(f"{name} must say in words what the figure shows, but is {_validate.shown(text)}.")


def show(fig: Figure, *, alt: str, caption: str) -> None:
    """Display a figure with its alternative text and a caption, then close it.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        The figure to show.
    alt : str
        What the picture shows, for someone who can't see it (20 characters or more).
    caption : str
        What to see in it (20 characters or more).

    Raises
    ------
    ValueError
        If `fig` is no figure, or `alt` or `caption` is missing or too short to say anything.

    Notes
    -----
    Chapter: concepts/01_why_causal
    """
    _validate.instance(fig, "fig", Figure, "pass what plt.subplots() or forest() returned")
    _refuse_no_words(alt, caption)
    svg = _inline_svg(fig, alt + caption)
    plt.close(fig)
    body = (
        f'<figure class="cr-figure"><div class="cr-scroll" role="img" tabindex="0" '
        f'aria-label="{html.escape(alt, quote=True)}">{svg}</div>'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )
    display(HTML(body))


def forest(
    estimates: Mapping[str, Estimate | float],
    *,
    truth: float | None = None,
    naive: str | Sequence[str] = (),
    xlabel: str = "",
    ax: Axes | None = None,
) -> Figure:
    """Draw estimates with their intervals, one a row, against the truth.

    Parameters
    ----------
    estimates : mapping of str to Estimate or float
        What to draw, in order from top to bottom; a number alone is drawn as a point without an interval.
    truth : float, optional
        Drawn as a dashed line.
    naive : str or sequence of str
        Names drawn in the colour of naive values.
    xlabel : str
        Axis label with its unit.
    ax : matplotlib.axes.Axes, optional
        Draw here instead of in a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure, not yet shown.

    Raises
    ------
    ValueError
        If `estimates` is empty or holds something else, `truth` is not finite, or `naive` names none of them.

    Notes
    -----
    Chapter: weighting/01_propensity_weighting
    """
    if not _validate.mapping(estimates, "estimates"):
        raise ValueError("estimates is empty; pass at least one named estimate.")
    values = {}
    for name, est in estimates.items():
        values[name] = est.value if isinstance(est, Estimate) else _validate.number(est, f"estimates[{name!r}]")
    wrong = (naive,) if isinstance(naive, str) else _validate.texts(naive, "naive")
    for name in wrong:
        _validate.one_of(name, "naive", tuple(estimates))
    _validate.text(xlabel, "xlabel")
    if ax is None:
        ax = plt.figure(figsize=(6.6, 1.1 + 0.42 * len(estimates))).add_subplot()
    _validate.instance(ax, "ax", Axes, "make one with plt.subplots(), or leave it out")
    if truth is not None:
        truth_line(ax, _validate.number(truth, "truth"))
    for row, (name, est) in enumerate(estimates.items()):
        y = len(estimates) - 1 - row
        flagged = isinstance(est, Estimate) and bool(est.flags)
        color = COLORS["warn" if flagged else "naive" if name in wrong else "estimate"]
        if isinstance(est, Estimate) and np.isfinite(est.low) and np.isfinite(est.high):
            ax.plot([est.low, est.high], [y, y], color=color, linewidth=2.4, solid_capstyle="round")
        ax.plot(values[name], y, marker="X" if flagged else "o", color=color, markersize=7)
    ax.set_yticks(range(len(estimates))[::-1], list(estimates))
    ax.set_ylim(-0.7, len(estimates) - 0.3)
    ax.set_xlabel(xlabel)
    ax.grid(axis="y", visible=False)
    if truth is not None:
        ax.legend(loc="best")
    fig = ax.get_figure(root=True)
    if fig is None:
        raise ValueError("ax belongs to no figure; make one with plt.subplots().")
    return fig


def _layout(graph: nx.DiGraph) -> dict[str, tuple[float, float]]:
    """Return given positions, or one column a topological generation."""
    if all("pos" in d for _, d in graph.nodes(data=True)):
        return {v: _validate.pair(d["pos"], f"pos of node {v!r} in graph") for v, d in graph.nodes(data=True)}
    pos = {}
    for x, generation in enumerate(nx.topological_generations(graph)):
        for k, v in enumerate(generation):
            pos[v] = (float(x), (len(generation) - 1) / 2 - k)
    return pos


_EDGE = {"cause": "ink", "effect": "estimate", "bias": "warn", "selection": "control"}
_ROLE = {"treatment": "treated", "outcome": "estimate", "confounder": "warn"}


def draw_dag(graph: nx.DiGraph, *, alt: str, caption: str, figsize: tuple[float, float] | None = None) -> None:
    """Draw a causal graph and show it.

    Parameters
    ----------
    graph : networkx.DiGraph
        Acyclic. Node attributes: `label`, `observed` (dashed box if False), `role` (treatment, outcome,
        confounder), `pos`. Edge attribute: `kind` (cause, effect, bias, selection).
    alt : str
        Alternative text.
    caption : str
        What to see.
    figsize : tuple of float, optional
        Inches; by default from the extent of the layout.

    Raises
    ------
    ValueError
        If the graph has a cycle, no node, or attributes that can't be drawn, or a text is missing.

    Notes
    -----
    Chapter: concepts/01_why_causal
    """
    _validate.instance(graph, "graph", nx.DiGraph, "make an acyclic DiGraph, networkx.DiGraph(edges)")
    if len(graph) == 0 or not nx.is_directed_acyclic_graph(graph):
        raise ValueError("graph must be a non-empty acyclic DiGraph; networkx.find_cycle(graph) shows a cycle.")
    for a, b, d in graph.edges(data=True):
        _validate.one_of(d.get("kind", "cause"), f"kind of edge ({a!r}, {b!r}) in graph", tuple(_EDGE))
    if figsize is not None:
        _validate.pair(figsize, "figsize", above=0.0)
    _refuse_no_words(alt, caption)
    pos = _layout(graph)
    xs, ys = np.array(list(pos.values())).T
    span = (np.ptp(xs) + 1, np.ptp(ys) + 1)
    fig, ax = plt.subplots(figsize=figsize or (min(7.2, 1.7 * span[0]), max(1.6, 0.95 * span[1])))
    boxes = {v: _node(ax, pos[v], graph.nodes[v], v) for v in graph}
    for a, b, d in graph.edges(data=True):
        color = COLORS[_EDGE[d.get("kind", "cause")]]
        ax.add_patch(
            FancyArrowPatch(
                pos[a],
                pos[b],
                patchA=boxes[a],
                patchB=boxes[b],
                arrowstyle="-|>",
                mutation_scale=13,
                connectionstyle=f"arc3,rad={d.get('rad', 0.0)}",
                color=color,
                linewidth=1.5,
                shrinkA=2,
                shrinkB=2,
            )
        )
    ax.set(xlim=(xs.min() - 0.6, xs.max() + 0.6), ylim=(ys.min() - 0.6, ys.max() + 0.6))
    ax.axis("off")
    show(fig, alt=alt, caption=caption)


def _node(ax: Axes, at: tuple[float, float], attributes: dict[str, object], name: str) -> FancyBboxPatch:
    label = str(attributes.get("label", name))
    color = COLORS[_ROLE.get(str(attributes.get("role", "")), "ink")]
    line = "-" if attributes.get("observed", True) else (0, (4, 2.5))
    lines = label.split("\n")
    half_w, half_h = 0.055 * max(map(len, lines)) / 2 + 0.08, 0.11 * len(lines) + 0.04
    box = FancyBboxPatch(
        (at[0] - half_w, at[1] - half_h),
        2 * half_w,
        2 * half_h,
        boxstyle="round,pad=0.03,rounding_size=0.08",
        facecolor="none",
        edgecolor=color,
        linewidth=1.6,
        linestyle=line,
    )
    ax.add_patch(box)
    ax.text(*at, label, ha="center", va="center", fontsize=9.5, color=INK)
    return box
