"""Time of a weighted factorisation of MovieLens 100K: `python benchmarks/bench_exposure.py [rank]`.

Bar: all 100,000 ratings, twenty factors, weights, in at most five seconds on two cores. Beside it, the same loss by a
plain loop over mini-batches in torch, fifteen epochs with a small weight decay; the losses are printed, not matched.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import torch

from causalrec_lib import data, exposure

BAR_SECONDS = 5.0
EPOCHS, BATCH = 15, 1024


def torch_loop(u: np.ndarray, i: np.ndarray, y: np.ndarray, w: np.ndarray, rank: int) -> float:
    """Fit by Adam on mini-batches; return the weighted squared error on the ratings."""
    torch.manual_seed(0)
    users, items = (torch.nn.Embedding(int(a.max()) + 1, rank + 1) for a in (u, i))
    for table in (users, items):
        torch.nn.init.normal_(table.weight, std=0.1)
    step = torch.optim.Adam([*users.parameters(), *items.parameters()], lr=0.01, weight_decay=1e-5)
    U, V, Y, W = torch.as_tensor(u), torch.as_tensor(i), torch.as_tensor(y).float(), torch.as_tensor(w).float()
    mean = float(np.average(y, weights=w))

    def predict(rows: torch.Tensor) -> torch.Tensor:
        p, q = users(U[rows]), items(V[rows])
        return mean + p[:, -1] + q[:, -1] + (p[:, :-1] * q[:, :-1]).sum(1)

    for _ in range(EPOCHS):
        for rows in torch.randperm(len(Y)).split(BATCH):
            step.zero_grad()
            (W[rows] * (Y[rows] - predict(rows)) ** 2).mean().backward()
            step.step()
    with torch.no_grad():
        return float((W * (Y - predict(torch.arange(len(Y)))) ** 2).mean())


def main(rank: int) -> int:
    """Print both times and their ratio; return 1 if the bar is missed."""
    films = data.load("movielens_100k")
    u, i = (films[name].factorize()[0] for name in ("user_id", "item_id"))
    y, sides = films["stars"].to_numpy(float), (u.max() + 1, i.max() + 1)
    p = exposure.popularity(i, sides[0])
    w = (1 / p) / np.mean(1 / p)
    began = time.perf_counter()
    model = exposure.factorise(u, i, y, sides, p=p, rank=rank)
    mine = time.perf_counter() - began
    began = time.perf_counter()
    theirs_loss = torch_loop(u, i, y, w, rank)
    theirs = time.perf_counter() - began
    row = {
        "ratings": len(y),
        "rank": rank,
        "seconds": round(mine, 2),
        "bar_seconds": BAR_SECONDS,
        "loss": round(float(np.mean(w * (y - model.predict(u, i)) ** 2)), 3),
        "torch_seconds": round(theirs, 2),
        "torch_loss": round(theirs_loss, 3),
        "torch_over_ours": round(theirs / mine, 1),
    }
    print(json.dumps(row))
    return int(mine > BAR_SECONDS)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
