"""The causal graph of the world, and which columns to adjust for, question by question."""

from __future__ import annotations

import networkx as nx

from causalrec_lib import _validate

_NODES = {
    # name: (label, observed, role, x, y)
    "segment": ("segment,\nage", True, "covariate", 0.0, 3.52),
    "activity": ("activity L", True, "confounder", 1.04, 1.2),
    "taste": ("hidden\ntaste", False, "hidden", 0.0, 0.64),
    "score": ("score S", True, "confounder", 1.04, 3.12),
    "hidden": ("hidden\naffinity H", False, "hidden", 1.04, 0.16),
    "annoyed": ("annoyed v", False, "modifier", 3.64, 3.6),
    "marketing": ("marketing\nZ", True, "instrument", 2.81, 2.48),
    "exposed": ("exposed T", True, "treatment", 2.29, 1.76),
    "consumed": ("consumed Y", True, "outcome", 3.64, 1.2),
    "quality": ("hidden\nquality q", False, "hidden", 0.0, -0.56),
    "ad_spend": ("past ad\nspend m", True, "covariate", 0.0, -1.76),
    "popularity": ("popularity\nP", True, "confounder", 1.04, -1.52),
    "text": ("review text", True, "proxy", 1.04, -0.44),
    "price": ("price C", True, "covariate", 2.29, -0.96),
    "stars": ("stars R", False, "outcome", 4.78, 2.56),
    "rated": ("rated? O", True, "selection", 4.78, 1.2),
    "friends": ("friends\nshown F", True, "interference", 4.47, 3.6),
}
_EDGES = (
    ("segment", "score"), ("segment", "annoyed"), ("score", "exposed"), ("score", "consumed"),
    ("activity", "exposed"), ("activity", "consumed"), ("taste", "hidden"), ("quality", "hidden"),
    ("hidden", "consumed"), ("annoyed", "consumed"), ("marketing", "exposed"), ("exposed", "consumed"),
    ("quality", "popularity"), ("quality", "text"), ("quality", "price"), ("ad_spend", "popularity"),
    ("popularity", "exposed"), ("popularity", "consumed"), ("price", "consumed"), ("score", "stars"),
    ("hidden", "stars"), ("stars", "rated"), ("consumed", "rated"),
)  # fmt: skip

BY_PROPENSITY = "weight by the logged propensity"

ADJUSTMENT: dict[str, tuple[str, ...] | str | None] = {
    "exposure": ("log_popularity", "score", "log_activity"),
    "exposure_by_coin": ("log_popularity", "score", "log_activity", "marketing"),
    "position": ("user", "item"),
    "text_treatment": (),
    "text_treatment_confounded": None,
    "mediation": ("promise", "score"),
    "ratings": None,
    "ab_test": (),
    "bandit": BY_PROPENSITY,
    "instrument": (),
    "weeks": ("log_popularity", "score", "log_activity"),
}


def _kind(a: str, b: str, drivers: set[str]) -> str:
    if (a, b) == ("exposed", "consumed"):
        return "effect"
    if b == "rated":
        return "selection"
    return "bias" if b == "exposed" and a in drivers else "cause"


def dag(confounding: str, interference: float) -> nx.DiGraph:
    """Return the graph of the world under its switches.

    Parameters
    ----------
    confounding : {"none", "observed", "hidden"}
        The switch of the world.
    interference : float
        Strength of interference; above 0 the friends are a node.

    Returns
    -------
    networkx.DiGraph
        Nodes carry `label`, `observed`, `role` and `pos`. Edges carry `kind`: "effect" (exposure on consumption),
        "bias" (what drives exposure), "selection" (which stars are seen) or "cause".

    Notes
    -----
    Chapter: reference/world
    """
    g = nx.DiGraph()
    for name, (label, observed, role, x, y) in _NODES.items():
        if name != "friends" or interference > 0:
            g.add_node(name, label=label, observed=observed, role=role, pos=(x, y))
    drivers = {"score", "activity", "popularity"} if confounding != "none" else set()
    for a, b in _EDGES:
        if b == "exposed" and a != "marketing" and a not in drivers:
            continue
        g.add_edge(a, b, kind=_kind(a, b, drivers))
    if confounding == "hidden":
        g.add_edge("hidden", "exposed", kind="bias")
        g.add_edge("quality", "exposed", kind="bias", rad=-0.07)
    if interference > 0:
        g.add_edge("friends", "consumed", kind="cause")
    return g


def adjustment_set(question: str, confounding: str) -> tuple[str, ...] | str | None:
    """Return the columns to adjust for, or None where no set of observed columns suffices.

    Parameters
    ----------
    question : str
        "exposure", "exposure_by_coin" (given the marketing coin), "weeks", "instrument", "position", "bandit",
        "ab_test", "text_treatment" (promises by coin), "text_treatment_confounded" (hidden quality decides, its text
        is a proxy), "mediation" (between expectation and satisfaction), "ratings" (the stars themselves decide).
    confounding : {"none", "observed", "hidden"}
        The switch of the world.

    Returns
    -------
    tuple of str or None
        Column names of the log; the empty tuple where a plain difference is right.
    """
    _validate.one_of(question, "question", tuple(ADJUSTMENT))
    if question in ("exposure", "exposure_by_coin", "weeks"):
        if confounding == "none":
            return ()
        if confounding == "hidden":
            return None
    return ADJUSTMENT[question]
