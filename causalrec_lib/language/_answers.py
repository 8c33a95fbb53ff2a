"""Written rankings: read where they can mean one thing only, and counted as unparsed everywhere else."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from causalrec_lib import _validate
from causalrec_lib.language._prompts import LETTERS


class Unparsed(ValueError):
    """An answer that is no ranking; `reason` says why in a word or two.

    Parameters
    ----------
    reason : str
        "empty", "words", "unknown letter", "letter twice" or "letters missing".
    text : str
        The answer.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(f"text is no ranking ({reason}): {_validate.shown(text)}; count it as unparsed.")
        self.reason = reason


def parse_ranking(text: str, n_options: int) -> tuple[int, ...]:
    """Read a written ranking, or raise: each letter once, and nothing that could be something else.

    Parameters
    ----------
    text : str
        What the model wrote: letters with commas, ">" or spaces between them, or one option a line.
    n_options : int
        Number of options, 2 to 26.

    Returns
    -------
    tuple of int
        Slots from best to worst, counted from 0.

    Raises
    ------
    Unparsed
        If the text is anything else; `.reason` says what.
    ValueError
        If `text` is no text, or `n_options` is out of range.

    Notes
    -----
    Chapter: language/04_llm_as_recommender

    Examples
    --------
    >>> parse_ranking("B > A > C", 3)
    (1, 0, 2)
    """
    allowed = LETTERS[: _validate.integer(n_options, "n_options", 2, len(LETTERS))]
    lines = [line.strip() for line in _validate.text(text, "text").splitlines() if line.strip()]
    if not lines:
        raise Unparsed("empty", text)
    found = [re.fullmatch(r"(?:\d+[.)]\s*)?([A-Za-z])[.):](?:\s.*)?", line) for line in lines]
    if len(lines) > 1 and all(found):
        letters = [match[1] for match in found if match]
    else:
        parts = [part for part in re.split(r"[\s,;>]+", " ".join(lines)) if not re.fullmatch(r"(\d+[.)])?", part)]
        letters = [part.rstrip(".):") for part in parts]
    if any(len(letter) != 1 for letter in letters):
        raise Unparsed("words", text)
    if any(letter not in allowed for letter in letters):
        raise Unparsed("unknown letter", text)
    if len(set(letters)) < len(letters):
        raise Unparsed("letter twice", text)
    if len(letters) < len(allowed):
        raise Unparsed("letters missing", text)
    return tuple(allowed.index(letter) for letter in letters)


def read_rankings(texts: Sequence[str], n_options: int) -> pd.DataFrame:
    """Read many written rankings; what is none is a row like any other, and says so.

    Parameters
    ----------
    texts : sequence of str
        What the model wrote.
    n_options : int
        Number of options, 2 to 26.

    Returns
    -------
    DataFrame
        One row a text: `order` (slots from best to worst, or None), `unparsed`, `reason` ("" where it was read).

    Raises
    ------
    ValueError
        If `texts` are empty or no texts, or `n_options` is out of range.

    Notes
    -----
    Chapter: language/04_llm_as_recommender
    """
    rows: list[tuple[tuple[int, ...] | None, bool, str]] = []
    for text in _validate.texts(texts, "texts"):
        try:
            rows.append((parse_ranking(text, n_options), False, ""))
        except Unparsed as err:
            rows.append((None, True, err.reason))
    if not rows:
        raise ValueError("texts is empty; check the filter that made it.")
    return pd.DataFrame(rows, columns=["order", "unparsed", "reason"])
