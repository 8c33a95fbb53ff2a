"""A cache that can't be written, a full disk, and processes that come at once or are killed."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest

from causalrec_lib import data
from causalrec_lib.data import archive, cache, registry, transfer
from tests.unit.data_server import BODY, QUICK, Answer, snapshot

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534


def fetch(name="toy"):
    return data.fetch(name, progress=False, policy=QUICK)


def refused(folder, *words):
    with pytest.raises(data.DataUnavailable) as caught:
        fetch()
    for word in ("'toy'", str(folder), "set CAUSALREC_CACHE to another folder", *words):
        assert word in str(caught.value), f"{word!r} is missing in: {caught.value}"


@contextlib.contextmanager
def without_privilege():
    """Give up root for a while, since root may write anywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def remember_registry(monkeypatch):
    """Read the registry now: nobody but root may enter the folder of the test."""
    found = registry.entries()
    monkeypatch.setattr(registry, "entries", lambda: found)


@pytest.fixture
def open_folder(monkeypatch):
    """A folder that everybody can enter, unlike tmp_path, as the cache; nobody but its owner may write to it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        monkeypatch.setenv("CAUSALREC_CACHE", str(folder / "cache"))
        yield folder
        for path in folder.rglob("*"):
            path.chmod(0o755)


@pytest.mark.skipif(sys.platform == "win32", reason="needs the permissions of POSIX")
@pytest.mark.parametrize("exists", [True, False], ids=["read-only", "can't be made"])
def test_a_cache_that_may_not_be_written(server, shelf, books, open_folder, exists, monkeypatch):
    books(toy={"a.bin": (BODY, [server.say("/a", Answer())])})
    locked = open_folder / "cache" if exists else open_folder
    if exists:
        locked.mkdir()
        (locked / "kept.txt").write_text("another set")
    locked.chmod(0o555)
    before = snapshot(open_folder)
    remember_registry(monkeypatch)
    with without_privilege():
        refused(open_folder / "cache", "can't be written (Permission denied)")
    assert snapshot(open_folder) == before and not server.seen


@pytest.mark.skipif(sys.platform == "win32", reason="needs the permissions of POSIX")
def test_a_read_only_cache_that_holds_the_set_is_read(server, shelf, books, open_folder, monkeypatch):
    books(toy={"a.bin": (BODY, [server.say("/a", Answer())])})
    folder = fetch()
    (folder / cache.STAMP).unlink()
    for path in (folder, folder.parent):
        path.chmod(0o555)
    before = snapshot(open_folder)
    remember_registry(monkeypatch)
    with without_privilege():
        assert fetch() == folder and data.verify("toy") and data.present("toy")
    assert snapshot(open_folder) == before and len(server.seen) == 1


def test_a_cache_below_a_file(server, shelf, books, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CAUSALREC_CACHE", str(tmp_path / "file" / "cache"))
    books(toy={"a.bin": (BODY, [server.say("/a", Answer())])})
    refused(tmp_path / "file" / "cache", "can't be written (Not a directory)")
    assert (tmp_path / "file").read_text() == "in the way" and not server.seen


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("where", ["web", "mirror", "stamp", "move"])
def test_a_disk_that_fills_up(server, shelf, books, tmp_path, monkeypatch, where, number):
    """The disk gives out while the file is written, while it is noted, or while it is moved into place."""
    books(toy={"a.bin": (BODY, [server.say("/a", Answer())])})
    if where == "mirror":
        (tmp_path / "mirror" / "toy").mkdir(parents=True)
        (tmp_path / "mirror" / "toy" / "a.bin").write_bytes(BODY)
        monkeypatch.setenv("CAUSALREC_DATA_MIRROR", str(tmp_path / "mirror"))

    def full(*_):
        raise OSError(number, os.strerror(number))

    module, name = {
        "web": (transfer, "sync"),
        "mirror": (archive, "sync"),
        "stamp": (cache, "sync"),
        "move": (cache.os, "rename"),
    }[where]
    before = snapshot(shelf)
    with monkeypatch.context() as patch:
        patch.setattr(module, name, full)
        refused(shelf, f"the disk of the cache folder {shelf} is full; 0.1 MB are needed")
    assert snapshot(shelf) == before
    assert (fetch() / "a.bin").read_bytes() == BODY  # with room again


def test_a_set_that_can_not_be_moved_into_place_leaves_the_old_one(server, shelf, books, monkeypatch):
    books(toy={"a.bin": (BODY, [server.say("/a", Answer())])})
    (fetch() / "a.bin").write_bytes(b"damaged")
    before, real, calls = snapshot(shelf), os.rename, []

    def second_fails(source, target):
        calls.append(target)
        if len(calls) == 2:  # the old set is out of the way, the new one can't come in
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(cache.os, "rename", second_fails)
        with pytest.raises(data.DataCorrupt, match=r"is damaged \(a.bin\) and could not be replaced.*is full"):
            fetch()
    assert len(calls) == 3 and snapshot(shelf) == before


CHILD = """
import sys
from pathlib import Path
from causalrec_lib import data
from causalrec_lib.data import registry, transfer
registry.registry_dir = lambda: Path(sys.argv[1])
{extra}
try:
    print(data.fetch("toy", progress=False, policy=transfer.Policy(timeout_s=20, attempts=2, backoff_s=0.01)))
