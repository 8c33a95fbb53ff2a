"""Runs a student's notebook in a kernel, then fills in the solutions, as a reader would."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from causalrec_lib.course import kernels, notebook

from .form import ROOT

_VERDICT = re.compile(r"cr-check cr-(\w+)")
_TEXT = re.compile(r"\S+ (?:open|passed|not yet): (?P<id>\S+): (?P<message>.*)", re.S)


@dataclass(frozen=True)
class Verdicts:
    """What the checks of a lab said: before the answers, and after."""

    open: list[str]
    said: list[str]
    solved: list[str]
    cells: int


def startup(folder: Path, paths: Sequence[Path]) -> Path:
    """An IPython folder whose kernels find the checks in `paths` too."""
    target = folder / "ipython" / "profile_default" / "startup" / "00-checks.py"
    target.parent.mkdir(parents=True, exist_ok=True)
    more = [str(p) for p in paths]
    target.write_text(f"from causalrec_lib.course import checks\nchecks.__path__ = [*checks.__path__, *{more!r}]\n")
    return folder / "ipython"


def _said(cell: nbformat.NotebookNode) -> tuple[str, str] | None:
    for output in cell.outputs:
        page = output.get("data", {}).get("text/html", "")
        found = _VERDICT.search(page)
        if found:
            text = _TEXT.match(output["data"]["text/plain"])
            return found[1], text["message"] if text else ""
    return None


def verdicts(
    student: dict, solved: dict, folder: Path, *, paths: Sequence[Path] = (), timeout: int = 300
) -> Verdicts:
    """Run the student's notebook to its end, then the solution's exercise and check cells in the same kernel.

    The two notebooks differ in their exercise cells only (a test proves it), so this runs every cell of both.
    """
    work = folder / "work"
    work.mkdir(parents=True, exist_ok=True)
    nb = nbformat.from_dict(json.loads(json.dumps(student)))
    strict = nbformat.v4.new_code_cell('import os\nos.environ["CAUSALREC_STRICT"] = "1"')
    answers = [
        nbformat.from_dict(json.loads(json.dumps({**c, "id": f"s-{c['id']}"})))
        for c in solved["cells"]
        if {"exercise", "check"} & set(notebook.tags(c))
    ]
    end = len(nb.cells)
    nb.cells += [strict, *answers]
    env = {k: v for k, v in os.environ.items() if k != "CAUSALREC_STRICT"}
    env |= {
        "IPYTHONDIR": str(startup(folder, paths)),
        "CAUSALREC_BUILD": str(folder / "build"),
        "CAUSALREC_QUIET": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    with kernels.own_sockets() as config:
        NotebookClient(nb, timeout=timeout, config=config, resources={"metadata": {"path": str(work)}}).execute(
            env=env
        )
    checked = [(k, _said(c)) for k, c in enumerate(nb.cells) if "check" in notebook.tags(c)]
    before = [said for k, said in checked if k < end and said]
    after = [said for k, said in checked if k > end and said]
    return Verdicts([v for v, _ in before], [m for _, m in before], [v for v, _ in after], len(nb.cells))
