"""What a lab does before its first cell of content: fetch its data, and say so."""

from __future__ import annotations

from collections.abc import Iterable

from causalrec_lib import data
from causalrec_lib.data.registry import entry


def fetch(names: Iterable[str]) -> None:
    """Fetch data sets; before each download, print its name and size.

    Parameters
    ----------
    names : iterable of str
        Names in the registry. What is there already is left alone, without a word.

    Raises
    ------
    DataError
        If a set can't be had; the message says what to do.
    """
    for name in names:
        if data.present(name):
            continue
        e = entry(name)
        size = (e.archive.bytes if e.archive else e.bytes) / 1e6
        print(f"Fetching {name} ({max(size, 0.1):.1f} MB): {e.title} ...")
        data.fetch(name)
