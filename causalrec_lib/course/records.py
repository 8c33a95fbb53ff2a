"""Records: every number of the book, written when its chapter runs and read by the site, the labs and the tests."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["closed_form", "stochastic", "exact", "measured"]
COURSE_SEED = 2026
FIELDS = ("value", "se", "low", "high", "truth", "naive", "n", "ess")
GLUE = re.compile(r"\{glue:text\}`([^`]+)`")


@dataclass(frozen=True)
class Record:
    """One recorded number with what belongs to it.

    Parameters
    ----------
    value : float
        The number.
    se, low, high : float, optional
        Standard error and interval.
    truth, naive : float, optional
        What it should be, and what the naive analysis says.
    n, ess : float, optional
        Rows and effective rows.
    kind : {"closed_form", "stochastic", "exact", "measured"}
        How its baseline tolerance is reasoned; "measured" (times, sizes) has no baseline.
    mc_se : float, optional
        Monte-Carlo standard error of a stochastic value.
    optional : bool
        True if it comes from a section on data that may be absent.
    """

    value: float
    se: float | None = None
    low: float | None = None
    high: float | None = None
    truth: float | None = None
    naive: float | None = None
    n: float | None = None
    ess: float | None = None
    kind: Kind = "closed_form"
    mc_se: float | None = None
    optional: bool = False

    def field(self, name: str) -> float:
        """Return one field, or raise KeyError if it was not recorded.

        Parameters
        ----------
        name : str
            One of `FIELDS`.

        Returns
        -------
        float
            The number.

        Raises
        ------
        KeyError
            If the field does not exist or is empty.
        """
        if name not in FIELDS or getattr(self, name) is None:
            raise KeyError(f"no field {name!r}; recorded: {[f for f in FIELDS if getattr(self, f) is not None]}")
        return float(getattr(self, name))


def repo_root(start: Path | None = None) -> Path | None:
    """Return the folder of the checked-out course that holds `start`, or None outside of one.

    Parameters
    ----------
    start : pathlib.Path, optional
        Where to look from; by default the working directory.

    Returns
    -------
    pathlib.Path or None
        The folder with `pyproject.toml` and `notebooks/`.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "pyproject.toml").is_file() and (folder / "notebooks").is_dir():
            return folder
    return None


def build_dir() -> Path:
    """Return where generated files go: CAUSALREC_BUILD, or `build/` of the course, or `causalrec_build/` here.

    Returns
    -------
    pathlib.Path
        The folder; it may not exist yet.
    """
    if os.environ.get("CAUSALREC_BUILD"):
        return Path(os.environ["CAUSALREC_BUILD"])
    root = repo_root()
    return root / "build" if root else Path.cwd() / "causalrec_build"


def record_path(chapter: str, profile: str, build: Path | None = None) -> Path:
    """Return the records file of a chapter.

    Parameters
    ----------
    chapter : str
        For example "weighting/01_propensity_weighting".
    profile : str
        "ci" or "full".
    build : pathlib.Path, optional
        The build folder.

    Returns
    -------
    pathlib.Path
        build/records/<profile>/<chapter>.json
    """
    return (build or build_dir()) / "records" / profile / f"{chapter}.json"


def write(path: Path, meta: dict[str, object], records: dict[str, Record]) -> None:
    """Write a records file atomically.

    Parameters
    ----------
    path : pathlib.Path
        Target.
    meta : dict
        Chapter, profile, seed and versions.
    records : dict of str to Record
        What was recorded so far.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = {k: {f: v for f, v in asdict(r).items() if v is not None} for k, r in records.items()}
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(json.dumps({**meta, "records": rows}, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    part.replace(path)


def read(path: Path) -> dict[str, Record]:
    """Read a records file.

    Parameters
    ----------
    path : pathlib.Path
        A file that `write` made.

    Returns
    -------
    dict of str to Record
        By name.

    Raises
    ------
    FileNotFoundError
        If the chapter has not run.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"no records at {path}; run the chapter first: causalrec run {path.parent.name}/{path.stem}"
        )
    return {k: Record(**v) for k, v in json.loads(path.read_text(encoding="utf-8"))["records"].items()}


def digest(source: Path) -> str:
    """Return a hash of a chapter's source, which its records carry.

    Parameters
    ----------
    source : pathlib.Path
        The py:percent file.

    Returns
    -------
    str
        Hexadecimal SHA-256.
    """
    return hashlib.sha256(source.read_bytes()).hexdigest()


def glue_keys(text: str) -> Iterator[str]:
    """Yield the keys of all glue roles in a text.

    Parameters
    ----------
    text : str
        Markdown.

    Yields
    ------
    str
        For example "ate_ipw.se:.3f".
    """
    for m in GLUE.finditer(text):
        yield m[1]


class Resolver:
    """Turns glue roles into numbers, from the records of a build and from the ledger.

    Parameters
    ----------
    profile : str
        Which profile's records to read.
    build : pathlib.Path, optional
        The build folder.
    baselines : pathlib.Path, optional
        Folder of the committed baselines; if given, their numbers are shown and no build is looked at.
    """

    def __init__(self, profile: str, build: Path | None = None, baselines: Path | None = None) -> None:
        self._profile = profile
        self._build = build
        self._baselines = baselines
        self._read: dict[str, dict[str, Record]] = {}

    def number(self, key: str, chapter: str) -> float:
        """Return the number behind a key without its format.

        Parameters
        ----------
        key : str
            "name", "name.field", "chapter::name.field" or "ledger::row.field".
        chapter : str
            The chapter in which the key stands.

        Returns
        -------
        float
            The number.

        Raises
        ------
        KeyError
            If nothing of that name was recorded.
        """
        source, _, name = key.rpartition("::")
        name, _, fld = name.partition(".")
        if source == "ledger":
            from causalrec_lib.course import ledger

            return ledger.published(name, fld or "published")
        source = source or chapter
        if source not in self._read:
            self._read[source] = read(self._path(source))
        if name not in self._read[source]:
            raise KeyError(f"{chapter}: nothing is recorded as {key!r}; {source} has {sorted(self._read[source])}")
        return self._read[source][name].field(fld or "value")

    def _path(self, source: str) -> Path:
        if self._baselines is not None:
            return self._baselines / self._profile / f"{source}.json"
        return record_path(source, self._profile, self._build)

    def text(self, role: str, chapter: str) -> str:
        """Return the formatted number for the body of a glue role.

        Parameters
        ----------
        role : str
            For example "ate_ipw.se:.3f".
        chapter : str
            The chapter in which the role stands.

        Returns
        -------
        str
            The number in the asked format, with a true minus sign.
        """
        head, sep, spec = role.rpartition(":")
        if not sep or head.endswith(":"):
            head, spec = role, ".4g"
        value = self.number(head, chapter)
        if math.isfinite(value) and spec.endswith("d"):
            return format(round(value), spec).replace("-", "\u2212")
        return format(value, spec).replace("-", "\u2212")

    def resolve(self, markdown: str, chapter: str) -> str:
        """Replace every glue role in a text.

        Parameters
        ----------
        markdown : str
            Markdown with glue roles.
        chapter : str
            The chapter in which it stands.

        Returns
        -------
        str
            The text with numbers.
        """
        return GLUE.sub(lambda m: self.text(m[1], chapter), markdown)
