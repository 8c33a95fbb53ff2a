"""Runs a chapter with papermill: one log a chapter; a failure says chapter, cell, error and log; no half output."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import re
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import jupytext
import papermill
from papermill.exceptions import PapermillExecutionError

from causalrec_lib.course import chapters, kernels
from causalrec_lib.course.chapters import Chapter
from causalrec_lib.course.records import COURSE_SEED, build_dir, digest, record_path
from causalrec_lib.course.run import versions

DEFAULT_SEED = COURSE_SEED
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class ChapterFailed(RuntimeError):
    """A chapter stopped with an error; the message names chapter, cell, error and log."""


def paths(chapter: Chapter, profile: str, build: Path) -> dict[str, Path]:
    """Return where a chapter's generated files go.

    Parameters
    ----------
    chapter : Chapter
        The chapter.
    profile : str
        "ci" or "full".
    build : pathlib.Path
        The build folder.

    Returns
    -------
    dict of str to pathlib.Path
        Keys: ipynb, executed, log, run.
    """
    return {
        "ipynb": build / "ipynb" / f"{chapter.id}.ipynb",
        "executed": build / "executed" / profile / f"{chapter.id}.ipynb",
        "log": build / "logs" / profile / f"{chapter.id}.log",
        "run": build / "runs" / profile / f"{chapter.id}.json",
    }


def run(chapter: Chapter, profile: str = "ci", seed: int = DEFAULT_SEED, build: Path | None = None) -> Path:
    """Convert, execute and time a chapter.

    Parameters
    ----------
    chapter : Chapter
        The chapter.
    profile : str
        "ci" or "full".
    seed : int
        Decides every random draw.
    build : pathlib.Path, optional
        The build folder.

    Returns
    -------
    pathlib.Path
        The executed notebook.

    Raises
    ------
    ChapterFailed
        If a cell raises.
    """
    at = paths(chapter, profile, build or build_dir())
    for path in at.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    kept = record_path(chapter.id, profile, build)
    for stale in (at["executed"], kept, kept.with_suffix(".partial.json")):
        stale.unlink(missing_ok=True)
    jupytext.write(chapter.notebook, at["ipynb"], fmt="ipynb")
    part = at["executed"].with_suffix(".part.ipynb")
    started = time.perf_counter()
    handler = logging.FileHandler(at["log"], mode="w", encoding="utf-8")
    logger = logging.getLogger("papermill")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        with (
            _kernel_environment((build or build_dir()).resolve(), digest(chapter.source)),
            kernels.own_sockets() as config,
        ):
            papermill.execute_notebook(
                at["ipynb"], part, parameters={"PROFILE": profile, "SEED": seed}, kernel_name="python3",
                progress_bar=False, log_output=True, cwd=str(chapter.source.parent),
                request_save_on_cell_execute=False, stdout_file=None, stderr_file=None, start_timeout=120,
                config=config, kernel_manager_class=kernels.manager(),
            )  # fmt: skip
    except BaseException as err:
        half = record_path(chapter.id, profile, build)  # nobody's baseline, but an author wants to see the numbers
        if half.is_file():
            half.replace(half.with_suffix(".partial.json"))
        if isinstance(err, PapermillExecutionError):
            raise ChapterFailed(_explain(chapter, err, at["log"])) from err
        raise
    finally:
        logger.removeHandler(handler)
        handler.close()
    _write_run(at["run"], chapter, profile, time.perf_counter() - started)
    part.replace(at["executed"])
    return at["executed"]


@contextlib.contextmanager
def _kernel_environment(build: Path, source: str) -> Iterator[None]:
    """Set what the kernel inherits, and put this process's environment back afterwards."""
    before = dict(os.environ)
    for name, value in {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
                        "TOKENIZERS_PARALLELISM": "false"}.items():  # fmt: skip
        os.environ.setdefault(name, value)  # as make sets them, for a chapter that is run without it
    os.environ.update(CAUSALREC_STRICT="1", CAUSALREC_QUIET="1", JUPYTER_PREFER_ENV_PATH="1")
    os.environ.update(CAUSALREC_BUILD=str(build), CAUSALREC_SOURCE=source)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _explain(chapter: Chapter, err: PapermillExecutionError, log: Path) -> str:
    told = _ANSI.sub("", "\n".join(err.traceback or []))
    with log.open("a", encoding="utf-8") as f:
        f.write("\n" + told)
    failing = re.search(r"^-+> ?(\d+) ?(.*)$", told, re.M)
    place, line = _place(chapter, err.source, 1 if failing is None else int(failing[1])), ""
    if failing is not None:
        line = f"  {failing[2].strip()}\n"
        frames = re.findall(r"^File (\S+?:\d+), in ([\w.]+)", told, re.M)
        line += f"raised in {frames[-1][1]}, {frames[-1][0]}\n" if frames else ""
    return (
        f"chapter {chapter.id} failed in cell {err.cell_index} (In [{err.exec_count}]){place}:\n"
        f"{line}{err.ename}: {_ANSI.sub('', err.evalue)}\nthe whole traceback: log: {log}"
    )


def _place(chapter: Chapter, cell: str, line: int) -> str:
    """Say where a line of a cell stands in the chapter's file; nothing if the cell can't be found."""
    source = chapter.source.read_text(encoding="utf-8")
    at = source.find(cell.strip())
    if not cell.strip() or at < 0:
        return ""
    return f", notebooks/{chapter.id}.py:{source[:at].count(chr(10)) + line}"


def _write_run(path: Path, chapter: Chapter, profile: str, seconds: float) -> None:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = used.ru_maxrss
    peak_mb = peak / (1024 if sys.platform != "darwin" else 1024**2)
    facts = {
        "chapter": chapter.id,
        "profile": profile,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        "peak_mb": round(peak_mb, 1),
        "max_seconds": chapter.meta.get("max_seconds"),
        "finished": time.strftime("%Y-%m-%d %H:%M:%S"),
        "versions": versions(),
    }
    path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Run one chapter from the command line; exit 1 with an explanation if it fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chapter")
    parser.add_argument("--profile", default="ci", choices=["ci", "full"])
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    args = parser.parse_args()
    chapter = chapters.get(args.chapter)
    started = time.perf_counter()
    try:
        run(chapter, args.profile, args.seed)
    except ChapterFailed as err:
        sys.exit(f"\n{err}\n")
    print(f"  {chapter.id}  {time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
