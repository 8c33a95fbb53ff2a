"""The arrays on which obp 0.5.7 was asked, and how: `python -m tests.peers.obp_answers` where it can be imported.

obp asks for an older Python than this course does, and tests have no network. So its answers stand in test_policy.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

CUT = 2.0


def bandit() -> dict[str, np.ndarray]:
    """Chances of both policies, predictions, actions and rewards of 2,000 rounds with six actions."""
    rng = np.random.default_rng(0)
    n, k = 2_000, 6
    return {
        "target": rng.dirichlet(np.ones(k), n),
        "logging": rng.dirichlet(np.ones(k) * 3, n),
        "q": rng.uniform(0, 1, (n, k)),
        "a": rng.integers(0, k, n),
        "y": (rng.random(n) < 0.4).astype(float),
    }


def slates() -> dict[str, np.ndarray]:
    """Chances of each slot's item, and clicks, of 500 slates of three."""
    rng = np.random.default_rng(1)
    return {
        "y": (rng.random((500, 3)) < 0.3).astype(float),
        "logging": rng.uniform(0.2, 0.8, (500, 3)),
        "target": rng.uniform(0.2, 0.8, (500, 3)),
    }


def answers() -> dict[str, float]:
    """What obp answers."""
    from obp.ope import estimators as one  # type: ignore[import-not-found]
    from obp.ope import estimators_slate as many

    b, rows = bandit(), np.arange(2_000)
    given: dict[str, Any] = {
        "reward": b["y"], "action": b["a"], "pscore": b["logging"][rows, b["a"]],
        "action_dist": b["target"][:, :, None], "position": np.zeros(2_000, int),
    }  # fmt: skip
    model = given | {"estimated_rewards_by_reg_model": b["q"][:, :, None]}
    out = {
        "IPS": one.InverseProbabilityWeighting().estimate_policy_value(**given),
        "SNIPS": one.SelfNormalizedInverseProbabilityWeighting().estimate_policy_value(**given),
        "clipped IPS": one.InverseProbabilityWeighting(lambda_=CUT).estimate_policy_value(**given),
        "DM": one.DirectMethod().estimate_policy_value(**model),
        "DR": one.DoublyRobust().estimate_policy_value(**model),
        "SNDR": one.SelfNormalizedDoublyRobust().estimate_policy_value(**model),
        "SWITCH-DR": one.SwitchDoublyRobust(lambda_=CUT).estimate_policy_value(**model),
        "DRos": one.DoublyRobustWithShrinkage(lambda_=CUT).estimate_policy_value(**model),
    }
    s = slates()
    base = {"slate_id": np.repeat(np.arange(500), 3), "reward": s["y"].ravel(), "position": np.tile([0, 1, 2], 500)}

    def chances(name: str, how: Any) -> dict[str, np.ndarray]:
        return {name: how(s["logging"]).ravel(), f"evaluation_policy_{name}": how(s["target"]).ravel()}

    whole = chances("pscore", lambda p: np.repeat(p.prod(axis=1, keepdims=True), 3, axis=1))
    own = chances("pscore_item_position", lambda p: p)
    above = chances("pscore_cascade", lambda p: p.cumprod(axis=1))
    out["slates, IPS"] = many.SlateStandardIPS(len_list=3).estimate_policy_value(**base, **whole)
    out["slates, IIPS"] = many.SlateIndependentIPS(len_list=3).estimate_policy_value(**base, **own)
    out["slates, RIPS"] = many.SlateRewardInteractionIPS(len_list=3).estimate_policy_value(**base, **above)
    return {name: float(value) for name, value in out.items()}


if __name__ == "__main__":
    for name, value in answers().items():
        print(f'    "{name}": {value!r},')
