"""Broken twins of the instruments: each, broken on purpose, must fail the battery that the true one passes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from causalrec_lib.estimate import difference_in_means
from tests.regression.twins import first_failure
from tests.truth import instruments_world as world
from tests.truth.instruments_world import Tools

RUNS = 120
BATTERY = {
    "two_stage_least_squares": world.two_stage_battery,
    "anderson_rubin": world.anderson_rubin_battery,
    "complier_means": world.complier_battery,
}
TRUE = Tools()


def columns(y, X):
    return np.ones((len(y), 1)) if X is None else np.column_stack([np.ones(len(y)), X])


def out(a, W):
    return a - W @ np.linalg.lstsq(W, a, rcond=None)[0]


def naive_error(y, t, z, X=None, **k):
    found = TRUE.two_stage_least_squares(y, t, z, X, **k)
    W = columns(y, X)
    first = np.column_stack([z, W])
    second = np.column_stack([first @ np.linalg.lstsq(first, t, rcond=None)[0], W])
    residual = out(y, second)
    bread = np.linalg.inv(second.T @ second)
    return replace(found, se=float(np.sqrt(bread[0, 0] * residual @ residual / len(y))))


def one_stage_only(keep):
    """Return two stages that forget X in one of them."""

    def broken(y, t, z, X=None, **k):
        found = TRUE.two_stage_least_squares(y, t, z, X, **k)
        W, none = columns(y, X), np.ones((len(y), 1))
        first = np.column_stack([z, W if keep == "first" else none])
        second = np.column_stack([first @ np.linalg.lstsq(first, t, rcond=None)[0], W if keep == "second" else none])
        return replace(found, value=float(np.linalg.lstsq(second, y, rcond=None)[0][0]))

    return broken


def reduced_form(y, t, z, X=None, **k):
    found = TRUE.two_stage_least_squares(y, t, z, X, **k)
    size = found.first_stage.slope[0]
    return replace(found, value=float(found.value * size), se=float(found.se * size))


def least_squares(y, t, z, X=None, **k):
    found = TRUE.two_stage_least_squares(y, t, z, X, **k)
    W = np.column_stack([t, columns(y, X)])
    return replace(found, value=float(np.linalg.lstsq(W, y, rcond=None)[0][0]))


def shown_against_others(y, t, z, X=None, clusters=None, refuse="raise"):
    found = TRUE.two_stage_least_squares(y, t, z, X, clusters=clusters, refuse=refuse)
    if set(np.unique(t)) != {0, 1}:
        return found
    naive = difference_in_means(y, t, clusters)
    return replace(found, value=naive.value, se=naive.se)


def always_an_interval(y, t, z, X=None, **k):
    two = TRUE.two_stage_least_squares(y, t, z, X, refuse="flag", **k)
    return replace(TRUE.anderson_rubin(y, t, z, X, **k), segments=((two.low, two.high),))


def inside_out(y, t, z, X=None, **k):
    found = TRUE.anderson_rubin(y, t, z, X, **k)
    if found.shape != "two half lines":
        return found
    (_, low), (high, _) = found.pieces
    return replace(found, segments=((low, high),))


def table_with(change):
    """Return complier means whose table is changed."""

    def broken(x, t, z, **k):
        found = TRUE.complier_means(x, t, z, **k)
        return change(found.copy(), np.asarray(x, float), t, z)

    return broken


def put(row, column, value):
    def change(table, x, t, z):
        table.loc[row, column] = value(table, x, t, z)
        return table

    return change


TWINS = {
    "second stage by hand, with its own error": ("two_stage_least_squares", naive_error),
    "instrument and treatment swapped": (
        "two_stage_least_squares",
        lambda y, t, z, *a, **k: TRUE.two_stage_least_squares(y, z, t, *a, **k),
    ),
    "reduced form reported as the effect": ("two_stage_least_squares", reduced_form),
    "covariates in the first stage only": ("two_stage_least_squares", one_stage_only("first")),
    "covariates in the second stage only": ("two_stage_least_squares", one_stage_only("second")),
    "least squares, no instrument": ("two_stage_least_squares", least_squares),
    "shown against others": ("two_stage_least_squares", shown_against_others),
    "clusters ignored": (
        "two_stage_least_squares",
        lambda *a, clusters=None, **k: TRUE.two_stage_least_squares(*a, **k),
    ),
    "weak instruments let through": (
        "two_stage_least_squares",
        lambda *a, **k: TRUE.two_stage_least_squares(*a, **{**k, "min_f": 0.0}),
    ),
    "a set that is always an interval": ("anderson_rubin", always_an_interval),
    "two half lines turned inside out, hence what lies between": ("anderson_rubin", inside_out),
    "set, instrument and treatment swapped": (
        "anderson_rubin",
        lambda y, t, z, *a, **k: TRUE.anderson_rubin(y, z, t, *a, **k),
    ),
    "set, clusters ignored": ("anderson_rubin", lambda *a, clusters=None, **k: TRUE.anderson_rubin(*a, **k)),
    "set, covariates ignored": (
        "anderson_rubin",
        lambda y, t, z, X=None, **k: TRUE.anderson_rubin(y, t, z, **k),
    ),
    "set, level of 85 per cent": ("anderson_rubin", lambda *a, **k: TRUE.anderson_rubin(*a, level=0.85, **k)),
    "rows that follow their draw taken for compliers": (
        "complier_means",
        table_with(put("x0", "compliers", lambda table, x, t, z: x[t == z].mean())),
    ),
    "mean not divided by the share": (
        "complier_means",
        table_with(
            put("x0", "compliers", lambda table, x, t, z: table.loc["x0", "compliers"] * table.loc["share"].iloc[1])
        ),
    ),
    "mean of all": ("complier_means", table_with(put("x0", "compliers", lambda table, x, t, z: x.mean()))),
    "share of the treated": (
        "complier_means",
        table_with(put("share", "compliers", lambda table, x, t, z: t.mean())),
    ),
    "errors of a plain mean": (
        "complier_means",
        table_with(put("x0", "se", lambda table, x, t, z: x.std() / np.sqrt(len(x)))),
    ),
    "compliers, clusters ignored": (
        "complier_means",
        lambda x, t, z, clusters=None: TRUE.complier_means(x, t, z),
    ),
}


@pytest.mark.parametrize("battery", BATTERY)
def test_the_true_function_passes(battery):
    assert first_failure(BATTERY[battery](TRUE, RUNS)) is None


@pytest.mark.parametrize("name", TWINS)
def test_a_broken_twin_fails(name):
    tool, broken = TWINS[name]
    failed = first_failure(BATTERY[tool](replace(TRUE, **{tool: broken}), RUNS))
    assert failed is not None, f"the battery does not see {name!r}"
