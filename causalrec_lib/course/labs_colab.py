"""Where Colab can have the library, and which optional parts of it a lab needs."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from causalrec_lib.course.edition import git

_SCP = re.compile(r"^(?:[\w.-]+@)([\w.-]+):(?!//)(.+)$")
_PLUMBING = ("causalrec_lib.course", "causalrec_lib.data")
EXTRAS = {"causal": ("dowhy", "econml")}


@dataclass(frozen=True)
class Repository:
    """Where the course can be had.

    Parameters
    ----------
    url : str
        Address without user names, for example "https://example.org/owner/course".
    ref : str
        Tag or commit that pins the library.
    """

    url: str
    ref: str


def public_url(address: str) -> str | None:
    """Return the https form of a git address without user names, or None if it isn't on the web.

    Parameters
    ----------
    address : str
        An https, ssh or user@host:path address, as git takes it.

    Returns
    -------
    str or None
        For example "https://example.org/owner/course".
    """
    address = address.strip()
    scp = _SCP.match(address)
    if scp:
        return f"https://{scp[1]}/{_tidy(scp[2])}"
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https", "ssh", "git") or not parts.hostname:
        return None
    port = f":{parts.port}" if parts.port and parts.scheme in ("http", "https") else ""
    scheme = "http" if parts.scheme == "http" else "https"
    return f"{scheme}://{parts.hostname}{port}/{_tidy(parts.path)}"


def _tidy(path: str) -> str:
    return path.strip("/").removesuffix(".git")


def repository(root: Path) -> Repository | None:
    """Find the course's address and the commit to pin.

    The address is CAUSALREC_REPO_URL, else `repository` under [tool.causalrec] in pyproject.toml, else the git
    remote `origin`. The pin is CAUSALREC_REPO_REF, else `ref` in the same table, else the checked-out commit.

    Parameters
    ----------
    root : pathlib.Path
        The course's folder.

    Returns
    -------
    Repository or None
        None if no address is known.
    """
    pyproject = root / "pyproject.toml"
    tool = tomllib.loads(pyproject.read_text(encoding="utf-8")).get("tool", {}) if pyproject.is_file() else {}
    settings = tool.get("causalrec", {})
    address = os.environ.get("CAUSALREC_REPO_URL") or settings.get("repository")
    url = public_url(address or git(root, "remote", "get-url", "origin"))
    ref = os.environ.get("CAUSALREC_REPO_REF") or settings.get("ref") or git(root, "rev-parse", "HEAD")
    return Repository(url, ref) if url and ref else None


def extras(sources: Iterable[str]) -> list[str]:
    """Return the optional parts of the library that code needs beyond what Colab has.

    Parameters
    ----------
    sources : iterable of str
        Python code. Modules of the library that it imports are followed, course and data plumbing excepted.

    Returns
    -------
    list of str
        Names of extras in pyproject.toml.
    """
    found: set[str] = set()
    queue = [name for source in sources for name in _imports(source)]
    while queue:
        name = queue.pop()
        if name in found:
            continue
        found.add(name)
        if name.startswith("causalrec_lib.") and not name.startswith(_PLUMBING):
            path = _library_file(name)
            queue += _imports(path.read_text(encoding="utf-8")) if path else []
    tops = {name.split(".")[0] for name in found}
    return [extra for extra, packages in EXTRAS.items() if tops & set(packages)]


def _imports(source: str) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
    return names


def _library_file(name: str) -> Path | None:
    """Return the file of a module of the library, or None if the name is an attribute of one."""
    spec = importlib.util.find_spec("causalrec_lib")
    if spec is None or not spec.submodule_search_locations:
        return None
    base = Path(spec.submodule_search_locations[0]).joinpath(*name.split(".")[1:])
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)
