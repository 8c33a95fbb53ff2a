"""The arrays on which libraries for uplift were asked, and how: `python -m tests.peers.uplift_answers`.

scikit-uplift 0.5.1 and causalml 0.18.0 are no dependencies of the course, and tests have no network. So their answers
stand in test_targeting.py.
"""

from __future__ import annotations

import numpy as np
import pandas as pd


def trial() -> dict[str, np.ndarray]:
    """Outcome, treatment and priority of 2,000 rows of an unbalanced trial, without ties."""
    rng = np.random.default_rng(12)
    n = 2_000
    x = rng.normal(size=n)
    t = (rng.random(n) < 0.4).astype(int)
    y = (rng.random(n) < 0.3 + 0.1 * np.tanh(x) * t).astype(int)
    return {"y": y, "t": t, "priority": x + rng.normal(size=n)}


def answers() -> dict[str, float]:
    """What the libraries answer."""
    from causalml.metrics import auuc_score, qini_score  # type: ignore[import-not-found]
    from sklift.metrics import qini_auc_score, uplift_auc_score  # type: ignore[import-not-found]

    a = trial()
    df = pd.DataFrame({"y": a["y"], "w": a["t"], "model": a["priority"]})
    named = {"outcome_col": "y", "treatment_col": "w"}
    return {
        "scikit-uplift, uplift AUC": uplift_auc_score(a["y"], a["priority"], a["t"]),
        "scikit-uplift, Qini AUC": qini_auc_score(a["y"], a["priority"], a["t"]),
        "causalml, AUUC": float(auuc_score(df, **named, normalize=False)["model"]),
        "causalml, AUUC normalised": float(auuc_score(df, **named, normalize=True)["model"]),
        "causalml, Qini": float(qini_score(df, **named, normalize=False)["model"]),
        "causalml, Qini normalised": float(qini_score(df, **named, normalize=True)["model"]),
    }


if __name__ == "__main__":
    for name, value in answers().items():
        print(f"{name!r}: {value!r},")
