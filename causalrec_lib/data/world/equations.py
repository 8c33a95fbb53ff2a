"""The structural equations as a table: the LaTeX twin of every function that draws something in the world."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pandas as pd

from causalrec_lib import _validate
from causalrec_lib.data.world import _equation_rows as rows
from causalrec_lib.data.world.parameters import Parameters


def _value(x: Any) -> str:
    if isinstance(x, dict):
        return "(" + ", ".join(f"{k}: {_value(v)}" for k, v in x.items()) + ")"
    if isinstance(x, tuple):
        return "(" + ", ".join(_value(v) for v in x) + ")"
    return str(x) if isinstance(x, str | pd.Timestamp) else f"{x:g}"


def _constants(module: ModuleType, names: tuple[str, ...]) -> list[str]:
    return [f"{name} = {_value(getattr(module, name))}" for name in names]


def equations(p: Parameters) -> pd.DataFrame:
    """Return the table of structural equations with the parameter values of a world.

    Parameters
    ----------
    p : Parameters
        Coefficients.

    Returns
    -------
    DataFrame
        `name`, `symbol` and `equation` (LaTeX), `parameters` (name = value; constants of the code in capitals),
        `code` (where it is).

    Raises
    ------
    ValueError
        If `p` are no Parameters.

    Notes
    -----
    Chapter: reference/world
    """
    values = _validate.instance(p, "p", Parameters, "pass world.core.parameters").as_dict()
    return pd.DataFrame(
        {
            "name": r.name,
            "symbol": r.symbol,
            "equation": r.latex,
            "parameters": ", ".join([*(f"{k} = {_value(values[k])}" for k in r.used), *_constants(r.where, r.fixed)]),
            "code": f"{r.code.__module__.removeprefix('causalrec_lib.data.')}.{r.code.__name__}",
        }
        for r in rows.ROWS
    )
