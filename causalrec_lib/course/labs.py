"""Labs: a student and a solution notebook from each chapter, in plain Markdown, ready for a laptop and for Colab."""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from causalrec_lib.course import chapters, notebook
from causalrec_lib.course.chapters import Chapter
from causalrec_lib.course.labs_colab import Repository, extras, repository
from causalrec_lib.course.labs_markdown import Context, flatten, page_title
from causalrec_lib.course.labs_references import Bibliography
from causalrec_lib.course.labs_setup import cautions, setup_cell, write_wheel
from causalrec_lib.course.notebook import Cell, Notebook
from causalrec_lib.course.records import Resolver, build_dir, repo_root

ROLES = ("student", "solution")
KEPT_TAGS = ("parameters", "exercise", "check", "quiz")


def lab(chapter: Chapter, role: str, context: Context, repo: Repository | None = None) -> Notebook:
    """Return one lab notebook of a chapter.

    Parameters
    ----------
    chapter : Chapter
        The chapter.
    role : {"student", "solution"}
        With stubs, or with solutions.
    context : Context
        What its text refers to; citations are collected in its bibliography.
    repo : Repository, optional
        Where Colab installs the library from.

    Returns
    -------
    dict
        An nbformat 4.5 notebook: no outputs, no MyST, the same bytes for the same source.

    Raises
    ------
    ValueError
        If `role` is unknown, or the chapter uses what a lab can't show; the message names the chapter.
    """
    if role not in ROLES:
        raise ValueError(f"role must be one of {', '.join(ROLES)}, but is {role!r}.")
    source: Notebook = json.loads(json.dumps(chapter.notebook))
    labels = dict(notebook.exercises(source))
    cells = [_cell(c, role, labels.get(k), context) for k, c in enumerate(source["cells"])]
    code = [notebook.text(c) for c in source["cells"] if c["cell_type"] == "code"]
    setup = _code(setup_cell(repo, extras(code), chapter.data()), {"cellView": "form", "tags": ["setup"]})
    references = context.bibliography.section()
    tail = [_markdown(references)] if references else []
    return {
        "cells": _identified([setup, *cells, *tail, *_report()], f"{chapter.id}|{role}"),
        "metadata": _metadata(chapter, role),
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _cell(cell: Cell, role: str, label: str | None, context: Context) -> Cell:
    source = notebook.text(cell)
    if cell["cell_type"] == "markdown":
        return {"cell_type": "markdown", "metadata": {}, "source": flatten(source, context)}
    if label is not None:
        try:
            source = notebook.stub(source, label) if role == "student" else notebook.solution(source)
        except ValueError as err:
            raise ValueError(f"{context.chapter}, {label}: {err}") from err
    kept = [t for t in notebook.tags(cell) if t in KEPT_TAGS]
    metadata: dict[str, Any] = {"tags": kept} if kept else {}
    if {"quiz", "hide-input"} & set(notebook.tags(cell)):
        metadata |= {"cellView": "form", "jupyter": {"source_hidden": True}}
    return _code(source, metadata)


def _markdown(source: str) -> Cell:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def _report() -> list[Cell]:
    """Return the last cells of a lab: a table of what passed, and a line to hand in."""
    code = ["# @title Your report", "from causalrec_lib.course import report", ""]
    code += [f'NAME = "{notebook.NOBODY}"  # @param {{type:"string"}}', "report(NAME)"]
    text = (
        "## Your report\n\nPut your name into the next cell and run it: it lists your answers in a line to hand in."
    )
    return [_markdown(text), _code("\n".join(code), {"cellView": "form", "tags": ["report"]})]


def _code(source: str, metadata: dict[str, Any]) -> Cell:
    return {"cell_type": "code", "execution_count": None, "metadata": metadata, "outputs": [], "source": source}


def _identified(cells: list[Cell], salt: str) -> list[Cell]:
    """Give each cell an id from its place and content, so that the same source makes the same bytes."""
    for k, cell in enumerate(cells):
        key = f"{salt}|{k}|{cell['cell_type']}|{cell['source']}"
        cell["id"] = hashlib.sha256(key.encode()).hexdigest()[:12]
    return cells


def _metadata(chapter: Chapter, role: str) -> dict[str, Any]:
    return {
        "colab": {"name": f"{chapter.source.stem}_{role}.ipynb", "provenance": [], "toc_visible": True},
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
    return Context(
        chapter=chapter.id,
        number=number,
        title=lambda target: page_title(root, chapter.id, target),
        bibliography=Bibliography.read(root / "book" / "references.bib"),
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


def lab_path(chapter_id: str, role: str, build: Path | None = None) -> Path:
    """Return the file of a lab.

    Parameters
    ----------
    chapter_id : str
        For example "weighting/01_propensity_weighting".
    role : {"student", "solution"}
        Which of both.
    build : pathlib.Path, optional
        The build folder.

    Returns
    -------
    pathlib.Path
        build/labs/<part>/<name>_<role>.ipynb
    """
    return (build or build_dir()) / "labs" / f"{chapter_id}_{role}.ipynb"


def build_labs(
    profile: str = "ci", root: Path | None = None, build: Path | None = None, only: str | None = None
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

    Returns
    -------
    list of pathlib.Path
        The files, student before solution.

    Raises
    ------
    FileNotFoundError
        If a chapter whose numbers are shown has not run.
    KeyError
        If a number is shown that was not recorded.
    """
    root = root or repo_root() or Path.cwd()
    numbers, repo = Resolver(profile, build), repository(root)
    written = []
    for chapter in chapters.find(root):
        if chapter.is_page or only not in (None, chapter.id):
            continue
        for role in ROLES:
            context = context_of(chapter, root, lambda key, c=chapter: numbers.text(key, c.id))  # type: ignore[misc]
            path = lab_path(chapter.id, role, build)
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_text(dumps(lab(chapter, role, context, repo)), encoding="utf-8")
            written.append(part.replace(path))
    for sentence in cautions(root, repo):
        print(sentence)
    return written


def main() -> None:
    """Build the labs and the library's wheel from the command line."""
    parser = argparse.ArgumentParser(description=(build_labs.__doc__ or "").splitlines()[0])
    parser.add_argument("--profile", default="ci", choices=("ci", "full"))
    folder = build_dir() / "labs"
    written = build_labs(parser.parse_args().profile)
    wheel = write_wheel(repo_root() or Path.cwd(), folder)
    print(f"{len(written)} lab notebooks and {wheel.name} written to {folder}")


if __name__ == "__main__":
    main()
