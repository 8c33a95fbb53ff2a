"""What a language model is given: texts and classes, checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from causalrec_lib import _validate


def texts(x: object, name: str, least: int = 1) -> list[str]:
    """Return texts as a list; an empty text is a text, a missing one is not."""
    if isinstance(x, str) or not isinstance(x, Sequence | np.ndarray | pd.Series | pd.Index):
        raise ValueError(f"{name} must be a list of texts, but is {_validate.shown(x)}. Wrap one text in a list.")
    found = list(x)
    wrong = np.array([not isinstance(t, str) for t in found], dtype=bool)
    if wrong.any():
        raise ValueError(
            f"{name}: {_validate.rows(wrong)} hold no text, but {_validate.shown(found[int(wrong.argmax())])}. "
            "Drop them, or fill them with ''."
        )
    if len(found) < least:
        raise ValueError(f"{name} must hold at least {least} texts, but has {len(found)}.")
    return found


def folder(x: object, name: str) -> Path:
    """Return the path of a folder, which may not be there yet."""
    return x if isinstance(x, Path) else Path(_validate.text(x, name, least=1))


def classes(y: ArrayLike, name: str, n: int, n_classes: int | None = None) -> NDArray[np.int64]:
    """Return class numbers 0, 1, ...; at least two of them must be there, and none from `n_classes` on."""
    codes = _validate.positions(y, name, np.inf if n_classes is None else n_classes, n, "texts")
    if np.unique(codes).size < 2:
        raise ValueError(f"{name} holds one class only ({int(codes[0])}); a classifier needs rows of at least two.")
    return codes
