"""Labs: student, solution and short notebooks of each chapter, in plain Markdown, for a laptop and for Colab."""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from causalrec_lib.course import chapters, labs_cells, notebook
from causalrec_lib.course.chapters import Chapter
from causalrec_lib.course.labs_cells import only_numbers
from causalrec_lib.course.labs_colab import extras
from causalrec_lib.course.labs_exercises import reads_data, shortened
from causalrec_lib.course.labs_glossary import Glossary
from causalrec_lib.course.labs_markdown import Context, flatten, page_of, page_title
from causalrec_lib.course.labs_references import Bibliography
from causalrec_lib.course.labs_setup import cautions, setup_cell, write_wheel
from causalrec_lib.course.notebook import Cell, Notebook
from causalrec_lib.course.records import Resolver, build_dir, repo_root
from causalrec_lib.course.repository import NOWHERE, Repository, repository

ROLES = ("student", "solution")
KINDS = (*ROLES, "exercises")
KEPT_TAGS = ("parameters", "exercise", "check", "quiz")


def lab(chapter: Chapter, role: str, context: Context, repo: Repository = NOWHERE, short: bool = False) -> Notebook:
    """Return one lab notebook of a chapter.

    Parameters
    ----------
    chapter : Chapter
        The chapter.
    role : {"student", "solution"}
        With stubs, or with solutions.
    context : Context
        What its text refers to; citations and words are collected in it.
    repo : Repository, optional
        Where Colab installs the library from.
    short : bool
        The exercises and the quiz alone, with what they need.

    Returns
    -------
    dict
        An nbformat 4.5 notebook: no outputs, no MyST, the same bytes for the same source.

    Raises
    ------
    ValueError
        If `role` is unknown, or the chapter uses what a lab can't show; the message names the chapter.
    """
    source: Notebook = json.loads(json.dumps(chapter.notebook))
    if short:
        source = shortened(source, _heading(chapter))
    cells = list(cells_of(source, role, context).values())
    code = [notebook.text(c) for c in source["cells"] if c["cell_type"] == "code"]
    data = chapter.data() if not short or reads_data(source) else []
    setup = labs_cells.code(setup_cell(repo, extras(code), data), {"cellView": "form", "tags": ["setup"]})
    lists = filter(None, (context.glossary.section(), context.bibliography.section()))
    tail = [*map(labs_cells.markdown, lists), *labs_cells.report()]
    return {
        "cells": _identified([setup, *cells, *tail], f"{chapter.id}|{role}|{short}"),
        "metadata": _metadata(chapter, role, "exercises" if short else role),
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def cells_of(source: Notebook, role: str, context: Context) -> dict[int, Cell]:
    """Return the cells of a chapter that its lab shows.

    Parameters
    ----------
    source : dict
        The chapter's notebook.
    role : {"student", "solution"}
        With stubs, or with solutions.
    context : Context
        What its text refers to; citations and words are collected in it.

    Returns
    -------
    dict of int to dict
        Cells of the lab by their place in the chapter; cells that only feed the book's numbers are left out.

    Raises
    ------
    ValueError
        If `role` is unknown, or the chapter uses what a lab can't show; the message names the chapter.
    """
    if role not in ROLES:
        raise ValueError(f"role must be one of {', '.join(ROLES)}, but is {role!r}.")
    labels = dict(notebook.exercises(source))
    code = {k: notebook.text(c) for k, c in enumerate(source["cells"]) if c["cell_type"] == "code"}
    later = {k: [text for j, text in code.items() if j > k] for k in code}
    kept = {k: c for k, c in enumerate(source["cells"]) if k not in code or not only_numbers(c, later[k])}
    quizzes = [k for k in code if "quiz" in notebook.tags(source["cells"][k])]
    numbers = {k: n for n, k in enumerate(quizzes, start=1)}
    return {k: _cell(c, role, labels.get(k), numbers.get(k), context) for k, c in kept.items()}


def _heading(chapter: Chapter) -> str:
    whole = notebook.lab_name(chapter.id, "student")
    minutes = chapter.meta.get("exercise_minutes", "")
    return (
        f"# Exercises: {chapter.title}\n\n**Time:** {minutes} minutes. This is the short lab: the exercises and the "
        f"quiz, without the chapter's text and pictures. The whole lab is `{whole}`."
    )


def _cell(cell: Cell, role: str, label: str | None, number: int | None, context: Context) -> Cell:
    source = notebook.text(cell)
    if cell["cell_type"] == "markdown":
        return labs_cells.markdown(flatten(source, context))
    if label is not None:
        try:
            source = notebook.stub(source, label) if role == "student" else notebook.solution(source)
        except ValueError as err:
            raise ValueError(f"{context.chapter}, {label}: {err}") from err
    kept = [t for t in notebook.tags(cell) if t in KEPT_TAGS]
    metadata: dict[str, Any] = {"tags": kept} if kept else {}
    if {"quiz", "hide-input"} & set(notebook.tags(cell)):
        metadata |= labs_cells.FOLDED
        title = f"Quiz {number}" if number else labs_cells.title(source)
        source = labs_cells.titled(source, title)
    return labs_cells.code(source, metadata)


def _identified(cells: list[Cell], salt: str) -> list[Cell]:
    """Give each cell an id from its place and content, so that the same source makes the same bytes."""
    for k, cell in enumerate(cells):
        key = f"{salt}|{k}|{cell['cell_type']}|{cell['source']}"
        cell["id"] = hashlib.sha256(key.encode()).hexdigest()[:12]
    return cells


def _metadata(chapter: Chapter, role: str, kind: str) -> dict[str, Any]:
    return {
        "colab": {"name": notebook.lab_name(chapter.id, kind), "provenance": [], "toc_visible": True},
        "course": {"chapter": chapter.id, "role": role},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }


def context_of(chapter: Chapter, root: Path, number: Callable[[str], str]) -> Context:
    """Return what a chapter's text refers to, with nothing cited yet.

    Parameters
    ----------
    chapter : Chapter
        The chapter.
    root : pathlib.Path
        The course's folder.
    number : callable
        Turns the body of a glue role into its number.

    Returns
    -------
    Context
        For one notebook.
    """
    site = repository(root).site

    def place(target: str) -> str:
        page = page_of(chapter.id, target)
        if site:
            return f"{site.rstrip('/')}/{page}.html"
        part = page.removeprefix("chapters/")
        is_lab = part != page and not part.startswith(("reference/", "data/"))
        return notebook.lab_name(part, "student") if is_lab else ""

    return Context(
        chapter=chapter.id,
        number=number,
        title=lambda target: page_title(root, chapter.id, target),
        bibliography=Bibliography.read(root / "book" / "references.bib"),
        place=place,
        glossary=Glossary.read(root / "book" / "glossary.md"),
    )


def dumps(lab_notebook: Notebook) -> str:
    """Return a notebook as the text of its file.

    Parameters
    ----------
    lab_notebook : dict
        A notebook.

    Returns
    -------
    str
        JSON with sorted keys, sources as lists of lines.
    """
    out = copy.deepcopy(lab_notebook)
    for cell in out["cells"]:
        cell["source"] = notebook.text(cell).splitlines(keepends=True)
    return json.dumps(out, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def lab_path(chapter_id: str, kind: str, build: Path | None = None) -> Path:
    """Return the file of a lab.

    Parameters
    ----------
    chapter_id : str
        For example "weighting/01_propensity_weighting".
    kind : {"student", "solution", "exercises"}
        Which one.
    build : pathlib.Path, optional
        The build folder.

    Returns
    -------
    pathlib.Path
        build/labs/<part>_<name>_<kind>.ipynb
    """
    return (build or build_dir()) / "labs" / notebook.lab_name(chapter_id, kind)


def _numbers(profile: str, build: Path | None, root: Path | None) -> Callable[[str, str], str]:
    """Return what turns a glue role into a number: from the records, or from the baselines below a root."""
    if root is None:
        return Resolver(profile, build).text
    known = Resolver(profile, baselines=root / "tests" / "regression" / "baselines")

    def text(key: str, chapter: str) -> str:
        try:
            return known.text(key, chapter)
        except KeyError:  # a time or a size of memory has no baseline
            return "(number in the book)"

    return text


def build_labs(
    profile: str = "ci",
    root: Path | None = None,
    build: Path | None = None,
    only: str | None = None,
    from_baselines: bool = False,
) -> list[Path]:
    """Write the labs of all chapters, with numbers from the records of a build.

    Parameters
    ----------
    profile : {"ci", "full"}
        Whose records the text shows.
    root : pathlib.Path, optional
        The course's folder.
    build : pathlib.Path, optional
        The build folder.
    only : str, optional
        One chapter's id; by default all chapters.
    from_baselines : bool
        Take the numbers from the committed baselines, so that no chapter needs to have run. Numbers that have no
        baseline, such as times, are left out.

    Returns
    -------
    list of pathlib.Path
        The files of each chapter: student, solution, exercises.

    Raises
    ------
    FileNotFoundError
        If a chapter whose numbers are shown has not run.
    KeyError
        If a number is shown that was not recorded.
    """
    root = root or repo_root() or Path.cwd()
    number, repo = _numbers(profile, build, root if from_baselines else None), repository(root)
    written: list[Path] = []
    for chapter in chapters.find(root):
        if chapter.is_page or only not in (None, chapter.id):
            continue
        for kind in KINDS:
            context = context_of(chapter, root, lambda key, c=chapter: number(key, c.id))  # type: ignore[misc]
            role, short = ("student", True) if kind == "exercises" else (kind, False)
            path = lab_path(chapter.id, kind, build)
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_text(dumps(lab(chapter, role, context, repo, short)), encoding="utf-8")
            written.append(part.replace(path))
    if only is None:  # a chapter that is gone, or had another name, leaves no lab behind
        for old in set(((build or build_dir()) / "labs").rglob("*.ipynb")) - set(written):
            old.unlink()
    for sentence in cautions(root, repo):
        print(sentence)
    return written


def main() -> None:
    """Build the labs and the library's wheel from the command line."""
    parser = argparse.ArgumentParser(description=(build_labs.__doc__ or "").splitlines()[0])
    parser.add_argument("--profile", default="ci", choices=("ci", "full"))
    parser.add_argument("--from-baselines", action="store_true", help="numbers from the committed baselines")
    asked, folder = parser.parse_args(), build_dir() / "labs"
    written = build_labs(asked.profile, from_baselines=asked.from_baselines)
    wheel = write_wheel(repo_root() or Path.cwd(), folder)
    print(f"{len(written)} lab notebooks and {wheel.name} written to {folder}")


if __name__ == "__main__":
    main()
