"""The glossary: sorted, no term twice, every definition with its Chinese name, every used term defined."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "book" / "glossary.md"
TERM_ROLE = re.compile(r"\{term\}`([^`]+)`")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
NAMED = re.compile(r'Chinese: <span lang="zh">(?P<name>[^<]+)</span>\. (?P<text>.+)')


def parse(text: str) -> list[tuple[list[str], str]]:
    """Return (terms, definition) of each entry of the page's glossary directive."""
    body = re.search(r"```\{glossary\}\n(.*?)\n```", text, flags=re.S)
    assert body is not None, "no glossary directive"
    entries = []
    for block in body[1].split("\n\n"):
        lines = block.split("\n")
        terms = [line for line in lines if not line.startswith(" ")]
        assert lines[: len(terms)] == terms, f"term after its definition began: {block!r}"
        entries.append((terms, " ".join(line.strip() for line in lines[len(terms) :])))
    return entries


ENTRIES = parse(PAGE.read_text(encoding="utf-8"))
DEFINED = {term.lower() for terms, _ in ENTRIES for term in terms}


def used_terms() -> dict[str, set[str]]:
    """Return each linked term in lower case with the files that link it."""
    where: dict[str, set[str]] = {}
    for path in [*ROOT.glob("notebooks/**/*.py"), *ROOT.glob("book/*.md")]:
        text = re.sub(r"\n#? ?", " ", path.read_text(encoding="utf-8"))
        for role in TERM_ROLE.findall(text):
            target = re.search(r"<([^>]+)>\s*$", role)
            where.setdefault((target[1] if target else role).lower(), set()).add(path.name)
    return where


def test_sorted_by_first_term() -> None:
    first = [terms[0].lower() for terms, _ in ENTRIES]
    assert first == sorted(first)


def test_enough_terms_and_none_twice() -> None:
    terms = [term.lower() for names, _ in ENTRIES for term in names]
    assert len(ENTRIES) >= 60
    assert sorted(terms) == sorted(set(terms))


def test_every_entry_has_a_chinese_name_and_a_definition() -> None:
    poor = []
    for terms, definition in ENTRIES:
        named = NAMED.fullmatch(definition)
        if named is None or not CHINESE.search(named["name"]) or len(named["text"]) < 30:
            poor.append(terms[0])
    assert poor == []


def test_every_used_term_is_defined() -> None:
    assert {term: sorted(files) for term, files in used_terms().items() if term not in DEFINED} == {}


def test_parser_sees_faults() -> None:
    page = (
        '```{glossary}\nb\n  Chinese: <span lang="zh">乙</span>. Second letter.\n\n'
        "a\nalpha\n  First letter, no other name.\n```\n"
    )
    entries = parse(page)
    assert [terms for terms, _ in entries] == [["b"], ["a", "alpha"]]
    assert NAMED.fullmatch(entries[0][1])
    assert not NAMED.fullmatch(entries[1][1])
