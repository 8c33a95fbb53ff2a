"""The chapters of the course: where they are, what they declare, what they import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import jupytext
import nbformat

from causalrec_lib.course.records import repo_root

PARTS = (
    *("concepts", "dags", "weighting", "trees", "latent"),
    *("discovery", "recommenders", "language", "domains", "frontier"),
)
REFERENCE = "reference"


@dataclass(frozen=True)
class Chapter:
    """One source file under `notebooks/`.

    Parameters
    ----------
    source : pathlib.Path
        The py:percent file.
    """

    source: Path

    @property
    def id(self) -> str:
        """Part and file name, for example "weighting/01_propensity_weighting"."""
        return f"{self.source.parent.name}/{self.source.stem}"

    @property
    def part(self) -> str:
        """Folder name."""
        return self.source.parent.name

    @property
    def checks_module(self) -> str:
        """Dotted name of the module with its exercise checks (which may not exist for a page)."""
        return f"causalrec_lib.course.checks.{self.part}_{self.source.stem[:2]}"

    @cached_property
    def notebook(self) -> nbformat.NotebookNode:
        """The source as a notebook."""
        return jupytext.read(self.source, fmt="py:percent")

    @cached_property
    def meta(self) -> dict[str, object]:
        """The `course` block of its header."""
        return dict(self.notebook.metadata.get("course", {}))

    @property
    def is_page(self) -> bool:
        """Whether it is a reference page rather than a chapter."""
        return self.meta.get("kind") == "page"

    @property
    def after_chapters(self) -> bool:
        """Whether it reads the records of all chapters and so runs last."""
        return self.meta.get("after") == "chapters"

    @property
    def title(self) -> str:
        """Text of its H1."""
        for cell in self.notebook.cells:
            if cell.cell_type == "markdown":
                for line in cell.source.splitlines():
                    if line.startswith("# "):
                        return str(line[2:].strip())
        raise ValueError(f"{self.id} has no top-level heading; start it with '# # Title'.")

    def data(self, key: str = "data") -> list[str]:
        """Return the data sets that it declares.

        Parameters
        ----------
        key : {"data", "optional_data"}
            Needed, or used where they can be had.

        Returns
        -------
        list of str
            Names in the registry.
        """
        declared = self.meta.get(key) or []
        if not isinstance(declared, list):
            raise ValueError(f"{self.id}: {key} must be a list of names, but is {declared!r}.")
        return [str(d) for d in declared]

    def imports(self) -> set[str]:
        """Return the dotted names of everything in `causalrec_lib` that its code imports.

        Returns
        -------
        set of str
            Modules, or attributes of modules (`from a import b` gives both "a" and "a.b").
        """
        code = [cell.source for cell in self.notebook.cells if cell.cell_type == "code"]
        return {name for source in code for name in imported(source) if name.split(".")[0] == "causalrec_lib"}


def imported(source: str) -> set[str]:
    """Return the dotted names that code imports, relative ones left out.

    Parameters
    ----------
    source : str
        Python code.

    Returns
    -------
    set of str
        Modules, or attributes of modules (`from a import b` gives both "a" and "a.b").
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {node.module, *(f"{node.module}.{a.name}" for a in node.names)}
    return found


def find(root: Path | None = None) -> list[Chapter]:
    """Return all chapters and pages in teaching order, pages that run last at the end.

    Parameters
    ----------
    root : pathlib.Path, optional
        The course's folder.

    Returns
    -------
    list of Chapter
        In order of part and file name.
    """
    base = (root or _root()) / "notebooks"
    order = {part: k for k, part in enumerate((*PARTS, REFERENCE))}
    files = [p for p in base.glob("*/*.py") if p.parent.name in order]
    found = [Chapter(p) for p in sorted(files, key=lambda p: (order[p.parent.name], p.stem))]
    return sorted(found, key=lambda c: c.after_chapters)


def get(chapter_id: str, root: Path | None = None) -> Chapter:
    """Return one chapter by id, or by a unique beginning of it.

    Parameters
    ----------
    chapter_id : str
        For example "weighting/01_propensity_weighting" or "weighting/01".
    root : pathlib.Path, optional
        The course's folder.

    Returns
    -------
    Chapter
        The chapter.

    Raises
    ------
    ValueError
        If none or several match.
    """
    hits = [c for c in find(root) if c.id.startswith(chapter_id.removesuffix(".py").removeprefix("notebooks/"))]
    exact = [c for c in hits if c.id == chapter_id]
    if len(exact or hits) != 1:
        names = ", ".join(c.id for c in find(root))
        raise ValueError(f"chapter {chapter_id!r} matches {len(hits)} chapters; choose one of: {names}.")
    return (exact or hits)[0]


def _root() -> Path:
    root = repo_root() or repo_root(Path(__file__))
    if root is None:
        raise ValueError("this command needs the course's folder; run it inside a checkout.")
    return root


def library_files(root: Path) -> Iterator[Path]:
    """Yield the source files of the library.

    Parameters
    ----------
    root : pathlib.Path
        The course's folder.

    Yields
    ------
    pathlib.Path
        Python files.
    """
    yield from sorted((root / "causalrec_lib").rglob("*.py"))
