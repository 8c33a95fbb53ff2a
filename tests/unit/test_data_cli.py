"""`causalrec data` and the stock of `make book`, with and without a network, on good and on damaged caches."""

import pytest
from typer.testing import CliRunner

from causalrec_lib import data
from causalrec_lib.course import stock
from causalrec_lib.course.cli import app
from causalrec_lib.data import transfer
from tests.unit.data_server import BODY, Answer


def call(*arguments):
    return CliRunner(env={"COLUMNS": "120"}).invoke(app, ["data", *arguments])


@pytest.fixture
def quick(monkeypatch):
    """Give up soon."""
    monkeypatch.setattr(transfer.Policy.__init__, "__defaults__", (5.0, 2, 0.01, 5.0, None))


def test_list_shows_all_sets_and_models(shelf):
    done = call("list")
    assert done.exit_code == 0
    assert all(name in done.output for name in data.names(group=None))
    assert f"0 of {len(data.names(group=None))} are here" in done.output


def test_fetch_tells_where_the_set_lies_and_goes_on_after_a_failure(server, shelf, books, quick):
    books(bad={"a.bin": (BODY, [server.say("/x", Answer(status=404))])}, toy={"a.bin": (BODY, [f"{server.url}/a"])})
    server.say("/a", Answer())
    done = call("fetch", "bad", "toi", "toy")
    assert done.exit_code == 1
    assert f"bad: a.bin can't be fetched. {server.url}/x: answered 404" in done.output
    assert "causalrec data fetch bad" in done.output
    assert "no data set 'toi'; did you mean toy" in done.output
    assert f"toy: {shelf / 'toy'}" in done.output and "Traceback" not in done.output
    assert call("fetch", "toy").exit_code == 0


def test_verify_says_ok_absent_and_damaged(server, shelf, books):
    books(toy={"a.bin": (BODY, [server.say("/a", Answer())])}, more={"a.bin": (BODY, [])})
    empty = call("verify")
    assert empty.exit_code == 0 and "holds no set yet. Run: causalrec data fetch" in empty.output
    data.fetch("toy", progress=False)
    assert call("verify").output.strip() == "toy: ok"
    absent = call("verify", "more")
    assert absent.exit_code == 1 and "more: not here. Run: causalrec data fetch more" in absent.output
    (shelf / "toy" / "a.bin").write_bytes(BODY[::-1])
    damaged = call("verify")
    assert damaged.exit_code == 1
    assert "a.bin in" in damaged.output and "Run: causalrec data fetch toy" in damaged.output
    (shelf / "toy" / "a.bin").unlink()
    assert call("verify").exit_code == 1, "a set with a missing file is passed over"


def test_card_shows_traps_and_names_its_like():
    done = call("card", "coat")
    assert done.exit_code == 0 and "366 pairs" in done.output and "Traps" in done.output
    wrong = call("card", "coot")
    assert wrong.exit_code == 1 and "did you mean coat" in wrong.output


def test_missing_optional_sets_are_one_short_block(server, shelf, books, quick, tmp_path, monkeypatch):
    monkeypatch.setenv("CAUSALREC_BUILD", str(tmp_path / "build"))
    bad, page = server.say("/x", Answer(status=404)), server.say("/y", Answer(body=b"<html>"))
    books(
        one={"a.bin": (BODY, [bad])},
        other={"a.bin": (BODY, [page])},
        toy={"a.bin": (BODY, [server.say("/a", Answer())])},
    )
    missed = stock.refresh()
    lines = stock.note(missed).splitlines()
    assert len(lines) == 5 and all(len(line) <= 118 for line in lines), lines
    assert lines[0].startswith("2 optional data sets are not here")
    assert lines[1].split(None, 1)[0] == "one" and "answered 404" in lines[1]
    assert lines[2].split(None, 1)[0] == "other" and "delivers another file" in lines[2]
    assert lines[3] == "To get them: causalrec data fetch one other"
    assert data.present("toy") and (tmp_path / "build" / "data" / "one.state").read_text() == stock.ABSENT
    assert stock.refresh() == [], "asked again although nobody wanted"
    assert stock.note([]) == ""
    assert [e.name for e in stock.refresh(everything=True)] == ["one", "other"]


def test_a_damaged_set_stops_the_book(server, shelf, books, quick, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CAUSALREC_BUILD", str(tmp_path / "build"))
    books(toy={"a.bin": (BODY, [server.say("/a", Answer())])})
    data.fetch("toy", progress=False)
    (shelf / "toy" / "a.bin").write_bytes(b"half")
    server.say("/a", Answer(status=404))
    monkeypatch.setattr("sys.argv", ["stock", "--fetch"])
    with pytest.raises(SystemExit) as caught:
        stock.main()
    assert "Data set 'toy'" in caught.value.code and "is damaged" in caught.value.code
