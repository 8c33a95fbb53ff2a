"""Sets that come in an archive of the package index: found without pip, unpacked without trust, never run."""

import io
import json
import stat
import sys
import tarfile
import zipfile

import pytest

from causalrec_lib import data
from causalrec_lib.data import archive, index, registry
from causalrec_lib.data.errors import TransferError
from tests.unit.data_server import BODY, QUICK, Answer, sha, snapshot

WHEEL, SDIST = "some_toy-1.0-py3-none-any.whl", "some-toy-1.0.tar.gz"
ESCAPES = ("../escaped.txt", "/tmp/causalrec-escaped.txt", "a/../../escaped.txt")  # noqa: S108 - a name in an archive


def wheel(members):
    """A wheel as bytes; a member is (name, content) or a ZipInfo with content."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, content in members:
            z.writestr(name, content)
    return out.getvalue()


def sdist(members):
    """A source distribution as bytes; a member is (name, content) or a TarInfo with None."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as t:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content or b"")
            t.addfile(info, io.BytesIO(content or b""))
    return out.getvalue()


def link(name, kind, target):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_link(name):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info


def fetch(name="toy"):
    return data.fetch(name, progress=False, policy=QUICK)


@pytest.fixture
def shop(server, shelf, monkeypatch):
    """An index with one project; `shop(filename, content)` puts the archive into it."""
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")

    def put(filename, content, form="json"):
        server.say(f"/files/{filename}", Answer(body=content))
        if form == "json":
            page = json.dumps({"files": [{"filename": filename, "url": f"../../files/{filename}"}]}).encode()
        else:
            page = f'<a href="/files/{filename}#sha256={sha(content)}">{filename}</a>'.encode()
        answer = Answer(body=page, tag="")
        answer.kind = {"json": "application/vnd.pypi.simple.v1+json", "html": "text/html"}[form]
        server.say("/simple/some-toy/", answer)
        return server

    return put


@pytest.mark.parametrize("form", ["json", "html"])
@pytest.mark.parametrize("filename", [WHEEL, SDIST])
def test_members_are_taken_by_name_and_nothing_else(shop, packaged, shelf, form, filename):
    root = "" if filename == WHEEL else "some-toy-1.0/"
    build = wheel if filename == WHEEL else sdist
    content = build([(f"{root}setup.py", b"raise SystemExit"), (f"{root}toy/a.csv", BODY), (f"{root}b.csv", b"two")])
    packaged(
        filename,
        content,
        toy={"a.csv": (BODY, f"{root}toy/a.csv")},
        more={"deep/b.csv": (b"two", f"{root}b.csv")},
    )
    server = shop(filename, content, form)
    folder = fetch()
    assert {p.name for p in folder.iterdir()} == {"a.csv", ".verified.json"}
    assert (shelf / "more" / "deep" / "b.csv").read_bytes() == b"two"  # the sets of one archive come together
    fetch("more")
    assert server.asked(f"/files/{filename}") == [None]
    assert sorted(p.name for p in shelf.iterdir()) == ["more", "neighbour", "toy"]


def test_the_archive_is_taken_from_the_mirror_first(shop, packaged, shelf, tmp_path, monkeypatch):
    content = wheel([("a.csv", BODY)])
    packaged(WHEEL, content, toy={"a.csv": (BODY, "a.csv")})
    (tmp_path / "mirror" / "packages").mkdir(parents=True)
    (tmp_path / "mirror" / "packages" / WHEEL).write_bytes(content)
    monkeypatch.setenv("CAUSALREC_DATA_MIRROR", str(tmp_path / "mirror"))
    server = shop(WHEEL, content)
    assert fetch().is_dir() and not server.seen


def test_the_archive_is_taken_from_pips_folders(packaged, shelf, tmp_path, monkeypatch):
    content = wheel([("a.csv", BODY)])
    packaged(WHEEL, content, toy={"a.csv": (BODY, "a.csv")})
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / WHEEL).write_bytes(content)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    assert fetch().is_dir()


