"""The page that lists all exercises: what to do, whether an error is planted, and where its lab is."""

from __future__ import annotations

import html
import re

from docutils.nodes import make_id  # type: ignore[import-untyped]

from causalrec_lib.course import notebook
from causalrec_lib.course.check import load
from causalrec_lib.course.notebook import Notebook
from causalrec_lib.course.repository import Repository
from causalrec_lib.course.site_layout import Layout
from causalrec_lib.course.site_pages import buttons
from causalrec_lib.course.site_start import title

PAGE = "reference/exercises"
_UP = "../../"
_LABS = ("Open in Colab", "Lab notebook", "Exercises only", "Solved notebook")
_LABEL = re.compile(r"Exercise (\d+): (.+)")
_HEAD = """# All exercises

{count} exercises in {chapters} chapters. In {planted} of them somebody else's code holds a planted error, to be
found and mended; in the others you write a function. Each has a check below it in the lab, a hint, and a solution
folded on the page of its chapter. *Exercises only* is the short lab, without the chapter's text.
"""


def exercise_page(where: Layout, repo: Repository) -> str:
    """Return the page that lists the exercises of all chapters.

    Parameters
    ----------
    where : Layout
        The folders.
    repo : Repository
        Where the course is published.

    Returns
    -------
    str
        Markdown; a table for each chapter.

    Raises
    ------
    ValueError
        If the heading of an exercise is not `### Exercise 2: title`, or it has no check.
    """
    blocks, rows = [], []
    for chapter in map(where.chapter, where.sources()):
        source = notebook.load(where.executed(chapter))
        if found := exercises(chapter, source):
            blocks.append(_block(where, repo, chapter, source, found))
            rows += found
    planted = sum(is_planted(name) for _, name, _ in rows)
    return "\n".join([_HEAD.format(count=len(rows), chapters=len(blocks), planted=planted), *blocks])


def exercises(chapter: str, source: Notebook) -> list[tuple[str, str, str]]:
    """Return the exercises of a chapter.

    Parameters
    ----------
    chapter : str
        Part and name.
    source : dict
        Its notebook.

    Returns
    -------
    list of (str, str, str)
        Number, title and task of each.

    Raises
    ------
    ValueError
        If the heading of an exercise is not `### Exercise 2: title`, or it has no check.
    """
    short = chapter[: chapter.index("/") + 3]
    found = []
    for _, label in notebook.exercises(source):
        m = _LABEL.fullmatch(label)
        if m is None:
            raise ValueError(f"{chapter}: the heading '{label}' must read 'Exercise 2: title'.")
        found.append((m[1], m[2], load(f"{short}.{m[1]}")[0]))
    return found


def is_planted(name: str) -> bool:
    """Return whether an exercise is to find a planted error.

    Parameters
    ----------
    name : str
        Its title; one with a planted error says so.

    Returns
    -------
    bool
        True if it is.
    """
    return "planted error" in name.lower()


def _block(where: Layout, repo: Repository, chapter: str, source: Notebook, found: list[tuple[str, str, str]]) -> str:
    name = title(source)
    shown = [b.html(_UP) for b in buttons(where, repo, chapter) if b.label in _LABS]
    nav = f'<nav aria-label="{html.escape(f"Labs of {name}", quote=True)}">{"".join(shown)}</nav>' if shown else ""
    asked = sum("quiz" in notebook.tags(cell) for cell in source["cells"])
    minutes = notebook.settings(source).get("exercise_minutes")
    facts = [f"{minutes} min for the exercises"] if minutes else []
    facts += [f'<a href="{_UP}chapters/{chapter}.html#quiz">{asked} quiz questions</a>'] if asked else []
    head = f'<div class="cr-launch">{nav}<p class="cr-facts">{" · ".join(facts)}</p></div>'
    rows = [_row(chapter, *row) for row in found]
    lead = f"{{doc}}`Read the chapter </chapters/{chapter}>`"
    return "\n".join(
        [f"## {name}", "", lead, "", head, "", "| exercise | what to do | kind |", "|---|---|---|", *rows, ""]
    )


def _row(chapter: str, number: str, name: str, task: str) -> str:
    place = f"{_UP}chapters/{chapter}.html#{make_id(f'Exercise {number}: {name}')}"
    link = f'<a href="{place}">{number}: {html.escape(name)}</a>'
    kind = "planted error" if is_planted(name) else "write it"
    return f"| {link} | {html.escape(task).replace('|', chr(92) + '|')} | {kind} |"
