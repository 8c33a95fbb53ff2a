"""The bibliography: every entry complete and well formed, every key that is used defined."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from pybtex.database import BibliographyData, Entry, parse_file

from causalrec_lib.data import registry

ROOT = Path(__file__).resolve().parents[2]
BIB = ROOT / "book" / "references.bib"

DOI = re.compile(r"10\.\d{4,9}/\S+")
ARXIV = re.compile(r"\d{4}\.\d{4,5}")
JSTOR = re.compile(r"https://www\.jstor\.org/stable/\d+")
PMLR = re.compile(r"https://proceedings\.mlr\.press/v(?P<volume>\d+)/(?P<name>[a-z-]+)(?P<year>\d{2})[a-z]*\.html")
NEURIPS = re.compile(r"https://papers\.nips\.cc/paper/(?P<year>\d{4})/hash/[0-9a-f]{32}-Abstract\.html")
KEY = re.compile(r"(?P<name>[a-z]+)(?P<year>\d{4})(?P<word>[a-z]+)")
CITE = re.compile(r"\{cite(?::[a-z]+)?\}`([^`]+)`")
DOCSTRING_KEY = re.compile(r"\bbib:\s*([a-z]+\d{4}[a-z]+(?:\s*,\s*[a-z]+\d{4}[a-z]+)*)")


def bibliography() -> BibliographyData:
    return parse_file(str(BIB))


def isbn_is_valid(isbn: str) -> bool:
    """Check the digits of an ISBN-13 or ISBN-10 against its check digit."""
    digits = isbn.replace("-", "").upper()
    if re.fullmatch(r"97[89]\d{10}", digits):
        return sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(digits)) % 10 == 0
    if re.fullmatch(r"\d{9}[\dX]", digits):
        values = [10 if d == "X" else int(d) for d in digits]
        return sum((10 - i) * v for i, v in enumerate(values)) % 11 == 0
    return False


def address_fits(entry: Entry) -> bool:
    """Whether the entry's address is one that a publisher keeps, and agrees with first author, year and volume.

    PMLR and NeurIPS give no DOIs; their addresses are made of volume, author and year, or of year and a fingerprint.
    """
    f = entry.fields
    if JSTOR.fullmatch(f.get("url", "")):
        return True
    if at := PMLR.fullmatch(f.get("url", "")):
        people = entry.persons.get("author") or []
        name = plain("".join(people[0].prelast_names + people[0].last_names)) if people else ""
        return at["volume"] == f.get("volume") and plain(at["name"]) == name and f.get("year", "")[2:] == at["year"]
    at = NEURIPS.fullmatch(f.get("url", ""))
    return at is not None and at["year"] == f.get("year")


def problems(entry: Entry) -> list[str]:
    """Return what is wrong with an entry's fields; an empty list if nothing is."""
    f = entry.fields
    found = []
    if len(f.get("title", "").strip()) < 8:
        found.append("no title")
    if not (entry.persons.get("author") or entry.persons.get("editor")):
        found.append("no author or editor")
    if not re.fullmatch(r"(19|20)\d{2}", f.get("year", "")):
        found.append(f"year is {f.get('year')!r}")
    if not {"doi", "eprint", "isbn"} & set(f) and not address_fits(entry):
        found.append("no DOI, arXiv id or ISBN, and no address at JSTOR, PMLR or NeurIPS that fits the entry")
    if "doi" in f and not DOI.fullmatch(f["doi"]):
        found.append(f"DOI is {f['doi']!r}; write it without address")
    if "eprint" in f and not (ARXIV.fullmatch(f["eprint"]) and f.get("archiveprefix") == "arXiv"):
        found.append(f"eprint {f['eprint']!r} is no arXiv id, or archiveprefix is not arXiv")
    if "isbn" in f and not isbn_is_valid(f["isbn"]):
        found.append(f"ISBN {f['isbn']!r} has a wrong check digit")
    if "note" in f:
        found.append("has a note; say it in reading.md")
    return found


def plain(text: str) -> str:
    """Return lower-case letters of `text`, accents and braces dropped."""
    text = re.sub(r"\\['\"`^~]\{?\\?([A-Za-z])\}?", r"\1", text)
    folded = unicodedata.normalize("NFKD", text)
    return re.sub(r"[^a-z]", "", folded.lower())


def key_fits(key: str, entry: Entry) -> bool:
    """Whether the key is first author + year + one of the title's first words."""
    match = KEY.fullmatch(key)
    people = entry.persons.get("author") or entry.persons.get("editor")
    if match is None or not people:
        return False
    person = people[0]
    name = plain("".join(person.prelast_names + person.last_names))
    words = [plain(w) for w in re.split(r"[\s/\-]+", entry.fields["title"])][:6]
    return match["name"] == name and match["year"] == entry.fields["year"] and match["word"] in words


def used_keys() -> dict[str, set[str]]:
    """Return each citation key used in chapters, front matter and docstrings, with the files that use it."""
    where: dict[str, set[str]] = {}
    texts = [*ROOT.glob("notebooks/**/*.py"), *ROOT.glob("book/*.md")]
    for path, pattern in [
        *((p, CITE) for p in texts),
        *((p, DOCSTRING_KEY) for p in ROOT.glob("causalrec_lib/**/*.py")),
    ]:
        for group in pattern.findall(path.read_text(encoding="utf-8")):
            for key in group.split(","):
                where.setdefault(key.strip(), set()).add(str(path.relative_to(ROOT)))
    return where


