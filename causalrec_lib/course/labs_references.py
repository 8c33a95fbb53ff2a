"""Citations in words and a list of references, for notebooks that no site builder reads."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pybtex.database import BibliographyData, Entry, parse_string
from pybtex.richtext import Text


class Bibliography:
    """The course's references, and which of them a notebook has cited so far.

    Parameters
    ----------
    bibtex : str
        Content of `references.bib`.
    """

    def __init__(self, bibtex: str) -> None:
        self._entries = _parsed(bibtex)
        self._cited: set[str] = set()

    @classmethod
    def read(cls, path: Path) -> Bibliography:
        """Read a BibTeX file.

        Parameters
        ----------
        path : pathlib.Path
            For example `book/references.bib`.

        Returns
        -------
        Bibliography
            With nothing cited yet.
        """
        return cls(path.read_text(encoding="utf-8"))

    def keys(self) -> set[str]:
        """Return the keys of all entries.

        Returns
        -------
        set of str
            Keys as they stand in the file.
        """
        return set(self._entries.entries.keys())

    def cite(self, keys: str, *, textual: bool) -> str:
        """Return a citation in words and remember its keys for the list.

        Parameters
        ----------
        keys : str
            One key, or several with commas between.
        textual : bool
            "Pearl (2009)" if True, else "(Pearl, 2009)".

        Returns
        -------
        str
            The citation.

        Raises
        ------
        ValueError
            If a key has no entry.
        """
        parts = []
        for key in (k.strip() for k in keys.split(",")):
            entry = self._entry(key)
            self._cited.add(key)
            names, year = _short_names(entry), entry.fields.get("year", "n.d.")
            parts.append(f"{names} ({year})" if textual else f"{names}, {year}")
        return " and ".join(parts) if textual else f"({'; '.join(parts)})"

    def section(self) -> str:
        """Return the list of references as Markdown, or an empty string if nothing was cited.

        Returns
        -------
        str
            A heading and one line an entry, by author and year.
        """
        if not self._cited:
            return ""
        lines = {k: f"- {_full(self._entry(k))}" for k in self._cited}
        ordered = sorted(lines, key=lambda k: (_short_names(self._entry(k)).lower(), lines[k]))
        return "\n".join(["## References", "", *(lines[k] for k in ordered)])

    def _entry(self, key: str) -> Entry:
        if key not in self.keys():
            raise ValueError(f"no entry {key!r} in references.bib; add it, or mend the citation.")
        return self._entries.entries[key]


@cache
def _parsed(bibtex: str) -> BibliographyData:
    """Parse once a process: a build makes two notebooks of every chapter."""
    return parse_string(bibtex, "bibtex")


@cache
def _plain(latex: str) -> str:
    """Return LaTeX text as plain text on one line."""
    return " ".join(Text.from_latex(latex).render_as("text").replace("\xa0", " ").split())


def _last_names(entry: Entry) -> list[str]:
    people = entry.persons.get("author") or entry.persons.get("editor") or []
    return [_plain(" ".join([*p.prelast_names, *p.last_names])) for p in people]


def _short_names(entry: Entry) -> str:
    names = _last_names(entry)
    if not names:
        return _plain(entry.fields.get("organization") or entry.fields.get("title", entry.key))
    if len(names) > 2:
        return f"{names[0]} et al."
    return " and ".join(names)


def _full(entry: Entry) -> str:
    people = entry.persons.get("author") or entry.persons.get("editor") or []
    names = [
        ", ".join(
            filter(
                None,
                [_plain(" ".join([*p.prelast_names, *p.last_names])), _initials([*p.first_names, *p.middle_names])],
            )
        )
        for p in people
    ]
    fields = entry.fields
    venue = fields.get("journal") or fields.get("booktitle") or fields.get("publisher") or fields.get("howpublished")
    parts = [
        f"{'; '.join(names) or _short_names(entry)} ({fields.get('year', 'n.d.')}).",
        f"*{_plain(fields.get('title', entry.key))}*.",
        f"{_plain(venue).rstrip('.')}." if venue else "",
        _link(entry),
    ]
    return " ".join(filter(None, parts))


def _initials(first_names: list[str]) -> str:
    return " ".join(f"{_plain(name)[0]}." for name in first_names if _plain(name))


def _link(entry: Entry) -> str:
    fields = entry.fields
    if "doi" in fields:
        return f"[doi:{fields['doi']}](https://doi.org/{fields['doi']})"
    if "eprint" in fields:
        return f"[arXiv:{fields['eprint']}](https://arxiv.org/abs/{fields['eprint']})"
    return f"<{fields['url']}>" if "url" in fields else ""