except data.DataError as err:
    sys.exit(f"{{type(err).__name__}}: {{err}}")
"""


def child(extra="", wrap=()):
    code = textwrap.dedent(CHILD).format(extra=extra)
    command = [*wrap, sys.executable, "-c", code, str(registry.registry_dir())]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of POSIX")
def test_a_file_may_not_grow(server, shelf, books):
    """A real refusal of the system while writing: the process may write files of 40 kB at most."""
    books(toy={"a.bin": (BODY, [server.say("/a", Answer())])})
    before = snapshot(shelf)
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))"
    process = child(limit)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1 and "DataUnavailable" in said and str(shelf) in said and "File too large" in said
    assert snapshot(shelf) == before


def test_a_disk_of_64_kilobytes(server, shelf, books):
    """A real full disk, where the system lets us mount one."""
    mount = ["unshare", "-rm", "sh", "-c", f'mount -t tmpfs -o size=64k tmpfs "{shelf}" && exec "$0" "$@"']
    try:
        subprocess.run([*mount, "true"], check=True, capture_output=True, timeout=20)
    except (OSError, subprocess.SubprocessError) as err:
        pytest.skip(f"no small disk can be mounted here: {err}")
    books(toy={"a.bin": (BODY, [server.say("/a", Answer())])})
    left = "import atexit, os; atexit.register(lambda: print(os.listdir(os.environ['CAUSALREC_CACHE'])))"
    process = child(left, mount)
    out, said = process.communicate(timeout=60)
    assert process.returncode == 1 and "DataUnavailable" in said and "is full; 0.1 MB are needed" in said
    assert out.strip() == "[]", "something was left on the full disk"


def test_two_processes_at_once_fetch_once(server, shelf, books):
    books(toy={"a.bin": (BODY, [server.say("/a", Answer(slow=1.5))])})
    both = [child(), child()]
    said = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert {out.strip() for out, _ in said} == {str(shelf / "toy")}
    assert len(server.seen) == 1
    assert (shelf / "toy" / "a.bin").read_bytes() == BODY
    assert sorted(p.name for p in shelf.iterdir()) == ["neighbour", "toy"]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_process_that_is_killed_leaves_no_lock_and_no_half_set(server, shelf, books):
    books(toy={"a.bin": (BODY, [server.say("/a", Answer(slow=20), Answer())])})
    process = child()
    give_up = time.monotonic() + 30
    while not server.seen and time.monotonic() < give_up:
        time.sleep(0.02)
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    assert not data.present("toy")
    assert (fetch() / "a.bin").read_bytes() == BODY
    assert sorted(p.name for p in shelf.iterdir()) == ["neighbour", "toy"]


def test_a_lock_that_is_held_too_long_is_named(shelf):
    with (
        cache.lock(shelf, "toy", "toy"),
        pytest.raises(data.DataUnavailable, match=r"another process has held .*toy"),
        cache.lock(shelf, "toy", "toy", wait_s=0.1),
    ):
        raise AssertionError("two at once")
    assert snapshot(shelf).keys() == {"neighbour", "neighbour/kept.txt"}
