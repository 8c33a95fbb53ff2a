"""Outputs of cells as the site shows them: tables that read and scroll well, figures that fit a phone."""

from __future__ import annotations

import re

_FRAME = re.compile(r'<table(?: border="\d")? class="dataframe">(.*?)</table>', re.S)
_HEAD = re.compile(r"<thead>.*?</thead>", re.S)
_HEADING = re.compile(r"<th((?:\s[^>]*)?)>(.*?)</th>", re.S)
_CELL = re.compile(r"<td>(.*?)</td>", re.S)
_NUMBER = re.compile(r"[-+\u2212]?(\d[\d,_]*(\.\d*)?|\.\d+)(e[-+]?\d+)?\s?%?|nan|inf|true|false|none|", re.I)
_PICTURE = re.compile(r'<svg xmlns="[^"]*" xmlns:xlink="[^"]*" viewBox="[^"]*" width="(\d+)" height="\d+"')
_SMALLEST = 0.58  # of its natural size; the words of a figure have 14 px there
_FORMULA = re.compile(r"\$(?=\S)([^$<>\n]+?)(?<=\S)\$(?!\d)")  # as notebooks set it: no space inside of the dollars
_SET = r'<span class="tex2jax_process mathjax_process">\\(\1\\)</span>'
_LONG = 45
_BOX = '<div class="cr-table" role="region" tabindex="0" aria-label="Table"><table class="dataframe">'
Heading = tuple[str, str]


def figures(shown: str) -> str:
    """Return HTML whose figures shrink on a phone as long as their words stay legible, and scroll from there on.

    Parameters
    ----------
    shown : str
        HTML output of a cell.

    Returns
    -------
    str
        The same, each picture with the width below which it scrolls.
    """
    return _PICTURE.sub(lambda m: f'{m[0]} style="min-width:{round(_SMALLEST * int(m[1]))}px"', shown)


def tables(shown: str) -> str:
    """Return HTML whose pandas tables scroll in a box, by keyboard too, words to the left and numbers to the right.

    Parameters
    ----------
    shown : str
        HTML output of a cell.

    Returns
    -------
    str
        The same without pandas' inline style.
    """
    if 'class="dataframe"' not in shown:
        return shown
    shown = re.sub(r"<style scoped>.*?</style>\s*", "", shown, flags=re.S)
    return _FRAME.sub(lambda m: f"{_BOX}{_FORMULA.sub(_SET, _aligned(m[1]))}</table></div>", shown)


def _aligned(table: str) -> str:
    """Mark columns of words, and rewrite the headings."""
    body = table[table.find("<tbody>") :]
    looks = _looks([_CELL.findall(row) for row in body.split("</tr>")])

    def marked(row: str) -> str:
        look = iter(looks)
        return _CELL.sub(lambda m: f"<td{next(look)}>{m[1]}</td>", row)

    rows = "</tr>".join(marked(row) for row in body.split("</tr>"))
    head = _HEAD.search(table)
    return (_headings(head[0], looks) if head else "") + rows


def _looks(rows: list[list[str]]) -> list[str]:
    """Return the class of each column: none for numbers, one for words, another for sentences."""
    rows = [row for row in rows if row]
    if len({len(row) for row in rows}) != 1:  # cells that span columns: leave them as they are
        return [""] * max((len(row) for row in rows), default=0)
    found = []
    for column in zip(*rows, strict=True):
        plain = [re.sub(r"<[^>]+>", "", cell).strip() for cell in column]
        words = any(not _NUMBER.fullmatch(cell) for cell in plain)
        long = words and max(map(len, plain)) > _LONG
        found.append(' class="cr-text"' if long else ' class="cr-word"' if words else "")
    return found


def _headings(head: str, looks: list[str]) -> str:
    """Write the names of the index into the line of the columns where that is free; empty headings become cells."""
    rows: list[list[Heading]] = [_HEADING.findall(row) for row in head.split("</tr>")[:-1]]
    if len(rows) == 2 and len(rows[0]) == len(rows[1]):
        both = list(zip(*rows, strict=True))
        if all("" in (top[1], below[1]) for top, below in both):
            rows = [[(top[0], top[1] + below[1]) for top, below in both]]
    first = len(rows[0]) - len(looks)
    cells = []
    for row in rows:
        shown = [
            a or (looks[k - first] if k >= first >= 0 and len(row) == len(rows[0]) else "")
            for k, (a, _) in enumerate(row)
        ]
        cells.append("".join(f"<th{a}>{w}</th>" if w else "<td></td>" for a, (_, w) in zip(shown, row, strict=True)))
    return "<thead>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</thead>"
