"""Form of the text: MyST, terms, citations, glued numbers, numbers typed by hand, voice."""

import ast
import re
from collections.abc import Iterator
from functools import cache

from causalrec_lib.course.chapters import Chapter
from causalrec_lib.course.labs_markdown import ADMONITIONS, page_title
from causalrec_lib.course.labs_references import Bibliography

from .form import ROOT, calls, rule, texts, trees
from .form_tasks import cited

ALLOWED_ROLES = ("term", "cite:p", "cite:t", "glue:text", "doc")
_ROLE = re.compile(r"\{([A-Za-z][\w:.+-]*)\}`([^`]*)`")
_FENCE = re.compile(r"^\s*(:{3,})\s*(?:\{([\w-]+)\})?(.*)$")
_OTHER = (
    (re.compile(r"^\s*(?:`{3,}|~{3,})\{.*$", re.M), "directive with backticks"),
    (re.compile(r"^\([\w.:-]+\)=.*$", re.M), "label"),
    (re.compile(r"^\+\+\+.*$", re.M), "block break"),
    (re.compile(r"^%\s.*$", re.M), "MyST comment"),
    (re.compile(r"\{\{[^}]*\}\}"), "substitution"),
)
_VOICE = re.compile(
    r"significantly (?:improve|better|outperform)\w*|as can be seen|it is (?:easy|trivial) to see", re.I
)


@rule(pages=True)
def myst(chapter: Chapter) -> list[str]:
    """Only the MyST that also reads in Colab."""
    found = []
    for k, cell in enumerate(chapter.notebook.cells):
        if cell.cell_type == "markdown":
            plain = re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$", "", cell.source, flags=re.S)
            for pattern, what in _OTHER:
                found += [f"cell {k}: {what} {m[0]!r} is not allowed" for m in pattern.finditer(plain)]
    for k, text in texts(chapter):
        found += [
            f"cell {k}: role {{{m[1]}}} is not allowed; allowed: {', '.join(ALLOWED_ROLES)}"
            for m in _ROLE.finditer(text)
            if m[1] not in ALLOWED_ROLES
        ]
        found += [f"cell {k}: {problem}" for problem in _fences(text)]
    return found


@rule(pages=True)
def lost_words(chapter: Chapter) -> list[str]:
    """No words beside a cell's marker: jupytext takes them for the cell's title, which no page shows."""
    titled = ((k, cell.metadata.get("title")) for k, cell in enumerate(chapter.notebook.cells))
    return [f"cell {k}: {words!r} stands beside the marker, where no page shows it" for k, words in titled if words]


def _fences(text: str) -> Iterator[str]:
    inside = False
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if not mark:
            continue
        if mark[1] != ":::":
            yield f"{line!r}: admonitions have three colons"
        if mark[2]:
            if inside:
                yield f"{line!r}: admonitions are never nested"
            if mark[2] not in ADMONITIONS:
                yield f"{line!r}: allowed are {', '.join(ADMONITIONS)}"
            inside = True
        elif inside:
            inside = False
        else:
            yield f"{line!r} closes nothing"
    if inside:
        yield "an admonition is never closed"


@cache
def glossary() -> frozenset[str]:
    """Terms of book/glossary.md, in lower case."""
    path = ROOT / "book" / "glossary.md"
    page = path.read_text(encoding="utf-8") if path.is_file() else ""
    body = re.search(r"^```\{glossary\}\n(.*?)^```", page, re.M | re.S)
    found = re.findall(r"^(?!:)\S.*$", body[1], re.M) if body else []
    return frozenset(term.strip().lower() for term in found)


@rule(pages=True)
def terms(chapter: Chapter) -> list[str]:
    """Every term stands in the glossary."""
    found = []
    for k, text in texts(chapter):
        for body in re.findall(r"\{term\}`([^`]+)`", text):
            target = re.match(r".*<(.+)>$", " ".join(body.split()))
            name = (target[1] if target else " ".join(body.split())).lower()
            if name not in glossary():
                found.append(f"cell {k}: {name!r} is not in book/glossary.md")
    return found


@cache
def references() -> frozenset[str]:
    """Keys of book/references.bib."""
    return frozenset(Bibliography.read(ROOT / "book" / "references.bib").keys())


@rule(pages=True)
def citations(chapter: Chapter) -> list[str]:
    """Every citation stands in the bibliography."""
    return [
        f"cell {k}: {key!r} is not in book/references.bib" for k, key in cited(chapter) if key not in references()
    ]


_LINK = re.compile(
    r"\]\(\s*(?!https?:)([^)\s]+?\.(?:md|py|ipynb)(?:#[^)]*)?)[\s)]"  # [words](page.md)
    r"|^\s*\[[^\]]+\]:\s*(?!https?:)(\S+\.(?:md|py|ipynb))\b"  # [words]: page.md
    r"|href=[\"'](?!https?:)([^\"']+\.(?:md|py|ipynb))",  # <a href="page.md">
    re.M,
)


