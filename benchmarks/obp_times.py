"""Seconds that the Open Bandit Pipeline takes for the estimators of `bench_policy` on the same arrays.

It needs Python 3.9 or older, so it runs in an environment of its own: `pip install obp==0.5.7`, then
`OBP_PYTHON=/path/to/python make bench`. Its estimators are plain numpy; torch is imported for its learners, and
stands in here as an empty module where it is missing.
"""

import importlib.util
import sys
import time
from types import ModuleType

import numpy as np


class Empty(ModuleType):
    """A module in which every name is a class without content."""

    def __getattr__(self, name: str) -> type:
        """Return a class of that name."""
        return type(name, (), {"__class_getitem__": lambda *_: object})


if importlib.util.find_spec("torch") is None:
    for part in ("", ".nn", ".nn.functional", ".optim", ".optim.optimizer", ".utils", ".utils.data"):
        sys.modules[f"torch{part}"] = Empty(f"torch{part}")
    sys.modules["torch"].nn, sys.modules["torch"].utils = sys.modules["torch.nn"], sys.modules["torch.utils"]
    sys.modules["torch.utils"].data = sys.modules["torch.utils.data"]

from obp import ope  # noqa: E402

ROUNDS, ACTIONS = int(sys.argv[1]), int(sys.argv[2])


def main() -> None:
    """Print the seconds of seven estimators, values alone."""
    rng = np.random.default_rng(0)
    target = rng.random((ROUNDS, ACTIONS))
    target /= target.sum(axis=1, keepdims=True)
    q = rng.random((ROUNDS, ACTIONS), dtype=np.float32)
    a, y = rng.integers(0, ACTIONS, ROUNDS), (rng.random(ROUNDS) < 0.1).astype(float)
    common = {"reward": y, "action": a, "action_dist": target[:, :, None], "position": np.zeros(ROUNDS, dtype=int)}
    model, logged = {"estimated_rewards_by_reg_model": q[:, :, None]}, {"pscore": np.full(ROUNDS, 1 / ACTIONS)}
    calls = [
        (ope.DirectMethod(), model),
        (ope.InverseProbabilityWeighting(), logged),
        (ope.SelfNormalizedInverseProbabilityWeighting(), logged),
        (ope.DoublyRobust(), {**model, **logged}),
        (ope.SelfNormalizedDoublyRobust(), {**model, **logged}),
        (ope.SwitchDoublyRobust(lambda_=2.0), {**model, **logged}),
        (ope.DoublyRobustWithShrinkage(lambda_=2.0), {**model, **logged}),
    ]
    started = time.perf_counter()
    for estimator, more in calls:
        estimator.estimate_policy_value(**common, **more)
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
