"""The three figures of every adjusted comparison: overlap, balance, and coverage over many samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from causalrec_lib import _validate
from causalrec_lib._balance import group_weights
from causalrec_lib._style import COLORS, INK, truth_line
from causalrec_lib.estimate import Estimate

_MARKS = (("estimate", "o"), ("warn", "s"), ("accent", "^"), ("treated", "D"), ("control", "v"))


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    if ax is None:
        return plt.figure(figsize=size).add_subplot()
    return _validate.instance(ax, "ax", Axes, "make one with plt.subplots(), or leave it out")


def _figure(ax: Axes) -> Figure:
    fig = ax.get_figure(root=True)
    if fig is None:
        raise ValueError("ax belongs to no figure; make one with plt.subplots().")
    return fig


def overlap(
    e: ArrayLike,
    t: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    bins: int = 25,
    labels: tuple[str, str] = ("treated", "controls"),
    density: bool = False,
    xlabel: str = "propensity, $e$",
    ax: Axes | None = None,
) -> Figure:
    """Draw who has which propensity: the treated upwards, the controls downwards.

    Parameters
    ----------
    e : array_like of shape (n,)
        Propensities, or any score such as their log-odds.
    t : array_like of shape (n,)
        Treatment, 0 or 1.
    weights : array_like of shape (n,), optional
        Draw the weighted groups as outlines, and all rows as a dotted line.
    bins : int
        Number of bars.
    labels : tuple of str
        Names of the treated and of the controls.
    density : bool
        Give both groups the same area, for groups of very different size.
    xlabel : str
        Label of the score.
    ax : matplotlib.axes.Axes, optional
        Draw here instead of in a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure, not yet shown.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length or of one class.

    Notes
    -----
    Chapter: weighting/01_propensity_weighting
    """
    score = _validate.vector(e, "e")
    group = _validate.binary(t, "t", len(score), "e")
    w = None if weights is None else group_weights(weights, group == 1)
    _validate.integer(bins, "bins", low=1)
    _validate.flag(density, "density")
    _validate.text(xlabel, "xlabel")
    if len(_validate.texts(labels, "labels")) != 2:
        raise ValueError(f"labels must be two texts, but has {len(labels)}; name the treated, then the controls.")
    ax = _axes(ax, (6.0, 3.8))
    inside = score.min() >= 0 and score.max() <= 1
    edges = np.linspace(0, 1, bins + 1) if inside else np.histogram_bin_edges(score, bins)
    everyone, _ = np.histogram(score, edges, density=density)
    for side, sign, color, label in ((1, 1, "treated", labels[0]), (0, -1, "control", labels[1])):
        rows = group == side
        height, _ = np.histogram(score[rows], edges, density=density)
        ax.stairs(sign * height, edges, fill=True, color=COLORS[color], alpha=0.5, label=label)
        if w is not None:
            height, _ = np.histogram(score[rows], edges, weights=w[rows], density=density)
            ax.stairs(sign * height, edges, color=COLORS[color], linewidth=2.2, label=f"{label}, weighted")
            ax.stairs(sign * everyone, edges, color=INK, linestyle=":", label="all rows" if side else None)
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.yaxis.set_major_formatter(lambda v, _: f"{abs(v):,.3g}" if density else f"{abs(v):,.0f}")
    ax.set(xlabel=xlabel, ylabel="density" if density else "rows")
    ax.legend(fontsize=9)
    return _figure(ax)


def love(
    balance: pd.DataFrame | Estimate | Mapping[str, pd.DataFrame | Estimate],
    *,
    limit: float = 0.1,
    labels: Mapping[str, str] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw balance before and after, one row a covariate (a love plot).

    Parameters
    ----------
    balance : DataFrame, Estimate, or mapping of str to either
        A balance table, an estimate that has one, or several by name; "before" is taken from the first.
    limit : float
        Rule of thumb, drawn dotted.
    labels : mapping of str to str, optional
        Words for covariates; by default their names with blanks for underscores.
    ax : matplotlib.axes.Axes, optional
        Draw here instead of in a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure, not yet shown.

    Raises
    ------
    ValueError
        If there is no table, or one lacks "after" or a covariate.

    Notes
    -----
    Chapter: weighting/01_propensity_weighting

    References
    ----------
    bib: stuart2010matching
    """
    tables = _tables(balance)
    _validate.number(limit, "limit", low=0)
    words = {} if labels is None else _validate.mapping(labels, "labels")
    for covariate, word in words.items():
        _validate.text(word, f"labels[{covariate!r}]")
    first = next(iter(tables.values()))
    rows = np.arange(len(first))[::-1]
    ax = _axes(ax, (6.0, 1.3 + 0.32 * len(first)))
    after = [table["after"].reindex(first.index) for table in tables.values()]
    ax.hlines(rows, 0, np.max([first["before"], *after], axis=0), color=COLORS["naive"], alpha=0.35, linewidth=1.0)
    ax.plot(first["before"], rows, "X", color=COLORS["naive"], markersize=8, label="before")
    for name, values, (color, mark) in zip(tables, after, _MARKS * len(tables), strict=False):
        ax.plot(values, rows, mark, color=COLORS[color], markersize=7, label=name)
    ax.axvline(limit, color=INK, linestyle=":", linewidth=1.2)
    ax.set_yticks(rows, [words.get(c, str(c).replace("_", " ")) for c in first.index])
    ax.set(xlabel="standardised difference of means (absolute)", xlim=(-0.02, None), ylim=(-0.6, len(first) - 0.4))
    ax.grid(axis="y", visible=False)
    ax.legend(loc="best", fontsize=9)
    return _figure(ax)


