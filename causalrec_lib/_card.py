"""The report card of an estimate, as rows, as text and as a table of the page."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from causalrec_lib.estimate import Estimate


def rows(e: Estimate) -> dict[str, str]:
    """Return printable values by diagnostic name."""
    unit = f" {e.unit}" if e.unit else ""
    card = {
        "estimand": f"{e.estimand} {e.population}".rstrip(),
        "method": e.method,
        "estimate": f"{e.value:.4g}{unit}",
        f"{e.level:.0%} interval": _interval(e),
        "standard error": f"{e.se:.3g}",
        "rows": f"{e.n:,}" if e.n_clusters is None else f"{e.n:,} in {e.n_clusters:,} clusters",
    }
    if e.ess is not None:
        card["effective sample size"] = f"{e.ess:,.1f}"
    if e.overlap is not None:
        source = f" ({e.e_source})" if e.e_source else ""
        card["propensity"] = f"{e.overlap['min']:.3g} to {e.overlap['max']:.3g}{source}"
    if e.balance is not None:
        worst = e.balance.abs().max()
        after = f", {worst['after']:.3f} after" if "after" in worst else ""
        card["largest imbalance (SMD)"] = f"{worst['before']:.3f} before{after}"
    if e.converged is not None:
        card["models converged"] = "yes" if e.converged else "NO"
    if e.assumptions:
        card["assumes"] = "; ".join(e.assumptions)
    if e.notes:
        card["note"] = "; ".join(e.notes)
    card["verdict"] = e.verdict
    return card


def _interval(e: Estimate) -> str:
    if e.segments is None:
        return f"{e.low:.4g} to {e.high:.4g}"
    return " or ".join(f"{low:.4g} to {high:.4g}" for low, high in e.segments) or "empty"


def text(card: pd.Series) -> str:
    """Return the card as aligned lines."""
    width = max(map(len, card.index))
    return "\n".join(f"{k:<{width}}  {v}" for k, v in card.items())


def page(card: pd.Series, kind: str) -> str:
    """Return the card as an HTML table of class `kind`, with everything escaped."""
    body = "".join(
        f'<tr><th scope="row">{html.escape(str(k))}</th><td>{html.escape(str(v))}</td></tr>' for k, v in card.items()
    )
    return f'<table class="{kind}"><tbody>{body}</tbody></table>'
