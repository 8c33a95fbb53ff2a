"""The ledger: published numbers against the course's own."""

import pytest

from causalrec_lib.course import ledger, records

ROW = """
[[row]]
id = "{id}"
quantity = "ATE on earnings"
data = "nsw"
n = 445
published = {published}
source = "dehejia1999causal"
where = "Table 3"
tolerance = 0.01
why = "printed with two decimals"
record = "weighting/01_x::{record}"
failure = {failure}
"""


def row(name, published=1794.34, record="ate", failure="false"):
    """One row in TOML."""
    return ROW.format(id=name, published=published, record=record, failure=failure)


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A function that puts a ledger in place of the course's."""

    def write(text):
        (tmp_path / "ledger.toml").write_text(text, encoding="utf-8")
        ledger.rows.cache_clear()

    monkeypatch.setattr(ledger.resources, "files", lambda package: tmp_path)
    yield write
    ledger.rows.cache_clear()


def test_rows_keep_the_order_of_the_file(written):
    written(row("second") + row("first"))
    assert list(ledger.rows()) == ["second", "first"]
    assert ledger.rows()["first"].n == 445


def test_an_id_stands_once(written):
    written(row("nsw") + row("nsw"))
    with pytest.raises(ValueError, match="'nsw' stands twice"):
        ledger.rows()


def test_a_row_that_lacks_a_field_is_refused(written):
    written(row("nsw").replace('why = "printed with two decimals"\n', ""))
    with pytest.raises(TypeError, match="why"):
        ledger.rows()


def test_published_numbers_are_found_by_field(written):
    written(row("nsw"))
    assert ledger.published("nsw", "published") == 1794.34
    assert ledger.published("nsw", "n") == 445
    assert ledger.published("nsw", "tolerance") == 0.01


@pytest.mark.parametrize(("name", "field"), [("none", "published"), ("nsw", "why"), ("nsw", "value")])
def test_an_unknown_row_or_field_is_named(written, name, field):
    written(row("nsw"))
    with pytest.raises(KeyError, match="rows: nsw"):
        ledger.published(name, field)


def test_the_table_says_what_is_reproduced_what_differs_and_what_has_not_run(written, tmp_path):
    written(
        row("same", 1794.34)
        + row("edge", 1794.335)
        + row("off", 1794.36)
        + row("wrong", 1794.34, failure="true")
        + row("second", 1794.34)
        + 'kind = "second library"\n'
        + row("lost", record="none")
        + row("nochapter").replace("weighting/01_x", "trees/01_y")
    )
    records.write(
        records.record_path("weighting/01_x", "ci", tmp_path), {}, {"ate": records.Record(1794.34, naive=5.0)}
    )
    table = ledger.table("ci", tmp_path).set_index("id")
    assert table["status"].to_dict() == {
        "same": "reproduced",
        "edge": "reproduced",
        "off": "DIFFERS",
        "wrong": "failure reproduced",
        "second": "agrees",
        "lost": "not run",
        "nochapter": "not run",
    }
    assert table.loc["off", "ours"] == 1794.34


def test_a_field_of_a_record_can_be_the_courses_number(written, tmp_path):
    written(row("naive", 5.0, record="ate.naive"))
    records.write(records.record_path("weighting/01_x", "ci", tmp_path), {}, {"ate": records.Record(1.0, naive=5.0)})
    assert ledger.table("ci", tmp_path)["status"].tolist() == ["reproduced"]
