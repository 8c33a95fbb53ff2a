"""Records against baselines: what moved, by how much, and whether that is more than the tolerance allows."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from causalrec_lib.course import records
from causalrec_lib.course.records import Record, repo_root

CLOSED_FORM = 1e-6
MC_WIDTH = 4.0
FLOOR = 1e-9
_COMPARED = ("value", "se", "low", "high", "truth", "naive", "n", "ess")
WHY = {
    "closed_form": "deterministic given the data: 1e-6 relative, for the order of floating-point sums",
    "stochastic": "4 Monte-Carlo standard errors of the recorded value",
    "exact": "a count or a fact: no tolerance",
}


@dataclass(frozen=True)
class Row:
    """One field of one record against its baseline.

    Parameters
    ----------
    name : str
        "record.field".
    old, new : float or None
        Baseline and present value.
    tolerance : float
        Largest absolute difference that passes.
    verdict : {"same", "moved", "new", "gone"}
        The outcome.
    """

    name: str
    old: float | None
    new: float | None
    tolerance: float
    verdict: str

    @staticmethod
    def shown(x: float | None) -> str:
        """Return a number as text.

        Parameters
        ----------
        x : float or None
            The number.

        Returns
        -------
        str
            Eight digits; empty for None.
        """
        return "" if x is None else f"{x:.8g}"


def baseline_path(chapter: str, profile: str, root: Path | None = None) -> Path:
    """Return the baseline file of a chapter.

    Parameters
    ----------
    chapter : str
        Chapter id.
    profile : str
        "ci" or "full".
    root : pathlib.Path, optional
        The course's folder.

    Returns
    -------
    pathlib.Path
        tests/regression/baselines/<profile>/<chapter>.json
    """
    base = root or repo_root() or repo_root(Path(__file__))
    if base is None:
        raise ValueError("baselines live in a checkout of the course; run this inside one.")
    return base / "tests" / "regression" / "baselines" / profile / f"{chapter}.json"


def tolerance(record: Record, field: str) -> float:
    """Return how far a field may move before it counts as moved.

    Parameters
    ----------
    record : Record
        The baseline record.
    field : str
        One of value, se, low, high, truth, naive, n, ess.

    Returns
    -------
    float
        Absolute tolerance: see `WHY`.
    """
    x = abs(record.field(field))
    if record.kind == "exact" or field == "n":
        return 0.0
    if record.kind == "stochastic" and field in ("value", "low", "high") and record.mc_se is not None:
        return MC_WIDTH * record.mc_se
    if record.kind == "stochastic" and field in ("se", "ess"):  # a standard error's own relative error
        return MC_WIDTH * x / math.sqrt(2 * max(record.n or 2, 2))
    return max(CLOSED_FORM * x, FLOOR)


def compare(chapter: str, profile: str, build: Path | None = None, root: Path | None = None) -> list[Row]:
    """Compare a chapter's records with its baseline.

    Parameters
    ----------
    chapter : str
        Chapter id.
    profile : str
        "ci" or "full".
    build : pathlib.Path, optional
        The build folder.
    root : pathlib.Path, optional
        The course's folder.

    Returns
    -------
    list of Row
        One a recorded field; optional records that are absent on either side are left out.

    Raises
    ------
    FileNotFoundError
        If the chapter has not run.
    """
    path = baseline_path(chapter, profile, root)
    record_file = records.record_path(chapter, profile, build)
    if not record_file.is_file() and not path.is_file():
        return []
    now = records.read(record_file)
    old = records.read(path) if path.is_file() else {}
    out = []
    for name in sorted({*now, *old}):
        a, b = old.get(name), now.get(name)
        present = a or b
        if present is None or present.kind == "measured" or (present.optional and (a is None or b is None)):
            continue
        out += _fields(name, a, b)
    return out


def told(chapter: str, rows: list[Row]) -> list[str]:
    """Say in words which records left their tolerance.

    Parameters
    ----------
    chapter : str
        Chapter id.
    rows : list of Row
        What `compare` returned.

    Returns
    -------
    list of str
        One line a field that is not the same: chapter, record, old and new value, tolerance.
    """
    return [
        f"{chapter}: {r.name} was {r.shown(r.old)}, is {r.shown(r.new)} ({r.verdict}; tolerance {r.tolerance:.3g})"
        for r in rows
        if r.verdict != "same"
    ]


def packages(chapter: str, profile: str, build: Path | None = None, root: Path | None = None) -> list[str]:
    """Say which packages are not those that the baseline was made with.

    Parameters
    ----------
    chapter : str
        Chapter id.
    profile : str
        "ci" or "full".
    build : pathlib.Path, optional
        The build folder.
    root : pathlib.Path, optional
        The course's folder.

    Returns
    -------
    list of str
        One line a package: its name, version at the baseline, version now; empty where either is not known.
    """
    files = baseline_path(chapter, profile, root), records.record_path(chapter, profile, build)
    if not all(path.is_file() for path in files):
        return []
    old, new = (dict(load_meta(path).get("versions") or {}) for path in files)  # type: ignore[call-overload]
    names = sorted(old.keys() & new.keys())
    return [f"{name} was {old[name]}, is {new[name]}" for name in names if old[name] != new[name]]


def _fields(name: str, a: Record | None, b: Record | None) -> list[Row]:
    rows = []
    for field in _COMPARED:
        old = None if a is None else getattr(a, field)
        new = None if b is None else getattr(b, field)
        if old is None and new is None:
            continue
        tol = tolerance(a, field) if a is not None and old is not None else 0.0
        if old is None or new is None:
            verdict = "new" if old is None else "gone"
        else:
            verdict = "same" if abs(new - old) <= tol else "moved"
        rows.append(Row(f"{name}.{field}", old, new, tol, verdict))
    return rows


def update(chapter: str, profile: str) -> Path:
    """Rewrite a chapter's baseline from its records, keeping optional records that were not run.

    Parameters
    ----------
    chapter : str
        Chapter id.
    profile : str
        "ci" or "full".

    Returns
    -------
    pathlib.Path
        The baseline file.
    """
    path = baseline_path(chapter, profile)
    ran = records.record_path(chapter, profile)
    new = records.read(ran)
    old = records.read(path) if path.is_file() else {}
    kept = {k: r for k, r in old.items() if r.optional and k not in new}
    keep = {k: r for k, r in {**new, **kept}.items() if r.kind != "measured"}
    if keep:
        versions = load_meta(ran).get("versions", {})
        records.write(path, {"chapter": chapter, "profile": profile, "tolerances": WHY, "versions": versions}, keep)
    return path


def load_meta(path: Path) -> dict[str, object]:
    """Return what a records file says about its run.

    Parameters
    ----------
    path : pathlib.Path
        A records file.

    Returns
    -------
    dict
        Chapter, profile, seed, versions, seconds.
    """
    meta = json.loads(path.read_text(encoding="utf-8"))
    meta.pop("records", None)
    return dict(meta)
