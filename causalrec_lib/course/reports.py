"""The last cell of a lab: what passed, after how many tries, and a line to hand in."""

from __future__ import annotations

import html
from dataclasses import dataclass

from causalrec_lib.course import attempts
from causalrec_lib.course.check import exercises
from causalrec_lib.course.edition import edition

_WORD = {"passed": "passed", "wrong": "not yet", "unanswered": "open"}


@dataclass(frozen=True)
class Report:
    """What was answered in this kernel; displays itself as a table.

    Parameters
    ----------
    name : str
        Who answered.
    rows : tuple of (str, str, int)
        Exercise, verdict, number of different answers.
    edition : str
        Version and commit of the library.
    """

    name: str
    rows: tuple[tuple[str, str, int], ...]
    edition: str

    @property
    def line(self) -> str:
        """One line to paste into a form or a mail."""
        parts = [f"{e} {v}{f' ({n})' if n else ''}" for e, v, n in self.rows]
        passed = sum(v == "passed" for _, v, _ in self.rows)
        return "; ".join([self.name, f"{passed} of {len(self.rows)} passed", *parts, f"causalrec-lib {self.edition}"])

    def __repr__(self) -> str:
        """Return a table in plain text and the line below it."""
        table = [f"{e:<16} {v:<8} {n} {'try' if n == 1 else 'tries'}" for e, v, n in self.rows]
        return "\n".join([*table, "", "To hand in:", self.line])

    def _repr_html_(self) -> str:
        cells = "".join(f"<tr><td>{html.escape(e)}</td><td>{v}</td><td>{n}</td></tr>" for e, v, n in self.rows)
        return (
            '<div class="cr-report"><table><thead><tr><th scope="col">Exercise</th><th scope="col">Verdict</th>'
            f'<th scope="col">Different answers</th></tr></thead><tbody>{cells}</tbody></table>'
            f"<p>To hand in:</p><pre>{html.escape(self.line)}</pre></div>"
        )


def report(name: str) -> Report:
    """Say what the checks of this kernel found, with a line to hand in.

    Parameters
    ----------
    name : str
        Who answered.

    Returns
    -------
    Report
        Displays itself as the last value of a cell. It is a help for the reader, no proof: a teacher runs the checks
        again, with `causalrec grade`.

    Raises
    ------
    ValueError
        If the name is empty, or no check was run yet.
    """
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f'name must be yours, in quotes: report("Ann"), but is {name!r}.')
    chapters = {exercise.rpartition(".")[0] for exercise in attempts.LOG}
    if not chapters:
        raise ValueError("no check was run since the kernel started: run the cells with check(...) first.")
    rows = []
    for exercise in exercises(chapters):
        tries = attempts.LOG.get(exercise, attempts.Tries())
        rows.append((exercise, _WORD[tries.verdict], len(tries.answers)))
    return Report(" ".join(name.split()), tuple(rows), edition())
