"""The cells of a lab: what is folded gets a title, and what only feeds the book's numbers stays out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from typing import Any

from causalrec_lib.course import needs, notebook
from causalrec_lib.course.notebook import Cell

FOLDED = {"cellView": "form", "jupyter": {"source_hidden": True}}
_LONGEST = 60
_FIGURE = ("show", "draw_dag")
_NUMBERS = ("run.record", "run.claim")


def code(source: str, metadata: dict[str, Any]) -> Cell:
    """Return a code cell without output.

    Parameters
    ----------
    source : str
        Its code.
    metadata : dict
        Its metadata.

    Returns
    -------
    dict
        The cell, without id.
    """
    return {"cell_type": "code", "execution_count": None, "metadata": metadata, "outputs": [], "source": source}


def markdown(source: str) -> Cell:
    """Return a text cell.

    Parameters
    ----------
    source : str
        Markdown.

    Returns
    -------
    dict
        The cell, without id.
    """
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def report() -> list[Cell]:
    """Return the last cells of a lab: a table of what passed, and a line to hand in.

    Returns
    -------
    list of dict
        A text and a code cell.
    """
    lines = ["# @title Your report", "from causalrec_lib.course import report", ""]
    lines += [f'NAME = "{notebook.NOBODY}"  # @param {{type:"string"}}', "report(NAME)"]
    text = "Put your name into the next cell and run it: it lists your answers in a line to hand in."
    return [markdown(f"## Your report\n\n{text}"), code("\n".join(lines), {"cellView": "form", "tags": ["report"]})]


def titled(source: str, title: str) -> str:
    """Return code with a title in its first line, as Colab shows it over a folded cell.

    Parameters
    ----------
    source : str
        Code.
    title : str
        A few words; line breaks and dollar signs are taken out.

    Returns
    -------
    str
        The same code below its title.
    """
    return source if source.startswith("# @title") else f"# @title {_short(title)}\n{source}"


def title(source: str) -> str:
    """Return a title for a folded cell.

    Parameters
    ----------
    source : str
        Its code.

    Returns
    -------
    str
        The begin of its figure's caption, or what else it is.
    """
    calls = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call)]
    for name in ("caption", "alt"):
        for call in calls:
            for keyword in call.keywords:
                if _name(call).rpartition(".")[2] in _FIGURE and keyword.arg == name and _text(keyword.value):
                    return f"Figure: {_text(keyword.value)}"
    return "Numbers that the text quotes" if any(_name(c) in _NUMBERS for c in calls) else "Code behind the text"


def only_numbers(cell: Cell, later: Iterable[str]) -> bool:
    """Return whether a cell does nothing but record numbers for the book's text.

    Parameters
    ----------
    cell : dict
        A code cell of a chapter.
    later : iterable of str
        The code after it.

    Returns
    -------
    bool
        False if it shows or claims something, draws random numbers, or if later code reads its names.
    """
    source = notebook.text(cell)
    if "run.record(" not in source or "run.claim(" in source or "rng" in source:
        return False
    body = needs.parse(source)
    own = set().union(*(needs.binds(node) for node in body))
    if own and "hide-input" not in notebook.tags(cell):
        return False
    for node in (n for top in body for n in ast.walk(top) if isinstance(n, ast.Expr)):
        called = _name(node.value) if isinstance(node.value, ast.Call) else ""
        documents = isinstance(node.value, ast.Constant)
        if not documents and called not in _NUMBERS and called.partition(".")[0] not in own:
            return False
    return not own & needs.used(node for text in later for node in needs.parse(text))


def _name(call: ast.Call) -> str:
    return ast.unparse(call.func)


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _short(words: str) -> str:
    """Return the first sentence, at most sixty characters of it, cut between words."""
    plain = " ".join(words.replace("$", "").split())
    sentence = re.split(r"(?<=[^\d])[.](?:\s|$)", plain)[0]
    if len(sentence) <= _LONGEST:
        return sentence
    return sentence[:_LONGEST].rsplit(" ", 1)[0].rstrip(",:;") + " ..."
