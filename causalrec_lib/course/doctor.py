"""What is here and what is missing (library, Python, pins, device, data, models, disk), and the mend of each."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from causalrec_lib import data
from causalrec_lib.course.edition import edition
from causalrec_lib.course.records import repo_root

Level = Literal["ok", "note", "fail"]
NEEDED_GB = {True: 6.0, False: 1.0}
"""Free disk that a checkout needs (environment, data, site), and that a notebook with the library alone needs."""
LABS = ("", "causal", "language")
"""The extras whose packages a chapter or lab may import."""
_PACKAGE = Path(__file__).resolve().parents[1]
_PIN = re.compile(r"^([A-Za-z0-9_.\-]+)==([^\s;]+)")


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report.

    Parameters
    ----------
    what : str
        What was looked at.
    level : {"ok", "note", "fail"}
        Fine, worth knowing, or in the way.
    found : str
        What is there.
    mend : str
        What to do; empty if nothing.
    """

    what: str
    level: Level
    found: str
    mend: str = ""


@dataclass(frozen=True)
class Package:
    """One package that chapters and labs import.

    Parameters
    ----------
    name : str
        Its name on the package index.
    here : str
        The installed version; empty if it is missing.
    pin : str
        The version that the book's numbers were computed with; empty if unknown.
    needs : str
        The versions that the library accepts, as in "numpy>=2.0.2".
    optional : bool
        True if only some chapters need it.
    """

    name: str
    here: str
    pin: str
    needs: str
    optional: bool

    @property
    def level(self) -> Level:
        """Whether it is as pinned, another version, or in the way."""
        if not self.here:
            return "note" if self.optional else "fail"
        if not Requirement(self.needs).specifier.contains(self.here, prereleases=True):
            return "fail"
        return "ok" if _plain(self.here) == _plain(self.pin) else "note"


def checkout() -> Path | None:
    """Return the checkout that this very library lies in.

    Returns
    -------
    pathlib.Path or None
        None where the library was installed from a wheel, as in Colab, even if that is inside of a checkout.
    """
    root = repo_root(_PACKAGE)
    return root if root == _PACKAGE.parent else None


def pins(path: Path) -> dict[str, str]:
    """Read exact pins from a constraints file.

    Parameters
    ----------
    path : pathlib.Path
        Lines "name==version".

    Returns
    -------
    dict of str to str
        Version by normalised name.
    """
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        m = _PIN.match(line.strip())
        if m:
            found[_normal(m[1])] = m[2]
    return found


def packages() -> list[Package]:
    """Compare what chapters and labs import with the pins and with what the library accepts.

    Returns
    -------
    list of Package
        In the order of the library's metadata; empty if the library is only a folder on the path.
    """
    try:
        declared = importlib.metadata.requires("causalrec-lib") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    root, here, found = checkout(), _installed(), []
    known = pins((root or _PACKAGE / "_registry") / "constraints.txt")
    for wanted in map(Requirement, declared):
        extra = next((e for e in LABS if wanted.marker is None or wanted.marker.evaluate({"extra": e})), None)
        if extra is not None:
            name = _normal(wanted.name)
            needs = f"{wanted.name}{wanted.specifier}"
            found.append(Package(wanted.name, here.get(name, ""), known.get(name, ""), needs, bool(extra)))
    return found


def _installed() -> dict[str, str]:
    """Return the version of each package; where two lie on the path, that of the first, which is imported."""
    found: dict[str, str] = {}
    for d in importlib.metadata.distributions():
        found.setdefault(_normal(d.metadata["Name"] or ""), d.version)
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _plain(version: str) -> str:
    return version.split("+")[0]


def _library(root: Path | None) -> Finding:
    return Finding("library", "ok", f"{edition()}, {root or 'installed without a checkout'}")


def _python() -> Finding:
    version = platform.python_version()
    if (3, 11) <= sys.version_info < (3, 14):
        return Finding("Python", "ok", version)
    return Finding("Python", "fail", version, "use CPython 3.11, 3.12 or 3.13: make PYTHON=/path/to/python3.12 setup")


def _pinned(root: Path) -> Finding:
    """Hold a checkout's environment to its pins, all of them."""
    here, wanted = _installed(), pins(root / "constraints.txt")
    off = [f"{n} {here[n]} (pin {v})" for n, v in wanted.items() if n in here and _plain(here[n]) != _plain(v)]
    missing = [n for n in wanted if n not in here]
    if off or missing:
        some = "; ".join([*off[:4], *(f"{m} missing" for m in missing[:4])])
        return Finding("packages", "fail", f"{len(off)} differ, {len(missing)} missing: {some}", "make setup")
    return Finding("packages", "ok", f"{len(wanted)} as pinned")


def _accepted(found: list[Package]) -> Finding:
    """Hold any other environment, such as Colab's, to what the library accepts."""
    if not found:
        return Finding("packages", "note", "the library has no metadata here", "install its wheel with pip")
    bad = [p for p in found if p.level == "fail"]
    if bad:
        off = "; ".join(f"{p.name} {p.here or 'missing'}, needs {p.needs}" for p in bad)
        return Finding("packages", "fail", off, "pip install " + " ".join(f"'{p.needs}'" for p in bad))
    other = sum(p.here != "" and p.level == "note" for p in found)
    absent = [p.name for p in found if not p.here]
    told = [f"{sum(p.level == 'ok' for p in found)} as pinned"]
    told += [f"{other} in another version that the library accepts"] if other else []
    told += [f"optional and not here: {', '.join(absent)}"] if absent else []
    return Finding("packages", "note" if other else "ok", "; ".join(told))


def _device(root: Path | None) -> Finding:
    try:
        import torch
    except ModuleNotFoundError:
        return Finding(
            "device",
            "note",
            "CPU; torch is not installed",
            f"only the language part needs it: {'make setup' if root else 'pip install torch'}",
        )
    except (ImportError, OSError) as err:
        return Finding("device", "fail", f"torch can't be loaded: {err}", "install torch again, or remove it")
    if torch.cuda.is_available():
        return Finding("device", "ok", torch.cuda.get_device_name(0))
    return Finding("device", "ok", "CPU (profile ci is made for it; full is slow here)")


def _stock(group: str, what: str, root: Path | None) -> Finding:
    names = data.names(group=group)
    missing = [n for n in names if not data.present(n)]
    if not missing:
        return Finding(what, "ok", f"{len(names)} of {len(names)} present")
    needed = [n for n in missing if data.registry.entry(n).kind == "package"]
    who = (
        f"make book fetches {'them' if needed else 'what can be had'}"
        if root
        else "a lab's first cell fetches its own"
    )
    found = f"{len(names) - len(missing)} of {len(names)} present; missing: {', '.join(missing)}"
    return Finding(what, "note", found, f"{who}; one now: causalrec data fetch {missing[0]}")


def _disk(root: Path | None) -> Finding:
    folder, needed = data.cache_dir(), NEEDED_GB[root is not None]
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(existing).free / 1e9
    if free < needed:
        return Finding(
            "free disk", "fail", f"{free:.1f} GB at {existing}", f"free {needed:g} GB or set CAUSALREC_CACHE"
        )
    return Finding("free disk", "ok", f"{free:.0f} GB at {existing}")


def examine() -> list[Finding]:
    """Look at everything the course needs.

    Returns
    -------
    list of Finding
        In order of importance.
    """
    root = checkout()
    return [
        _library(root),
        _python(),
        _pinned(root) if root else _accepted(packages()),
        _device(root),
        _stock("data", "data", root),
        _stock("model", "models", root),
        _disk(root),
    ]
