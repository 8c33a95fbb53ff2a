"""Where the site's pieces lie, and which pages stand in which part."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from causalrec_lib.course.notebook import lab_name

PARTS = {
    "concepts": "Concepts",
    "dags": "Causal graphs",
    "weighting": "Weighting and matching",
    "trees": "Trees and forests",
    "latent": "Latent variables",
    "discovery": "Discovery",
    "recommenders": "Recommenders",
    "language": "Language models",
    "domains": "Domains",
    "frontier": "Frontier",
}
"""Folder of each part -> its title, in teaching order."""

REFERENCE = (
    "chapters/reference/world",
    "glossary",
    "chapters/reference/errata",
    "chapters/reference/ledger",
    "chapters/reference/coverage",
    "chapters/data/index",
    "chapters/reference/status",
    "tools",
    "chapters/reference/exercises",
    "classroom",
    "reading",
    "bibliography",
)
"""Pages of the reference section, in order; one that doesn't exist is left out."""


@dataclass(frozen=True)
class Layout:
    """The folders of one build.

    Parameters
    ----------
    root : pathlib.Path
        The course: holds `notebooks/` and `pyproject.toml`.
    book : pathlib.Path
        Book sources; generated pages go below it.
    build : pathlib.Path
        Generated files: executed notebooks, records, labs.
    profile : str
        Which run of the chapters to show: "ci" or "full".
    """

    root: Path
    book: Path
    build: Path
    profile: str

    @property
    def html(self) -> Path:
        """The built site."""
        return self.book / "_build" / "html"

    @property
    def extra(self) -> Path:
        """Files that are served as they are."""
        return self.book / "_extra"

    def sources(self) -> list[Path]:
        """Return the chapters' and reference pages' sources, parts in teaching order.

        Returns
        -------
        list of pathlib.Path
            `notebooks/<part>/<name>.py`.

        Raises
        ------
        ValueError
            If a folder of notebooks is no part.
        """
        known = [*PARTS, "reference"]
        found = sorted(self.root.glob("notebooks/*/*.py"))
        for path in found:
            if path.parent.name not in known:
                raise ValueError(f"notebooks/{path.parent.name} is no part of the course; parts: {', '.join(known)}.")
        return sorted(found, key=lambda p: (known.index(p.parent.name), p.name))

    def chapter(self, source: Path) -> str:
        """Return the id of a source, for example "weighting/01_propensity_weighting".

        Parameters
        ----------
        source : pathlib.Path
            `notebooks/<part>/<name>.py`.

        Returns
        -------
        str
            Part and name.
        """
        return f"{source.parent.name}/{source.stem}"

    def executed(self, chapter: str) -> Path:
        """Return the executed notebook of a chapter, whether it exists or not.

        Parameters
        ----------
        chapter : str
            Part and name.

        Returns
        -------
        pathlib.Path
            build/executed/<profile>/<chapter>.ipynb
        """
        return self.build / "executed" / self.profile / f"{chapter}.ipynb"

    def seconds(self, chapter: str) -> float | None:
        """Return how long the last run of a chapter took.

        Parameters
        ----------
        chapter : str
            Part and name.

        Returns
        -------
        float or None
            Seconds, set-up of the kernel included; None if the run left no note.
        """
        path = self.build / "runs" / self.profile / f"{chapter}.json"
        return float(json.loads(path.read_text(encoding="utf-8"))["seconds"]) if path.is_file() else None

    def lab(self, chapter: str, kind: str) -> Path:
        """Return a lab notebook of a chapter, whether it exists or not.

        Parameters
        ----------
        chapter : str
            Part and name.
        kind : {"student", "solution", "exercises"}
            Which one.

        Returns
        -------
        pathlib.Path
            build/labs/<part>_<name>_<kind>.ipynb
        """
        return self.build / "labs" / lab_name(chapter, kind)


def toc(layout: Layout) -> str:
    """Return the table of contents: only parts that have chapters, only pages that exist.

    Parameters
    ----------
    layout : Layout
        The folders.

    Returns
    -------
    str
        Text of `_toc.yml`.
    """
    chapters = [layout.chapter(s) for s in layout.sources()]
    parts: list[dict[str, Any]] = []
    for part, caption in PARTS.items():
        files = [{"file": f"chapters/{c}"} for c in chapters if c.startswith(f"{part}/")]
        if files:
            parts.append({"caption": caption, "chapters": files})
    reference: list[dict[str, Any]] = []
    for page in REFERENCE:
        if any((layout.book / f"{page}{ending}").is_file() for ending in (".md", ".ipynb")):
            reference.append({"file": page})
            if page == "chapters/data/index":
                cards = sorted(p.stem for p in (layout.book / "chapters/data").glob("*.md") if p.stem != "index")
                reference[-1] |= {"sections": [{"file": f"chapters/data/{card}"} for card in cards]} if cards else {}
    parts.append({"caption": "Reference", "chapters": reference})
    return yaml.safe_dump({"format": "jb-book", "root": "index", "parts": parts}, sort_keys=False)
