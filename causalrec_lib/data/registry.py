"""The registry of data sets, read from `data/sources.toml` and `data/cards/`."""

from __future__ import annotations

import difflib
import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from causalrec_lib import _validate

_ROOT = Path(__file__).resolve().parents[2]
_KINDS = ("package", "url")
_GROUPS = ("data", "model", "asset")


@dataclass(frozen=True)
class SourceFile:
    """One file of a set: where it lies in the cache and how it is recognised.

    Parameters
    ----------
    path : str
        Place within the folder of the set.
    sha256 : str
        Hash of the content.
    bytes : int
        Size.
    member : str
        Name within the archive, if the set comes in one.
    urls : tuple of str
        Addresses in order, if it does not.
    """

    path: str
    sha256: str
    bytes: int
    member: str = ""
    urls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Archive:
    """A wheel or source distribution that holds files of one or more sets.

    Parameters
    ----------
    filename : str
        Name of the file on the package index.
    project : str
        Project that it belongs to.
    version : str
        Its version.
    sha256 : str
        Hash of the file.
    bytes : int
        Size of the file.
    """

    filename: str
    project: str
    version: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Entry:
    """One set of the registry.

    Parameters
    ----------
    name : str
        Name by which the set is loaded.
    kind, group, title, source, licence, citation, homepage : str
        Facts of the registry.
    files : tuple of SourceFile
        All files of the set.
    rows : Mapping[str, int]
        Number of rows of each table.
    archive : Archive, optional
        The archive that holds the files.
    """

    name: str
    kind: str
    group: str
    title: str
    source: str
    licence: str
    citation: str
    homepage: str
    files: tuple[SourceFile, ...]
    rows: Mapping[str, int]
    archive: Archive | None = None

    @property
    def lock_key(self) -> str:
        """What two processes must not fetch at once: the archive if there is one, otherwise the set."""
        return self.archive.filename if self.archive else self.name

    @property
    def bytes(self) -> int:
        """Size of all files of the set."""
        return sum(f.bytes for f in self.files)


@dataclass(frozen=True)
class Card:
    """What a reader must know before using a set.

    Parameters
    ----------
    name, title, source, licence, citation, homepage, kind : str
        As in the registry; `kind` is `package` or `url`.
    about : str
        A few sentences on what the set is.
    rows : Mapping[str, int]
        Number of rows of each table; the first table is the default.
    columns : Mapping[str, Mapping[str, str]]
        For each table, the meaning and unit of each column; a name that ends in `*` stands for all columns
        that begin so.
    traps : tuple[str, ...]
        What has misled people.
    sha256 : Mapping[str, str]
        Hash of each file.
    """

    name: str
    title: str
    source: str
    licence: str
    citation: str
    homepage: str
    kind: str
    about: str
    rows: Mapping[str, int]
    columns: Mapping[str, Mapping[str, str]]
    traps: tuple[str, ...]
    sha256: Mapping[str, str] = field(repr=False)

    def _repr_markdown_(self) -> str:
        """Return the card as Markdown, for a notebook."""
        rows = ", ".join(f"`{t}` {n:,}" for t, n in self.rows.items())
        lines = [f"**{self.title}** (`{self.name}`)", "", self.about, "", "| | |", "|---|---|"]
        facts = {"Source": self.source, "Licence": self.licence, "Rows": rows, "Cite": self.citation}
        lines += [f"| {k} | {v} |" for k, v in facts.items() if v]
        lines += [f"| Home | <{self.homepage}> |", f"| Kind | {self.kind} |"]
        for columns, tables in self._alike():
            named = ", ".join(f"`{t}`" for t in tables)
            lines += ["", f"Columns of {named}:", "", "| column | meaning |", "|---|---|"]
            lines += [f"| `{c}` | {meaning} |" for c, meaning in columns.items()]
        if self.traps:
            lines += ["", "Traps:", ""] + [f"- {t}" for t in self.traps]
        return "\n".join(lines)

    def _alike(self) -> list[tuple[Mapping[str, str], list[str]]]:
        """Put tables together that have the same columns."""
        groups: list[tuple[Mapping[str, str], list[str]]] = []
        for table, columns in self.columns.items():
            same = next((tables for known, tables in groups if known == columns), None)
            if same is None:
                groups.append((columns, [table]))
            else:
                same.append(table)
        return groups

    def __str__(self) -> str:
        """Return the card as text, for a terminal."""
        return self._repr_markdown_()


def registry_dir() -> Path:
    """Return the folder that holds `sources.toml`: the repository's `data/`, otherwise the packaged copy.

    Returns
    -------
    Path
        The folder.
    """
    packaged = Path(__file__).resolve().parents[1] / "_registry"
    for folder in (_ROOT / "data", packaged):
        if (folder / "sources.toml").is_file():
            return folder
    raise FileNotFoundError(
        f"sources.toml lies neither in {_ROOT / 'data'} nor in {packaged}: install causalrec_lib again."
    )


def safe_relative(path: str) -> str:
    """Return `path` if it stays inside the folder it is joined to, otherwise raise ValueError.

    Parameters
    ----------
    path : str
        A path from the registry.

    Returns
    -------
    str
        The same path.
    """
    pure = PurePosixPath(path)
    odd = "\\" in path or ":" in path or "\0" in path
    if path in ("", ".") or odd or pure.is_absolute() or ".." in pure.parts or str(pure) != path:
        raise ValueError(f"{path!r} is no plain relative path; write it with forward slashes and without '..'.")
    return path