def refused(shelf, kind, *words):
    before = snapshot(shelf)
    with pytest.raises(kind) as caught:
        fetch()
    assert snapshot(shelf) == before
    for word in ("'toy'", *words):
        assert word in str(caught.value), f"{word!r} is missing in: {caught.value}"


def test_another_archive_under_the_right_name_is_refused(shop, packaged, shelf):
    good, other = wheel([("a.csv", BODY)]), wheel([("a.csv", BODY[::-1])])
    packaged(WHEEL, good, toy={"a.csv": (BODY, "a.csv")})
    shop(WHEEL, other)
    refused(shelf, data.DataCorrupt, f"/files/{WHEEL}", "CAUSALREC_DATA_MIRROR")


def test_a_changed_member_in_the_registered_archive_is_refused(shop, packaged, shelf):
    content = wheel([("a.csv", b"x" * len(BODY))])
    packaged(WHEEL, content, toy={"a.csv": (BODY, "a.csv")})
    shop(WHEEL, content)
    refused(shelf, data.DataCorrupt, "a.csv is not the registered file", "data/sources.toml")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(status=404), ["answered 404", "/simple/some-toy/"]),
        (Answer(body=b'{"files": []}'), [f"does not list {WHEEL}"]),
        (Answer(body=b"{broken"), ["is no page of a package index"]),
        (Answer(body=b'{"files": [{}]}'), ["is no page of a package index"]),
    ],
)
def test_an_index_without_the_archive(server, packaged, shelf, monkeypatch, answer, words):
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
    answer.kind = "application/vnd.pypi.simple.v1+json"
    server.say("/simple/some-toy/", answer)
    packaged(WHEEL, b"content", toy={"a.csv": (BODY, "a.csv")})
    refused(shelf, data.DataUnavailable, f"packages/{WHEEL}", "CAUSALREC_DATA_MIRROR", *words)


def unpack(tmp_path, filename, content, member, body=BODY):
    (tmp_path / filename).write_bytes(content)
    file = registry.SourceFile("a.csv", sha(body), len(body), member)
    archive.unpack(tmp_path / filename, [file], tmp_path / "into", "the address")


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize(("filename", "build"), [(WHEEL, wheel), (SDIST, sdist)])
def test_members_that_try_to_escape_go_nowhere(tmp_path, name, filename, build):
    """Even when the registry asks for such a member, its content goes to the registered place."""
    unpack(tmp_path, filename, build([("good", BODY), (name, b"evil")]), "good")
    before = snapshot(tmp_path.parent)
    assert snapshot(tmp_path / "into").keys() == {"a.csv"}
    unpack(tmp_path, filename, build([(name, BODY)]), name)
    assert snapshot(tmp_path / "into") == {"a.csv": BODY}
    assert before.keys() == snapshot(tmp_path.parent).keys()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE]
)
def test_a_tar_member_that_is_no_file_is_refused(tmp_path, kind):
    secret = tmp_path / "secret.txt"
    secret.write_bytes(BODY)
    content = sdist(
        [("other", BODY), (link("a.csv", kind, str(secret) if kind == tarfile.SYMTYPE else "other"), None)]
    )
    with pytest.raises(TransferError, match=r"member a.csv is a link or folder, not a file"):
        unpack(tmp_path, SDIST, content, "a.csv")
    assert list(tmp_path.glob("into/*")) == []


def test_a_tar_link_does_not_lead_a_later_member_outside(tmp_path):
    content = sdist([(link("dir", tarfile.SYMTYPE, str(tmp_path)), None), ("dir/a.csv", BODY)])
    unpack(tmp_path, SDIST, content, "dir/a.csv")
    assert snapshot(tmp_path / "into") == {"a.csv": BODY} and not (tmp_path / "a.csv").exists()


def test_a_link_in_a_wheel_is_refused(tmp_path):
    with pytest.raises(TransferError, match="is a link or folder"):
        unpack(tmp_path, WHEEL, wheel([(zip_link("a.csv"), b"/etc/hostname")]), "a.csv")


