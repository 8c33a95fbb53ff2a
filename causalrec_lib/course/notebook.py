"""What the site and the labs share: cell tags, chapter metadata, and the stub that stands in for a solution."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NOBODY = "your name"
BEGIN, END = "# BEGIN SOLUTION", "# END SOLUTION"
_HEADING = re.compile(r"^#{2,4}\s+(Exercise\s+(?:\d+\.)?\d+\b[^\n]*)$", re.M)
Cell = dict[str, Any]
Notebook = dict[str, Any]


def _regions(source: str) -> tuple[list[str], list[tuple[int, int]]]:
    """Return the lines of a cell and the (begin, end) line numbers of its solutions."""
    lines = source.split("\n")
    found: list[tuple[int, int]] = []
    start: int | None = None
    for k, line in enumerate(lines):
        mark = line.strip()
        if mark == BEGIN:
            if start is not None:
                raise ValueError(
                    f"source opens '{BEGIN}' twice (lines {start + 1} and {k + 1}); close the first one."
                )
            start = k
        elif mark == END:
            if start is None:
                raise ValueError(f"source has '{END}' on line {k + 1} without '{BEGIN}' before it; add the marker.")
            found.append((start, k))
            start = None
    if start is not None:
        raise ValueError(f"source never closes the '{BEGIN}' of line {start + 1}; add '{END}' after the solution.")
    if not found:
        raise ValueError(f"source of an exercise has no solution; put it between '{BEGIN}' and '{END}'.")
    return lines, found


def stub(source: str, label: str) -> str:
    """Return the student's version of an exercise cell.

    Each solution, markers included, becomes one line that raises NotImplementedError.

    Parameters
    ----------
    source : str
        Code with the solution between `# BEGIN SOLUTION` and `# END SOLUTION`, inside of a function.
    label : str
        What the error says, for example "Exercise 1: the Hajek estimator".

    Returns
    -------
    str
        Code that runs, and whose function raises until it is answered.

    Raises
    ------
    ValueError
        If markers are missing, nested or unbalanced, a solution stands outside of a function, `label` is empty,
        or the stub would not be Python.
    """
    if not label.strip():
        raise ValueError("label is empty; pass the heading of the exercise, for example 'Exercise 1: overlap'.")
    lines, regions = _regions(source)
    for begin, end in reversed(regions):
        indent = lines[begin][: len(lines[begin]) - len(lines[begin].lstrip())]
        if not indent:
            raise ValueError(
                f"source has a solution outside of a function (line {begin + 1}); an answer is a function."
            )
        lines[begin : end + 1] = [f"{indent}raise NotImplementedError({json.dumps(label, ensure_ascii=False)})"]
    student = "\n".join(lines)
    _parse(student, "the stub")
    return student


def solution(source: str) -> str:
    """Return an exercise cell without its markers.

    Parameters
    ----------
    source : str
        Code with the solution between `# BEGIN SOLUTION` and `# END SOLUTION`.

    Returns
    -------
    str
        The same code, solved, to be read.

    Raises
    ------
    ValueError
        If markers are missing, nested or unbalanced, or the code is not Python.
    """
    lines, regions = _regions(source)
    drop = {k for region in regions for k in region}
    solved = "\n".join(line for k, line in enumerate(lines) if k not in drop)
    _parse(solved, "the solution")
    return solved


def _parse(source: str, what: str) -> None:
    try:
        ast.parse(source)
    except SyntaxError as err:
        raise ValueError(f"source of {what} is not Python (line {err.lineno}: {err.msg}); mend the cell.") from err


def text(cell: Cell) -> str:
    """Return the source of a cell as one string.

    Parameters
    ----------
    cell : dict
        A cell of an nbformat 4 notebook.

    Returns
    -------
    str
        Its source.
    """
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def tags(cell: Cell) -> tuple[str, ...]:
    """Return the tags of a cell.

    Parameters
    ----------
    cell : dict
        A cell of an nbformat 4 notebook.

    Returns
    -------
    tuple of str
        In their order; empty if there are none.
    """
    return tuple(cell.get("metadata", {}).get("tags", ()))


def exercises(notebook: Notebook) -> Iterator[tuple[int, str]]:
    """Yield the exercise cells of a notebook with the headings above them.

    Parameters
    ----------
    notebook : dict
        An nbformat 4 notebook.

    Yields
    ------
    tuple of int and str
        Position of the cell and its label, for example "Exercise 1: the Hajek estimator".

    Raises
    ------
    ValueError
        If an exercise cell has no heading `### Exercise k: ...` above it.
    """
    label = ""
    for k, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "markdown":
            headings = _HEADING.findall(text(cell))
            label = headings[-1].strip() if headings else label
        elif "exercise" in tags(cell):
            if not label:
                raise ValueError(
                    f"notebook cell {k} is an exercise without a heading '### Exercise k: ...' above it."
                )
            yield k, label


def settings(notebook: Notebook) -> dict[str, Any]:
    """Return what a chapter declares about itself.

    Parameters
    ----------
    notebook : dict
        An nbformat 4 notebook.

    Returns
    -------
    dict
        The `course` block of its header: kind, reading_minutes, exercise_minutes, data, ...
    """
    return dict(notebook.get("metadata", {}).get("course", {}))


def lab_name(chapter: str, kind: str) -> str:
    """Return the file name of a lab, which no other chapter of any part has.

    Parameters
    ----------
    chapter : str
        For example "weighting/01_propensity_weighting".
    kind : {"student", "solution", "exercises"}
        Which one.

    Returns
    -------
    str
        For example "weighting_01_propensity_weighting_student.ipynb".
    """
    return f"{chapter.replace('/', '_')}_{kind}.ipynb"


def load(path: Path) -> Notebook:
    """Read a notebook file.

    Parameters
    ----------
    path : pathlib.Path
        An .ipynb file of format 4.

    Returns
    -------
    dict
        The notebook.

    Raises
    ------
    ValueError
        If the file holds no notebook of format 4.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as err:
        raise ValueError(f"{path} is not a notebook ({err}); build it again.") from err
    if notebook.get("nbformat") != 4:
        raise ValueError(f"{path} is not an nbformat 4 notebook; build it again.")
    return dict(notebook)
