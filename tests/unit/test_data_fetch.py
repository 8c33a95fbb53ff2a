"""Fetching against a server that truncates, fails, stalls and lies: whole or not at all, and always a mend."""

import pickle
import socket
import time

import pandas as pd
import pytest

from causalrec_lib import data
from causalrec_lib.data import _connect, transfer
from tests.unit.data_server import BODY, QUICK, Answer, snapshot

WRONG = bytes(reversed(BODY))
REAL = data.fetch


def fetch(name="toy", **kwargs):
    return REAL(name, progress=False, policy=kwargs.get("policy", QUICK))


def refused(kind, shelf, *words, name="toy", policy=QUICK):
    """The set is refused with an error that names set and mend, and the shelf is byte for byte as it was."""
    before = snapshot(shelf)
    with pytest.raises(kind) as caught:
        fetch(name, policy=policy)
    assert snapshot(shelf) == before
    for word in (f"'{name}'", f"causalrec data fetch {name}", "CAUSALREC_DATA_MIRROR", *words):
        assert word in str(caught.value), f"{word!r} is missing in: {caught.value}"
    return caught.value


def test_a_whole_file_arrives_and_is_not_asked_for_again(server, shelf, books):
    books(toy={"a.bin": (BODY, [server.say("/a", Answer())])})
    folder = fetch()
    assert (folder / "a.bin").read_bytes() == BODY
    assert fetch() == folder and len(server.seen) == 1
    assert not [p for p in shelf.iterdir() if p.name.startswith(".")], "staging or lock left behind"


def test_a_cut_connection_goes_on_where_it_ended(server, shelf, books):
    books(toy={"a.bin": (BODY, [server.say("/a", Answer(cut=30_000), Answer(cut=20_000), Answer())])})
    assert (fetch() / "a.bin").read_bytes() == BODY
    assert server.asked("/a") == [None, "bytes=30000-", "bytes=50000-"]


def test_without_ranges_it_starts_again(server, shelf, books):
    books(toy={"a.bin": (BODY, [server.say("/a", Answer(cut=30_000, ranges=False), Answer(ranges=False))])})
    assert (fetch() / "a.bin").read_bytes() == BODY
    assert len(server.asked("/a")) == 2


def test_two_halves_of_different_versions_are_never_joined(server, shelf, books):
    old = Answer(body=WRONG, cut=30_000, tag='"old"')
    books(toy={"a.bin": (BODY, [server.say("/a", old, Answer(tag='"new"'))])})
    assert (fetch() / "a.bin").read_bytes() == BODY


def test_a_server_that_resumes_at_the_wrong_place_is_started_again(server, shelf, books):
    class Elsewhere(Answer):
        def send(self, request):
            request.send_response(206)
            request.send_header("Content-Range", f"bytes 7-{len(BODY) - 1}/{len(BODY)}")
            request.end_headers()

    books(toy={"a.bin": (BODY, [server.say("/a", Answer(cut=30_000), Elsewhere(), Answer())])})
    assert (fetch() / "a.bin").read_bytes() == BODY
    assert server.asked("/a") == [None, "bytes=30000-", None]


def test_500_and_429_are_asked_again(server, shelf, books):
    answers = (Answer(status=500), Answer(status=429), Answer())
    books(toy={"a.bin": (BODY, [server.say("/a", *answers)])})
    assert (fetch() / "a.bin").read_bytes() == BODY
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("answer", "asked", "words"),
    [
        (Answer(cut=1000, ranges=False), 3, ["cut at 1,000 of 102,400 bytes"]),
        (Answer(status=404), 1, ["answered 404"]),
        (Answer(status=403), 1, ["answered 403"]),
        (Answer(status=500), 3, ["answered 500"]),
    ],
    ids=["truncated", "404", "403", "500"],
)
def test_what_does_not_arrive_is_unavailable(server, shelf, books, answer, asked, words):
    url = server.say("/a", answer)
    books(toy={"a.bin": (BODY, [url])})
    refused(data.DataUnavailable, shelf, url, "a.bin", *words)
    assert len(server.seen) == asked


