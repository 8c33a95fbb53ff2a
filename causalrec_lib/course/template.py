"""The chapter template: three files that run, and that say what an author has to replace."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

from causalrec_lib.course.chapters import PARTS

_NAME = re.compile(r"\d\d_[a-z][a-z0-9_]*")
LONGEST = 50  # so that the lines that hold the name fit; a title can say more
FILES = {
    "chapter.py.txt": "notebooks/{part}/{name}.py",
    "checks.py.txt": "causalrec_lib/course/checks/{part}_{number}.py",
    "wrong_answers.py.txt": "tests/course/wrong_answers/{part}_{number}.py",
}


def new_chapter(part: str, name: str, root: Path) -> list[Path]:
    """Write a chapter, the checks of its exercises and wrong answers to them.

    What is written runs, and its exercises are checked; every place that an author has to fill says "REPLACE:",
    and the tests of form fail until none is left.

    Parameters
    ----------
    part : str
        Folder under `notebooks/`, for example "weighting".
    name : str
        Two digits and words, for example "03_doubly_robust"; at most 50 characters.
    root : pathlib.Path
        The course's folder.

    Returns
    -------
    list of pathlib.Path
        The files: chapter, checks, wrong answers.

    Raises
    ------
    ValueError
        If the part is unknown or the name is malformed or too long.
    FileExistsError
        If a file of that chapter, or of another with its number, exists; then nothing is written.
    """
    if part not in PARTS:
        raise ValueError(f"part must be one of {', '.join(PARTS)}, but is {part!r}.")
    if not _NAME.fullmatch(name):
        raise ValueError(f"name must be two digits and words, like '03_doubly_robust', but is {name!r}.")
    if len(name) > LONGEST:
        raise ValueError(f"name must have at most {LONGEST} characters, but has {len(name)}; the title can say more.")
    number = name[:2]
    targets = {source: root / path.format(part=part, name=name, number=number) for source, path in FILES.items()}
    taken = [p for p in targets.values() if p.exists()] + sorted((root / "notebooks" / part).glob(f"{number}_*.py"))
    if taken:
        raise FileExistsError(f"{taken[0]} exists; choose another number for the chapter. Nothing was written.")
    templates = resources.files("causalrec_lib.course").joinpath("templates")
    for source, target in targets.items():
        text = templates.joinpath(source).read_text(encoding="utf-8")
        text = text.replace("@CHAPTER@", f"{part}/{name}").replace("@EXERCISE@", f"{part}/{number}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return list(targets.values())
