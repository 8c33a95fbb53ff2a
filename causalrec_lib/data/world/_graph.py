"""The causal graph of the simulator, question by question, and which columns to adjust for.

`tests/unit/test_world_graph.py` intervenes on the simulator, node by node, and holds these arrows to what moves.
"""

from __future__ import annotations

import networkx as nx

from causalrec_lib import _validate

_NODES = {
    # name: (label, observed, role, x, y)
    "segment": ("segment,\nage", True, "covariate", 0.0, 3.52),
    "activity": ("activity L", True, "confounder", 1.2, -0.6),
    "taste": ("hidden\ntaste", False, "hidden", 0.0, -0.3),
    "community": ("community", True, "proxy", -1.05, -0.3),
    "score": ("score S", True, "confounder", 1.04, 3.12),
    "hidden": ("hidden\naffinity H", False, "hidden", 1.04, 0.5),
    "annoyed": ("annoyed v", False, "modifier", 3.64, 3.6),
    "marketing": ("marketing\nZ", True, "instrument", 2.81, 2.48),
    "exposed": ("exposed T", True, "treatment", 2.29, 1.76),
    "consumed": ("consumed Y", True, "outcome", 3.64, 1.2),
    "department": ("department", True, "covariate", -1.05, 1.2),
    "quality": ("hidden\nquality q", False, "hidden", 0.0, 0.9),
    "ad_spend": ("past ad\nspend m", True, "covariate", 0.0, -1.76),
    "popularity": ("popularity\nP", True, "confounder", 1.6, -1.6),
    "text": ("review text", True, "proxy", 0.0, 2.2),
    "price": ("price C", True, "covariate", 2.9, -1.5),
    "stars": ("stars R", False, "outcome", 4.78, 2.56),
    "rated": ("rated? O", True, "selection", 4.78, 1.2),
    "friends": ("friends\nshown F", True, "interference", 4.47, 3.6),
}
_MORE = {
    # name: (label, observed, role); placed by order of cause
    "seen": ("platform's model\nof the user", False, "hidden"),
    "week": ("week", True, "covariate"),
    "sponsored": ("sponsored", True, "confounder"),
    "shuffled": ("shuffled?", True, "instrument"),
    "position": ("position k", True, "treatment"),
    "shown": ("item shown", True, "treatment"),
    "clicked": ("clicked", True, "outcome"),
    "reward": ("reward", True, "outcome"),
    "promise": ("promise a", True, "treatment"),
    "number": ("number b", True, "treatment"),
    "blurb": ("blurb", True, "proxy"),
    "expectation": ("expectation\nM", True, "mediator"),
    "satisfaction": ("satisfaction\nV", True, "outcome"),
    "reaction": ("reaction", True, "outcome"),
    "type": ("complier?", False, "hidden"),
    "assigned": ("assigned", True, "instrument"),
    "received": ("received", True, "treatment"),
    "period": ("period", True, "covariate"),
    "before": ("pre-period", True, "covariate"),
}

_Edges = tuple[tuple[str, str], ...]

# A listing is dealt from a product: department, quality and words come together, so these three arrows say
# "goes with"; every other arrow is an argument of a function of the simulator.
DEALT: _Edges = (("department", "quality"), ("department", "text"), ("quality", "text"))
_ITEMS: _Edges = (
    *DEALT, ("department", "price"), ("quality", "price"), ("quality", "popularity"), ("ad_spend", "popularity"),
)  # fmt: skip
_PAIRS: _Edges = (
    ("segment", "score"), ("segment", "annoyed"), ("department", "score"), ("text", "score"),
    ("text", "hidden"), ("taste", "hidden"), ("quality", "hidden"), ("taste", "community"),
)  # fmt: skip
_CAUSES = ("score", "hidden", "popularity", "activity", "price", "annoyed")
_SERVED = ("score", "popularity", "sponsored", "seen", "segment")


