"""What the site takes from the data registry: the files of MathJax and one page a data set."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch

from causalrec_lib import data
from causalrec_lib.plots import COLORS

_INDEX = """# Data

Every set of the course has a card: where it comes from, what its columns mean, and which traps it holds.
Nothing that others collected is kept in the course's repository; files are fetched, checked against their
hash and kept on your machine. `causalrec data list` says what you have, `causalrec data card NAME` prints a card.

| set | what it is | licence |
|---|---|---|
"""


def mathjax() -> Path:
    """Return the folder of MathJax, fetched and verified.

    Returns
    -------
    pathlib.Path
        Holds `es5/tex-mml-chtml.js` and what it loads.
    """
    return Path(data.fetch("mathjax"))


def data_cards() -> dict[str, str]:
    """Return the Markdown of every data card, and of the page that lists them.

    Returns
    -------
    dict of str to str
        By name of the page; "index" is the list.
    """
    cards = {name: data.card(name) for name in sorted(data.names())}
    rows = "".join(f"| [{name}]({name}.md) | {card.title} | {card.licence} |\n" for name, card in cards.items())
    return {"index": _INDEX + rows, **{name: _page(card) for name, card in cards.items()}}


def _page(card: data.Card) -> str:
    """Return a card with headings in place of its bold lines."""
    lines = []
    for line in card._repr_markdown_().splitlines()[1:]:
        lines.append(f"## {line.rstrip(':')}" if line.startswith(("Columns of ", "Traps:")) else line)
    load = f'```python\nfrom causalrec_lib import data\n\ndf = data.load("{card.name}")\n```'
    return "\n".join([f"# {card.title}", *lines, "", "## How to load it", "", load, ""])


def logo(path: Path) -> None:
    """Draw the course's sign, a graph of three nodes, as a picture for link previews.

    Parameters
    ----------
    path : pathlib.Path
        Target, a PNG file; left alone if it is there.
    """
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fig = Figure(figsize=(4, 4))
    ax = fig.add_axes((0, 0, 1, 1))
    nodes = {"warn": (0.5, 0.82), "treated": (0.18, 0.24), "estimate": (0.82, 0.24)}
    for name, at in nodes.items():
        ax.add_patch(Circle(at, 0.13, color=COLORS[name]))
    for a, b, color in (
        ("warn", "treated", "warn"),
        ("warn", "estimate", "warn"),
        ("treated", "estimate", "estimate"),
    ):
        ends = (nodes[a], nodes[b])
        arrow = FancyArrowPatch(*ends, arrowstyle="-|>", mutation_scale=40, linewidth=7, shrinkA=42, shrinkB=42)
        arrow.set_color(COLORS[color])
        ax.add_patch(arrow)
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    ax.axis("off")
    fig.savefig(path, dpi=120, transparent=True)
