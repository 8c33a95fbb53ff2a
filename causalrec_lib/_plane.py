"""The bias plane: how strong a hidden cause must be to turn an answer, and how strong observed ones are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from causalrec_lib import _validate
from causalrec_lib._style import COLORS, INK


class Bounded(Protocol):
    """What `Estimate.sensitivity()` and `sensitivity.ols` return: an estimate with a scale of bias."""

    @property
    def value(self) -> float:
        """The estimate."""

    @property
    def scale(self) -> float | None:
        """S, the bias per unit of strength."""

    @property
    def null(self) -> float:
        """The value that would turn the decision."""


def bias_plane(
    sensitivity: Bounded,
    *,
    lines: Mapping[float, str] | None = None,
    benchmarks: pd.DataFrame | None = None,
    hidden: tuple[float, float] | None = None,
    limits: tuple[float, float] | None = None,
    labels: tuple[str, str] = ("share of the weights' spread", "share of the outcome's spread"),
    ax: Axes | None = None,
) -> Figure:
    """Draw where a hidden cause of a given strength could move an estimate to a given value.

    Parameters
    ----------
    sensitivity : Sensitivity or LinearSensitivity
        What `estimate.sensitivity()` or `sensitivity.ols` returned.
    lines : mapping of float to str, optional
        Values of the effect, each with its words; beyond its line the effect may lie there. By default the null.
    benchmarks : DataFrame, optional
        `r2_treatment` and `r2_outcome` of observed covariates, one row each; drawn as points.
    hidden : tuple of float, optional
        (r2_treatment, r2_outcome) of the true hidden cause, where it is known; drawn as a star.
    limits : tuple of float, optional
        Ends of the axes (treatment, outcome); by default a little beyond what is drawn.
    labels : tuple of str
        Of the axes: treatment, then outcome.
    ax : matplotlib.axes.Axes, optional
        Draw here instead of in a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure, not yet shown. Grey: what the bias bound can't reach.

    Raises
    ------
    ValueError
        If there is no bias bound, a line is the estimate itself, or points leave the plane.

    Notes
    -----
    Chapter: weighting/04_sensitivity

    References
    ----------
    bib: cinelli2020making
    """
    if getattr(sensitivity, "scale", None) is None:
        raise ValueError(
            "sensitivity has no bias bound; pass what estimate.sensitivity() or sensitivity.ols returned."
        )
    wanted = {sensitivity.null: ""} if lines is None else _validate.mapping(lines, "lines")
    points = _points(benchmarks)
    star = None if hidden is None else _validate.pair(hidden, "hidden")
    d_end, y_end = _limits(limits, points, star)
    if len(_validate.texts(labels, "labels")) != 2:
        raise ValueError(f"labels must be two texts, but has {len(labels)}; name treatment, then outcome.")
    if ax is None:
        ax = plt.figure(figsize=(4.7, 4.5)).add_subplot()
    _validate.instance(ax, "ax", Axes, "make one with plt.subplots(), or leave it out")
    d = np.linspace(1e-6, d_end, 400)
    for (value, words), style in zip(wanted.items(), ("-", "--", "-.", ":") * len(wanted), strict=False):
        gap = abs(sensitivity.value - _validate.number(value, "each value of lines"))
        if gap == 0:
            raise ValueError(f"lines holds the estimate itself, {value:g}; any bias moves it.")
        needed = gap**2 / sensitivity.scale**2 * (1 - d) / d  # type: ignore[operator]
        ax.plot(
            d, needed, style, color=COLORS["warn"], label=_validate.text(words, f"lines[{value!r}]") or f"{value:g}"
        )
    for (name, x, y), mark in zip(points, ("o", "s", "^", "D", "v", "P") * len(points), strict=False):
        ax.plot(x, y, mark, color=COLORS["estimate"], markersize=7, label=name, clip_on=False, zorder=3)
    if star is not None:
        ax.plot(
            *star, "*", color=COLORS["truth"], markeredgecolor=INK, markersize=17, zorder=3, label="the hidden cause"
        )
    ax.set(xlim=(0, d_end), ylim=(0, y_end), xlabel=labels[0], ylabel=labels[1])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(lambda v, _: f"{100 * v:.3g}%")
    ax.legend(fontsize=8.5, loc="lower left", bbox_to_anchor=(-0.12, 1), ncols=2, columnspacing=0.9, handlelength=1.6)
    fig = ax.get_figure(root=True)
    if fig is None:
        raise ValueError("ax belongs to no figure; make one with plt.subplots().")
    return fig


def _points(benchmarks: object) -> list[tuple[str, float, float]]:
    if benchmarks is None:
        return []
    table = _validate.frame(benchmarks, "benchmarks", ["r2_treatment", "r2_outcome"])
    names = [" x ".join(map(str, i[::-1])) if isinstance(i, tuple) else str(i) for i in table.index]
    columns = (_validate.vector(table[c].to_numpy(), c) for c in ("r2_treatment", "r2_outcome"))
    return [(n.replace("_", " "), float(x), float(y)) for n, x, y in zip(names, *columns, strict=True)]


def _limits(
    limits: object, points: Sequence[tuple[str, float, float]], star: tuple[float, float] | None
) -> tuple[float, float]:
    """Return the ends of both axes, and refuse points beyond 0 and 1."""
    every = [p[1:] for p in points] + ([star] if star is not None else [])
    for name, some in (("benchmarks", every[: len(points)]), ("hidden", every[len(points) :])):
        if any(not 0 <= x < 1 or not 0 <= y <= 1 for x, y in some):
            raise ValueError(f"{name} must have shares of treatment from 0 to below 1 and of outcome from 0 to 1.")
    if limits is not None:
        ends = _validate.pair(limits, "limits", above=0.0)
        if max(ends) > 1:
            raise ValueError(f"limits must be at most 1, but are {ends[0]:g} and {ends[1]:g}.")
        return min(ends[0], 1 - 1e-9), ends[1]
    reach = [max((p[i] for p in every), default=0.0) for i in (0, 1)]
    return min(max(1.4 * reach[0], 0.05), 0.999), min(max(1.4 * reach[1], 0.02), 1.0)