@pytest.mark.parametrize(
    ("filename", "content", "words"),
    [
        (WHEEL, b"no archive", "no readable archive"),
        (SDIST, b"no archive", "no readable archive"),
        (WHEEL, wheel([("a.csv", BODY)])[:-30], "no readable archive"),
        (SDIST, sdist([("a.csv", BODY)])[:300], "no readable archive"),
        (WHEEL, wheel([("b.csv", BODY)]), "no member a.csv"),
        (SDIST, sdist([("b.csv", BODY)]), "no member a.csv"),
        ("toy.rar", b"", "is no .whl, .zip or .tar.gz"),
        (WHEEL, wheel([("a.csv", b"0" * 10**8)]), "more than 102,400"),  # a bomb is not blown up
    ],
)
def test_archives_that_are_none(tmp_path, filename, content, words):
    with pytest.raises(TransferError, match=words):
        unpack(tmp_path, filename, content, "a.csv")
    assert not (tmp_path / "into" / "a.csv").exists()


@pytest.mark.parametrize("path", ["../a.csv", "/a.csv", "a/../../b", "C:/a", "a\\b", "", ".", "a//b", "a\0b"])
def test_a_registered_place_can_not_leave_the_cache(tmp_path, path):
    with pytest.raises(ValueError, match="no plain relative path"):
        registry.safe_relative(path)
    file = registry.SourceFile(path, sha(BODY), len(BODY), "a.csv")
    (tmp_path / WHEEL).write_bytes(wheel([("a.csv", BODY)]))
    with pytest.raises(ValueError, match="no plain relative path"):
        archive.unpack(tmp_path / WHEEL, [file], tmp_path / "into", "the address")


def test_nothing_of_an_archive_is_installed_run_or_imported(shop, packaged, shelf, tmp_path):
    """Not even a source distribution's build script, which `pip download` would run."""
    mark = tmp_path / "was-run"
    script = f"open({str(mark)!r}, 'w')".encode()
    content = sdist([("some-toy-1.0/setup.py", script), ("some-toy-1.0/a.csv", BODY)])
    packaged(SDIST, content, toy={"a.csv": (BODY, "some-toy-1.0/a.csv")})
    shop(SDIST, content)
    started = []

    def watch(event, arguments):
        if watching and event == "subprocess.Popen":
            started.append(arguments)

    watching = True
    sys.addaudithook(watch)  # a hook can't be removed, only switched off
    try:
        fetch()
    finally:
        watching = False
    assert not mark.exists() and started == []
    assert not [p for p in shelf.rglob("*") if p.suffix in (".py", ".gz")]


def test_pips_settings_are_read_and_nothing_more(monkeypatch):
    monkeypatch.undo()
    commands = []
    real = index.subprocess.run
    monkeypatch.setattr(index.subprocess, "run", lambda c, **k: (commands.append(c), real(c, **k))[1])
    index._pip_config.cache_clear()
    index._pip_config()
    assert [c[1:] for c in commands] == [["-m", "pip", "--disable-pip-version-check", "config", "list"]]


def test_settings_come_from_the_environment_first(monkeypatch):
    monkeypatch.setattr(index, "_pip_config", lambda: {"global.index-url": "http://a/", "install.find-links": "/b"})
    for name in ("PIP_INDEX_URL", "PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_CERT"):
        monkeypatch.delenv(name, raising=False)
    assert index.settings() == index.IndexSettings(("http://a/",), ("/b",))
    monkeypatch.setenv("PIP_INDEX_URL", "http://c/")
    assert index.settings().indexes == ("http://c/",)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert index.settings().indexes == ()


def test_a_login_is_carried_to_the_same_host_only():
    assert index._same_login("http://h/f", "http://u:p@h/simple") == "http://u:p@h/f"
    assert index._same_login("http://other/f", "http://u:p@h/simple") == "http://other/f"
