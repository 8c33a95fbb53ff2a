"""What a broken graph tool would get wrong: small graphs with known answers, and a front door with a known effect."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import networkx as nx
import numpy as np
import pandas as pd

from causalrec_lib import graphs

SHAPES = nx.DiGraph([("a", "m"), ("b", "m"), ("m", "late"), ("c", "a"), ("c", "d"), ("d", "e")])
M = nx.DiGraph([("u", "z"), ("v", "z"), ("u", "t"), ("v", "y"), ("t", "y"), ("t", "w"), ("w", "y"), ("y", "after")])
DOOR = nx.DiGraph([("u", "x"), ("u", "y"), ("x", "m"), ("m", "y")])
TABLES = {
    "u": [0.6, 0.4],
    "x": [[0.8, 0.2], [0.25, 0.75]],
    "m": [[0.7, 0.3], [0.2, 0.8]],
    "y": [[[0.95, 0.05], [0.7, 0.3]], [[0.7, 0.3], [0.35, 0.65]]],
}
EFFECT = 0.5 * (0.6 * 0.25 + 0.4 * 0.35)  # P(m) moves by .5; purchases by .25 or .35 with m


@cache
def network() -> graphs.BayesianNetwork:
    """The front door with chances that we chose."""
    return graphs.BayesianNetwork(DOOR, TABLES, {v: [0, 1] for v in "uxmy"})


@cache
def rows() -> pd.DataFrame:
    """A log of it."""
    return network().sample(20_000, np.random.default_rng(21))


def jackknife(y: np.ndarray, t: np.ndarray, m: np.ndarray) -> float:
    """Standard error by leaving one row out."""
    n = len(y)
    left = np.array([graphs.front_door(*(np.delete(a, k) for a in (y, t, m))).value for k in range(n)])
    return float(np.sqrt((n - 1) / n * ((left - left.mean()) ** 2).sum()))


def p_values(clustered: bool) -> np.ndarray:
    """P-values where nothing is to be found: a curve in common, or users whose rows repeat."""
    rng, found = np.random.default_rng(22), []
    for _ in range(60):
        user = np.repeat(np.arange(50), 8)
        z = rng.normal(size=400)
        a, b = (rng.normal(size=50)[user] if clustered else z**2 + rng.normal(size=400) for _ in range(2))
        data = pd.DataFrame({"a": a, "b": b, "z": z})
        found.append(
            graphs.independence_test(
                data, "a", "b", [] if clustered else ["z"], clusters=user if clustered else None
            ).p
        )
    return np.array(found)


def battery(_tools: object, _runs: int) -> Iterator[tuple[str, bool]]:
    """Yield checks by name; the tools are looked up in `graphs`, where a twin has replaced them."""
    yield "a collider is closed", graphs.d_separated(SHAPES, "a", "b")
    yield "a collider that is given is open", not graphs.d_separated(SHAPES, "a", "b", "m")
    yield "so it is if a descendant is given", not graphs.d_separated(SHAPES, "a", "b", "late")
    yield "a fork is open", not graphs.d_separated(SHAPES, "a", "d")
    yield "a fork that is given is closed", graphs.d_separated(SHAPES, "a", "d", "c")
    yield "a chain that is given is closed", graphs.d_separated(SHAPES, "c", "e", "d")
    yield "nothing to adjust for in an M", graphs.adjustment_sets(M, "t", "y") == (frozenset(),)
    yield "its middle alone is refused", not graphs.is_adjustment_set(M, "t", "y", "z")
    yield "so is a mediator", not graphs.is_adjustment_set(M, "t", "y", "w")
    yield "so is what follows the outcome", not graphs.is_adjustment_set(M, "t", "y", "after")
    yield "the middle with an arm will do", graphs.is_adjustment_set(M, "t", "y", ["z", "v"])
    claims = graphs.implied_independences(M)
    yield "claims are separations", all(nx.is_d_separator(M, {c.a}, {c.b}, set(c.given)) for c in claims)
    yield "the front door is one", graphs.is_front_door(DOOR, "x", "y", "m")
    for extra in (("x", "y"), ("u", "m")):
        yield (
            f"not with {extra[0]} → {extra[1]}",
            not graphs.is_front_door(nx.DiGraph([*DOOR.edges, extra]), "x", "y", "m"),
        )
    mediator = nx.DiGraph([*DOOR.edges, ("w", "m"), ("w", "y")])
    yield "not if mediator and outcome are confounded", not graphs.is_front_door(mediator, "x", "y", "m")
    did = network().do({"x": 1}).query("y")[1] - network().do({"x": 0}).query("y")[1]
    yield "doing has its effect", abs(did - EFFECT) < 1e-9
    est = graphs.front_door(rows()["y"], rows()["x"], rows()["m"])
    yield "the front door finds it", abs(est.value - EFFECT) < 3.5 * est.se < 0.03
    small = [rows()[c].to_numpy()[:600] for c in ("y", "x", "m")]
    yield "its error is the jackknife's", abs(graphs.front_door(*small).se / jackknife(*small) - 1) < 0.02
    for clustered, what in ((False, "a curve in common"), (True, "rows of one user")):
        yield f"{what}: no alarm", float(np.mean(p_values(clustered) < 0.05)) < 0.15
    rng, alarms = np.random.default_rng(23), []
    many = [graphs.Independence(a, b, ()) for k, a in enumerate("abcdef") for b in "abcdef"[k + 1 :]]
    for _ in range(60):
        table = graphs.check_independences(many, pd.DataFrame(rng.normal(size=(200, 6)), columns=list("abcdef")))
        alarms.append(table["refuted"].any())
    yield "fifteen tests of noise rarely refute anything", float(np.mean(alarms)) < 0.18
