"""Bring one file from one address to one place: time limits, retries, and going on where a connection was cut."""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from causalrec_lib.data._connect import describe, no_such_host, open_url, redact, request
from causalrec_lib.data.cache import sync
from causalrec_lib.data.errors import TransferError

_CHUNK = 1 << 16
_RETRIED = {408, 425, 429, 500, 502, 503, 504}
_NETWORK = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError)


@dataclass(frozen=True)
class Policy:
    """How patient to be with one address.

    Parameters
    ----------
    timeout_s : float
        Longest silence of the server, in seconds.
    attempts : int
        How often to ask; later attempts go on where the last one was cut.
    backoff_s : float
        Pause before the second attempt in seconds; it doubles from attempt to attempt.
    connect_s : float
        Longest wait for a connection, in seconds. A host that takes longer is not asked again.
    dead : set of str, optional
        Hosts that did not answer, to be shared by several fetches; by default each fetch finds out by itself.
    """

    timeout_s: float = 30.0
    attempts: int = 4
    backoff_s: float = 0.5
    connect_s: float = 10.0
    dead: set[str] | None = None


DEFAULT = Policy()
T = TypeVar("T")
Advance = Callable[[int], object]


class _Cut(Exception):
    """The connection ended or failed before the file was whole; asking again may help."""


def _open(req: urllib.request.Request, policy: Policy, certificate: str) -> Any:
    return open_url(req, policy.timeout_s, policy.connect_s, certificate)


def _start(response: Any, have: int) -> int:
    """Return from which byte on the answer goes: `have` if the server resumes, otherwise 0."""
    if response.status != 206 or not have:
        return 0
    span = response.headers.get("Content-Range", "")
    return have if span.startswith(f"bytes {have}-") else -1


def _read(response: Any) -> bytes:
    try:
        piece: bytes = response.read1(_CHUNK)
    except (*_NETWORK, OSError) as err:
        raise _Cut(describe(err)) from err
    return piece


@dataclass
class _Download:
    """One file on its way, over as many connections as it takes."""

    url: str
    part: Path
    limit: int
    policy: Policy
    certificate: str
    advance: Advance
    version: str = ""  # what the server calls this version of the file, so that two halves fit together

    def _headers(self, have: int) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if self.version:
                headers["If-Range"] = self.version
        return headers

    def _restart(self, why: str) -> _Cut:
        self.advance(-self.part.stat().st_size)
        self.part.unlink()
        return _Cut(why)

    def attempt(self) -> None:
        """Ask once for what is missing, and append it."""
        have = self.part.stat().st_size if self.part.exists() else 0
        ask = request(self.url, self._headers(have))
        try:
            response = _open(ask, self.policy, self.certificate)
        except urllib.error.HTTPError as err:
            if err.code == 416 and have:
                raise self._restart("the server has no more bytes than we have") from err
            raise
        with response:
            start = _start(response, have)
            if start < 0:
                raise self._restart("the server resumed at another place than asked")
            tag = response.headers.get("ETag", "")
            self.version = "" if tag.startswith("W/") else tag or response.headers.get("Last-Modified", "")
            if have and not start:
                self.advance(-have)
            with self.part.open("ab" if start else "wb") as out:
                try:
                    self._append(response, out, start)
                finally:
                    sync(out)

    def _append(self, response: Any, out: IO[bytes], have: int) -> None:
        length = response.headers.get("Content-Length", "")
        goal = have + int(length) if length.isdigit() else self.limit
        while piece := _read(response):
            have += len(piece)
            if have > self.limit:
                why = f"delivers more than the registered {self.limit:,} bytes"
                raise TransferError(redact(self.url), why, wrong=True)
            out.write(piece)
            self.advance(len(piece))
        if have < goal:
            raise _Cut(f"the connection was cut at {have:,} of {goal:,} bytes")


def _persist(url: str, policy: Policy, ask: Callable[[], T]) -> T:
    """Call `ask` until it succeeds, the attempts are used up, or asking again can't help."""
    last, dead = "", False
    for attempt in range(policy.attempts):
        if attempt:
            time.sleep(policy.backoff_s * 2 ** (attempt - 1))
        try:
            return ask()
        except urllib.error.HTTPError as err:
            last, dead = describe(err), False
            if err.code not in _RETRIED:
                break
        except _Cut as err:
            last, dead = str(err), False
        except _NETWORK as err:
            last, dead = describe(err), True
            if no_such_host(err):
                break
    raise TransferError(redact(url), last, dead_host=dead)


def download(
    url: str,
    part: Path,
    limit: int,
    policy: Policy = DEFAULT,
    certificate: str = "",
    advance: Advance = lambda n: None,
) -> None:
    """Fetch `url` into the file `part`.

    A connection that is cut is taken up again where it ended if the server can do that (`Range`), otherwise
    from the start. Server errors (5xx, 429) and silence are asked again after a growing pause.

    Parameters
    ----------
    url : str
        An http or https address.
    part : Path
        File to write; on failure it is removed.
    limit : int
        Registered size in bytes; a longer answer is refused as soon as it is longer.
    policy : Policy
        Time limit, attempts and pauses.
    certificate : str
        Extra certificate file, or nothing.
    advance : callable
        Told how many bytes came in (negative when starting again).

    Raises
    ------
    TransferError
        If the address did not deliver a whole file.
    OSError
        If the disk refuses.
    """
    job = _Download(url, part, limit, policy, certificate, advance)
    try:
        _persist(url, policy, job.attempt)
    except (TransferError, OSError):
        part.unlink(missing_ok=True)
        raise


def page(url: str, accept: str, limit: int, policy: Policy, certificate: str = "") -> tuple[bytes, str, str]:
    """Fetch a page of at most `limit` bytes into memory.

    Parameters
    ----------
    url : str
        An http or https address.
    accept : str
        The media types that are understood.
    limit : int
        Longest page in bytes.
    policy : Policy
        Time limit, attempts and pauses.
    certificate : str
        Extra certificate file, or nothing.

    Returns
    -------
    tuple of (bytes, str, str)
        The page, its media type, and its address after redirects.

    Raises
    ------
    TransferError
        If the address did not deliver a whole page.
    """

    def ask() -> tuple[bytes, str, str]:
        with _open(request(url, {"Accept": accept}), policy, certificate) as response:
            body = b""
            while piece := _read(response):
                body += piece
                if len(body) > limit:
                    raise TransferError(redact(url), f"delivers more than {limit:,} bytes")
            length = response.headers.get("Content-Length", "")
            if length.isdigit() and len(body) < int(length):
                raise _Cut(f"the connection was cut at {len(body):,} of {int(length):,} bytes")
            return body, response.headers.get("Content-Type", ""), response.url

    return _persist(url, policy, ask)
