"""Whether what a chapter left behind is of the chapter as it stands now."""

from __future__ import annotations

from pathlib import Path

import jupytext

from causalrec_lib.course import notebook, records, regression


def stale(chapter: str, profile: str, root: Path, build: Path) -> str:
    """Return why a chapter's output must not be used: it has not run, its run failed, or it was edited since.

    Parameters
    ----------
    chapter : str
        Part and name.
    profile : str
        "ci" or "full".
    root, build : pathlib.Path
        The course and its generated files.

    Returns
    -------
    str
        One sentence with the mend; empty if all is well.
    """
    path = build / "executed" / profile / f"{chapter}.ipynb"
    if not path.is_file():
        log = build / "logs" / profile / f"{chapter}.log"
        seen = f"; log of the last try: {log}" if log.is_file() else ""
        return f"{chapter} has not run, or its run failed; run it: causalrec run {chapter}{seen}"
    now = jupytext.read(root / "notebooks" / f"{chapter}.py", fmt="py:percent")["cells"]
    then = [c for c in notebook.load(path)["cells"] if "injected-parameters" not in notebook.tags(c)]
    if [notebook.text(c).strip() for c in now] != [notebook.text(c).strip() for c in then]:
        return f"{chapter} was edited after its last run; run it again: causalrec run {chapter}"
    return ""


def incomparable(chapter: str, profile: str, root: Path, build: Path) -> str:
    """Return why a chapter's records must not be held against a baseline, nor become one.

    Parameters
    ----------
    chapter : str
        Part and name.
    profile : str
        "ci" or "full".
    root, build : pathlib.Path
        The course and its generated files.

    Returns
    -------
    str
        What `stale` says; or that they are lost, of another seed, of another source, or written by hand.
    """
    if why := stale(chapter, profile, root, build):
        return why
    path = records.record_path(chapter, profile, build)
    if not path.is_file():
        if regression.baseline_path(chapter, profile, root).is_file():
            return f"{chapter} has a baseline but no records; run it again: causalrec run {chapter}"
        return ""
    meta = regression.load_meta(path)
    if meta.get("seed") != records.COURSE_SEED:
        seeds = f"{meta.get('seed')}, not the course's {records.COURSE_SEED}"
        return f"{chapter}: its records are of seed {seeds}; run it again: causalrec run {chapter}"
    if meta.get("source") is None:
        return f"{chapter}: its records were not written by a whole run; run it again: causalrec run {chapter}"
    if meta["source"] != records.digest(root / "notebooks" / f"{chapter}.py"):
        return f"{chapter}: its records are of another version of its source; run it again: causalrec run {chapter}"
    return ""
