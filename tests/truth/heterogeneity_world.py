"""Samples with known effects for the judges of predicted effects, and what must hold on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.integrate import quad
from scipy.stats import norm

from causalrec_lib import heterogeneity
from causalrec_lib.estimate import Estimate

from .intervals import centred, covers, scattered


@dataclass(frozen=True)
class Tools:
    """The functions under test; a broken twin changes one."""

    rate: Callable[..., Estimate] = heterogeneity.rate
    calibration: Callable[..., dict[str, Estimate]] = heterogeneity.calibration
    r_losses: Callable[..., np.ndarray] = heterogeneity.r_losses


def draw(seed: int, n: int = 1_200) -> dict[str, np.ndarray]:
    """Rows with an effect of 1 + x0, propensities that move with x1, and the score of AIPW with true models."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    e = 1 / (1 + np.exp(-0.7 * x[:, 1]))
    t = (rng.random(n) < e).astype(float)
    tau, m = 1 + x[:, 0], x[:, 1]
    y = m + (t - e) * tau + rng.normal(size=n)
    mu0, mu1 = m - e * tau, m + (1 - e) * tau
    scores = tau + t * (y - mu1) / e - (1 - t) * (y - mu0) / (1 - e)
    return {"y": y, "t": t, "e": e, "m": m, "tau": tau, "scores": scores, "other": rng.normal(size=n)}


def _covers(found: list[Estimate], truth: float) -> bool:
    return covers(found, truth) and centred(found, truth, 3.5)


def battery(tools: Tools, runs: int) -> dict[str, bool]:
    """Each check and whether it holds."""
    days = [draw(seed) for seed in range(runs)]
    # the first q of a normal priority gain phi(z) / q, with q = 1 - Phi(z); averaged plainly, or in proportion to q
    truth = {
        "autoc": quad(lambda z: norm.pdf(z) ** 2 / norm.sf(z), -8, 8)[0],
        "qini": 0.5 / np.sqrt(np.pi),
    }
    out = {}
    for weighting, value in truth.items():
        found = [tools.rate(d["scores"], d["tau"], weighting=weighting) for d in days]
        out[f"{weighting} covers"] = _covers(found, value)
        out[f"{weighting}'s error is the scatter"] = scattered(found)
        none = [tools.rate(d["scores"], d["other"], weighting=weighting) for d in days]
        out[f"{weighting} of an empty order covers zero"] = _covers(none, 0.0)
    stretched = [tools.calibration(d["y"], d["t"], 4 + 2 * (d["tau"] - 1), d["m"], d["e"]) for d in days]
    out["the mean slope covers"] = _covers([s["mean"] for s in stretched], 0.25)
    out["the spread slope covers"] = _covers([s["spread"] for s in stretched], 0.5)
    better = []
    for d in days:
        right, shifted = (tools.r_losses(d["y"], d["t"], d["tau"] + k, d["m"], d["e"]) for k in (0.0, 0.7))
        better.append(np.mean(shifted - right))
    gap = 0.49 * np.mean([np.mean(d["e"] * (1 - d["e"])) for d in days])
    out["the R-loss differs by the weighted error"] = bool(
        abs(np.mean(better) - gap) < 3.5 * np.std(better, ddof=1) / runs**0.5
    )
    return out