def test_every_entry_is_complete() -> None:
    entries = bibliography().entries
    assert len(entries) >= 50
    wrong = {key: problems(e) for key, e in entries.items()}
    assert {key: p for key, p in wrong.items() if p} == {}


def test_keys_follow_the_pattern() -> None:
    assert [key for key, e in bibliography().entries.items() if not key_fits(key, e)] == []


def test_entries_are_sorted() -> None:
    keys = list(bibliography().entries)
    assert keys == sorted(keys)


@pytest.mark.parametrize("field", ["doi", "eprint", "isbn", "url"])
def test_no_identifier_twice(field: str) -> None:
    values = Counter(
        e.fields[field].lower().replace("-", "") for e in bibliography().entries.values() if field in e.fields
    )
    assert [v for v, n in values.items() if n > 1] == []


def test_every_used_key_exists() -> None:
    defined = set(bibliography().entries)
    missing = {key: sorted(files) for key, files in used_keys().items() if key not in defined}
    assert missing == {}


def test_reading_list_uses_the_bibliography() -> None:
    assert sum("book/reading.md" in files for files in used_keys().values()) >= 30


IDENTIFIER = re.compile(r"(?:arXiv:|doi:|arxiv\.org/abs/|doi\.org/)([^\s;,]+)")


def disagreements(citation: str) -> list[str]:
    """Return what a data set's citation says of a paper's identifier that the bibliography doesn't."""
    papers = {}
    for key, e in bibliography().entries.items():
        who = plain("".join(e.persons["author"][0].prelast_names + e.persons["author"][0].last_names))
        papers[key] = (who, e.fields["year"], {e.fields.get(f, "").lower() for f in ("doi", "eprint")} - {""})
    found = []
    for part in citation.split(";"):
        head, identifier = re.match(r"(.*?)\((\d{4})\)", part), IDENTIFIER.search(part)
        if head is None or identifier is None:
            continue
        said, year = identifier[1].lower(), head[2]
        author = plain(re.split(r",| and | et al", head[1])[0])
        held = [k for k, (who, when, ids) in papers.items() if said in ids and (who, when) != (author, year)]
        known = [k for k, (who, when, ids) in papers.items() if (who, when) == (author, year) and ids]
        if held or (known and not any(said in papers[k][2] for k in known)):
            found.append(f"{part.strip()}: the bibliography has {held or known}")
    return found


@pytest.mark.parametrize("name", registry.entries())
def test_citations_of_data_agree_with_the_bibliography(name: str) -> None:
    entry = registry.entry(name)
    assert disagreements(entry.citation) == []
    if home := IDENTIFIER.search(entry.homepage):
        assert home[1].lower() in entry.citation.lower(), f"{name}: homepage and citation are of two papers"


def test_a_citation_with_another_papers_number_is_found() -> None:
    right = "Agarap (2018), Statistical Analysis on E-Commerce Reviews, arXiv:1805.03687"
    assert disagreements(right) == []
    assert disagreements(right.replace("1805.03687", "1811.03980")) != []
    assert disagreements(right.replace("2018", "2019")) != []
    assert disagreements(right.replace("Agarap", "Other")) != []
    assert disagreements("Nobody (1900), A paper that no chapter cites, doi:10.1000/182") == []


@pytest.mark.parametrize(
    ("isbn", "valid"),
    [
        ("978-0-387-31073-2", True),
        ("978-0-387-31073-3", False),
        ("0-387-31073-8", True),
        ("0-387-31073-X", False),
        ("978038731073", False),
    ],
)
def test_isbn_check_digit(isbn: str, valid: bool) -> None:
    assert isbn_is_valid(isbn) is valid


def test_broken_entries_are_found() -> None:
    good = {"title": "A real title", "year": "1999", "doi": "10.1000/182"}
    authored = {"author": bibliography().entries["holland1986statistics"].persons["author"]}
    assert problems(Entry("article", good, authored)) == []
    for change in (
        {"title": ""},
        {"year": "n.d."},
        {"doi": "https://doi.org/10.1000/182"},
        {"eprint": "stat/123"},
        {"isbn": "978-0-387-31073-3"},
        {"note": "to check"},
    ):
        assert problems(Entry("article", {**good, **change}, authored)) != [], change
    assert problems(Entry("article", good, {})) == ["no author or editor"]
    assert problems(Entry("article", {"title": "A real title", "year": "1999"}, authored)) != []


@pytest.mark.parametrize("key", ["wang2019doubly", "swaminathan2015normalized"])
def test_an_address_of_another_paper_is_found(key: str) -> None:
    entry = bibliography().entries[key]
    f = dict(entry.fields)
    assert problems(Entry("inproceedings", f, entry.persons)) == []
    other = bibliography().entries["holland1986statistics"].persons
    changed = [({**f, "url": f["url"] + "x"}, entry.persons), ({**f, "url": ""}, entry.persons)]
    changed += [({**f, "year": "2009"}, entry.persons), ({**f, "url": "https://example.org/paper"}, entry.persons)]
    if PMLR.fullmatch(f["url"]):
        changed += [({**f, "volume": "96"}, entry.persons), (f, other), ({**f, "url": f["url"][:-5]}, entry.persons)]
    for fields, people in changed:
        assert problems(Entry("inproceedings", fields, people)) != [], fields


def test_citations_are_recognised() -> None:
    text = "As {cite:t}`a1999b` and {cite:p}`c2000d,e2001f` say."
    assert CITE.findall(text) == ["a1999b", "c2000d,e2001f"]
    assert DOCSTRING_KEY.findall("References\n----------\nbib: a1999b, c2000d") == ["a1999b, c2000d"]
