"""From the files of a set to a tidy frame: one function a set, and the tools they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

Loader = Callable[[Path, str], pd.DataFrame]
LOADERS: dict[str, Loader] = {}


def loader(name: str) -> Callable[[Loader], Loader]:
    """Register the function that reads the set `name`: it is given the folder and the name of a table.

    Parameters
    ----------
    name : str
        Name in the registry.

    Returns
    -------
    callable
        A decorator.
    """

    def register(function: Loader) -> Loader:
        LOADERS[name] = function
        return function

    return register


def tidy(
    df: pd.DataFrame,
    columns: Mapping[str, str],
    ids: Sequence[str] = (),
    labels: Sequence[str] = (),
) -> pd.DataFrame:
    """Keep and rename columns, and give ids, texts and labels their types.

    Parameters
    ----------
    df : DataFrame
        As read from the file.
    columns : Mapping[str, str]
        Old name to new name; columns not named are left out.
    ids : Sequence[str]
        New names of ids and texts, which become strings.
    labels : Sequence[str]
        New names of labels with few values, which become categories.

    Returns
    -------
    DataFrame
        All rows in their order, numbered from 0; whole numbers as int64, other numbers as float64.
    """
    missing = [c for c in columns if c not in df.columns]
    if missing:
        raise ValueError(f"df lacks the columns {', '.join(missing)}; is it another version of the file?")
    out = df[list(columns)].rename(columns=dict(columns)).reset_index(drop=True)
    types = {c: "string" for c in ids} | {c: "category" for c in labels}
    for c, t in out.dtypes.items():
        if c not in types and t.kind in "iuf":
            types[str(c)] = "float64" if t.kind == "f" else "int64"
    return out.astype(types)


def lower(df: pd.DataFrame) -> dict[str, str]:
    """Map each column to itself in lower case with underscores; an unnamed row number is left out.

    Parameters
    ----------
    df : DataFrame
        As read from the file.

    Returns
    -------
    dict of str to str
        Old name to new name.
    """
    return {
        c: c.strip().lower().replace(" ", "_").replace(".", "_").replace("-", "_")
        for c in map(str, df.columns)
        if not c.startswith("Unnamed")
    }
