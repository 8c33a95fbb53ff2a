"""Seeded rankings on which trec_eval was asked: `python -m tests.peers.ranking_answers` where it can be imported.

pytrec_eval-terrier 0.5.11 (trec_eval) and ranx 0.3.21 are no part of the course's environment. So their answers stand
in test_metrics.py.
"""

from __future__ import annotations

import numpy as np

K = 10


def rankings() -> tuple[np.ndarray, np.ndarray]:
    """Relevance (0, 1) and scores without ties of 40 users and 50 items; each user has something relevant."""
    rng = np.random.default_rng(0)
    relevance = (rng.random((40, 50)) < 0.12).astype(float)
    relevance[:, 0] = np.maximum(relevance[:, 0], relevance.sum(axis=1) == 0)
    scores = rng.permuted(np.tile(np.arange(50.0), (40, 1)), axis=1) + 15 * relevance
    return relevance, scores + np.linspace(0, 0.5, 50)


def as_runs() -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
    """The same as judgements and runs by name."""
    relevance, scores = rankings()
    judged = {f"u{u:02d}": {f"i{i:02d}": int(r) for i, r in enumerate(row) if r} for u, row in enumerate(relevance)}
    run = {f"u{u:02d}": {f"i{i:02d}": float(s) for i, s in enumerate(row)} for u, row in enumerate(scores)}
    return judged, run


def answers() -> dict[str, float]:
    """What trec_eval answers, and for F1 and MAP cut at k what ranx does."""
    import pytrec_eval  # type: ignore[import-not-found]
    import ranx  # type: ignore[import-not-found]

    judged, run = as_runs()
    cut = {u: dict(sorted(row.items(), key=lambda pair: -pair[1])[:K]) for u, row in run.items()}
    asked = {"P_10", "recall_10", "ndcg_cut_10", "success_10", "recip_rank", "map_cut_10"}
    found = pytrec_eval.RelevanceEvaluator(judged, asked).evaluate(cut)
    out = {f"trec_eval {name}": float(np.mean([row[name] for row in found.values()])) for name in sorted(asked)}
    names = ["precision@10", "recall@10", "f1@10", "hit_rate@10", "mrr@10", "ndcg@10", "map@10"]
    scored = ranx.evaluate(ranx.Qrels(judged), ranx.Run(run), names)
    return out | {f"ranx {name}": float(value) for name, value in scored.items()}


if __name__ == "__main__":
    for name, value in answers().items():
        print(f'    "{name}": {value!r},')
