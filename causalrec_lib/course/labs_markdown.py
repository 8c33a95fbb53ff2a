"""MyST to plain Markdown: what Colab and JupyterLab can show."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from causalrec_lib.course.labs_glossary import Glossary
from causalrec_lib.course.labs_references import Bibliography

ADMONITIONS = ("note", "tip", "warning")
ROLES = ("term", "cite:p", "cite:t", "glue:text", "doc", "math")
_ROLE = re.compile(r"\{([A-Za-z][\w:.+-]*)\}`([^`]+)`")
_OPEN = re.compile(r"^:{3,}\s*\{([\w-]+)\}\s*(.*)$")
_CLOSE = re.compile(r"^:{3,}\s*$")
_LABEL = re.compile(r"^\([\w.:-]+\)=[ \t]*\n?", re.M)
_TARGET = re.compile(r"^(.*?)\s*<([^<>]+)>$", re.S)
_FENCE = re.compile(r"^\s*(`{3,}|~{3,})(.*)$")
_LEFT = (
    (re.compile(r"\{[A-Za-z][\w:.+-]*\}`"), "role"),
    (re.compile(r"^\s*>?\s*:{3,}", re.M), "colon fence"),
    (re.compile(r"^\([\w.:-]+\)=", re.M), "label"),
    (re.compile(r"^\s*(?:`{3,}|~{3,})\{", re.M), "directive"),
)


@dataclass(frozen=True)
class Context:
    """What the text of one notebook refers to.

    Parameters
    ----------
    chapter : str
        For example "weighting/01_propensity_weighting".
    number : callable
        Turns the body of a glue role into its number.
    title : callable
        Turns the target of a doc role into the title of that page.
    bibliography : Bibliography
        Turns keys into citations.
    place : callable
        Turns the target of a doc role into a web address, or the file name of a lab, or an empty string.
    glossary : Glossary
        Collects the words used.
    """

    chapter: str
    number: Callable[[str], str]
    title: Callable[[str], str]
    bibliography: Bibliography
    place: Callable[[str], str] = lambda _: ""
    glossary: Glossary = field(default_factory=Glossary)


def chunks(markdown: str) -> Iterator[tuple[bool, str]]:
    """Split Markdown into text and fenced code.

    Parameters
    ----------
    markdown : str
        Any Markdown.

    Yields
    ------
    tuple of bool and str
        Whether the piece is fenced code (fences included), and its lines.
    """
    held: list[str] = []
    fence = ""
    for line in markdown.split("\n"):
        mark = _FENCE.match(line)
        opens = mark is not None and not fence
        closes = bool(fence) and mark is not None and mark[1].startswith(fence) and not mark[2].strip()
        if opens and mark is not None:
            if held:
                yield False, "\n".join(held)
            held, fence = [line], mark[1]
        elif closes:
            yield True, "\n".join([*held, line])
            held, fence = [], ""
        else:
            held.append(line)
    if held:
        yield bool(fence), "\n".join(held)


def flatten(markdown: str, context: Context) -> str:
    """Return the same text without MyST.

    Parameters
    ----------
    markdown : str
        A Markdown cell of a chapter.
    context : Context
        What its roles refer to.

    Returns
    -------
    str
        Plain Markdown.

    Raises
    ------
    ValueError
        If it uses MyST that the course does not allow, or refers to what does not exist.
    """
    pieces = []
    for is_code, piece in chunks(markdown):
        if is_code:
            pieces.append(_math_fence(piece))
        else:
            pieces.append(_ROLE.sub(lambda m: _role(m[1], m[2], context), _LABEL.sub("", piece)))
    flat = _admonitions("\n".join(pieces), context.chapter)
    if found := leftovers(flat):
        raise ValueError(f"{context.chapter}: the lab builder can't flatten {'; '.join(found)}; see CONTRIBUTING.md.")
    return flat


def leftovers(markdown: str) -> list[str]:
    """Return the MyST syntax that is still showing.

    Parameters
    ----------
    markdown : str
        Flattened Markdown.

    Returns
    -------
    list of str
        One description a finding, empty if there is none.
    """
    found = []
    for is_code, piece in chunks(markdown):
        visible = piece.split("\n")[0] if is_code else piece
        for pattern, what in _LEFT:
            found += [f"{what} {visible[m.start() : m.start() + 40]!r}" for m in pattern.finditer(visible)]
    return found


def _math_fence(piece: str) -> str:
    first, *body = piece.split("\n")
    return "\n".join(["$$", *body[:-1], "$$"]) if first.strip("`~ ") == "{math}" else piece


def _role(name: str, body: str, context: Context) -> str:
    if name not in ROLES:
        raise ValueError(
            f"{context.chapter}: the role {{{name}}}`{body}` is not allowed; allowed: {', '.join(ROLES)}."
        )
    text = " ".join(body.split())
    if name == "glue:text":
        return context.number(text)
    if name.startswith("cite"):
        return context.bibliography.cite(text, textual=name == "cite:t")
    if name == "math":
        return f"${text}$"
    shown = _TARGET.match(text)
    if name == "doc":
        return _page(shown[1] if shown else "", shown[2] if shown else text, context)
    context.glossary.use(shown[2] if shown else text)
    return f"*{shown[1] if shown else text}*"


def _page(words: str, target: str, context: Context) -> str:
    """Return a link to a page of the site; without a site, its title and the file of its lab."""
    title, place = context.title(target), context.place(target)
    if place.startswith("http"):
        return f"[{words or title}]({place})"
    apart = [f"*{title}*" if words and words != title else "", f"`{place}`" if place else ""]
    more = ", ".join(filter(None, apart))
    return (words if words and words != title else f"*{title}*") + (f" ({more})" if more else "")


def _admonitions(markdown: str, chapter: str) -> str:
    out: list[str] = []
    inside = in_code = False
    for line in markdown.split("\n"):
        in_code ^= bool(_FENCE.match(line))
        opening = None if in_code else _OPEN.match(line)
        if opening:
            if inside or opening[1] not in ADMONITIONS:
                raise ValueError(f"{chapter}: {line!r} is nested or not allowed; allowed: {', '.join(ADMONITIONS)}.")
            inside = True
            lead = opening[1].capitalize() + (f": {opening[2].strip()}" if opening[2].strip() else "")
            out += [f"> **{lead}**", ">"]
        elif inside and not in_code and _CLOSE.match(line):
            inside = False
        else:
            out.append(f"> {line}".rstrip() if inside else line)
    if inside:
        raise ValueError(f"{chapter}: an admonition is never closed; end it with ':::'.")
    return "\n".join(out)


def page_of(chapter: str, target: str) -> str:
    """Return the page that a doc role points to.

    Parameters
    ----------
    chapter : str
        The chapter in which the role stands.
    target : str
        Path of the page from the chapter's page, or from the book's top with a leading slash.

    Returns
    -------
    str
        Path from the book's top, for example "chapters/weighting/02_matching".
    """
    folder = posixpath.dirname(f"chapters/{chapter}")
    page = posixpath.normpath(target[1:] if target.startswith("/") else posixpath.join(folder, target))
    return page.removesuffix(".md").removesuffix(".ipynb")


def page_title(root: Path, chapter: str, target: str) -> str:
    """Return the title of the page that a doc role points to.

    Parameters
    ----------
    root : pathlib.Path
        The course's folder.
    chapter : str
        The chapter in which the role stands.
    target : str
        Path of the page from the chapter's page, or from the book's top with a leading slash.

    Returns
    -------
    str
        Text of its first heading.

    Raises
    ------
    ValueError
        If there is no such page.
    """
    page = page_of(chapter, target)
    candidates = [
        (root / "notebooks" / f"{page.removeprefix('chapters/')}.py", r"^# # (.+)$"),
        (root / "book" / f"{page}.md", r"^# (.+)$"),
    ]
    for path, heading in candidates:
        if path.is_file():
            found = re.search(heading, path.read_text(encoding="utf-8"), re.M)
            if found:
                return found[1].strip()
    raise ValueError(f"{chapter}: {{doc}}`{target}` points to no page with a title (looked for {page}).")
