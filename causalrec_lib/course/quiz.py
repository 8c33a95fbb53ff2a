"""Quiz questions in plain HTML: no script, no style needed, for keyboard and screen reader, each option explained."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Mapping
from dataclasses import dataclass

from causalrec_lib import _validate

_LETTERS = "ABCDEF"


@dataclass(frozen=True)
class Quiz:
    """A question with explained options; displays itself.

    Parameters
    ----------
    question : str
        The question.
    options : mapping of str to (bool, str)
        Option -> (is it right, why).
    """

    question: str
    options: Mapping[str, tuple[bool, str]]

    def __repr__(self) -> str:
        """Return the question with its options, without the answers."""
        return "\n".join([self.question, *(f"  {a}. {o}" for a, o in zip(_LETTERS, self.options, strict=False))])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<details><summary><b>{letter}.</b> <span>{html.escape(option)}</span></summary>"
            f'<p class="{"cr-right" if right else "cr-wrong"}"><strong>{"Right." if right else "No."}</strong> '
            f"{html.escape(why)}</p></details>"
            for letter, (option, (right, why)) in zip(_LETTERS, self.options.items(), strict=False)
        )
        group = f'role="group" aria-label="Quiz question with {len(self.options)} options"'
        return f'<div class="cr-quiz" {group}><p><strong>{html.escape(self.question)}</strong></p>{rows}</div>'


def quiz(question: str, options: Mapping[str, tuple[bool, str]]) -> Quiz:
    """Ask a question; each option opens to say whether it is right and why.

    Parameters
    ----------
    question : str
        The question.
    options : mapping of str to (bool, str)
        Three to six options -> (is it right, why); at least one right and one wrong. They are lettered in an order
        that comes from their words: the same on the page and in every lab, and no author's habit gives it away.

    Returns
    -------
    Quiz
        Displays itself as the last value of a cell.

    Raises
    ------
    ValueError
        If the question is empty, an option lacks its explanation, or none or all are right.
    """
    _validate.text(question, "question", least=1)
    if not 3 <= len(_validate.mapping(options, "options")) <= 6:
        raise ValueError(f"options must be three to six, but there are {len(options)}.")
    for option, entry in options.items():
        pair = entry if isinstance(entry, tuple) and len(entry) == 2 else (None, "")
        if not isinstance(pair[0], bool) or not isinstance(pair[1], str) or len(pair[1].strip()) < 15:
            wanted = "(True or False, an explanation of 15 characters or more)"
            raise ValueError(f"options: {option!r} must map to {wanted}.")
    if len({right for right, _ in options.values()}) != 2:
        raise ValueError("options must hold at least one right and one wrong answer.")
    order = sorted(options, key=lambda option: hashlib.sha256(f"{question}|{option}".encode()).digest())
    return Quiz(question, {option: options[option] for option in order})
