"""Off-policy learning: the policy that a log of another policy speaks for, by gradient."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from causalrec_lib import _validate
from causalrec_lib._validate import FloatArray

__all__ = ["softmax_policy"]

Objective = Literal["IPS", "clipped IPS", "pessimistic", "DR"]
OBJECTIVES = ("IPS", "clipped IPS", "pessimistic", "DR")


def softmax_policy(
    contexts: ArrayLike,
    actions: ArrayLike,
    y: ArrayLike,
    e: ArrayLike,
    n_actions: int,
    *,
    objective: Objective = "pessimistic",
    q: ArrayLike | None = None,
    threshold: float | None = None,
    caution: float | None = None,
    steps: int = 300,
    rate: float = 0.1,
) -> FloatArray:
    """Learn a policy that gives each context a distribution over actions, by gradient ascent on its estimated value.

    Parameters
    ----------
    contexts : array-like of int, shape (n,)
        Context of each round, 0 to k - 1: a segment, say. Each has its own logits.
    actions : array-like of int, shape (n,)
        Action that was logged, 0 to n_actions - 1.
    y : array-like of shape (n,)
        Reward of each round.
    e : array-like of shape (n,)
        Chance with which the logging policy took the action, above 0 and up to 1.
    n_actions : int
        Number of actions, two or more.
    objective : {"IPS", "clipped IPS", "pessimistic", "DR"}
        Estimated value to be raised: weighted rewards; with weights cut at the threshold; less `caution` standard
        errors of it; or doubly robust.
    q : array-like of shape (k, n_actions), optional
        Predicted reward of each action in each context, for "DR"; made from other rounds.
    threshold : float, optional
        Largest weight, above zero, for "clipped IPS".
    caution : float, optional
        Standard errors to take off, above zero, for "pessimistic".
    steps : int
        Gradient steps of Adam, from the uniform policy.
    rate : float
        Its step size, above zero.

    Returns
    -------
    ndarray of shape (k, n_actions)
        Chances; rows sum to 1. Judge them on rounds that were not used here, with `policy.off_policy_value`.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, out of range or of other length, or the objective lacks its q, threshold or
        caution, or is given one that it doesn't use.

    Notes
    -----
    Needs torch. Chapter: recommenders/03_policies_from_effects

    References
    ----------
    bib: swaminathan2015counterfactual, dudik2011doubly
    """
    reward = _validate.vector(y, "y")
    n, k = len(reward), _validate.integer(n_actions, "n_actions", 2)
    where = _validate.positions(contexts, "contexts", n=n, like="y")
    taken = _validate.positions(actions, "actions", k, n, "y")
    chance = _validate.happened(e, "e", n, "y")
    _validate.one_of(objective, "objective", OBJECTIVES)
    strength = _strength(objective, threshold, caution)
    model = _model(objective, q, int(where.max()) + 1, k)
    _validate.integer(steps, "steps", 1)
    return _ascend(
        where, taken, reward, chance, model, objective, strength, steps, _validate.number(rate, "rate", above=0.0)
    )


def _strength(objective: str, threshold: float | None, caution: float | None) -> float:
    """Return the number that goes with the objective, 0 where there is none."""
    for name, value, user in (("threshold", threshold, "clipped IPS"), ("caution", caution, "pessimistic")):
        if value is None and objective == user:
            raise ValueError(f"{name} is missing, and {user!r} needs it; pass a number above zero.")
        if value is not None:
            if objective != user:
                raise ValueError(f"{name} is for {user!r}; leave it out for {objective!r}.")
            return _validate.number(value, name, above=0.0)
    return 0.0


def _model(objective: str, q: ArrayLike | None, contexts: int, actions: int) -> FloatArray:
    """Return predicted rewards, zero where the objective has none."""
    if objective != "DR":
        if q is not None:
            raise ValueError(f"q is for 'DR'; leave it out for {objective!r}.")
        return np.zeros((contexts, actions))
    if q is None:
        raise ValueError("q is missing, and 'DR' needs predicted rewards; pass one row a context.")
    return _validate.table(q, "q", (contexts, actions))


def _ascend(
    where: ArrayLike, taken: ArrayLike, y: FloatArray, e: FloatArray, q: FloatArray,
    objective: str, strength: float, steps: int, rate: float,
) -> FloatArray:  # fmt: skip
    """Raise the objective from the uniform policy on."""
    import torch

    x, a = torch.as_tensor(where), torch.as_tensor(taken)
    reward, chance, model = (torch.as_tensor(part, dtype=torch.float64) for part in (y, e, q))
    logits = torch.zeros(q.shape, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([logits], lr=rate)
    remainder = reward - model[x, a]
    for _ in range(steps):
        pi = torch.softmax(logits, dim=1)
        w = pi[x, a] / chance
        if objective == "clipped IPS":
            w = torch.clamp(w, max=strength)
        rows = w * remainder + (pi * model).sum(dim=1)[x]
        value = rows.mean()
        if objective == "pessimistic":
            value = value - strength * rows.std() / len(rows) ** 0.5
        adam.zero_grad()
        (-value).backward()
        adam.step()
    return np.asarray(torch.softmax(logits.detach(), dim=1).numpy())
