"""Turns an executed notebook into a page: buttons, numbers in the prose, exercises with folded solutions."""

from __future__ import annotations

import ast
import copy
import html
import re
from dataclasses import dataclass
from pathlib import Path

from causalrec_lib.course import notebook, records
from causalrec_lib.course.freshness import stale
from causalrec_lib.course.notebook import Cell, Notebook
from causalrec_lib.course.repository import Repository
from causalrec_lib.course.site_layout import Layout
from causalrec_lib.course.site_outputs import figures, tables

_H1 = re.compile(r"^# .+$", re.M)
_KEEP = ("tags", "mystnb", "slideshow")


class SiteError(ValueError):
    """The site can't be built; the message names page and cause."""


@dataclass(frozen=True)
class Button:
    """A link at the head of a page.

    Parameters
    ----------
    label : str
        What it says.
    href : str
        Where it leads; a path is relative to the root of the site.
    download : bool
        True if the browser should save the file.
    """

    label: str
    href: str
    download: bool = False

    def html(self, up: str) -> str:
        """Return the link.

        Parameters
        ----------
        up : str
            Relative path from the page to the root of the site.

        Returns
        -------
        str
            One HTML element.
        """
        href = self.href if self.href.startswith("https://") else up + self.href
        save = " download" if self.download else ""
        return f'<a class="cr-button" href="{html.escape(href, quote=True)}"{save}>{html.escape(self.label)}</a>'


def buttons(layout: Layout, repo: Repository, chapter: str) -> list[Button]:
    """Return the buttons of a page, without those that have no target.

    Parameters
    ----------
    layout : Layout
        The folders.
    repo : Repository
        Where the course is published.
    chapter : str
        Part and name.

    Returns
    -------
    list of Button
        Colab, notebook, solutions, script and source, as far as they exist.
    """
    found = []
    student = layout.lab(chapter, "student")
    if student.is_file() and repo.slug:
        found.append(Button("Open in Colab", repo.colab(f"labs/{student.name}")))
    kinds = {"student": "Lab notebook", "exercises": "Exercises only", "solution": "Solved notebook"}
    for kind, label in kinds.items():
        lab = layout.lab(chapter, kind)
        if lab.is_file():
            found.append(Button(label, f"labs/{lab.name}", download=True))
    found.append(Button("Script", f"scripts/{chapter}.py", download=True))
    if repo.url:
        found.append(Button("Source", repo.blob(f"notebooks/{chapter}.py")))
    return found


def facts(layout: Layout, chapter: str, declared: dict[str, object]) -> list[str]:
    """Return what a reader wants to know before starting: minutes to read, to exercise, seconds to run.

    Parameters
    ----------
    layout : Layout
        The folders.
    chapter : str
        Part and name.
    declared : dict
        The chapter's `course` block.

    Returns
    -------
    list of str
        Short phrases.
    """
    found = []
    for key, what in (("reading_minutes", "to read"), ("exercise_minutes", "for the exercises")):
        if declared.get(key):
            found.append(f"{declared[key]} min {what}")
    seconds = layout.seconds(chapter)
    if seconds is not None:
        found.append(f"{max(1, round(seconds))} s to run here")
    return found


def header(layout: Layout, repo: Repository, chapter: str, declared: dict[str, object]) -> str:
    """Return the line of buttons and facts under the title of a page.

    Parameters
    ----------
    layout : Layout
        The folders.
    repo : Repository
        Where the course is published.
    chapter : str
        Part and name.
    declared : dict
        The chapter's `course` block.

    Returns
    -------
    str
        HTML.
    """
    up = "../" * (chapter.count("/") + 1)
    links = "".join(b.html(up) for b in buttons(layout, repo, chapter))
    said = " · ".join(facts(layout, chapter, declared))
    line = f'<p class="cr-facts">{said}</p>' if said else ""
    return f'<div class="cr-launch"><nav aria-label="This chapter elsewhere">{links}</nav>{line}</div>'


def page(layout: Layout, repo: Repository, chapter: str, resolver: records.Resolver) -> Notebook:
    """Return the notebook that the site shows for a chapter.

    Parameters
    ----------
    layout : Layout
        The folders.
    repo : Repository
        Where the course is published.
    chapter : str
        Part and name.
    resolver : causalrec_lib.course.records.Resolver
        Turns glue roles into numbers.

    Returns
    -------
    dict
        A notebook without traces of the run, with buttons, numbers and folded solutions.

    Raises
    ------
    SiteError
        If the chapter has not run, holds an error, lacks its title, or names a number that nothing recorded.
    """
    try:
        source = notebook.load(layout.executed(chapter))
        labels = dict(notebook.exercises(source))
        cells: list[Cell] = []
        for k, cell in enumerate(source["cells"]):
            cells += _cell(cell, labels.get(k, ""))
        _prose(cells, chapter, resolver)
        _fold_set_up(cells)
        _insert(cells, header(layout, repo, chapter, notebook.settings(source)))
    except KeyError as err:
        raise SiteError(f"{chapter}: {err.args[0]}") from err
    except (ValueError, FileNotFoundError) as err:
        raise SiteError(f"{chapter}: {err}") from err
    kernel = source["metadata"].get(
        "kernelspec", {"name": "python3", "display_name": "Python 3", "language": "python"}
    )
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}


