"""A causal tree as a page that a product manager reads: questions as lines, leaves as intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from causalrec_lib import _validate
from causalrec_lib._style import COLORS, INK

_STEP = 0.055


class Drawable(Protocol):
    """What `trees.causal_tree` returns: leaves, and the questions that lead to them."""

    def leaves(self) -> pd.DataFrame:
        """One row a leaf."""

    def path_to(self, leaf: int) -> list[tuple[str, bool, float]]:
        """Questions as column, side and cut."""


def effect_tree(
    tree: Drawable,
    *,
    words: Mapping[str, tuple[str, str]] | None = None,
    truth: Mapping[int, float] | None = None,
    line: float | None = None,
    scale: float = 1.0,
    unit: str = "",
    rows: str = "rows",
    xlabel: str = "effect",
) -> Figure:
    """Draw a causal tree from top to bottom, one question or leaf a line.

    Parameters
    ----------
    tree : CausalTree
        What `trees.causal_tree` returned.
    words : mapping of str to tuple of str, optional
        What to say of rows below and above a cut of a column, for example {"score": ("liked less", "liked more")}.
    truth : mapping of int to float, optional
        True effect in each leaf, where it is known; drawn as a dashed tick.
    line : float, optional
        The effect at which a decision turns; leaves whose interval lies above or below it get a colour of their own.
    scale : float
        What to multiply effects with, for example 100 for points.
    unit : str
        Unit of the scaled effect.
    rows : str
        What a row is, in the plural.
    xlabel : str
        Label of the axis of effects.

    Returns
    -------
    matplotlib.figure.Figure
        The figure, not yet shown; narrow enough for a phone.

    Raises
    ------
    ValueError
        If `tree` is no causal tree, or `words` or `truth` don't fit it.

    Notes
    -----
    Chapter: trees/01_causal_trees

    References
    ----------
    bib: athey2016recursive
    """
    table, said, true = _checked(tree, words, truth)
    _validate.number(scale, "scale", above=0)
    for name, text in (("unit", unit), ("rows", rows), ("xlabel", xlabel)):
        _validate.text(text, name)
    turn = None if line is None else scale * _validate.number(line, "line")
    table = table.assign(**{c: scale * table[c] for c in ("effect", "low", "high")})
    places = _places(tree, list(table.index), said)
    ends = [table["low"].min(), table["high"].max(), *(scale * v for v in true.values()), turn or 0.0]
    low, high = min(ends), max(ends)
    fig, ax = plt.subplots(figsize=(4.7, 0.5 + 0.27 * (len(places) + 2 * len(table))))
    y = 0.0
    for depth, text, leaf in places:
        ax.text(_STEP * depth, y, text, transform=ax.get_yaxis_transform(), va="center", color=INK, fontsize=10)
        if leaf is not None:
            row = table.loc[[leaf]].iloc[0]
            words_of = (
                f"{row.effect:+.1f} {unit} ({row.low:.1f} to {row.high:.1f}), {100 * row.share:.0f} % of {rows}"
            )
            y -= 1.0
            ax.text(
                _STEP * (depth + 1),
                y,
                words_of,
                transform=ax.get_yaxis_transform(),
                va="center",
                color=INK,
                weight="bold",
                fontsize=9.5,
            )
            y -= 0.75
            _interval(ax, y, row, turn, scale * true[leaf] if leaf in true else None)
            y -= 0.2
        y -= 1.0
    ax.grid(visible=False)
    room = 0.04 * (high - low)
    ax.set(xlim=(low - room, high + room), ylim=(y + 0.3, 0.8), yticks=[], xlabel=xlabel)
    ax.spines["left"].set_visible(False)
    return fig


def _checked(
    tree: object, words: object, truth: object
) -> tuple[pd.DataFrame, Mapping[str, tuple[str, str]], Mapping[int, float]]:
    if not callable(getattr(tree, "leaves", None)) or not callable(getattr(tree, "path_to", None)):
        raise ValueError(f"tree must be a causal tree, not {_validate.shown(tree)}; pass what causal_tree returned.")
    table = tree.leaves()  # type: ignore[attr-defined]
    said = _validate.mapping({} if words is None else words, "words")
    for name, both in said.items():
        if not isinstance(both, tuple) or len(both) != 2:
            raise ValueError(f"words[{name!r}] must be two texts, for rows below and above a cut of that column.")
        for text in both:
            _validate.text(text, f"each of words[{name!r}]", 1)
    true = _validate.mapping({} if truth is None else truth, "truth")
    for leaf, value in true.items():
        _validate.one_of(leaf, "truth", tuple(table.index))
        _validate.number(value, f"truth[{leaf!r}]")
    return table, said, true


def _places(
    tree: Drawable, leaves: list[int], words: Mapping[str, tuple[str, str]]
) -> list[tuple[int, str, int | None]]:
    """Return depth, words and leaf of every line, from top to bottom."""
    out: list[tuple[int, str, int | None]] = []
    before: list[tuple[str, bool, float]] = []
    for leaf in leaves:
        path = tree.path_to(leaf)
        shared = 0
        while shared < min(len(path), len(before)) and path[shared] == before[shared]:
            shared += 1
        for depth in range(shared, len(path)):
            name, above, cut = path[depth]
            text = f"{words[name][above]} " if name in words else f"{name} "
            text += f"({'>' if above else '≤'} {cut:.3g})"
            out.append((depth, text, leaf if depth == len(path) - 1 else None))
        if not path:
            out.append((0, "everything", leaf))
        before = path
    return out


def _interval(ax: Axes, y: float, row: pd.Series, turn: float | None, truth: float | None) -> None:
    color = COLORS["estimate"]
    if turn is not None:
        color = COLORS["accent" if row["low"] > turn else "warn" if row["high"] < turn else "naive"]
    if turn is not None:
        ax.plot([turn, turn], [y - 0.5, y + 0.5], color=INK, linestyle=":", linewidth=1.2, zorder=0)
    ax.plot([row["low"], row["high"]], [y, y], color=color, linewidth=3, solid_capstyle="round")
    ax.plot(row["effect"], y, "o", color=color, markersize=6.5)
    if truth is not None and np.isfinite(truth):
        ax.plot([truth, truth], [y - 0.42, y + 0.42], color=COLORS["truth"], linestyle=(0, (2, 1)), linewidth=1.8)
