"""Prose beside its numbers, seed by seed: the author reads whether what a sentence compares really is so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from causalrec_lib.course.chapters import Chapter
from causalrec_lib.course.records import GLUE, Resolver, build_dir, record_path
from causalrec_lib.course.runner import DEFAULT_SEED


def seeds(chapter: Chapter, profile: str, build: Path | None = None) -> dict[int, Path]:
    """Return the seeds with which a chapter has run.

    Parameters
    ----------
    chapter : Chapter
        The chapter.
    profile : str
        "ci" or "full".
    build : pathlib.Path, optional
        The build folder.

    Returns
    -------
    dict of int to pathlib.Path
        Build folder of each seed, the course's own seed first.
    """
    base = build or build_dir()
    found = {int(f.name.removeprefix("seed-")): f for f in sorted(base.glob("seed-*")) if f.name[5:].isdigit()}
    found = {DEFAULT_SEED: base} | found
    return {seed: folder for seed, folder in found.items() if record_path(chapter.id, profile, folder).is_file()}


def paragraphs(chapter: Chapter, profile: str, build: Path | None = None) -> Iterator[tuple[int, str]]:
    """Yield each paragraph that shows numbers, with the values of every seed between bars.

    Parameters
    ----------
    chapter : Chapter
        The chapter.
    profile : str
        "ci" or "full".
    build : pathlib.Path, optional
        The build folder.

    Yields
    ------
    tuple of int and str
        Line in the chapter's file, and the text, for example "misses by 0.118 | 0.121".

    Raises
    ------
    ValueError
        If the chapter has not run with the course's seed, or that run did not record a number that is shown.
    """
    found = seeds(chapter, profile, build)
    if DEFAULT_SEED not in found:
        raise ValueError(f"{chapter.id} has not run. Run: causalrec run {chapter.id}")
    course, *others = (Resolver(profile, folder) for folder in found.values())

    def values(role: str) -> str:
        try:
            first = course.text(role, chapter.id)
        except KeyError as err:
            raise ValueError(str(err.args[0])) from err
        if "::" in role:  # another chapter's number, or a published one
            return first
        return " | ".join([first, *(_text(run, role, chapter.id) for run in others)])

    lines, at = chapter.source.read_text(encoding="utf-8").splitlines(), 0
    for cell in chapter.notebook.cells:
        for text in cell.source.split("\n\n") if cell.cell_type == "markdown" else ():
            if GLUE.search(text):
                at = lines.index(f"# {text.strip().splitlines()[0]}", at)
                yield at + 1, GLUE.sub(lambda m: values(m[1]), text.strip())


def _text(run: Resolver, role: str, chapter: str) -> str:
    """A number of another seed, whose run may be older than the chapter."""
    try:
        return run.text(role, chapter)
    except KeyError:
        return "not recorded"
