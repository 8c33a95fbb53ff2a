"""The text of the built pages: no trace of the machinery, and everything that was promised is there."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

RAW = re.compile(r"\{(glue:text|doc|term|cite:[pt]|ref|numref)\}|:::\{?\w*|injected-parameters|papermill-")


class _Text(HTMLParser):
    """Collects what a reader sees outside of code, and all targets of links."""

    def __init__(self) -> None:
        super().__init__()
        self.skip = 0
        self.words: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.skip += tag in ("script", "style", "pre", "code")
        self.links += [str(given[k]) for k in ("href", "src") if given.get(k) and tag != "use"]
        self.ids |= {str(given["id"])} if given.get("id") else set()

    def handle_endtag(self, tag: str) -> None:
        self.skip -= tag in ("script", "style", "pre", "code")

    def handle_data(self, data: str) -> None:
        if not self.skip:
            self.words.append(data)


def read(path: Path) -> _Text:
    parser = _Text()
    parser.feed(path.read_text(encoding="utf-8"))
    return parser


@pytest.fixture(scope="module")
def parsed(site: Path) -> dict[Path, _Text]:
    served = ("labs", "scripts", "vendor", "_static", "_images")
    return {p: read(p) for p in sorted(site.rglob("*.html")) if p.relative_to(site).parts[0] not in served}


def test_no_raw_roles_are_left(parsed: dict[Path, _Text]) -> None:
    hits = {p.name: m[0] for p, t in parsed.items() if (m := RAW.search(" ".join(t.words)))}
    assert hits == {}


def test_links_inside_the_site_lead_somewhere(site: Path, parsed: dict[Path, _Text]) -> None:
    lost = []
    for path, text in parsed.items():
        for link in text.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or not parts.path:
                continue
            target = (path.parent / unquote(parts.path)).resolve()
            if not target.exists():
                lost.append((str(path.relative_to(site)), link))
    assert lost == []


def test_every_exercise_of_the_list_is_where_its_link_leads(site: Path, parsed: dict[Path, _Text]) -> None:
    page = site / "chapters" / "reference" / "exercises.html"
    links = [link for link in parsed[page].links if "#exercise-" in link]
    lost = []
    for link in links:
        parts = urlsplit(link)
        if parts.fragment not in parsed[(page.parent / unquote(parts.path)).resolve()].ids:
            lost.append(link)
    assert links and lost == []


def test_chapters_show_stub_then_folded_solution(site: Path) -> None:
    seen = 0
    for path in sorted(site.glob("chapters/*/*.html")):
        text = path.read_text(encoding="utf-8")
        assert "BEGIN SOLUTION" not in text and "END SOLUTION" not in text, path
        stubs = text.count("tag_exercise")
        assert len(re.findall(r"tag_solution[^>]*>\s*<details class=\"[^\"]*\bhide", text)) == stubs, path
        assert text.count('<span class="ne">NotImplementedError</span>') >= stubs, path
        seen += stubs
    assert seen > 0, "no page has an exercise"


def test_nothing_but_the_page_is_published(site: Path) -> None:
    assert not (site / "_sources").exists()
    assert not list((site / "_static").rglob("*.map"))
    assert (site / "vendor/mathjax/es5/tex-mml-chtml.js").is_file()
    assert (site / "vendor/mathjax/LICENSE").is_file()


def test_every_page_describes_itself(site: Path, parsed: dict[Path, _Text]) -> None:
    for path in parsed:
        name = str(path.relative_to(site))
        text = path.read_text(encoding="utf-8")
        assert '<html lang="en"' in text, name
        if name not in ("genindex.html", "search.html"):
            head = text[: text.index("</head>")]
            assert re.search(r'<meta[^>]* name="description"', head), name
            assert '<meta property="og:image"' in head, name
