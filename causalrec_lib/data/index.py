"""Find a file on the package index that pip is set up for, without letting pip build or run the package.

`pip download` runs the build script of a source distribution to learn its metadata. So the index is asked directly,
by its simple interface (JSON, or HTML where the index is older), and the archive is fetched like any other file.
"""

from __future__ import annotations

import ast
import functools
import html.parser
import json
import os
import re
import subprocess
import sys
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from causalrec_lib.data import transfer
from causalrec_lib.data.errors import TransferError
from causalrec_lib.data.registry import Archive

_DEFAULT_INDEX = "https://pypi.org/simple"
_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_PAGE_LIMIT = 64 << 20


@dataclass(frozen=True)
class IndexSettings:
    """Where pip looks: index addresses in order, folders with files, and a certificate file.

    Parameters
    ----------
    indexes : tuple of str
        Addresses of package indexes, in order.
    folders : tuple of str
        Folders or addresses that hold archives.
    certificate : str
        Extra certificate file, or nothing.
    """

    indexes: tuple[str, ...]
    folders: tuple[str, ...] = ()
    certificate: str = ""


@functools.lru_cache(maxsize=1)
def _pip_config() -> dict[str, str]:
    """Return what `pip config list` says, or nothing where there is no pip."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    found = {}
    for line in done.stdout.splitlines():
        key, sep, value = line.partition("=")
        if sep and value[:1] in "'\"":
            found[key.strip()] = str(ast.literal_eval(value.strip()))
    return found


def _setting(config: Mapping[str, str], option: str) -> str:
    variable = "PIP_" + option.upper().replace("-", "_")
    if variable in os.environ:
        return os.environ[variable]
    return next((config[k] for k in (f"{s}.{option}" for s in ("download", "install", "global")) if k in config), "")


def settings() -> IndexSettings:
    """Read pip's own settings: environment first, then its configuration files, then the public index.

    Returns
    -------
    IndexSettings
        Where to look for archives.
    """
    config = _pip_config()
    main = _setting(config, "index-url") or os.environ.get("UV_DEFAULT_INDEX", "") or _DEFAULT_INDEX
    extra = _setting(config, "extra-index-url").split()
    no_index = _setting(config, "no-index").lower() in ("1", "true", "yes", "on")
    return IndexSettings(
        indexes=() if no_index else (main, *extra),
        folders=tuple(_setting(config, "find-links").split()),
        certificate=_setting(config, "cert"),
    )


class _Links(html.parser.HTMLParser):
    """Collect the links of an index page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the file name and address of each link."""
        href = dict(attrs).get("href")
        if tag == "a" and href:
            address = href.partition("#")[0]
            self.found[urllib.parse.unquote(address.rpartition("/")[2])] = address


def links(page: bytes, content_type: str, base: str) -> dict[str, str]:
    """Return the files of an index page: file name to absolute address.

    Parameters
    ----------
    page : bytes
        The page.
    content_type : str
        Its media type.
    base : str
        Its address.

    Returns
    -------
    dict of str to str
        Address of each file by its name.

    Raises
    ------
    ValueError
        If the page is neither the JSON nor the HTML form.
    """
    if "json" in content_type:
        found = {f["filename"]: f["url"] for f in json.loads(page)["files"]}
    else:
        reader = _Links()
        reader.feed(page.decode("utf-8", errors="replace"))
        found = reader.found
    return {name: urllib.parse.urljoin(base, address) for name, address in found.items()}


def _same_login(url: str, index: str) -> str:
    """Carry the user name and password of an index over to a file on the same host."""
    login, at, host = urllib.parse.urlsplit(index).netloc.rpartition("@")
    parts = urllib.parse.urlsplit(url)
    same = at and parts.netloc == host
    return urllib.parse.urlunsplit(parts._replace(netloc=f"{login}@{host}")) if same else url


def local_path(address: str) -> Path | None:
    """Return the path that a `file:` address or plain path names, or None for a web address.

    Parameters
    ----------
    address : str
        As pip takes it.

    Returns
    -------
    Path or None
        The path, not checked.
    """
    parts = urllib.parse.urlsplit(address)
    if parts.scheme == "file":
        return Path(urllib.parse.unquote(parts.path))
    return None if parts.scheme in ("http", "https") else Path(address)


def find(archive: Archive, index: str, policy: transfer.Policy, certificate: str = "") -> str:
    """Return the address of an archive on one index.

    Parameters
    ----------
    archive : Archive
        The file looked for, by its exact name.
    index : str
        Address of the index, ending before the project's name.
    policy : transfer.Policy
        Time limit and retries.
    certificate : str
        Extra certificate file, or nothing.

    Returns
    -------
    str
        Where the file can be fetched.

    Raises
    ------
    TransferError
        If the index doesn't answer, or has no such file.
    """
    project = re.sub(r"[-_.]+", "-", archive.project).lower()
    page_url = f"{index.rstrip('/')}/{project}/"
    body, content_type, base = transfer.page(page_url, _ACCEPT, _PAGE_LIMIT, policy, certificate)
    try:
        found = links(body, content_type, base)
    except (ValueError, KeyError, TypeError) as err:
        raise TransferError(transfer.redact(page_url), "is no page of a package index") from err
    if archive.filename not in found:
        raise TransferError(transfer.redact(page_url), f"does not list {archive.filename}")
    return _same_login(found[archive.filename], index)