def _into(target: str, *causes: str) -> _Edges:
    return tuple((a, target) for a in causes)


_WORLD: _Edges = (*_ITEMS, *_PAIRS)
_USER: _Edges = (("segment", "seen"), ("seen", "score"))
_GRAPHS: dict[str, _Edges] = {
    "exposure": (
        *_WORLD, *_into("exposed", "score", "popularity", "activity", "marketing"), *_into("consumed", *_CAUSES),
        ("exposed", "consumed"), *_into("stars", "score", "hidden"), *_into("rated", "stars", "consumed"),
    ),
    "weeks": (
        *_WORLD, *_into("exposed", "score", "popularity", "activity"), *_into("consumed", *_CAUSES),
        ("exposed", "consumed"), ("week", "hidden"),
    ),
    "position": (
        *_WORLD, *_USER, *_into("position", *_SERVED, "shuffled"), *_into("clicked", *_CAUSES, "position"),
    ),
    "bandit": (*_WORLD, *_USER, *_into("shown", *_SERVED), *_into("reward", *_CAUSES, "shown")),
    "text_treatment": (
        *_WORLD, *_into("clicked", *_CAUSES, "promise", "number"), *_into("blurb", "promise", "number"),
    ),
    "mediation": (
        *_WORLD, *_into("expectation", "promise", "score"), *_into("stars", "satisfaction"),
        *_into("satisfaction", "promise", "expectation", "score", "hidden"), ("stars", "reaction"),
    ),
    "ab_test": (
        *_WORLD, *_into("received", "assigned", "type"), ("activity", "type"),
        *_into("consumed", *_CAUSES, "received", "period"), *_into("before", *_CAUSES),
    ),
}  # fmt: skip
_SAME = {
    "exposure_by_coin": "exposure", "instrument": "exposure", "ratings": "exposure", "slate": "position",
    "text_treatment_confounded": "text_treatment",
}  # fmt: skip
QUESTIONS = (*_GRAPHS, *_SAME)

BY_PROPENSITY = "weight by the logged propensity"

ADJUSTMENT: dict[str, tuple[str, ...] | str | None] = {
    "exposure": ("log_popularity", "score", "log_activity"),
    "exposure_by_coin": ("log_popularity", "score", "log_activity", "marketing"),
    "weeks": ("log_popularity", "score", "log_activity"),
    "instrument": (),
    "position": ("user", "item"),
    "bandit": BY_PROPENSITY,
    "slate": BY_PROPENSITY,
    "ab_test": (),
    "text_treatment": (),
    "text_treatment_confounded": None,
    "mediation": ("promise", "score"),
    "ratings": None,
}
_EFFECTS = {
    ("exposed", "consumed"), ("position", "clicked"), ("shown", "reward"), ("promise", "clicked"),
    ("number", "clicked"), ("promise", "satisfaction"), ("received", "consumed"),
}  # fmt: skip
_TREATMENTS = {"exposed", "position", "shown"}


def _kind(a: str, b: str) -> str:
    if (a, b) in _EFFECTS:
        return "effect"
    if b == "rated":
        return "selection"
    chosen = b in _TREATMENTS and a not in ("marketing", "shuffled")
    return "bias" if chosen or (b == "promise" and a in ("quality", "price")) else "cause"


def _edges(question: str, confounding: str, interference: float) -> list[tuple[str, str]]:
    """Return the arrows of a question under the switches of the world."""
    edges = list(_GRAPHS[_SAME.get(question, question)])
    if confounding == "none":
        edges = [(a, b) for a, b in edges if b != "exposed" or a == "marketing"]
    if question == "text_treatment_confounded":
        edges += _into("promise", "quality", "price")
    if ("exposed", "consumed") not in edges:
        return edges
    drivers = {"text": ("text",), "hidden": ("hidden", "quality")}.get(confounding, ())
    edges += _into("exposed", *drivers)
    if interference > 0 and question != "weeks":
        edges.append(("friends", "consumed"))
        edges += _into("friends", "community")
        if confounding != "none":
            edges += _into("friends", "popularity", "text", "department")
        edges += _into("friends", "quality") if confounding == "hidden" else ()
    return edges


