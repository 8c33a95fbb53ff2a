"""A web server on this machine that misbehaves as told, and a small registry that points to it."""

import hashlib
import http.server
import threading
import time
from pathlib import Path

import pytest

from causalrec_lib.data import index, registry, transfer

QUICK = transfer.Policy(timeout_s=5.0, attempts=3, backoff_s=0.01, connect_s=5.0)
BODY = bytes(range(256)) * 400  # about 100 kB, so that it is sent in several pieces


def sha(content):
    return hashlib.sha256(content).hexdigest()


class Answer:
    """One answer of the server: a status, a body, and how it goes wrong."""

    def __init__(self, body=BODY, status=200, cut=None, stall=0.0, ranges=True, tag='"one"', length=True, slow=0.0):
        self.body, self.status, self.cut, self.stall = body, status, cut, stall
        self.ranges, self.tag, self.length, self.slow = ranges, tag, length, slow
        self.kind = ""

    def _range(self, request):
        asked = request.headers.get("Range", "")
        same = request.headers.get("If-Range") in (None, self.tag)
        return int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.ranges and same else 0

    def send(self, request):
        start = self._range(request)
        if start >= len(self.body) > 0:
            request.send_error(416)
            return
        part = self.body[start:]
        request.send_response(206 if start else self.status)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(self.body) - 1}/{len(self.body)}")
        if self.kind:
            request.send_header("Content-Type", self.kind)
        if self.tag:
            request.send_header("ETag", self.tag)
        if self.length:
            request.send_header("Content-Length", str(len(part)))
        request.end_headers()
        sent = part if self.cut is None else part[: self.cut]
        half = len(sent) // 2
        request.wfile.write(sent[:half])
        request.wfile.flush()
        time.sleep(self.slow)
        request.wfile.write(sent[half:])
        request.wfile.flush()
        time.sleep(self.stall)


class Server:
    """Answers each path with its answers in turn; the last one is repeated. `seen` holds (path, Range)."""

    def __init__(self):
        self.answers, self.seen = {}, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.seen.append((self.path, self.headers.get("Range")))
                left = outer.answers.get(self.path)
                if not left:
                    self.send_error(404)
                    return
                try:
                    (left.pop(0) if len(left) > 1 else left[0]).send(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # the client has had enough

            def log_message(self, *_):
                """Say nothing."""

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def say(self, path, *answers):
        self.answers[path] = list(answers)
        return self.url + path

    def asked(self, path):
        return [r for p, r in self.seen if p == path]

    def close(self):
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server():
    s = Server()
    yield s
    s.close()


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """An empty cache folder, no mirror, no proxy, no index but the ones that a test names."""
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "neighbour").mkdir()
    (folder / "neighbour" / "kept.txt").write_text("another set")
    monkeypatch.setenv("CAUSALREC_CACHE", str(folder))
    for name in ("CAUSALREC_DATA_MIRROR", "CAUSALREC_OFFLINE", "http_proxy", "HTTP_PROXY", "PIP_CERT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    monkeypatch.setattr(index, "_pip_config", dict)
    return folder


def snapshot(folder):
    """Every path below a folder with its content, hidden ones too."""
    paths = sorted(Path(folder).rglob("*"))
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in paths}


def _file(path, body, urls=(), member=""):
    addresses = ", ".join(f'"{u}"' for u in urls)
    known = f'bytes = {len(body)}, sha256 = "{sha(body)}"'
    return f'{{ path = "{path}", {known}, urls = [{addresses}], member = "{member}" }}'


def _set(name, kind, files, archive=""):
    facts = "".join(f'{k} = "{k} of {name}"\n' for k in ("title", "source", "licence", "citation", "homepage"))
    held = f'archive = "{archive}"\n' if archive else ""
    listed = ", ".join(files)
    return f'[sets.{name}]\nkind = "{kind}"\ngroup = "data"\n{facts}{held}rows = {{ all = 3 }}\nfiles = [{listed}]\n'


def write_registry(folder, monkeypatch, text):
    folder.mkdir(exist_ok=True)
    (folder / "sources.toml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(registry, "registry_dir", lambda: folder)


@pytest.fixture
def books(tmp_path, monkeypatch):
    """Write a registry: `books(toy={"a.bin": (content, [address, ...])})`."""

    def write(**sets):
        text = "".join(
            _set(name, "url", [_file(path, body, urls) for path, (body, urls) in files.items()])
            for name, files in sets.items()
        )
        write_registry(tmp_path / "registry", monkeypatch, text)

    return write


@pytest.fixture
def packaged(tmp_path, monkeypatch):
    """Write a registry of sets of one archive: `packaged(filename, archive, toy={path: (body, member)})`."""

    def write(filename, archive, **sets):
        head = (
            f'[archives."{filename}"]\nproject = "some-toy"\nversion = "1.0"\n'
            f'sha256 = "{sha(archive)}"\nbytes = {len(archive)}\n'
        )
        text = "".join(
            _set(name, "package", [_file(path, body, (), member) for path, (body, member) in files.items()], filename)
            for name, files in sets.items()
        )
        write_registry(tmp_path / "registry", monkeypatch, head + text)

    return write
