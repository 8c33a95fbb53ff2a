"""The settings of a fine-tuning run, checked once, and the arithmetic that a device does well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from causalrec_lib import _validate

Precision = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of a fine-tuning run.

    Parameters
    ----------
    epochs : int
        Passes over the training texts.
    learning_rate : float
        Highest rate of AdamW, reached at the end of the warm-up.
    batch_size : int
        Texts a step. A batch that does not fit in memory is cut in halves whose gradients add up to the same step.
    max_tokens : int
        Longer texts are cut to this many tokens.
    warmup : float
        Share of the steps over which the rate rises from 0; then it falls linearly to 0.
    weight_decay : float
        Decoupled decay of weight matrices; biases and layer norms are left alone.
    clip : float
        Largest norm of the gradient.
    dropout : float
        Share of features dropped before the head.
    frozen : bool
        Train the head only.
    balanced : bool
        Weight each class by the inverse of its share.
    patience : int
        Epochs without a better validation loss before training stops; without validation texts all epochs run.
    precision : {"auto", "float32", "bfloat16"}
        Arithmetic of the forward and backward pass. "auto" takes bfloat16 where the device has instructions for it.
    seed : int
        Seed of the head, of the order of batches and of dropout.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    Notes
    -----
    Chapter: language/01_bert_finetuning

    References
    ----------
    bib: loshchilov2019decoupled
    """

    epochs: int = 3
    learning_rate: float = 5e-5
    batch_size: int = 16
    max_tokens: int = 128
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    dropout: float = 0.1
    frozen: bool = False
    balanced: bool = False
    patience: int = 2
    precision: Precision = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        _validate.integer(self.epochs, "epochs", low=1)
        _validate.number(self.learning_rate, "learning_rate", above=0)
        _validate.integer(self.batch_size, "batch_size", low=1)
        _validate.integer(self.max_tokens, "max_tokens", low=3)
        _validate.number(self.warmup, "warmup", low=0, below=1)
        _validate.number(self.weight_decay, "weight_decay", low=0)
        _validate.number(self.clip, "clip", above=0)
        _validate.number(self.dropout, "dropout", low=0, below=1)
        _validate.flag(self.frozen, "frozen")
        _validate.flag(self.balanced, "balanced")
        _validate.integer(self.patience, "patience", low=1)
        _validate.one_of(self.precision, "precision", ("auto", "float32", "bfloat16"))
        _validate.integer(self.seed, "seed")


def device_of(device: str | None) -> Any:
    """Return the torch device of that name; without a name the GPU if there is one."""
    import torch

    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    name = _validate.text(device, "device", least=1)
    try:
        found = torch.device(name)
    except RuntimeError as err:
        raise ValueError(f"device: torch knows no device '{name}'; take 'cpu', 'cuda' or run.device.") from err
    if found.type == "cuda" and not torch.cuda.is_available():
        raise ValueError("device: 'cuda' is asked for and torch sees no GPU here; take 'cpu' or run.device.")
    return found


def arithmetic(precision: Precision, device: Any) -> Any:
    """Return the torch type of the forward pass on a device."""
    import torch

    if precision != "auto":
        return torch.bfloat16 if precision == "bfloat16" else torch.float32
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported()
    else:
        has = torch.cpu.get_capabilities() if device.type == "cpu" else {}
        fast = bool(has.get("avx512_bf16") or has.get("amx_bf16"))
    return torch.bfloat16 if fast else torch.float32
