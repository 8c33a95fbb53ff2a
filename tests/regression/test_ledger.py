"""The course reproduces every published number of the ledger, within a tolerance that is smaller than the lesson."""

import math
from pathlib import Path

import pytest
from pybtex.database import parse_file

from causalrec_lib import data
from causalrec_lib.course import chapters, ledger
from causalrec_lib.course.records import Resolver

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
    good = ("agrees",) if row["kind"] == "second library" else ("reproduced", "failure reproduced")
    assert row["status"] in good, (
        f"{row_id}: published {row['published']}, ours {row['ours']}, tolerance {row['tolerance']} ({row['status']})"
    )


@pytest.mark.parametrize("row", ledger.rows().values(), ids=lambda r: r.id)
def test_row_says_what_it_is(row):
    assert row.source in BIB or "/" in row.source, f"{row.source} is neither a bib key nor a public file"
    assert row.data in (*data.names(), "simulated"), row.data
    assert len(row.why) >= 15 and row.where and row.n > 0
    assert 0 <= row.tolerance < 0.05 * abs(row.published) or "interval" in row.why, "tolerance too wide for the value"
    assert math.isfinite(row.published)


@pytest.mark.parametrize("row", ledger.rows().values(), ids=lambda r: r.id)
def test_a_number_without_print_is_not_called_published(row):
    assert row.kind in ("published", "second library")
    assert ("no print" in row.where.lower()) == (row.kind == "second library"), row.where


@pytest.mark.parametrize("row", [r for r in ledger.rows().values() if r.apart_from], ids=lambda r: r.id)
def test_tolerance_does_not_reach_the_naive_value(row):
    if TABLE.loc[row.id, "status"] == "not run":
        pytest.skip(f"{row.data} is not to be had here")
    other = Resolver("ci").number(row.apart_from, "ledger")
    assert row.tolerance < abs(other - row.published), f"{row.id}: the tolerance reaches {row.apart_from} = {other:g}"


def test_every_row_is_kept_apart_from_something():
    """A row without such a number could be right for the wrong reason; all are covered by the test above."""
    covered = [r.id for r in ledger.rows().values() if r.apart_from and r.apart_from != r.record]
    assert len(covered) == len(ledger.rows()) >= 16, sorted(set(ledger.rows()) - set(covered))
