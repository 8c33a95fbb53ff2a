"""The words that a notebook uses, with short definitions, for notebooks that no site builder reads."""

from __future__ import annotations

import re
from pathlib import Path

_BLOCK = re.compile(r"^```\{glossary\}\n(.*?)^```", re.M | re.S)
_CHINESE = re.compile(r"Chinese: <span[^>]*>.*?</span>\.?\s*")
_TERM = re.compile(r"\{term\}`([^`<]+?)(?:\s*<[^`]*>)?`")
_SENTENCE = re.compile(r"(?<=[.?!])\s+(?=[A-Z*$])")


class Glossary:
    """The course's words, and which of them a notebook has used so far.

    Parameters
    ----------
    markdown : str
        Content of `glossary.md`; without a glossary block no word is known.
    """

    def __init__(self, markdown: str = "") -> None:
        self._meaning: dict[str, str] = {}
        self._used: set[str] = set()
        for block in _BLOCK.findall(markdown):
            for entry in re.split(r"\n{2,}", block.strip("\n")):
                lines = entry.split("\n")
                names = [line.strip() for line in lines if line and not line.startswith(" ")]
                text = " ".join(line.strip() for line in lines if line.startswith(" "))
                for name in names:
                    self._meaning[name.lower()] = _short(text)

    @classmethod
    def read(cls, path: Path) -> Glossary:
        """Read the book's glossary.

        Parameters
        ----------
        path : pathlib.Path
            For example `book/glossary.md`.

        Returns
        -------
        Glossary
            With no word used yet; empty if there is no such file.
        """
        return cls(path.read_text(encoding="utf-8") if path.is_file() else "")

    def use(self, term: str) -> None:
        """Remember a word for the list.

        Parameters
        ----------
        term : str
            As a term role names it.
        """
        self._used.add(term)

    def section(self) -> str:
        """Return the list of the words used as Markdown, or an empty string if there are none.

        Returns
        -------
        str
            A heading and one line a word.
        """
        used = {t.lower(): t for t in sorted(self._used) if t.lower() in self._meaning}  # lower case wins
        known = [used[t] for t in sorted(used)]
        if not known:
            return ""
        return "\n".join(["## Words", "", *(f"- *{t}*: {self._meaning[t.lower()]}" for t in known)])


def _short(text: str) -> str:
    """Return the first sentence of a definition, in English and without roles."""
    plain = _TERM.sub(r"\1", _CHINESE.sub("", text)).strip()
    sentences = _SENTENCE.split(plain)
    return " ".join(sentences[:2]) if len(sentences[0]) < 40 else sentences[0]
