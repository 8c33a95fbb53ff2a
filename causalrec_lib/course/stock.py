"""What the data cache holds, as one state file a set, so that make re-runs a chapter only when its data changed."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from causalrec_lib import data
from causalrec_lib.course.records import build_dir
from causalrec_lib.data import models, transfer
from causalrec_lib.data.registry import entry

ABSENT = "absent\n"


def state(name: str) -> str:
    """Return the text of a set's state file: its hashes if it is there, else "absent".

    Parameters
    ----------
    name : str
        Name in the registry.

    Returns
    -------
    str
        Text that changes only when the files change.
    """
    if not data.present(name):
        return ABSENT
    return "".join(f"{f.sha256}  {f.path}\n" for f in entry(name).files)


def _wanted(folder: Path, everything: bool) -> list[str]:
    """Return the sets to fetch now: what is missing, but optional sets only when asked or never tried."""
    mirror = bool(os.environ.get("CAUSALREC_DATA_MIRROR"))
    wanted = []
    for name in data.names(group=None):
        if data.present(name):
            continue
        tried = (folder / f"{name}.state").is_file()
        if entry(name).kind == "package" or everything or mirror or not tried:
            wanted.append(name)
    return wanted


def refresh(everything: bool = False) -> list[data.DataError]:
    """Fetch what is missing and bring the state files up to date.

    Parameters
    ----------
    everything : bool
        Try again to fetch optional sets that could not be had before.

    Returns
    -------
    list of DataError
        One for each optional set that is not to be had.

    Raises
    ------
    DataUnavailable
        If a set that the course needs can't be fetched.
    DataCorrupt
        If a file in the cache or the local mirror is not the registered one.
    """
    folder = build_dir() / "data"
    folder.mkdir(parents=True, exist_ok=True)
    policy = transfer.Policy(dead=set())
    missed = []
    for name in _wanted(folder, everything):
        try:
            data.fetch(name, policy=policy)
        except data.DataError as err:
            if entry(name).kind == "package" or (isinstance(err, data.DataCorrupt) and not err.delivered):
                raise
            missed.append(err)
    for name in data.names(group=None):
        path, text = folder / f"{name}.state", state(name)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    return missed


def note(missed: Sequence[data.DataError]) -> str:
    """Return one short block about the optional sets that can't be had: each set, why, and how to get them.

    Parameters
    ----------
    missed : sequence of DataError
        What `refresh` returned.

    Returns
    -------
    str
        Lines for a terminal; empty if nothing was missed.
    """
    if not missed:
        return ""
    width = max(len(err.name) for err in missed)
    names = " ".join(err.name for err in missed)
    return "\n".join(
        [
            f"{len(missed)} optional data sets are not here; the sections that use them say so, all else runs:",
            *(f"  {err.name:<{width}}  {err.brief}" for err in missed),
            f"To get them: causalrec data fetch {names}",
            "or name a folder that holds them in CAUSALREC_DATA_MIRROR.",
        ]
    )


def convert() -> None:
    """Make models that came as GGUF ready for transformers now, so that no chapter spends its time on it."""
    if importlib.util.find_spec("transformers") is not None:
        for name in data.names(group="model"):
            if data.present(name):
                models.model_path(name)


def main() -> None:
    """Refresh the stock; exit 1 with the mend if a needed set is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fetch", action="store_true", help="also try optional sets again")
    args = parser.parse_args()
    try:
        block = note(refresh(args.fetch))
    except data.DataError as err:
        sys.exit(f"\nData set '{err.name}': {err.reason}\n{err.mend}\n")
    if block:
        print(block)
    convert()


if __name__ == "__main__":
    main()
