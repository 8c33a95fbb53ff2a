"""The ledger: published numbers, what the course finds for them, and whether both agree; second opinions apart."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Literal

import pandas as pd

from causalrec_lib.course import records


@dataclass(frozen=True)
class Row:
    """One published number, or one that a second library gives where nobody printed it.

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
    apart_from : str
        "<chapter>::<name>.<field>": the number that the tolerance must not reach, the naive answer or its opposite.
    kind : {"published", "second library"}
        Whether the number stands in print, or comes from another library on the same data.
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
    apart_from: str = ""
    kind: Literal["published", "second library"] = "published"


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
        One row a number: its kind, ours, tolerance, status ("reproduced", "failure reproduced", "DIFFERS", "not run";
        "agrees" where a second library gives the number).
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
            status = "failure reproduced" if row.failure else "reproduced" if row.kind == "published" else "agrees"
        out.append({
            "id": row.id, "quantity": row.quantity, "data": row.data, "n": row.n, "published": row.published,
            "ours": ours, "tolerance": row.tolerance, "why": row.why, "source": row.source, "where": row.where,
            "record": row.record, "status": status, "kind": row.kind,
        })  # fmt: skip
    return pd.DataFrame(out)
