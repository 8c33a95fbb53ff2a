"""Next-token scores of many prompts: sorted, batched, and with the beginning that prompts share computed once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from causalrec_lib._validate import FloatArray

Tokens = Sequence[int]
_SHARED_TOKENS = 16  # a shorter common beginning isn't worth a pass of its own
_SHARED_PART = 0.3


def common_start(a: Tokens, b: Tokens) -> int:
    """Return how many tokens two prompts share at their beginning."""
    n = min(len(a), len(b))
    differ = np.flatnonzero(np.asarray(a[:n]) != np.asarray(b[:n]))
    return int(differ[0]) if len(differ) else n


def batches(prompts: Sequence[Tokens], size: int) -> Iterator[tuple[list[int], int]]:
    """Yield rows to compute together, and the number of tokens that they share.

    Prompts with the same beginning go together; the others go by length, so that little is padded.
    """
    order = sorted(range(len(prompts)), key=lambda row: tuple(prompts[row]))
    runs: list[list[int]] = []
    for row in order:
        first = prompts[runs[-1][0]] if runs else ()
        wanted = max(_SHARED_TOKENS, _SHARED_PART * len(prompts[row]))
        if runs and len(runs[-1]) < size and common_start(first, prompts[row]) >= wanted:
            runs[-1].append(row)
        else:
            runs.append([row])
    alone = sorted((run[0] for run in runs if len(run) == 1), key=lambda row: (len(prompts[row]), row))
    groups = [run for run in runs if len(run) > 1] + [alone[i : i + size] for i in range(0, len(alone), size)]
    for rows in groups:
        shared = min(common_start(prompts[rows[0]], prompts[row]) for row in rows)
        room = min(len(prompts[row]) for row in rows) - 1  # one token at least is each prompt's own
        shared = min(shared, room)
        yield rows, shared if len(rows) > 1 and shared >= _SHARED_TOKENS else 0


def last_logits(model: Any, prompts: Sequence[Tokens], shared: int, device: str) -> Any:
    """Return the scores of the token after each prompt, a float tensor of shape (n, vocabulary).

    Padding stands on the right, where a causal model never looks, and the last real token is picked.
    """
    import torch

    own = [prompt[shared:] for prompt in prompts]
    last = torch.tensor([len(tokens) - 1 for tokens in own])
    table = torch.zeros((len(own), int(last.max()) + 1), dtype=torch.long)
    for row, tokens in enumerate(own):
        table[row, : len(tokens)] = torch.tensor(tokens)
    keep, where = torch.unique(last, return_inverse=True)
    past = None
    if shared:
        start = torch.tensor([list(prompts[0][:shared])], device=device)
        past = model(input_ids=start, use_cache=True, logits_to_keep=1).past_key_values
        past.batch_repeat_interleave(len(own))
    out = model(
        input_ids=table.to(device), past_key_values=past, use_cache=shared > 0, logits_to_keep=keep.to(device)
    )
    return out.logits[torch.arange(len(own), device=device), where.to(device)].float()


def answer_scores(model: Any, prompts: Sequence[Tokens], answers: Tokens, size: int, device: str) -> FloatArray:
    """Return the log-probability of each answer token after each prompt, shape (n, answers)."""
    import torch

    found = np.empty((len(prompts), len(answers)))
    with torch.inference_mode():
        for rows, shared in batches(prompts, size):
            logits = last_logits(model, [prompts[row] for row in rows], shared, device)
            found[rows] = torch.log_softmax(logits, dim=-1)[:, list(answers)].cpu().numpy()
    return found
