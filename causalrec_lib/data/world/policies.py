"""Recommendation policies: who gets shown what, with exact probabilities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax

from causalrec_lib import _validate
from causalrec_lib.data.world._core import BLOCK_PAIRS, Core, Pairs

Array = NDArray[Any]
Scorer = Callable[[Pairs], Array]

UPLIFT_SCALE = 10.0
LOGGING_TEMPERATURE, LOGGING_EPSILON = 1.0, 0.1


def logging_log_odds(x: Pairs) -> Array:
    """Return the logits of the logging policy: score, popularity, a bonus for sponsored items.

    Parameters
    ----------
    x : Pairs
        The pairs, from `world.core.pairs`.

    Returns
    -------
    array of float
        Logits l_s S + l_p P + l_m sponsored, of the pairs' shape.

    Raises
    ------
    ValueError
        If `x` are no pairs.

    Notes
    -----
    Chapter: reference/world
    """
    _validate.instance(x, "x", Pairs, "pass world.core.pairs(users, items)")
    p = x.p
    sponsored = x.core.items["sponsored"].to_numpy(np.float32)[x.items]
    return np.float32(p.l_s) * x.S + np.float32(p.l_p) * x.P + np.float32(p.l_m) * sponsored


SCORERS: dict[str, Scorer] = {
    "random": lambda x: np.zeros_like(x.S),
    "popular": lambda x: np.broadcast_to(x.P, x.S.shape),
    "score": lambda x: x.S,
    "logging": logging_log_odds,
    "consumption": lambda x: np.log(x.p0 + x.e * (x.p1 - x.p0)),
    "best": lambda x: x.base + x.tau,
    "uplift": lambda x: np.float32(UPLIFT_SCALE) * (x.p1 - x.p0),
}


@dataclass(frozen=True)
class Policy:
    """One item for each user, drawn with known probabilities; `world.policy` makes them.

    Parameters
    ----------
    name : str
        How it is called in tables.
    core : Core
        The world it acts in.
    rule : callable
        Takes an array of users, shape (n,), and returns probabilities of shape (n, n_items).

    Notes
    -----
    Chapter: reference/world
    """

    name: str
    core: Core
    rule: Callable[[Array], Array]

    def probabilities(self, users: ArrayLike | None = None) -> Array:
        """Return the probability of each item for each of the users.

        Parameters
        ----------
        users : array-like of int, shape (n,), optional
            Users, 0 to n_users - 1, in any order and as often as wanted; all of them once by default.

        Returns
        -------
        array of float, shape (n, n_items)
            Rows sum to 1.

        Raises
        ------
        ValueError
            If a user is not of this world, or a rule of the reader's own returns no probabilities.

        Notes
        -----
        Chapter: reference/world
        """
        n = self.core.shape[0]
        return self.rule(np.arange(n) if users is None else _validate.positions(users, "users", n))

    def draw(self, users: ArrayLike, u: ArrayLike) -> tuple[Array, Array]:
        """Return one item a row, and its probability.

        Parameters
        ----------
        users : array-like of int, shape (n,)
            Users, 0 to n_users - 1.
        u : array-like of float, shape (n,)
            Uniforms in [0, 1), at which the distribution of each user is inverted.

        Returns
        -------
        items : array of int, shape (n,)
            The item of each row.
        propensity : array of float, shape (n,)
            Its probability.

        Raises
        ------
        ValueError
            If a user is not of this world, a uniform lies outside [0, 1), or the lengths differ.

        Notes
        -----
        Chapter: recommenders
        """
        users = _validate.positions(users, "users", self.core.shape[0])
        u = _validate.uniforms(u, "u", len(users), "users")
        item, prob = np.empty(len(users), dtype=np.int64), np.empty(len(users))
        distinct, where = np.unique(users, return_inverse=True)
        step = max(1, BLOCK_PAIRS // self.core.shape[1])
        for first in range(0, len(distinct), step):
            pi = self.probabilities(distinct[first : first + step])
            cdf = np.cumsum(pi, axis=1)
            cdf /= cdf[:, -1:]
            rows = np.flatnonzero((where >= first) & (where < first + step))
            local = where[rows] - first
            flat = np.searchsorted((cdf + np.arange(len(pi))[:, None]).ravel(), local + u[rows], side="right")
            item[rows] = np.minimum(flat - local * pi.shape[1], pi.shape[1] - 1)
            prob[rows] = pi[local, item[rows]]
        return item, prob


def _named(core: Core, name: str, temperature: float, epsilon: float) -> Callable[[Array], Array]:
    scorer = SCORERS[name]

    def rule(users: Array) -> Array:
        z = np.asarray(scorer(core.pairs(users[:, None], np.arange(core.shape[1])[None, :])), dtype=np.float64)
        if temperature == 0 and name != "random":
            pi = np.zeros(z.shape)
            pi[np.arange(len(z)), z.argmax(axis=1)] = 1.0
        else:
            pi = softmax(z / max(temperature, 1e-9), axis=1)
        return (1 - epsilon) * pi + epsilon / z.shape[1]

    return rule


def _unnamed(core: Core, policy: Any, what: str) -> Policy:
    """Return a policy from a function or a table; what it says is checked whenever it is asked."""
    if not callable(policy):
        table = _validate.distributions(policy, what, core.shape)
        return Policy("table", core, lambda users: table[users])

    def rule(users: Array) -> Array:
        return _validate.distributions(policy(users), f"{what}(users)", (len(users), core.shape[1]))

    return Policy(getattr(policy, "__name__", "custom"), core, rule)


def make_policy(
    core: Core, policy: Any, temperature: float | None = None, epsilon: float | None = None, what: str = "policy"
) -> Policy:
    """Return a policy by name, from a table of probabilities, or from a function of users.

    Parameters
    ----------
    core : Core
        The world.
    policy : str, array, callable or Policy
        A name: "random", "popular", "score" (what the platform believes), "logging" (score, popularity and a bonus
        for sponsored items), "consumption" (most consumed in the log, found anyway or not), "best" (highest
        consumption when shown), "uplift" (highest effect of showing); the last three know the truth.
        An array of shape (n_users, n_items) whose rows sum to 1. A function from an array of users to such rows.
        A bare name means the same in every call: its top item. Two names are stochastic: "random" is uniform, and
        "logging" is the policy that writes the bandit log, a softmax at temperature 1 with a tenth of uniform
        exploration.
    temperature : float, optional
        Softmax temperature of a named policy, 0 or more; 0 picks the top item.
    epsilon : float, optional
        Share of uniformly random recommendations mixed into a named policy, 0 to 1.
    what : str
        What error messages call the policy.

    Returns
    -------
    Policy
        The policy.

    Raises
    ------
    ValueError
        If the name is unknown, probabilities have another shape or do not sum to 1, the policy is of another world,
        or temperature or epsilon come with a policy that has no name.

    Notes
    -----
    Chapter: reference/world
    """
    _validate.instance(core, "core", Core, "pass world.core")
    _validate.text(what, "what")
    if isinstance(policy, str):
        _validate.one_of(policy, what, tuple(SCORERS))
        usual = (LOGGING_TEMPERATURE, LOGGING_EPSILON) if policy == "logging" else (0.0, 0.0)
        temperature = _validate.number(usual[0] if temperature is None else temperature, "temperature", 0)
        epsilon = _validate.number(usual[1] if epsilon is None else epsilon, "epsilon", 0, 1)
        return Policy(policy, core, _named(core, policy, temperature, epsilon))
    for name, value in {"temperature": temperature, "epsilon": epsilon}.items():
        if value is not None:
            raise ValueError(
                f"{name} belongs to a named policy, but {what} is {_validate.shown(policy)}; leave it out."
            )
    if not isinstance(policy, Policy):
        return _unnamed(core, policy, what)
    if policy.core is not core:
        raise ValueError(f"{what} is a policy of another world; make it with world.policy of this one.")
    return policy