@pytest.mark.parametrize("cut", [0, 1000], ids=["before the first byte", "in the middle"])
def test_a_server_that_stalls_is_left_after_a_while(server, shelf, books, cut):
    url = server.say("/a", Answer(cut=cut, stall=20, ranges=False))
    books(toy={"a.bin": (BODY, [url])})
    start = time.monotonic()
    impatient = transfer.Policy(timeout_s=0.3, attempts=2, backoff_s=0.01, connect_s=5.0)
    refused(data.DataUnavailable, shelf, url, "did not answer in time", policy=impatient)
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(body=WRONG), ["another file", "102,400 bytes"]),
        (Answer(body=BODY + b"!"), ["more than the registered 102,400 bytes"]),
        (Answer(body=BODY + b"!" * 10**6, length=False), ["more than the registered 102,400 bytes"]),
        (Answer(body=b"<html>Please log in</html>"), ["another file", "26 bytes", "A proxy's page"]),
        (Answer(body=b""), ["another file", "0 bytes"]),
    ],
    ids=["same size", "longer", "endless", "a proxy's page", "empty"],
)
def test_what_is_another_file_is_refused(server, shelf, books, answer, words):
    url = server.say("/a", answer)
    books(toy={"a.bin": (BODY, [url])})
    err = refused(data.DataCorrupt, shelf, url, "homepage of toy", *words)
    assert err.delivered


@pytest.mark.parametrize("first", [Answer(status=404), Answer(body=WRONG), Answer(body=BODY + b"!")])
def test_the_next_address_steps_in(server, shelf, books, first):
    books(toy={"a.bin": (BODY, [server.say("/a", first), server.say("/b", Answer())])})
    assert (fetch() / "a.bin").read_bytes() == BODY


def test_a_set_comes_whole_or_not_at_all(server, shelf, books):
    good, bad = server.say("/a", Answer()), server.say("/b", Answer(status=404))
    books(toy={"a.bin": (BODY, [good]), "b.bin": (WRONG, [bad])})
    refused(data.DataUnavailable, shelf, bad)
    assert not data.present("toy")


def test_a_host_that_does_not_answer_is_asked_once(server, shelf, books):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{free.getsockname()[1]}"
    books(toy={"a.bin": (BODY, [f"{dead}/a", f"{dead}/b"])}, more={"a.bin": (BODY, [f"{dead}/c"])})
    refused(data.DataUnavailable, shelf, f"{dead}/a: refused the connection", f"{dead}/b: not asked again")
    policy = transfer.Policy(timeout_s=5.0, attempts=1, dead=set())
    for name in ("toy", "more"):
        with pytest.raises(data.DataUnavailable) as caught:
            fetch(name, policy=policy)
    assert "not asked again" in str(caught.value) and len(caught.value.brief) < 100


def test_a_host_that_swallows_the_connection_costs_one_short_wait(shelf, books, monkeypatch):
    waits = []

    def swallow(address, timeout=None, *_):
        waits.append(timeout)
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", swallow)
    books(toy={"a.bin": (BODY, ["http://127.0.0.1:9/a", "http://127.0.0.1:9/b"])})
    with pytest.raises(data.DataUnavailable, match="did not answer in time"):
        fetch(policy=transfer.Policy(timeout_s=30, connect_s=10))
    assert waits == [10]


def test_reading_is_more_patient_than_connecting(server, shelf, books):
    books(toy={"a.bin": (BODY, [server.say("/a", Answer(slow=0.5))])})
    assert fetch(policy=transfer.Policy(timeout_s=5, attempts=1, connect_s=0.2)).is_dir()


def test_a_host_without_a_name_is_said_in_words():
    err = _connect.describe(OSError()), _connect.describe(socket.gaierror(-2, "no"))
    assert err[1] == "the host can't be found (no network?)"


def test_user_name_and_password_of_an_address_are_not_shown(server, shelf, books):
    url = server.say("/a", Answer(status=404)).replace("http://", "http://anna:secret@")
    books(toy={"a.bin": (BODY, [url])})
    err = refused(data.DataUnavailable, shelf, "/a: answered 404")
    assert "secret" not in str(err) and "anna" not in str(err)


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/a"])
def test_only_the_web_is_fetched(shelf, books, url):
    books(toy={"a.bin": (BODY, [url])})
    refused(data.DataUnavailable, shelf, "addresses are not fetched")


def test_offline_asks_nobody(server, shelf, books, monkeypatch):
    monkeypatch.setenv("CAUSALREC_OFFLINE", "1")
    books(toy={"a.bin": (BODY, [server.say("/a", Answer())])})
    refused(data.DataUnavailable, shelf, "Unset CAUSALREC_OFFLINE")
    assert not server.seen


