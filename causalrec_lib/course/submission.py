"""What a student handed in: the functions that answer the exercises of a lab, and the name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from causalrec_lib.course import needs, notebook
from causalrec_lib.course.needs import Statement
from causalrec_lib.course.notebook import Notebook

_ID = re.compile(r"[a-z]+/\d\d\.\d+")


@dataclass(frozen=True)
class Submission:
    """One notebook that was handed in.

    Parameters
    ----------
    file : str
        Its path below the folder.
    name : str
        What stands in the report cell; empty if nothing does.
    answers : dict of str to str
        Exercise -> name of the function.
    sources : dict of int to str
        Position of a cell -> its code.
    statements : tuple of Statement
        What the answers need.
    problem : str
        Why it can't be read; empty if it can.
    """

    file: str
    name: str = ""
    answers: dict[str, str] | None = None
    sources: dict[int, str] | None = None
    statements: tuple[Statement, ...] = ()
    problem: str = ""


def checked(book: Notebook) -> dict[str, str]:
    """Return which function answers which exercise, from the check cells of a notebook.

    Parameters
    ----------
    book : dict
        An nbformat 4 notebook.

    Returns
    -------
    dict of str to str
        For example {"weighting/01.1": "hajek_ate"}.
    """
    found = {}
    for _, source in _code(book):
        for node in _calls(source, "check"):
            words = [a.value if isinstance(a, ast.Constant) else getattr(a, "id", None) for a in node.args]
            if len(words) == 2 and all(isinstance(w, str) for w in words) and _ID.fullmatch(str(words[0])):
                found[str(words[0])] = str(words[1])
    return found


def read(path: Path, folder: Path, wanted: dict[str, dict[str, str]]) -> Submission:
    """Read a notebook that was handed in.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    folder : pathlib.Path
        Where all lie.
    wanted : dict of str to dict of str to str
        Chapter, as "weighting/01" -> its exercises and the functions that answer them; where a chapter is missing,
        the check cells of the notebook say it.

    Returns
    -------
    Submission
        With a `problem` if it is no notebook, or holds no exercise.
    """
    file = path.relative_to(folder).as_posix()
    try:
        book = notebook.load(path)
        own = checked(book)
        chapter = str(book["metadata"].get("course", {}).get("chapter", ""))
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as err:
        why = type(err.__cause__ or err).__name__
        return Submission(file, problem=f"not a notebook ({why}); ask for what File > Download > .ipynb gives")
    short = re.match(r"[a-z]+/\d\d", chapter) or re.match(r"[a-z]+/\d\d", next(iter(own), ""))
    answers = wanted.get(short[0], own) if short else own
    if not answers:
        return Submission(file, problem="no exercise found: no chapter in its metadata and no check cell")
    sources = dict(_code(book))
    tagged = {k for k, cell in enumerate(book["cells"]) if "exercise" in notebook.tags(cell)}
    statements = _chosen([s for k in sources for s in _statements(k, sources[k])], set(answers.values()), tagged)
    return Submission(file, _name(book), answers, sources, tuple(needs.closure(statements, answers.values())))


def _code(book: Notebook) -> Iterator[tuple[int, str]]:
    for k, cell in enumerate(book["cells"]):
        if cell["cell_type"] == "code":
            yield k, notebook.text(cell)


def _statements(cell: int, source: str) -> list[Statement]:
    try:
        return [Statement(cell, node) for node in needs.parse(source)]
    except SyntaxError:
        return []


def _calls(source: str, name: str) -> Iterator[ast.Call]:
    for statement in _statements(0, source):
        for node in ast.walk(statement.node):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == name:
                yield node


def _chosen(statements: list[Statement], functions: set[str], tagged: set[int]) -> list[Statement]:
    """Leave one definition of each answer: the last one in an exercise cell, else the last one."""
    kept: dict[str, int] = {}
    for place, s in enumerate(statements):
        for name in s.binds & functions:
            if s.cell in tagged or name not in kept or statements[kept[name]].cell not in tagged:
                kept[name] = place
    last = set(kept.values())
    return [s for place, s in enumerate(statements) if not s.binds & functions or place in last]


def _name(book: Notebook) -> str:
    """Return the name in the report cell: NAME = "..." before report(NAME), or report("...")."""
    found = ""
    for _, source in _code(book):
        for node in _calls(source, "report"):
            if node.args and isinstance(node.args[0], ast.Constant):
                found = str(node.args[0].value)
        for s in _statements(0, source):
            if isinstance(s.node, ast.Assign) and s.binds == {"NAME"} and isinstance(s.node.value, ast.Constant):
                found = str(s.node.value.value)
    return "" if found == notebook.NOBODY else " ".join(found.split())
