"""The short lab: the exercises and the quiz of a chapter, with what they need from it and nothing else."""

from __future__ import annotations

import ast
import re

from causalrec_lib.course import needs, notebook
from causalrec_lib.course.needs import Statement
from causalrec_lib.course.notebook import Notebook

ALWAYS = ("np", "pd")
TAG = "exercise-needs"
_FROM = re.compile(r"^## Exercises[ \t]*$", re.M)
_UNTIL = re.compile(r"^## (?!Exercises|Quiz)", re.M)
_READS = re.compile(r"\b(make_world|data\.load|load_optional|raw_week)\b")


def shortened(chapter: Notebook, heading: str) -> Notebook:
    """Return a chapter without all that its exercises don't need.

    Parameters
    ----------
    chapter : dict
        The chapter's notebook, with solutions.
    heading : str
        Text of the first cell.

    Returns
    -------
    dict
        A notebook of the same form, from which a lab can be made as from a chapter.

    Raises
    ------
    ValueError
        If the chapter has no section of exercises.
    """
    tasks = _section(chapter)
    wanted = {"check", "quiz", *ALWAYS}
    for cell in tasks:
        if cell["cell_type"] == "code":
            wanted |= needs.used(needs.parse(notebook.text(cell)))
    opening = [{"cell_type": "markdown", "metadata": {}, "source": heading}]
    return {**chapter, "cells": [*opening, *_needed(chapter, wanted), *tasks]}


def reads_data(chapter: Notebook) -> bool:
    """Return whether the code of a notebook loads data sets.

    Parameters
    ----------
    chapter : dict
        A notebook.

    Returns
    -------
    bool
        False if there is nothing to fetch for it.
    """
    return any(_READS.search(notebook.text(c)) for c in chapter["cells"] if c["cell_type"] == "code")


def _section(chapter: Notebook) -> list[notebook.Cell]:
    """Return the cells from the heading of the exercises to the end of the quiz."""
    found: list[notebook.Cell] = []
    inside = False
    for cell in chapter["cells"]:
        source = notebook.text(cell)
        if cell["cell_type"] == "markdown":
            start = _FROM.search(source)
            if start:
                inside, source = True, source[start.start() :]
            end = _UNTIL.search(source) if inside else None
            if end:
                found.append({**cell, "source": source[: end.start()].rstrip()})
                return [c for c in found if notebook.text(c)]
        if inside:
            found.append({**cell, "source": source})
    if not found:
        raise ValueError("the chapter has no section '## Exercises'; add the heading.")
    return found


def _needed(chapter: Notebook, wanted: set[str]) -> list[notebook.Cell]:
    """Return the code that defines names, cell by cell, imports first."""
    cells = chapter["cells"]
    before = next(k for k, c in enumerate(cells) if c["cell_type"] == "markdown" and _FROM.search(notebook.text(c)))
    code = {k: c for k, c in enumerate(cells[:before]) if c["cell_type"] == "code"}
    statements = [Statement(k, node) for k, c in code.items() for node in needs.parse(notebook.text(c))]
    marked = {k for k, c in code.items() if TAG in notebook.tags(c)}
    inside = [s for s in statements if s.cell in marked]
    wanted = wanted | needs.used(s.node for s in inside)
    taken = {id(s) for s in (*needs.closure(statements, wanted), *inside)}
    chosen = [s for s in statements if id(s) in taken]
    imports = [_import(s.node, wanted, chosen) for s in chosen if isinstance(s.node, ast.Import | ast.ImportFrom)]
    ours = [line for line in imports if "causalrec_lib" in line]
    blocks = [[line for line in imports if line not in ours], ours]
    text = "\n\n".join("\n".join(block) for block in blocks if block)
    found = [_cell({"metadata": {}}, text)] if imports else []
    for k, cell in code.items():
        rest = [s for s in chosen if s.cell == k and not isinstance(s.node, ast.Import | ast.ImportFrom)]
        lines = [ast.get_source_segment(notebook.text(cell), s.node) or ast.unparse(s.node) for s in rest]
        gap = "\n\n\n" if any(isinstance(s.node, ast.FunctionDef) for s in rest) else "\n"
        found += [_cell(cell, gap.join(lines))] if lines else []
    return found


def _import(node: ast.stmt, wanted: set[str], chosen: list[Statement]) -> str:
    """Return an import without the names that nothing here reads."""
    if not isinstance(node, ast.Import | ast.ImportFrom):
        return ast.unparse(node)
    read = wanted | needs.used(s.node for s in chosen)
    names = [a for a in node.names if (a.asname or a.name).split(".")[0] in read]
    kept = ast.Import(names) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, names, node.level)
    return ast.unparse(kept)


def _cell(cell: notebook.Cell, source: str) -> notebook.Cell:
    return {"cell_type": "code", "metadata": cell["metadata"], "source": source}
