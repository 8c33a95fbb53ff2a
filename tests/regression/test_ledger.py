"""The course reproduces every published number of the ledger, within a tolerance that is smaller than the lesson."""

import math
from pathlib import Path

import pytest
from pybtex.database import parse_file

from causalrec_lib import data
from causalrec_lib.course import chapters, ledger

ROOT = Path(__file__).resolve().parents[2]
TABLE = ledger.table("ci").set_index("id")
BIB = set(parse_file(ROOT / "book" / "references.bib").entries)


@pytest.mark.parametrize("row_id", list(ledger.rows()))
def test_row_is_reproduced(row_id):
    row = TABLE.loc[row_id]
    optional = row["record"].split("::")[0] in {
        c.id for c in chapters.find() if row["data"] in c.data("optional_data")
    }
    if optional and row["status"] == "not run" and not data.present(row["data"]):
        pytest.skip(f"{row['data']} is not to be had here")
    assert row["status"] in ("reproduced", "failure reproduced"), (
        f"{row_id}: published {row['published']}, ours {row['ours']}, tolerance {row['tolerance']} ({row['status']})"
    )


@pytest.mark.parametrize("row", ledger.rows().values(), ids=lambda r: r.id)
def test_row_says_what_it_is(row):
    assert row.source in BIB or "/" in row.source, f"{row.source} is neither a bib key nor a public file"
    assert row.data in data.names(), row.data
    assert len(row.why) >= 15 and row.where and row.n > 0
    assert 0 <= row.tolerance < 0.05 * abs(row.published) or "interval" in row.why, "tolerance too wide for the value"
    assert math.isfinite(row.published)


@pytest.mark.parametrize("row", ledger.rows().values(), ids=lambda r: r.id)
def test_tolerance_does_not_reach_the_naive_value(row):
    from causalrec_lib.course.records import Resolver

    base = row.record.rsplit(".", 1)[0] if row.record.count(".") else row.record
    try:
        naive = Resolver("ci").number(f"{base}.naive", "ledger")
    except KeyError:
        pytest.skip("this row has no naive value")
    if row.record.endswith((".value",)) or "." not in row.record:
        assert row.tolerance < abs(naive - row.published)
