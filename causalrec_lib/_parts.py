"""Checks of what an estimate is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalrec_lib import _validate
from causalrec_lib._design import ESTIMANDS, Design

if TYPE_CHECKING:
    from causalrec_lib.estimate import Estimate, Rules


def check_rules(rules: Rules) -> None:
    """Refuse thresholds that no data could keep, or that are no numbers."""
    _validate.number(rules.min_ess, "min_ess", low=0)
    _validate.number(rules.max_row_share, "max_row_share", above=0, high=1)
    _validate.number(rules.max_smd, "max_smd", low=0, endless=True)
    _validate.number(rules.min_ess_share, "min_ess_share", low=0, high=1)
    _validate.number(rules.min_clusters, "min_clusters", low=0)
    _validate.number(rules.max_z, "max_z", low=0, above=0, endless=True)


def check_estimate(found: Estimate) -> None:
    """Refuse what is no number, no interval, no table or no text."""
    _validate.number(found.value, "value")
    _validate.number(found.se, "se", low=0, missing=True)
    _validate.one_of(found.estimand, "estimand", tuple(ESTIMANDS))
    _validate.text(found.method, "method", least=1)
    _validate.integer(found.n, "n", low=1)
    _validate.number(found.level, "level", above=0, below=1)
    for name in ("assumptions", "flags", "checks", "notes"):
        _validate.texts(getattr(found, name), name)
    for name in ("unit", "population", "e_source"):
        _validate.text(getattr(found, name), name)
    _check_sets(found)
    _check_diagnostics(found)
    _check_rows(found)


def _check_sets(found: Estimate) -> None:
    if found.interval is not None:
        _validate.interval(found.interval, "interval")
    if found.segments is None:
        return
    if not isinstance(found.segments, tuple | list):
        shown = _validate.shown(found.segments)
        raise ValueError(f"segments must be pairs (low, high), but is {shown}; pass ((0.0, 1.0), (2.0, 3.0)).")
    for piece in found.segments:
        if not isinstance(piece, tuple | list) or len(piece) != 2:
            raise ValueError(f"segments must be pairs (low, high), but one is {_validate.shown(piece)}.")
        low, high = (_validate.number(end, "each end of segments", endless=True) for end in piece)
        if not low <= high:
            raise ValueError(f"segments must be pairs (low, high) with low <= high, but are {found.segments}.")
    if found.interval is not None:
        raise ValueError("segments and interval are both given; pass segments only, interval is their hull.")


def _check_diagnostics(found: Estimate) -> None:
    if found.ess is not None:
        _validate.number(found.ess, "ess", low=0)
    for end in () if found.overlap is None else ("min", "max"):
        _validate.number(_validate.mapping(found.overlap, "overlap").get(end), f"overlap[{end!r}]", 0, 1)
    if found.balance is not None:
        _validate.frame(found.balance, "balance", ("before",))
    if found.converged is not None:
        _validate.flag(found.converged, "converged")
    if found.arms is not None:
        for name, mean in _validate.mapping(found.arms, "arms").items():
            _validate.number(mean, f"arms[{name!r}]")


def _check_rows(found: Estimate) -> None:
    if found.n_clusters is not None:
        _validate.integer(found.n_clusters, "n_clusters", low=1)
    if found.influence is not None:
        _validate.vector(found.influence, "influence")
    if found.clusters is not None:
        rows = None if found.influence is None else len(found.influence)
        _validate.positions(found.clusters, "clusters", n=rows, like="influence")
    if found.design is not None:
        _validate.instance(found.design, "design", Design, "pass Design(weights, residual)")