def test_the_mirror_comes_before_the_web(server, shelf, books, tmp_path, monkeypatch):
    books(toy={"a.bin": (BODY, [server.say("/a", Answer())])})
    monkeypatch.setenv("CAUSALREC_DATA_MIRROR", str(tmp_path / "mirror"))
    assert fetch().is_dir() and len(server.seen) == 1  # the mirror isn't there: no harm
    data.remove("toy")
    (tmp_path / "mirror" / "toy").mkdir(parents=True)
    (tmp_path / "mirror" / "toy" / "a.bin").write_bytes(BODY)
    assert (fetch() / "a.bin").read_bytes() == BODY and len(server.seen) == 1


def test_a_wrong_file_in_the_mirror_is_named(server, shelf, books, tmp_path, monkeypatch):
    mirror = tmp_path / "mirror"
    (mirror / "toy").mkdir(parents=True)
    (mirror / "toy" / "a.bin").write_bytes(WRONG)
    monkeypatch.setenv("CAUSALREC_DATA_MIRROR", str(mirror))
    books(toy={"a.bin": (BODY, [server.say("/a", Answer(status=404))])})
    err = refused(data.DataCorrupt, shelf, str(mirror / "toy" / "a.bin"), "not the registered file")
    assert not err.delivered
    server.say("/a", Answer())
    assert (fetch() / "a.bin").read_bytes() == BODY  # the web has the right one


def test_a_damaged_copy_is_found_and_replaced(server, shelf, books):
    books(toy={"a.bin": (BODY, [server.say("/a", Answer())])})
    file = fetch() / "a.bin"
    file.write_bytes(WRONG)
    with pytest.raises(data.DataCorrupt, match=r"a.bin in .* is not the registered content"):
        data.verify("toy")
    assert (fetch() / "a.bin").read_bytes() == BODY and data.verify("toy")


@pytest.mark.parametrize("answer", [Answer(status=404), Answer(body=WRONG)])
def test_a_damaged_copy_that_can_not_be_replaced_stays_and_is_said(server, shelf, books, answer):
    books(toy={"a.bin": (BODY, [server.say("/a", Answer())])})
    (fetch() / "a.bin").write_bytes(b"half")
    server.say("/a", answer)
    err = refused(data.DataCorrupt, shelf, "is damaged (a.bin) and could not be replaced")
    assert not err.delivered


def test_remove_takes_the_set_and_nothing_else(server, shelf, books):
    before = snapshot(shelf)
    books(toy={"a.bin": (BODY, [server.say("/a", Answer())])})
    assert not data.remove("toy")
    fetch()
    assert data.remove("toy") and snapshot(shelf) == before


def test_an_unknown_set_is_named_with_its_neighbours(books):
    books(toy={"a.bin": (BODY, [])})
    for call in (data.fetch, data.verify, data.remove, data.present, data.load, data.card):
        with pytest.raises(ValueError, match="no data set 'toi'; did you mean toy"):
            call("toi")


def test_an_error_survives_the_way_between_processes():
    err = data.DataCorrupt("toy", "reason", "mend", brief="short", delivered=True)
    back = pickle.loads(pickle.dumps(err))  # noqa: S301 - our own error
    assert (type(back), str(back), back.brief, back.delivered) == (data.DataCorrupt, str(err), "short", True)


@pytest.fixture
def readable(monkeypatch):
    """A loader for the set `toy`."""
    monkeypatch.setitem(data.LOADERS, "toy", lambda folder, table: pd.DataFrame({"n": [1, 2, 3]}))
    monkeypatch.setattr(data, "fetch", fetch)


@pytest.mark.parametrize("answer", [Answer(status=404), Answer(body=b"<html>Please log in</html>")])
def test_an_optional_set_that_is_not_to_be_had_shows_why_and_the_command(
    server, shelf, books, readable, capsys, answer
):
    books(toy={"a.bin": (BODY, [server.say("/a", answer)])})
    assert data.load_optional("toy") is None
    shown = capsys.readouterr().out
    assert "'toy'" in shown and f"{server.url}/a" in shown and "causalrec data fetch toy" in shown
    server.say("/a", Answer())
    assert len(data.load_optional("toy")) == 3 and not capsys.readouterr().out


def test_an_optional_set_that_is_damaged_here_is_never_passed_over(server, shelf, books, readable):
    books(toy={"a.bin": (BODY, [server.say("/a", Answer())])})
    (fetch() / "a.bin").write_bytes(b"half")
    server.say("/a", Answer(body=WRONG))
    with pytest.raises(data.DataCorrupt, match="damaged"):
        data.load_optional("toy")


def test_an_unknown_table_is_named_with_the_known_ones(server, shelf, books, readable):
    books(toy={"a.bin": (BODY, [server.say("/a", Answer())])})
    with pytest.raises(ValueError, match="table must be one of 'all'"):
        data.load("toy", "half")