def _source_file(name: str, raw: Mapping[str, Any]) -> SourceFile:
    try:
        return SourceFile(
            path=safe_relative(raw["path"]),
            sha256=raw["sha256"],
            bytes=int(raw["bytes"]),
            member=raw.get("member", ""),
            urls=tuple(raw.get("urls", ())),
        )
    except KeyError as err:
        raise ValueError(f"sources.toml: a file of '{name}' lacks {err}; give path, bytes and sha256.") from err


def _entry(name: str, raw: Mapping[str, Any], archives: Mapping[str, Archive]) -> Entry:
    if raw.get("kind") not in _KINDS or raw.get("group") not in _GROUPS:
        raise ValueError(f"sources.toml: '{name}' needs kind in {_KINDS} and group in {_GROUPS}.")
    if raw["kind"] == "package" and raw.get("archive") not in archives:
        raise ValueError(f"sources.toml: '{name}' names an archive that is not under [archives].")
    facts = {k: str(raw[k]) for k in ("kind", "group", "title", "source", "licence", "citation", "homepage")}
    files = tuple(_source_file(name, f) for f in raw["files"])
    return Entry(
        name=safe_relative(name),
        files=files,
        rows=dict(raw.get("rows", {})),
        archive=archives.get(raw.get("archive", "")),
        **facts,
    )


def parse(text: str) -> dict[str, Entry]:
    """Read the registry from TOML text.

    Parameters
    ----------
    text : str
        Content of a `sources.toml`.

    Returns
    -------
    dict of str to Entry
        The sets in their order.

    Raises
    ------
    ValueError
        If a set lacks a fact, or a path would leave the cache.
    """
    raw = tomllib.loads(text)
    archives = {
        safe_relative(f): Archive(f, a["project"], a["version"], a["sha256"], int(a["bytes"]))
        for f, a in raw.get("archives", {}).items()
    }
    return {name: _entry(name, e, archives) for name, e in raw.get("sets", {}).items()}


@functools.lru_cache(maxsize=4)
def _read(path: Path, stamp: int) -> dict[str, Entry]:
    return parse(path.read_text(encoding="utf-8"))


def entries() -> dict[str, Entry]:
    """Return all sets of the registry by name.

    Returns
    -------
    dict of str to Entry
        In the order of the file.
    """
    path = registry_dir() / "sources.toml"
    return _read(path, path.stat().st_mtime_ns)


def entry(name: str) -> Entry:
    """Return one set of the registry, or raise ValueError with the nearest names.

    Parameters
    ----------
    name : str
        A name of the registry.

    Returns
    -------
    Entry
        The set.
    """
    known = entries()
    if _validate.text(name, "name") not in known:
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(known)}."
        raise ValueError(f"name: there is no data set {name!r}; {hint}")
    return known[name]


def names(kind: str | None = None, group: str | None = "data") -> list[str]:
    """Return the names of the sets.

    Parameters
    ----------
    kind : str, optional
        Only sets of this kind, `package` or `url`.
    group : str, optional
        Only sets of this group: `data` (the default), `model` or `asset`; None for all.

    Returns
    -------
    list of str
        Names in the order of the registry.
    """
    for value, options, what in ((kind, _KINDS, "kind"), (group, _GROUPS, "group")):
        if value is not None:
            _validate.one_of(value, what, options)
    return [
        n for n, e in entries().items() if (kind is None or e.kind == kind) and (group is None or e.group == group)
    ]


def _split_card(text: str) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {"about": []}
    current = "about"
    for line in text.splitlines():
        if line.startswith("## "):
            current = line[3:].strip()
            sections[current] = []
        else:
            sections[current].append(line)
    return sections


def _bullets(lines: list[str]) -> list[str]:
    found: list[str] = []
    for line in lines:
        if line.startswith("- "):
            found.append(line[2:].strip())
        elif line.strip() and found:
            found[-1] += " " + line.strip()
    return found


def _columns(lines: list[str]) -> dict[str, str]:
    pairs = (b.split(":", 1) for b in _bullets(lines))
    return {name.strip().strip("`"): meaning.strip() for name, meaning in pairs}


def card(name: str) -> Card:
    """Return the card of a set: source, licence, columns with units, and the traps.

    Parameters
    ----------
    name : str
        A name of the registry.

    Returns
    -------
    Card
        Shows itself as Markdown in a notebook and as text elsewhere.

    Raises
    ------
    ValueError
        If there is no such set.
    """
    e = entry(name)
    sections = _split_card((registry_dir() / "cards" / f"{name}.md").read_text(encoding="utf-8"))
    tables = {
        table: _columns(lines)
        for heading, lines in sections.items()
        if heading.startswith("Columns")
        for table in re.findall("`([^`]+)`", heading)
    }
    about = " ".join(line.strip() for line in sections["about"] if line.strip())
    return Card(
        name=e.name,
        title=e.title,
        source=e.source,
        licence=e.licence,
        citation=e.citation,
        homepage=e.homepage,
        kind=e.kind,
        about=about,
        rows=e.rows,
        columns=tables,
        traps=tuple(_bullets(sections.get("Traps", []))),
        sha256={f.path: f.sha256 for f in e.files},
    )
