"""Data sets and models of the course: fetched once, checked, and then read offline."""

from __future__ import annotations

import html
import importlib
from typing import Any

import pandas as pd

from causalrec_lib import _validate
from causalrec_lib.data import cache as _cache
from causalrec_lib.data import loaders_behaviour, loaders_causal  # noqa: F401 - they register their loaders
from causalrec_lib.data import registry as _registry
from causalrec_lib.data.cache import cache_dir
from causalrec_lib.data.errors import DataCorrupt, DataError, DataUnavailable
from causalrec_lib.data.fetch import fetch, remove, verify
from causalrec_lib.data.loaders import LOADERS
from causalrec_lib.data.models import model_path
from causalrec_lib.data.registry import Card, card, names

__all__ = [
    "Card",
    "DataCorrupt",
    "DataError",
    "DataUnavailable",
    "cache_dir",
    "card",
    "fetch",
    "load",
    "load_optional",
    "model_path",
    "names",
    "present",
    "remove",
    "status",
    "tables",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Import the world when it is first asked for: it is large, and the loaders don't need it."""
    if name == "world":
        return importlib.import_module("causalrec_lib.data.world")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def tables(name: str) -> list[str]:
    """Return the tables of a set; the first is the one that `load` gives by default.

    Parameters
    ----------
    name : str
        A name of the registry.

    Returns
    -------
    list of str
        Names of tables.
    """
    return list(_registry.entry(name).rows)


def present(name: str) -> bool:
    """Say whether all files of a set are in the cache with their registered sizes; reads no content.

    Parameters
    ----------
    name : str
        A name of the registry, see `names()`.

    Returns
    -------
    bool
        True if the set can be read without a network.

    Raises
    ------
    ValueError
        If there is no such set.

    Notes
    -----
    Chapter: concepts/02_behaviour_data
    """
    entry = _registry.entry(name)
    return _cache.present(cache_dir() / entry.name, entry)


def load(name: str, table: str | None = None) -> pd.DataFrame:
    """Return a data set as a tidy frame, fetching it first where it is not in the cache.

    Parameters
    ----------
    name : str
        A name of the registry, see `names()`.
    table : str, optional
        One of `tables(name)`; the first by default.

    Returns
    -------
    DataFrame
        All rows of the table; columns and units as `card(name)` says. `df.attrs["card"]` is the name of the set.

    Raises
    ------
    ValueError
        If there is no such set or table.
    DataUnavailable
        If the set is not in the cache and can't be fetched.
    DataCorrupt
        If a file is not the registered one.

    Notes
    -----
    Chapter: concepts/02_behaviour_data
    """
    entry = _registry.entry(name)
    if name not in LOADERS:
        raise ValueError(f"name: '{name}' is no table but a {entry.group}; use data.fetch('{name}').")
    chosen = _validate.one_of(tables(name)[0] if table is None else table, "table", tables(name))
    df = LOADERS[name](fetch(name), chosen)
    df.attrs["card"] = name
    return df


def _show_note(err: DataError) -> None:
    """Show a boxed note: in a notebook as HTML, elsewhere as text."""
    command = f"causalrec data fetch {err.name}"
    title = f"This section needs the data set '{err.name}', which is not here"
    try:
        from IPython import get_ipython
        from IPython.display import HTML, display
    except ImportError:
        kernel = False
    else:
        kernel = get_ipython() is not None and hasattr(get_ipython(), "kernel")
    if kernel:
        display(
            HTML(
                '<div class="causalrec-note" role="note" style="border: 1px solid currentColor; '
                'border-left-width: 6px; padding: 0.6em 1em; margin: 1em 0;">'
                f"<strong>{html.escape(title)}.</strong><br>{html.escape(err.reason)}<br>"
                f"To get it, run <code>{html.escape(command)}</code>, then run this page again.</div>"
            )
        )
        return
    rule = "+" + "-" * 78
    print(f"{rule}\n| {title}.\n| {err.reason}\n| To get it, run: {command}\n{rule}")


def load_optional(name: str, table: str | None = None) -> pd.DataFrame | None:
    """Return a data set, or None after a visible note when it can't be had.

    Parameters
    ----------
    name : str
        A name of the registry.
    table : str, optional
        One of `tables(name)`; the first by default.

    Returns
    -------
    DataFrame or None
        None when the set can't be fetched; the reader then sees which set, why, and the command to fetch it.

    Raises
    ------
    ValueError
        If there is no such set or table.
    DataCorrupt
        If a file in the cache or the local mirror is not the registered one: that is never passed over.
    """
    try:
        return load(name, table)
    except DataError as err:
        if isinstance(err, DataCorrupt) and not err.delivered:
            raise
        _show_note(err)
        return None


def status(group: str | None = "data") -> pd.DataFrame:
    """Say which sets are in the cache; uses no network and reads no content.

    Parameters
    ----------
    group : str, optional
        `data` (the default), `model` or `asset`; None for all.

    Returns
    -------
    DataFrame
        Columns name, kind, present (all files there with their sizes), bytes (size of the files), licence, title.
    """
    rows = []
    for name in names(group=group):
        e = _registry.entry(name)
        facts = {"bytes": e.bytes, "licence": e.licence, "title": e.title}
        rows.append({"name": name, "kind": e.kind, "present": present(name), **facts})
    return pd.DataFrame(rows, columns=["name", "kind", "present", "bytes", "licence", "title"])