def dag(confounding: str, interference: float, question: str = "exposure") -> nx.DiGraph:
    """Return the graph of the world under its switches, for one question.

    Parameters
    ----------
    confounding : {"none", "observed", "text", "hidden"}
        The switch of the world.
    interference : float
        Strength of interference; above 0 the friends are a node of questions about exposure.
    question : str
        "exposure", "exposure_by_coin", "instrument", "weeks", "ratings", "position", "slate", "bandit", "ab_test",
        "text_treatment", "text_treatment_confounded", "mediation".

    Returns
    -------
    networkx.DiGraph
        Nodes carry `label`, `observed`, `role` and `pos`. Edges carry `kind`: "effect" (what the question is after),
        "bias" (what drives the treatment), "selection" (which stars are seen) or "cause".

    Notes
    -----
    Chapter: reference/world
    """
    _validate.one_of(question, "question", QUESTIONS)
    edges = _edges(question, confounding, interference)
    order = {name: k for k, name in enumerate([*_NODES, *_MORE])}
    g = nx.DiGraph()
    for name in sorted({n for e in edges for n in e}, key=order.__getitem__):
        label, observed, role = (_NODES.get(name) or _MORE[name])[:3]
        logged = observed or (name == "stars" and question in ("ratings", "mediation"))
        seen = logged and (name, question) != ("score", "ab_test")  # a trial logs no scores
        g.add_node(name, label=label, observed=seen, role=role)
    for a, b in edges:
        g.add_edge(a, b, kind=_kind(a, b))
    _place(g, question in ("exposure", *(q for q, same in _SAME.items() if same == "exposure")))
    return g


def _place(g: nx.DiGraph, drawn: bool) -> None:
    """Give each node its place: by hand where the picture was drawn, else from left to right in order of cause."""
    if drawn:
        nx.set_node_attributes(g, {n: _NODES[n][3:] for n in g}, "pos")
        for a, b, rad in (("quality", "exposed", -0.07), ("department", "score", -0.3)):
            if g.has_edge(a, b):
                g.edges[a, b]["rad"] = rad
        return
    for k, layer in enumerate(nx.topological_generations(g)):
        for j, name in enumerate(layer):
            g.nodes[name]["pos"] = (1.5 * k, 1.1 * ((len(layer) - 1) / 2 - j) + 0.25 * (k % 2))


def adjustment_set(question: str, confounding: str) -> tuple[str, ...] | str | None:
    """Return the columns to adjust for, or None where no set of observed columns suffices.

    Parameters
    ----------
    question : str
        "exposure", "exposure_by_coin" (given the marketing coin), "weeks", "instrument", "position", "bandit" and
        "slate" (what a policy is worth), "ab_test", "text_treatment" (promises by coin), "text_treatment_confounded"
        (hidden quality decides, its text is a proxy), "mediation" (the effect of the expectation on what follows; for
        the direct effect of the promise adjust for expectation and score), "ratings" (the stars themselves decide).
    confounding : {"none", "observed", "text", "hidden"}
        The switch of the world. With "text" the set holds "text": all words of the item's reviews
        (`world.reviews`), of which the tone is enough.

    Returns
    -------
    tuple of str, str or None
        Column names of the log; the empty tuple where a plain difference is right; "weight by the logged
        propensity" where the policy that wrote the log is known and its choices are confounded by the scores of all
        items.
    """
    _validate.one_of(question, "question", tuple(ADJUSTMENT))
    known = ADJUSTMENT[question]
    if question not in ("exposure", "exposure_by_coin", "weeks") or not isinstance(known, tuple):
        return known
    return {"none": (), "observed": known, "text": (*known, "text"), "hidden": None}[confounding]
