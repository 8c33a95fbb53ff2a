"""The set-up cell of a lab, and the wheel of the library that it installs where the course has no address."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from causalrec_lib.course.edition import git
from causalrec_lib.course.records import build_dir, repo_root
from causalrec_lib.course.repository import Repository, repository

SOURCES = (
    *("causalrec_lib", "data", "pyproject.toml", "setup.py"),
    *("MANIFEST.in", "constraints.txt", "README.md", "LICENSE"),
)
_PIP = ("pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
_VERSION = re.compile(r'^version = "([^"+]+)"$', re.M)


def setup_cell(repo: Repository, needed: Sequence[str], data: Sequence[str]) -> str:
    """Return the code of the set-up cell.

    Parameters
    ----------
    repo : Repository
        Where to install from; without an address, and where a wheel lies beside the lab, the wheel is installed.
    needed : sequence of str
        Extras of the library.
    data : sequence of str
        Data sets to fetch.

    Returns
    -------
    str
        Code that installs and fetches inside of Google Colab only.
    """
    extras = f"[{','.join(needed)}]" if needed else ""
    source = f"causalrec-lib{extras} @ git+{repo.url}@{repo.ref}" if repo.installable else ""
    cell = resources.files("causalrec_lib.course").joinpath("templates/setup_cell.py.txt").read_text(encoding="utf-8")
    for name, value in {"SOURCE": source, "EXTRAS": extras, "DATA": list(data)}.items():
        cell = cell.replace(f"@{name}@", json.dumps(value))
    return cell.rstrip("\n")


def dirty(root: Path) -> bool:
    """Return whether what goes into the wheel or the labs differs from the checked-out commit.

    Parameters
    ----------
    root : pathlib.Path
        The course's folder.

    Returns
    -------
    bool
        False outside of a git checkout, too.
    """
    return bool(git(root, "status", "--porcelain", "--", *SOURCES, "notebooks", "book/references.bib"))


def version(root: Path) -> str:
    """Return the library's version with its commit.

    Parameters
    ----------
    root : pathlib.Path
        The course's folder.

    Returns
    -------
    str
        For example "0.1.0+g6dd3533", with ".dirty" at its end if the tree is.
    """
    found = _VERSION.search((root / "pyproject.toml").read_text(encoding="utf-8"))
    plain = found[1] if found else "0"
    commit = git(root, "rev-parse", "--short=7", "HEAD")
    return f"{plain}+g{commit}{'.dirty' if dirty(root) else ''}" if commit else plain


def cautions(root: Path, repo: Repository) -> list[str]:
    """Return what a teacher should know before handing out these labs.

    Parameters
    ----------
    root : pathlib.Path
        The course's folder.
    repo : Repository
        Where Colab installs the library from.

    Returns
    -------
    list of str
        Sentences; empty if all is well.
    """
    told = []
    if not repo.installable:
        told.append(
            "No address of the course is known, so in Colab each student uploads the wheel beside the labs. "
            "With CAUSALREC_REPO_URL set, the first cell installs from there."
        )
    elif repo.ref == git(root, "rev-parse", "HEAD") and not git(root, "branch", "--remotes", "--contains", repo.ref):
        told.append(f"Commit {repo.ref[:7]} is on no remote branch: push it, or Colab can't install the library.")
    if dirty(root):
        told.append("The tree holds changes that are not committed: the labs have them, the commit does not.")
    return told


def write_wheel(root: Path, folder: Path) -> Path:
    """Build the library's wheel, and drop older ones.

    Parameters
    ----------
    root : pathlib.Path
        The course's folder.
    folder : pathlib.Path
        Where the wheel goes.

    Returns
    -------
    pathlib.Path
        The file; its version holds the commit.

    Raises
    ------
    ValueError
        If pip can't build it; the message holds what pip said.
    """
    name = version(root)
    with tempfile.TemporaryDirectory() as temporary:
        copy, out = Path(temporary) / "source", Path(temporary) / "wheel"
        copy.mkdir()
        for source in (root / s for s in SOURCES):
            if source.is_dir():
                shutil.copytree(source, copy / source.name, ignore=shutil.ignore_patterns("__pycache__", "cache"))
            elif source.is_file():
                shutil.copy(source, copy / source.name)
        project = copy / "pyproject.toml"
        text = _VERSION.sub(f'version = "{name}"', project.read_text(encoding="utf-8"), count=1)
        project.write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", *_PIP, "--wheel-dir", str(out), str(copy)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ValueError(f"the library's wheel could not be built:\n{done.stderr[-2000:]}")
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("causalrec_lib-*.whl"):
            old.unlink()
        return Path(shutil.copy(next(out.glob("*.whl")), folder))


def main() -> None:
    """Write address, commit and version into a file, only if they changed; make looks at its time."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, default=build_dir() / "labs" / ".address")
    out, root = parser.parse_args().out, repo_root() or Path.cwd()
    repo = repository(root)
    text = f"{repo.url}\n{repo.ref}\n{version(root)}\n"
    if not out.is_file() or out.read_text(encoding="utf-8") != text:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
