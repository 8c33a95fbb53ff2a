"""What is here and what is missing (Python, pins, device, data, models, disk), with a verdict and the mend."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from causalrec_lib import data
from causalrec_lib.course.records import repo_root

Level = Literal["ok", "note", "fail"]
NEEDED_GB = 6.0
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


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _python() -> Finding:
    version = platform.python_version()
    if (3, 11) <= sys.version_info < (3, 14):
        return Finding("Python", "ok", version)
    return Finding("Python", "fail", version, "use CPython 3.11, 3.12 or 3.13: make PYTHON=/path/to/python3.12 setup")


def _packages(root: Path | None) -> Finding:
    if root is None:
        return Finding("packages", "note", "no constraints.txt here", "run this inside a checkout of the course")
    installed = {_normal(d.metadata["Name"]): d.version for d in importlib.metadata.distributions()}
    wanted = pins(root / "constraints.txt")
    off = [
        f"{n} {installed[n]} (pin {v})"
        for n, v in wanted.items()
        if n in installed and installed[n].split("+")[0] != v.split("+")[0]
    ]
    missing = [n for n in wanted if n not in installed]
    if off or missing:
        some = "; ".join([*off[:4], *(f"{m} missing" for m in missing[:4])])
        return Finding("packages", "fail", f"{len(off)} differ, {len(missing)} missing: {some}", "make setup")
    return Finding("packages", "ok", f"{len(wanted)} as pinned")


def _device() -> Finding:
    try:
        import torch
    except ModuleNotFoundError:
        return Finding("device", "note", "torch is not installed", "the language part needs it: make setup")
    if torch.cuda.is_available():
        return Finding("device", "ok", torch.cuda.get_device_name(0))
    return Finding("device", "ok", "CPU (profile ci is made for it; full is slow here)")


def _stock(group: str, what: str) -> Finding:
    names = data.names(group=group)
    missing = [n for n in names if not data.present(n)]
    if not missing:
        return Finding(what, "ok", f"{len(names)} of {len(names)} present")
    needed = [n for n in missing if data.registry.entry(n).kind == "package"]
    found = f"{len(names) - len(missing)} of {len(names)} present; missing: {', '.join(missing)}"
    one = f"causalrec data fetch {missing[0]}"
    return Finding(
        what, "note", found, f"make book fetches {'them' if needed else 'what can be had'}; one now: {one}"
    )


def _disk() -> Finding:
    folder = data.cache_dir()
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(existing).free / 1e9
    if free < NEEDED_GB:
        return Finding(
            "free disk", "fail", f"{free:.1f} GB at {existing}", f"free {NEEDED_GB:g} GB or set CAUSALREC_CACHE"
        )
    return Finding("free disk", "ok", f"{free:.0f} GB")


def examine() -> list[Finding]:
    """Look at everything the course needs.

    Returns
    -------
    list of Finding
        In order of importance.
    """
    root = repo_root() or repo_root(Path(__file__))
    return [_python(), _packages(root), _device(), _stock("data", "data"), _stock("model", "models"), _disk()]
