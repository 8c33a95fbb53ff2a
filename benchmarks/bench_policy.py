"""Off-policy evaluation of ten estimators on a million rounds with a hundred actions: bar 20 s, 4 GB.

Eight are for rounds. The last two are for slates: there the same million rounds are the slots of slates of five.
"""

import os
import resource
import subprocess
import time
from pathlib import Path

import numpy as np
import torch

from causalrec_lib.policy import NEEDS_THRESHOLD, at_actions, off_policy_value, slate_value

ROUNDS, ACTIONS = 1_000_000, 100
NAMES = ("DM", "IPS", "SNIPS", "clipped IPS", "DR", "SNDR", "SWITCH-DR", "DRos")
SLATES, SLOTS = ("RIPS", "cascade DR"), 5


def of_obp() -> float | None:
    """Seconds of obp's seven estimators on the same arrays, in the Python that OBP_PYTHON names; None without one."""
    python = os.environ.get("OBP_PYTHON")
    if not python:
        return None
    script = Path(__file__).with_name("obp_times.py")
    command = [python, str(script), str(ROUNDS), str(ACTIONS)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Print seconds, memory, and the ratios to obp and to a loop over batches in torch."""
    rng = np.random.default_rng(0)
    target = rng.random((ROUNDS, ACTIONS))
    target /= target.sum(axis=1, keepdims=True)
    q = rng.random((ROUNDS, ACTIONS), dtype=np.float32)
    a, y = rng.integers(0, ACTIONS, ROUNDS), (rng.random(ROUNDS) < 0.1).astype(float)
    e = np.full(ROUNDS, 1 / ACTIONS)
    started = time.perf_counter()
    pi, of_action, v = at_actions(target, a), q[np.arange(ROUNDS), a], np.einsum("ij,ij->i", target, q)
    for name in NAMES:
        cut = 2.0 if name in NEEDS_THRESHOLD else None
        off_policy_value(y, pi, e, of_action, v, estimator=name, threshold=cut, refuse="flag")
    of_rounds = time.perf_counter() - started
    session, position = np.arange(ROUNDS) // SLOTS, np.arange(ROUNDS) % SLOTS + 1
    for name in SLATES:
        slate_value(y, pi / e, session, position, of_action, v, estimator=name, refuse="flag")
    ours = time.perf_counter() - started
    started, total = time.perf_counter(), torch.zeros(3, dtype=torch.float64)
    for start in range(0, ROUNDS, 1_000):
        rows = slice(start, start + 1_000)
        p, m = torch.from_numpy(target[rows]), torch.from_numpy(q[rows]).double()
        act, reward = torch.from_numpy(a[rows])[:, None], torch.from_numpy(y[rows])
        w = p.gather(1, act)[:, 0] * ACTIONS
        model = (p * m).sum(dim=1)
        remainder = w * (reward - m.gather(1, act)[:, 0])
        total += torch.stack([(w * reward).sum(), model.sum(), (model + remainder).sum()])
    loop = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"ten estimators with errors and checks: {ours:.2f} s (bar 20), peak {memory:.1f} GB (bar 4)")
    print(f"of these eight for rounds: {of_rounds:.2f} s, two for slates of five: {ours - of_rounds:.2f} s")
    obp = of_obp()
    if obp is None:
        print("obp: not timed; name a Python that has obp 0.5.7 in OBP_PYTHON (see obp_times.py)")
    else:
        print(f"obp, seven of the eight, values without errors: {obp:.2f} s; ratio {of_rounds / obp:.2f}")
    print(f"torch, a loop over batches, IPS, DM and DR without errors: {loop:.2f} s; ratio {of_rounds / loop:.2f}")


if __name__ == "__main__":
    main()
