"""Where the site's pieces lie, what its address is, and which pages stand in which part."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from causalrec_lib.course.labs_colab import public_url
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


@dataclass(frozen=True)
class Repository:
    """Where the course's source is published.

    Parameters
    ----------
    url : str
        Web address without a trailing slash; empty if it is not published.
    branch : str
        Branch of the sources.
    pages : str
        Branch of the built site, from which Colab opens the labs.
    site : str
        Web address of the built site; empty if unknown.
    """

    url: str = ""
    branch: str = "main"
    pages: str = "gh-pages"
    site: str = ""

    @property
    def slug(self) -> str:
        """Owner and name on GitHub, or an empty string elsewhere."""
        match = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+)", self.url)
        return match[1] if match else ""

    def colab(self, path: str) -> str:
        """Return the address that opens a file of the built site in Colab.

        Parameters
        ----------
        path : str
            Path below the root of the site.

        Returns
        -------
        str
            The address; empty if the course is not on GitHub.
        """
        if not self.slug:
            return ""
        return f"https://colab.research.google.com/github/{self.slug}/blob/{self.pages}/{path}"

    def blob(self, path: str) -> str:
        """Return the address of a source file.

        Parameters
        ----------
        path : str
            Path below the root of the course.

        Returns
        -------
        str
            The address; empty if the course is not published.
        """
        return f"{self.url}/blob/{self.branch}/{path}" if self.url else ""


def repository(root: Path) -> Repository:
    """Find where the course is published: CAUSALREC_REPO_URL, pyproject's [tool.causalrec], or the git remote.

    Parameters
    ----------
    root : pathlib.Path
        The course.

    Returns
    -------
    Repository
        With an empty address if none of them is set.

    Raises
    ------
    ValueError
        If the setting is no web address.
    """
    project = root / "pyproject.toml"
    table = tomllib.loads(project.read_text(encoding="utf-8")).get("tool", {}) if project.is_file() else {}
    setting: dict[str, str] = table.get("causalrec", {})
    given = os.environ.get("CAUSALREC_REPO_URL", setting.get("repository", ""))
    url = public_url(given or _remote(root)) or ""
    if not re.match(r"https?://[\w-]+(\.[\w-]+)*\.[a-zA-Z]{2,}/", url):  # a path or this machine: nothing to link to
        url = ""
    if given and not url:
        raise ValueError(f"CAUSALREC_REPO_URL must be an address like https://github.com/OWNER/NAME, not {given!r}.")
    found = Repository(url, setting.get("branch", "main"), setting.get("pages", "gh-pages"), setting.get("site", ""))
    if found.slug and not found.site:
        owner, name = found.slug.split("/")
        found = Repository(url, found.branch, found.pages, f"https://{owner.lower()}.github.io/{name}/")
    return found


def _remote(root: Path) -> str:
    if shutil.which("git") is None:
        return ""
    command = ["git", "-C", str(root), "remote", "get-url", "origin"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


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