def unfit(layout: Layout, chapter: str) -> str:
    """Return why a chapter can't be shown: it has not run, its run failed, or it was edited since.

    Parameters
    ----------
    layout : Layout
        The folders.
    chapter : str
        Part and name.

    Returns
    -------
    str
        One sentence with the mend; empty if all is well.
    """
    return stale(chapter, layout.profile, layout.root, layout.build)


def _cell(cell: Cell, label: str) -> list[Cell]:
    """Return what the page shows for one cell of the run."""
    tags = notebook.tags(cell)
    if "injected-parameters" in tags or "papermill-error-cell-tag" in tags:
        return []
    kept: Cell = copy.deepcopy(cell)
    kept["metadata"] = {k: v for k, v in cell.get("metadata", {}).items() if k in _KEEP}
    if cell["cell_type"] != "code":
        return [kept]
    kept["outputs"] = [] if "check" in tags else [_output(o, tags) for o in kept.get("outputs", [])]
    if "quiz" in tags:
        kept["metadata"]["tags"] = [*tags, "remove-input"]
    if "hide-input" in tags and _only_notes(kept):
        return []
    if "exercise" not in tags:
        return [kept]
    source = notebook.text(cell)
    asked: Cell = {
        "cell_type": "code",
        "metadata": {"tags": ["exercise"]},
        "source": notebook.stub(source, label),
        "outputs": [],
        "execution_count": None,
    }
    solved = {**kept, "source": notebook.solution(source)}
    prompts = {"code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution"}
    solved["metadata"] = {"tags": ["solution", "hide-cell"], "mystnb": prompts}
    for twin, ending in ((asked, "a"), (solved, "b")):
        if "id" in cell:
            twin["id"] = f"{cell['id']}-{ending}"
    return [asked, solved]


def _only_notes(cell: Cell) -> bool:
    """Say whether a folded cell shows nothing and defines nothing: it only keeps numbers for prose and baselines."""
    body = ast.parse(notebook.text(cell)).body
    defines = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
    return (
        not cell["outputs"] and "run.record(" in notebook.text(cell) and not any(isinstance(s, defines) for s in body)
    )


def _output(output: Cell, tags: tuple[str, ...]) -> Cell:
    """Refuse errors, and make tables reachable by keyboard."""
    if output["output_type"] == "error" and "raises-exception" not in tags:
        raise ValueError(f"the run stopped with {output['ename']}: {output['evalue']}")
    data = output.get("data", {})
    if "text/html" in data:
        shown = data["text/html"] if isinstance(data["text/html"], str) else "".join(data["text/html"])
        data["text/html"] = figures(tables(shown))
    data.pop("application/vnd.jupyter.widget-view+json", None)
    return output


def _fold_set_up(cells: list[Cell]) -> None:
    """Show the parameters and the imports below them as one folded cell."""
    for k, cell in enumerate(cells[:-1]):
        below = cells[k + 1]
        if "parameters" in notebook.tags(cell) and below["cell_type"] == "code":
            below["source"] = f"{notebook.text(cell)}\n\n{notebook.text(below)}"
            below["metadata"] = {"tags": ["set-up", "hide-input"], "mystnb": {"code_prompt_show": "Set-up"}}
            below["metadata"]["mystnb"]["code_prompt_hide"] = "Hide the set-up"
            del cells[k]
            return


def _prose(cells: list[Cell], chapter: str, resolver: records.Resolver) -> None:
    for cell in cells:
        if cell["cell_type"] == "markdown":
            cell["source"] = resolver.resolve(notebook.text(cell), chapter)


def _insert(cells: list[Cell], block: str) -> None:
    """Put a block of HTML under the title."""
    for cell in cells:
        source = notebook.text(cell)
        if cell["cell_type"] == "markdown" and (title := _H1.search(source)):
            cell["source"] = f"{source[: title.end()]}\n\n{block}\n\n{source[title.end() :].lstrip()}"
            return
    raise ValueError("the notebook has no title; its first markdown cell must start with '# '.")


def write(path: Path, text: str) -> bool:
    """Write a generated file if its text changed, so that an unchanged page is not built again.

    Parameters
    ----------
    path : pathlib.Path
        Target.
    text : str
        New text.

    Returns
    -------
    bool
        True if the file was written.
    """
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return True
