"""The ledger: published numbers, what the course finds for them, and whether both agree."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import pandas as pd

from causalrec_lib.course import records


@dataclass(frozen=True)
class Row:
    """One published number.

    Parameters
    ----------
    id : str
        Name used in glue roles, "ledger::<id>.published".
    quantity : str
        What the number is, with its estimand.
    data : str
        Data set in the registry, whose hash pins the rows.
    n : int
        Rows.
    published : float
        The value in print.
    source : str
        Key in references.bib, or the public file that prints it.
    where : str
        Table, page, chapter or cell.
    tolerance : float
        Largest accepted absolute difference.
    why : str
        Why that tolerance.
    record : str
        "<chapter>::<name>.<field>": our number.
    failure : bool
        True if the published number is wrong and the course reproduces how it came about.
    """

    id: str
    quantity: str
    data: str
    n: int
    published: float
    source: str
    where: str
    tolerance: float
    why: str
    record: str
    failure: bool = False


@cache
def rows() -> dict[str, Row]:
    """Return the ledger by row id.

    Returns
    -------
    dict of str to Row
        In the order of the file.

    Raises
    ------
    ValueError
        If an id occurs twice.
    """
    text = resources.files("causalrec_lib.course").joinpath("ledger.toml").read_text(encoding="utf-8")
    found: dict[str, Row] = {}
    for raw in tomllib.loads(text)["row"]:
        row = Row(**raw)
        if row.id in found:
            raise ValueError(f"id {row.id!r} stands twice in ledger.toml; rename one row.")
        found[row.id] = row
    return found


def published(row_id: str, field: str) -> float:
    """Return a number of a ledger row for the prose.

    Parameters
    ----------
    row_id : str
        Row id.
    field : {"published", "n", "tolerance"}
        Which number.

    Returns
    -------
    float
        The number.

    Raises
    ------
    KeyError
        If there is no such row or field.
    """
    if row_id not in rows() or field not in ("published", "n", "tolerance"):
        raise KeyError(f"the ledger has no {row_id!r} with a field {field!r}; rows: {', '.join(rows())}")
    return float(getattr(rows()[row_id], field))


def table(profile: str = "ci", build: Path | None = None) -> pd.DataFrame:
    """Compare every ledger row with the records of a build.

    Parameters
    ----------
    profile : str
        Which profile's records.
    build : pathlib.Path, optional
        The build folder.

    Returns
    -------
    pandas.DataFrame
        One row a published number: ours, difference, tolerance, status ("reproduced", "DIFFERS", "not run").
    """
    resolver = records.Resolver(profile, build)
    out = []
    for row in rows().values():
        try:
            ours: float | None = resolver.number(row.record, "ledger")
        except (FileNotFoundError, KeyError):
            ours = None
        status = "not run" if ours is None else "DIFFERS"
        if ours is not None and abs(ours - row.published) <= row.tolerance:
            status = "failure reproduced" if row.failure else "reproduced"
        out.append({
            "id": row.id, "quantity": row.quantity, "data": row.data, "n": row.n, "published": row.published,
            "ours": ours, "tolerance": row.tolerance, "why": row.why, "source": row.source, "where": row.where,
            "record": row.record, "status": status,
        })  # fmt: skip
    return pd.DataFrame(out)
