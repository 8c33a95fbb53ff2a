"""Open one web address: http and https only, with patience of its own for connecting, and errors in words."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from causalrec_lib.data.errors import TransferError


def redact(url: str) -> str:
    """Return an address without user name and password."""
    parts = urllib.parse.urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urllib.parse.urlunsplit(parts._replace(netloc=host))


def request(url: str, headers: dict[str, str]) -> urllib.request.Request:
    """Build a request; a user name and password in the address become an Authorization header."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise TransferError(redact(url), f"'{parts.scheme}:' addresses are not fetched")
    if parts.username:
        login = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
    made = urllib.request.Request(redact(url), headers={"User-Agent": "causalrec-lib", **headers})  # noqa: S310 - scheme checked above
    if parts.username:  # for this host only: a redirect must not carry it on
        made.add_unredirected_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    return made


def _connector(base: type[http.client.HTTPConnection], connect_s: float) -> Any:
    """Return a connection class that is less patient while it connects than while it reads."""

    class Connection(base):  # type: ignore[valid-type,misc]
        timeout: Any

        def connect(self) -> None:
            patience = self.timeout
            self.timeout = min(patience, connect_s)
            try:
                super().connect()
            finally:
                self.timeout = patience
            self.sock.settimeout(patience)

    return Connection


class _Http(urllib.request.HTTPHandler):
    """Plain http with a time limit of its own for the connection."""

    connect_s: float

    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_connector(http.client.HTTPConnection, self.connect_s), req)


class _Https(urllib.request.HTTPSHandler):
    """The same over TLS."""

    connect_s: float
    context: ssl.SSLContext

    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_connector(http.client.HTTPSConnection, self.connect_s), req, context=self.context)


def open_url(req: urllib.request.Request, timeout_s: float, connect_s: float, certificate: str = "") -> Any:
    """Open a request over http or https only, with an extra certificate file if one is configured."""
    context = ssl.create_default_context()
    if certificate:
        context.load_verify_locations(certificate)
    opener = urllib.request.OpenerDirector()
    plain, secure = _Http(), _Https(context=context)
    plain.connect_s = secure.connect_s = connect_s
    secure.context = context
    for handler in (
        urllib.request.ProxyHandler(),
        plain,
        secure,
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener.open(req, timeout=timeout_s)


def no_such_host(err: BaseException) -> bool:
    """Say whether no connection came about; urllib wraps only the errors of connecting and asking."""
    reason = getattr(err, "reason", None)
    return isinstance(reason, socket.gaierror | ConnectionRefusedError | TimeoutError)


def describe(err: BaseException) -> str:
    """Say in words what a network error was."""
    if isinstance(err, urllib.error.HTTPError):
        return f"answered {err.code} ({err.reason})"
    reason = getattr(err, "reason", None) or err
    if isinstance(reason, TimeoutError):
        return "did not answer in time"
    if isinstance(reason, ConnectionRefusedError):
        return "refused the connection"
    if isinstance(reason, socket.gaierror):
        return "the host can't be found (no network?)"
    return f"the connection failed ({reason or type(reason).__name__})"
