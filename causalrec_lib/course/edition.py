"""Which library this is: its version and the commit that it was made from."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
from pathlib import Path

from causalrec_lib.course.records import repo_root


def edition() -> str:
    """Return the library's version and, where it is known, its commit.

    Returns
    -------
    str
        For example "0.1.0+g6dd3533".
    """
    try:
        installed = importlib.metadata.distribution("causalrec-lib")
    except importlib.metadata.PackageNotFoundError:  # a copy on the path
        return "unknown"
    if "+g" in installed.version:
        return str(installed.version)
    origin = json.loads(installed.read_text("direct_url.json") or "{}")
    root = repo_root(Path(__file__))
    commit = origin.get("vcs_info", {}).get("commit_id", "")[:7] or (
        git(root, "rev-parse", "--short=7", "HEAD") if root else ""
    )
    return f"{installed.version}+g{commit}" if commit else str(installed.version)


def git(root: Path, *arguments: str) -> str:
    """Return what a git command prints.

    Parameters
    ----------
    root : pathlib.Path
        The course's folder.
    *arguments : str
        Command and options.

    Returns
    -------
    str
        Without blanks around it; empty if it fails or there is no git.
    """
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:  # no git here: no remote to read
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