@rule(pages=True)
def links(chapter: Chapter) -> list[str]:
    """Pages of the book are linked by role: a file's name leads nowhere on the site and in Colab."""
    found = []
    for k, text in texts(chapter):
        plain = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text, flags=re.S)
        for m in _LINK.finditer(plain):
            target = next(filter(None, m.groups()))
            found.append(f"cell {k}: link to the file {target!r}; write {{doc}}`words </chapters/part/NN_name>`")
    return found


@rule(pages=True)
def pages(chapter: Chapter) -> list[str]:
    """Every {doc} role points to a page that exists."""
    found = []
    for k, text in texts(chapter):
        for body in re.findall(r"\{doc\}`([^`]+)`", text):
            target = re.match(r".*<(.+)>$", " ".join(body.split()))
            name = target[1] if target else " ".join(body.split())
            try:
                page_title(ROOT, chapter.id, name)
            except ValueError:
                found.append(f"cell {k}: {name!r} points to no page; write /chapters/part/NN_name or /page")
    return found


@rule(pages=True)
def voice(chapter: Chapter) -> list[str]:
    """None of the phrases that say nothing."""
    return [f"cell {k}: {m[0]!r} says nothing" for k, text in texts(chapter) for m in _VOICE.finditer(text)]


_NUMBER = r"\d+(?:\.\d+)?"
_STRIP = (
    re.compile(r"\{[A-Za-z][\w:.+-]*\}`[^`]*`"),  # roles
    re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.S),  # code
    re.compile(r"\$\$.*?\$\$", re.S),  # display math
    re.compile(
        r"(?<![\\$\w])\$(?![\s$])(?=[^$\n]*[A-Za-z\\])[^$]+?(?<![\s\\])\$(?!\d)"
    ),  # math, unless it is one number
    re.compile(r"\]\([^)]*\)|<https?://[^>]*>|https?://\S+"),  # addresses
    re.compile(r"<[^<>]+>"),  # html tags
    re.compile(r"^#{1,6}\s+(?:\d+(?:\.\d+)*\.?\s)?", re.M),  # the number of a heading
)
_ALLOWED = (
    re.compile(
        r"\b(?:50|80|90|95|99)\s?%(?=[\s-]+(?:confidence|interval|coverage|level|credible|band))"
    ),  # a convention
    re.compile(r"(?<=at )(?:90|95|99)\s?%(?= (?:level|confidence))"),
    re.compile(r"\b(?:Python|Apache|CC BY|numpy|pandas|scikit-learn|[Vv]ersion)\s+v?\d+(?:\.\d+)+"),  # names
    re.compile(r"\b(?:1[5-9]|20)\d\d\b(?!\s?%|[.,]\d)"),  # years
)
_TYPED = re.compile(
    rf"{_NUMBER}\s?(?:%|per ?cent\b|percentage points?\b)"  # percentages
    rf"|(?<![\w.,]){_NUMBER}\s?(?:times\b|-fold\b|\u00d7(?=\s|$)|x\b)"  # multiples
    rf"|(?<![\w.,]){_NUMBER}\s(?:Monte-Carlo )?standard (?:error|deviation)s?\b"
    r"|(?<![\w.])\d{1,3}(?:[,\u202f\u00a0 ]\d{3})+(?!\d)(?:\.\d+)?"  # thousands
    r"|(?<![\w.])\d{4,}(?![\w.])"
    r"|(?<![\w.])\d*\.\d+(?![\w.]*\.\d)"  # decimals
)


def typed_numbers(markdown: str) -> list[str]:
    """Numbers in prose that look like typed results: decimals, percentages, thousands, multiples."""
    for pattern in _STRIP:
        markdown = pattern.sub(" ", markdown)
    for pattern in _ALLOWED:
        markdown = pattern.sub(" ", markdown)
    return [m[0] for m in _TYPED.finditer(markdown)]


def spoken(chapter: Chapter) -> Iterator[tuple[int, str, str]]:
    """Yield cell, kind and text of prose in code: alternative text, captions and `course.say`."""
    for k, tree in trees(chapter):
        for call in calls(tree, "plots.show", "plots.draw_dag", "course.say", "say"):
            said = [("say", a) for a in call.args if ast.unparse(call.func).endswith("say")]
            for kind, node in [*said, *((a.arg, a.value) for a in call.keywords if a.arg in ("alt", "caption"))]:
                yield k, kind, _literal(node)


def _literal(node: ast.AST) -> str:
    """What stands in the source of a string, computed pieces left out."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_literal(v) if isinstance(v, ast.Constant) else "\u2026" for v in node.values)
    if isinstance(node, ast.BinOp):
        return _literal(node.left) + _literal(node.right)
    return ""


@rule(pages=True)
def numbers_in_prose(chapter: Chapter) -> list[str]:
    """No result is typed: not in markdown, not in a caption, not in what a cell says."""
    found = [f"cell {k}: typed number {n!r}" for k, text in texts(chapter) for n in typed_numbers(text)]
    return found + [
        f"cell {k}: typed number {n!r} in {kind}; compute it in an f-string"
        for k, kind, text in spoken(chapter)
        for n in typed_numbers(text)
    ]
