"""What an analyst can know about a pair: hidden causes averaged out, by quadrature."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from causalrec_lib.data.world import _mechanisms as m
from causalrec_lib.data.world import _population as population
from causalrec_lib.data.world._core import Core, Pairs

Array = NDArray[Any]

NODES = 32
_GRID = 0.05


def normal_nodes(n: int = NODES) -> tuple[Array, Array]:
    """Return Gauss-Hermite nodes and weights for a standard normal variable."""
    z, w = np.polynomial.hermite_e.hermegauss(n)
    return z, w / w.sum()


def hidden_given_item(core: Core) -> tuple[Array, Array]:
    """Return mean and standard deviation of hidden affinity over users, item by item: given the item it is normal."""
    left, _ = core.hidden_factors
    mean = core.hidden_factors[1][:, -1] + core.hidden_right[:, -1]
    phi = core.hidden_right[:, :-1]
    return mean * left[0, -1], np.sqrt(np.mean(phi**2, axis=1)) * left[0, -1]


def given_observed(x: Pairs) -> tuple[Array, Array]:
    """Return E[p0] and E[p1] given the user's and the item's observed columns, the score and the item itself."""
    core, p = x.core, x.p
    mean, sd = (a[x.items] for a in hidden_given_item(core))
    users = core.users
    annoyed = population.annoyed_probability(users["age"].to_numpy(), users["segment"].cat.codes.to_numpy())[x.users]
    S, P, L, C = (np.asarray(a, dtype=np.float64) for a in (x.S, x.P, x.L, core.C[x.items]))
    K = m.familiarity(p, S, P)
    p0, p1 = np.zeros((2, *S.shape))
    for z, w in zip(*normal_nodes(), strict=True):
        A = m.affinity(p, S, mean + sd * z)
        base = m.base_log_odds(p, A, P, L, C)
        p0 += w * expit(base)
        for v, chance in ((0.0, 1 - annoyed), (1.0, annoyed)):
            p1 += w * chance * expit(base + m.lift_log_odds(p, A, K, np.asarray(v)))
    return p0, p1


def observed_propensity(x: Pairs) -> Array:
    """Return e(x): the propensity given popularity, score and activity alone, hidden causes averaged out.

    Hidden taste is normal given the item; quality (and with it the tone of the text) is averaged over the items of
    the catalogue, each weighted by how well its quality goes with the popularity: log popularity is normal with
    mean pop_q q and variance 1 - pop_q^2.
    """
    core, p = x.core, x.p
    if core.confounding not in ("text", "hidden"):
        return np.asarray(x.e, dtype=np.float64)
    d = np.asarray(m.exposure_log_odds(p, core.confounding, core.overlap, x.S, 0.0, x.P, x.L), dtype=np.float64)
    grid = np.arange(d.min() - _GRID, d.max() + 2 * _GRID, _GRID)
    items, where = np.unique(x.items, return_inverse=True)
    gap = core.P[items, None].astype(np.float64) - p.pop_q * core.q[None, :].astype(np.float64)
    weight = np.exp(-0.5 * gap**2 / (1 - p.pop_q**2))
    table = logit((weight / weight.sum(axis=1, keepdims=True)) @ _by_item(core, grid))
    low = np.clip(((d - grid[0]) / _GRID).astype(int), 0, len(grid) - 2)
    part = (d - grid[low]) / _GRID
    rows = where.reshape(np.shape(x.items))
    e = expit((1 - part) * table[rows, low] + part * table[rows, low + 1])
    return m.cut_overlap(core.confounding, core.overlap, x.S, e)


def _by_item(core: Core, grid: Array) -> Array:
    """Return E[s(d + hidden drive)] for each item of the catalogue and each d of the grid."""
    p, scale = core.parameters, m.OVERLAP_SCALE[core.overlap]
    if core.confounding == "text":
        return expit(grid[None, :] + scale * p.a_x * core.X[:, None].astype(np.float64))
    mean, sd = hidden_given_item(core)
    out = np.zeros((len(mean), len(grid)))
    for z, w in zip(*normal_nodes(16), strict=True):
        drive = p.a_q * core.q.astype(np.float64) + p.a_h * (mean + sd * z)
        out += w * expit(grid[None, :] + scale * drive[:, None])
    return out
