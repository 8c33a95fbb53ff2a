"""Colours by meaning, and the line of the truth: what every figure shares."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from matplotlib.axes import Axes

from causalrec_lib import _validate

INK = "#1b1c1f"
"""Stands for the page's text colour: replaced by `currentColor` when a figure is shown."""

COLORS: Mapping[str, str] = MappingProxyType(
    {
        "ink": INK,
        "truth": INK,
        "naive": "#8a8a8a",
        "estimate": "#1f83c4",
        "accent": "#1b7a5a",
        "warn": "#d0531a",
        "treated": "#c58a00",
        "control": "#a246d6",
        "soft": "#56a8d8",
    }
)
"""Colours by meaning. Every pair stays apart under the common colour-vision deficiencies; tests measure it."""

CYCLE = tuple(COLORS[k] for k in ("estimate", "treated", "accent", "control", "warn", "naive"))


def truth_line(ax: Axes, value: float, label: str = "truth", *, axis: str = "x") -> None:
    """Draw the known truth as a dashed line in ink.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    value : float
        The truth, in data units.
    label : str
        Legend label.
    axis : {"x", "y"}
        The axis on which the value lies.

    Raises
    ------
    ValueError
        If `ax` is no axes, `value` no finite number, or `axis` unknown.

    Notes
    -----
    Chapter: concepts/01_why_causal
    """
    _validate.instance(ax, "ax", Axes, "make one with plt.subplots()")
    _validate.number(value, "value")
    _validate.text(label, "label")
    line = ax.axvline if _validate.one_of(axis, "axis", ("x", "y")) == "x" else ax.axhline
    line(value, color=COLORS["truth"], linestyle=(0, (5, 3)), linewidth=1.4, label=label, zorder=1)