def _tables(balance: object) -> dict[str, pd.DataFrame]:
    several = balance if isinstance(balance, Mapping) else {"after": balance}
    if not several:
        raise ValueError("balance is empty; pass at least one balance table.")
    tables: dict[str, pd.DataFrame] = {}
    for name, table in several.items():
        found = table.balance if isinstance(table, Estimate) else table
        tables[name] = _validate.frame(found, f"balance of {name!r}", ["before", "after"]).abs()
    return tables


def coverage(
    runs: pd.DataFrame,
    *,
    show: int = 60,
    naive: str | Sequence[str] = (),
    xlabel: str = "effect",
    what: str = "samples",
) -> Figure:
    """Draw intervals of many samples against the truth, one panel an estimator; those that miss stand out.

    Parameters
    ----------
    runs : DataFrame
        What `simulation.repeat` returned.
    show : int
        Samples to draw, the first so many; titles count all.
    naive : str or sequence of str
        Names drawn in the colour of naive values.
    xlabel : str
        Label of the effect with its unit.
    what : str
        What a sample is, for the axis: "weeks".

    Returns
    -------
    matplotlib.figure.Figure
        The figure, not yet shown. Refused samples leave a gap, and the title counts them.

    Raises
    ------
    ValueError
        If columns lack, or `naive` names no estimator.

    Notes
    -----
    Chapter: concepts/01_why_causal
    """
    table = _validate.frame(runs, "runs", ["name", "value", "low", "high", "truth", "covers", "refused"])
    names = list(dict.fromkeys(table["name"]))
    plain = (naive,) if isinstance(naive, str) else _validate.texts(naive, "naive")
    _validate.integer(show, "show", low=1)
    _validate.text(xlabel, "xlabel")
    _validate.text(what, "what")
    for name in plain:
        _validate.one_of(name, "naive", names)
    fig, axes = plt.subplots(1, len(names), figsize=(max(4.2, 3.4 * len(names)), 3.6), sharex=True, squeeze=False)
    for ax, name in zip(axes[0], names, strict=True):
        part = table[table["name"] == name]
        answers = part[~part["refused"].astype(bool)]
        some = part.head(show).sort_values("value").reset_index(drop=True)
        for covers, color in ((True, "naive" if name in plain else "estimate"), (False, "warn")):
            these = some[(some["covers"] == covers) & ~some["refused"].astype(bool)]
            ax.hlines(these.index, these["low"], these["high"], color=COLORS[color], linewidth=1.6)
        for value in answers["truth"].unique()[:1]:
            truth_line(ax, float(value))
        silent = f", {part['refused'].mean():.0%} refused" if part["refused"].any() else ""
        ax.set(title=f"{name}: {answers['covers'].mean():.0%} cover{silent}", xlabel=xlabel, yticks=[])
    axes[0][0].set_ylabel(f"{min(show, len(table) // len(names))} of the {what}")
    return fig
