"""Passing texts through a model without training it."""

from __future__ import annotations

from typing import Any

from causalrec_lib.language._recipe import Precision, arithmetic
from causalrec_lib.language._tokens import IntArray, batches

NO_DROPOUT: dict[str, Any] = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def forward(model: Any, lengths: IntArray, batch_size: int, precision: Precision, call: Any) -> Any:
    """Yield rows and numbers of `call(rows)` for all rows, batches of like length, without gradients or dropout."""
    import torch

    device = next(model.parameters()).device
    dtype = arithmetic(precision, device)
    modes = {m: m.training for m in model.modules()}
    model.eval()
    with torch.inference_mode(), torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32):
        for rows in batches(lengths, batch_size):
            yield rows, call(rows).float().cpu().numpy()
    for part, mode in modes.items():
        part.training = mode


def attention(device: Any) -> str:
    """Return the attention to ask transformers for: short texts on a CPU are faster without the fused one."""
    return "eager" if device.type == "cpu" else "sdpa"
