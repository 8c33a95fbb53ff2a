"""The report on broken twins: which check refused each, for the page that shows how the build ran."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from causalrec_lib.course import records

Row = dict[str, str | None]


def report_path() -> Path:
    return records.build_dir() / "reports" / "twins.json"


def write_report(rows: Sequence[Row], *, whole: bool) -> Path:
    """Write the rows; those of a part of the suite take the place of their namesakes."""
    path = report_path()
    found = {}
    if not whole and path.is_file():
        found = {(r["estimator"], r["name"]): r for r in json.loads(path.read_text(encoding="utf-8"))["twins"]}
    found |= {(r["estimator"], r["name"]): r for r in rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    twins = sorted(found.values(), key=lambda r: (str(r["estimator"]), str(r["name"])))
    path.write_text(json.dumps({"twins": twins}, indent=1) + "\n", encoding="utf-8")
    return path
