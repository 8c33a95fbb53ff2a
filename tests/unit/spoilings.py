"""Ways to spoil an argument, by what it should be: strategies that draw a value which the function must refuse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy


class Bad:
    """A value that must be refused, and what is wrong with it."""

    def __init__(self, what: str, value: Any) -> None:
        self.what, self.value = what, value

    def __repr__(self) -> str:
        return self.what


@dataclass(frozen=True)
class Given:
    """A valid value of an argument, and the strategy that spoils it; without one nothing is wrong for it."""

    value: Any
    spoilt: SearchStrategy[Bad] | None


@dataclass(frozen=True)
class Unlike:
    """Stands for a value of a wrong type; shows itself briefly."""

    what: str


def listed(bad: dict[str, Any]) -> SearchStrategy[Bad]:
    return st.sampled_from([Bad(what, value) for what, value in bad.items()])


def entries(value: np.ndarray, bad: Iterable[Any]) -> SearchStrategy[Bad]:
    """Draw a copy of `value` with one entry changed to a bad one."""

    def change(entry: Any, place: int) -> Bad:
        spoilt = np.array(value, dtype=type(entry) if isinstance(entry, complex) else float)
        spoilt.flat[place] = entry
        return Bad(f"{entry} at place {place}", spoilt)

    last = np.size(value) - 1
    return st.builds(change, st.sampled_from(list(bad)), st.sampled_from(sorted({0, last // 2, last})))


def arrays(value: np.ndarray, *, optional: bool, partner: bool) -> dict[str, Any]:
    """What no array of numbers may be; `partner`: another argument must have as many rows."""
    n = len(value)
    return {
        "a text": "a",
        "a mapping": {"a": 1.0},
        "empty": value[:0],
        "texts": value.astype(str),
        "complex": value + 1j,
        "days": np.zeros(value.shape, dtype="M8[D]"),
        "a missing object": np.concatenate([np.full_like(value[:1], None, dtype=object), value[1:]]),
        "rows of unequal length": [[1.0]] * (n - 1) + [[1.0, 2.0]],
        "three dimensions": np.zeros((n, 2, 2)),
        **({} if optional else {"None": None}),
        **({"a row short": value[:-1], "doubled": np.concatenate([value, value])} if partner else {}),
    }


def vector(value, *, optional=False, partner=True, bad=(), **more) -> Given:
    """A finite vector; `bad` entries and `more` values are refused too."""
    value = np.asarray(value, dtype=float)
    alike = arrays(value, optional=optional, partner=partner) | {"two columns": np.c_[value, value], "a number": 3.0}
    return Given(value, entries(value, (np.nan, np.inf, -np.inf, *bad)) | listed(alike | more))


def binary(value, **how) -> Given:
    """Zeros and ones, both of them."""
    n = len(value)
    return vector(value, bad=(0.5, 2.0, -1.0), **{"all zero": np.zeros(n), "all one": np.ones(n)}, **how)


def propensities(value, **how) -> Given:
    """Probabilities strictly inside (0, 1)."""
    return vector(value, bad=(0.0, 1.0, -0.1, 1.2), **how)


def weights(value, **how) -> Given:
    """Zero or more, and not zero throughout."""
    return vector(value, bad=(-1.0, -1e-9), **{"all zero": np.zeros(len(value))}, **how)


def table(value, *, optional=False, partner=True, design=False) -> Given:
    """A finite table; `design`: columns that add nothing are refused too."""
    value = np.asarray(value, dtype=float)
    frame = pd.DataFrame(value).rename(columns="x{}".format)
    bad = arrays(value, optional=optional, partner=partner) | {
        "no columns": value[:, :0],
        "a column of texts": frame.assign(x0="a"),
        "a missing object in a frame": frame.astype(object).replace(value[0, 0], None),
        "a scalar": 3.0,
    }
    if design:
        bad |= {
            "a constant column": np.c_[value, np.ones(len(value))],
            "a column twice": np.c_[value, value[:, 0]],
            "a sum of columns": np.c_[value, value.sum(axis=1)],
            "a name twice": frame.set_axis(["y"] * value.shape[1], axis=1),
        }
    return Given(value, entries(value, (np.nan, np.inf, -np.inf)) | listed(bad))


def labels(value, *, optional=True, several=False, **more) -> Given:
    """One label a row; with `several`, a table of labels is one too."""
    n = len(value)
    bad = {
        "a text": "a",
        "a number": 3,
        "empty": value[:0],
        "a row short": value[:-1],
        "a missing label": [None, *value[1:]],
        "NaN": [np.nan, *np.ones(n - 1)],
        "lists": [[1]] * (n - 1) + [[1, 2]],
        "mappings": [{}] * n,
        "three dimensions": np.zeros((n, 2, 2)),
        **({} if optional else {"None": None}),
        **({} if several else {"two columns": np.c_[value, value]}),
    }
    return Given(value, listed(bad | more))


def number(value, *bad: float, optional=False, missing=False, finite=True) -> Given:
    """A finite number; `bad` are outside of its range."""
    wrong = {repr(b): b for b in bad} | {
        "a text": "a",
        "a digit as text": "1",
        "a truth value": True,
        "a list": [value],
        "two numbers": np.array([0.5, 0.6]),
        "complex": 0.5 + 1j,
        **({} if missing else {"NaN": float("nan")}),
        **({"inf": float("inf"), "-inf": -float("inf")} if finite else {}),
        **({} if optional else {"None": None}),
    }
    return Given(value, listed(wrong))


def whole(value, *bad: int, **how) -> Given:
    """A whole number; `bad` are outside of its range."""
    return Given(value, number(value, *bad, **how).spoilt | listed({"a fraction": 1.5, "a whole float": 2.0}))


def flag(value=True, *, optional=False) -> Given:
    """True or False."""
    bad = {"a text": "no", "one": 1, "zero": 0, "NaN": float("nan"), "two": np.array([True, False])}
    return Given(value, listed(bad | ({} if optional else {"None": None})))


def words(value="units", *, empty=True, short=False) -> Given:
    """A text; not `empty`: at least a letter; `short`: a few letters are refused too."""
    bad = {"a number": 3, "None": None, "a list": ["a"], "bytes": b"a", "NaN": float("nan")}
    bad |= {} if empty else {"nothing": "", "blanks": "  "}
    return Given(value, listed(bad | ({"few letters": "a plot"} if short else {})))


def texts(value=("a", "b"), *, single=False, **more) -> Given:
    """A sequence of texts; `single`: one text stands for itself."""
    bad = {"a number": 3, "None": None, "numbers": (1, 2), "a mixed list": ["a", None], "bytes": b"a"}
    return Given(value, listed(bad | ({} if single else {"a single text": "a"}) | more))


def reasons(value) -> Given:
    """Texts that are passed one by one."""
    return Given(value, listed({"a number": (3,), "nothing": (None,), "one of two": ("a", 1.0), "a list": (["a"],)}))


def option(value, *, optional=False, **more) -> Given:
    """One of a few words."""
    bad = {
        "another word": "nonsense",
        "other case": str(value).swapcase(),
        "a number": 3,
        "a list": [value],
        "an array": np.array([1.0, 2.0]),
        "NaN": float("nan"),
        "empty": "",
    }
    return Given(value, listed(bad | ({} if optional else {"None": None}) | more))


def thing(value, *, optional=False, **more) -> Given:
    """An object of one type; `more` are of that type and still wrong."""
    bad = {"a text": "a", "a number": 3.0, "a list": [1.0], "something else": Unlike("x")}
    bad |= {} if isinstance(value, dict) else {"a mapping": {"a": 1.0}}
    return Given(value, listed(bad | ({} if optional else {"None": None}) | more))


def anything(value) -> Given:
    """An argument for which no value is wrong."""
    return Given(value, None)
