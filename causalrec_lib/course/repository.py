"""Where the course is published, for the site's buttons and for what a lab installs."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from causalrec_lib.course.edition import git

_SCP = re.compile(r"^(?:[\w.-]+@)([\w.-]+):(?!//)(.+)$")
_ON_THE_WEB = re.compile(r"https?://[\w-]+(\.[\w-]+)*\.[a-zA-Z]{2,}(:\d+)?/")


@dataclass(frozen=True)
class Repository:
    """Where the course's source is published.

    Parameters
    ----------
    url : str
        Web address without a trailing slash and without user names; empty if it is not published.
    ref : str
        Tag or commit that pins the library; empty if unknown.
    branch : str
        Branch of the sources.
    pages : str
        Branch of the built site, from which Colab opens the labs.
    site : str
        Web address of the built site; empty if unknown.
    """

    url: str = ""
    ref: str = ""
    branch: str = "main"
    pages: str = "gh-pages"
    site: str = ""

    @property
    def slug(self) -> str:
        """Owner and name on GitHub, or an empty string elsewhere."""
        match = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+)", self.url)
        return match[1] if match else ""

    @property
    def installable(self) -> bool:
        """Whether pip can fetch the library from here."""
        return bool(self.url and self.ref)

    def colab(self, path: str) -> str:
        """Return the address that opens a file of the built site in Colab.

        Parameters
        ----------
        path : str
            Path below the root of the site.

        Returns
        -------
        str
            The address; empty if the course is not on GitHub.
        """
        if not self.slug:
            return ""
        return f"https://colab.research.google.com/github/{self.slug}/blob/{self.pages}/{path}"

    def blob(self, path: str) -> str:
        """Return the address of a source file.

        Parameters
        ----------
        path : str
            Path below the root of the course.

        Returns
        -------
        str
            The address; empty if the course is not published.
        """
        return f"{self.url}/blob/{self.branch}/{path}" if self.url else ""


NOWHERE = Repository()


def public_url(address: str) -> str | None:
    """Return the https form of a git address without user names, or None if it isn't on the web.

    Parameters
    ----------
    address : str
        An https, ssh or user@host:path address, as git takes it.

    Returns
    -------
    str or None
        For example "https://example.org/owner/course".
    """
    address = address.strip()
    scp = _SCP.match(address)
    if scp:
        return f"https://{scp[1]}/{_tidy(scp[2])}"
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https", "ssh", "git") or not parts.hostname:
        return None
    port = f":{parts.port}" if parts.port and parts.scheme in ("http", "https") else ""
    scheme = "http" if parts.scheme == "http" else "https"
    return f"{scheme}://{parts.hostname}{port}/{_tidy(parts.path)}"


def _tidy(path: str) -> str:
    return path.strip("/").removesuffix(".git")


def repository(root: Path) -> Repository:
    """Find where the course is published, and the commit to pin.

    The address is CAUSALREC_REPO_URL, else `repository` under [tool.causalrec] in pyproject.toml, else the git
    remote `origin`. The pin is CAUSALREC_REPO_REF, else `ref` in the same table, else the checked-out commit.

    Parameters
    ----------
    root : pathlib.Path
        The course's folder.

    Returns
    -------
    Repository
        With an empty address if none of them is set, or if the remote is a folder or this machine.

    Raises
    ------
    ValueError
        If the setting is no web address.
    """
    project = root / "pyproject.toml"
    table = tomllib.loads(project.read_text(encoding="utf-8")).get("tool", {}) if project.is_file() else {}
    setting: dict[str, str] = table.get("causalrec", {})
    given = os.environ.get("CAUSALREC_REPO_URL") or setting.get("repository", "")
    url = public_url(given or git(root, "remote", "get-url", "origin")) or ""
    if not _ON_THE_WEB.match(url):
        url = ""
    if given and not url:
        raise ValueError(f"CAUSALREC_REPO_URL must be an address like https://github.com/OWNER/NAME, not {given!r}.")
    ref = os.environ.get("CAUSALREC_REPO_REF") or setting.get("ref") or git(root, "rev-parse", "HEAD")
    named = {name: setting[name] for name in ("branch", "pages", "site") if name in setting}
    found = Repository(url, ref, **named)
    if found.slug and not found.site:
        owner, name = found.slug.split("/")
        return replace(found, site=f"https://{owner.lower()}.github.io/{name}/")
    return found
