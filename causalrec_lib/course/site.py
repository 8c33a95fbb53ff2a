"""Builds the book's site from executed notebooks: pages, contents, files to download, then Jupyter Book."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from causalrec_lib.course import records, site_assets, site_exercises
from causalrec_lib.course.repository import Repository, repository
from causalrec_lib.course.site_layout import Layout, toc
from causalrec_lib.course.site_pages import SiteError, page, unfit, write
from causalrec_lib.course.site_start import in_colab, map_of_parts, picture

_TOOLS = ("jupyter-book", "sphinx", "sphinx-book-theme", "pydata-sphinx-theme", "myst-nb", "sphinxext-opengraph")
_GENERATED = ("_build", "_extra", "chapters", "_toc.yml")


def layout(profile: str, root: Path | None = None, build: Path | None = None, book: Path | None = None) -> Layout:
    """Return the folders of a build.

    Parameters
    ----------
    profile : str
        Which run of the chapters to show.
    root, build, book : pathlib.Path, optional
        The course, its generated files, the book's sources; by default those of the working directory.

    Returns
    -------
    Layout
        The folders.

    Raises
    ------
    SiteError
        If there is no course here.
    """
    root = root or records.repo_root()
    if root is None:
        raise SiteError("no course found here; run this inside of a checkout (the folder with pyproject.toml).")
    return Layout(root, book or root / "book", build or records.build_dir(), profile)


def build_site(
    profile: str = "ci", *, root: Path | None = None, build: Path | None = None, book: Path | None = None
) -> Path:
    """Build the site, or leave it as it is if nothing that it shows has changed.

    Parameters
    ----------
    profile : {"ci", "full"}
        Which run of the chapters to show.
    root, build, book : pathlib.Path, optional
        The course, its generated files, the book's sources; by default those of the working directory.

    Returns
    -------
    pathlib.Path
        The start page.

    Raises
    ------
    SiteError
        If a chapter has not run, a number is missing, or Jupyter Book warns.
    """
    where = layout(profile, root, build, book)
    start, stamp = where.html / "index.html", where.build / "site" / f"{profile}.json"
    before = fingerprint(where)
    if start.is_file() and stamp.is_file() and json.loads(stamp.read_text(encoding="utf-8"))["inputs"] == before:
        return start
    stamp.unlink(missing_ok=True)
    repo = repository(where.root)
    began = time.perf_counter()
    pages = collect(where, repo)
    serve(where)
    write(where.book / "_toc.yml", toc(where))
    jupyter_book(where)
    seconds = round(time.perf_counter() - began, 2)
    write(stamp, json.dumps({"inputs": before, "pages": pages, "seconds": seconds}, indent=1) + "\n")
    return start


def fingerprint(where: Layout) -> str:
    """Return a hash of all that the site is made from.

    Parameters
    ----------
    where : Layout
        The folders.

    Returns
    -------
    str
        Hexadecimal SHA-256.
    """
    total = hashlib.sha256()
    repo = repository(where.root)
    tools = {name: importlib.metadata.version(name) for name in _TOOLS}
    total.update(json.dumps([where.profile, vars(repo) | {"ref": ""}, tools], sort_keys=True).encode())
    for path in sorted(_inputs(where)):
        total.update(f"{path}\0{path.stat().st_size}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _inputs(where: Layout) -> Iterable[Path]:
    yield from where.sources()
    yield from Path(__file__).parent.glob("*.py")
    yield from Path(__file__).parent.glob("checks/*.py")
    yield from Path(__file__).parent.glob("*.toml")
    yield from Path(__file__).parents[1].glob("plots.py")
    yield from (where.root / "data").rglob("*.toml")
    yield from (where.root / "data" / "cards").rglob("*.md")
    for folder in ("executed", "records", "runs"):
        yield from (p for p in (where.build / folder / where.profile).rglob("*") if p.suffix in (".ipynb", ".json"))
    yield from (where.build / "labs").rglob("*.ipynb")
    for path in where.book.rglob("*"):
        if path.is_file() and path.relative_to(where.book).parts[0] not in _GENERATED:
            yield path


def collect(where: Layout, repo: Repository) -> int:
    """Write a page for every chapter that has run, and drop pages whose chapter is gone.

    Parameters
    ----------
    where : Layout
        The folders.
    repo : Repository
        Where the course is published.

    Returns
    -------
    int
        Number of pages.

    Raises
    ------
    SiteError
        If a chapter has not run, was edited since, or names a number that nothing recorded.
    """
    resolver = records.Resolver(where.profile, where.build)
    chapters = [where.chapter(source) for source in where.sources()]
    if problems := [problem for chapter in chapters if (problem := unfit(where, chapter))]:
        raise SiteError("\n  ".join(["These pages are missing or stale:", *problems]))
    folder = where.book / "chapters"
    wanted = set()
    for chapter in chapters:
        shown = page(where, repo, chapter, resolver)
        target = folder / f"{chapter}.ipynb"
        write(target, json.dumps(shown, indent=1, ensure_ascii=False) + "\n")
        wanted.add(target)
    for name, card in site_assets.data_cards().items():
        wanted.add(target := folder / "data" / f"{name}.md")
        write(target, card)
    wanted.add(target := folder / f"{site_exercises.PAGE}.md")
    write(target, site_exercises.exercise_page(where, repo))
    start = {"picture": picture(where), "map": map_of_parts(where), "colab": in_colab(where, repo)}
    for name, text in start.items():
        wanted.add(target := folder / "_start" / f"{name}.md")
        write(target, text)
    gone = [old for old in folder.rglob("*") if old.is_file() and old not in wanted]
    for old in gone:
        old.unlink()
    if gone:  # a page is no more: its HTML must not stay behind
        shutil.rmtree(where.book / "_build", ignore_errors=True)
    return len(wanted) - len(start)


def serve(where: Layout) -> None:
    """Copy what is served as it is: labs, scripts, and the files of MathJax.

    Parameters
    ----------
    where : Layout
        The folders.
    """
    wanted = {}
    for source in where.sources():
        chapter = where.chapter(source)
        wanted[where.extra / "scripts" / f"{chapter}.py"] = source
        for kind in ("student", "solution", "exercises"):
            lab = where.lab(chapter, kind)
            if lab.is_file():
                wanted[where.extra / "labs" / lab.name] = lab
    origin = site_assets.mathjax()
    for path in origin.rglob("*"):
        if path.is_file():
            wanted[where.extra / "vendor" / "mathjax" / path.relative_to(origin)] = path
    sign = where.extra / "social" / "logo.png"
    for old in where.extra.rglob("*"):
        if old.is_file() and old not in wanted and old != sign:
            old.unlink()
    for target, source in wanted.items():
        if not target.is_file() or target.read_bytes() != source.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    site_assets.logo(sign)


def jupyter_book(where: Layout) -> None:
    """Run Jupyter Book; every warning is an error.

    Parameters
    ----------
    where : Layout
        The folders.

    Raises
    ------
    SiteError
        With the warnings, if there are any.
    """
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    command += ["build", str(where.book), "-W", "--keep-going", "--quiet", "--path-output", str(where.book)]
    log = where.build / "logs" / "site.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "PYTHONUTF8": "1",
        "CAUSALREC_ROOT": str(where.root),
        "CAUSALREC_BUILD": str(where.build),
        "CAUSALREC_PROFILE": where.profile,
    }
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    log.write_text(run.stdout + run.stderr, encoding="utf-8")
    if run.returncode != 0:
        told = [line for line in run.stderr.splitlines() if "WARNING" in line or "ERROR" in line]
        raise SiteError(
            "Jupyter Book stopped:\n" + "\n".join(told or run.stderr.splitlines()[-20:]) + f"\nlog: {log}"
        )


def main(arguments: list[str] | None = None) -> int:
    """Build the site from the command line.

    Parameters
    ----------
    arguments : list of str, optional
        Instead of the command line's.

    Returns
    -------
    int
        Exit status.
    """
    parser = argparse.ArgumentParser(prog="python -m causalrec_lib.course.site", description="Build the book's site.")
    parser.add_argument("--profile", default="ci", choices=("ci", "full"), help="which run of the chapters to show")
    profile = parser.parse_args(arguments).profile
    try:
        start = build_site(profile)
    except SiteError as err:
        print(f"The site was not built. {err}", file=sys.stderr)
        return 1
    print(f"The book is built: {start.resolve().as_uri()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
