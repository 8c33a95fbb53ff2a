"""A text encoder: loaded from local weights, turned into one vector a text, adapted to a domain by masked words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from causalrec_lib import _validate
from causalrec_lib._validate import FloatArray
from causalrec_lib.language import _inputs, _loop, _weights
from causalrec_lib.language._forward import NO_DROPOUT, attention, forward
from causalrec_lib.language._recipe import Precision, Recipe, device_of
from causalrec_lib.language._tokens import IntArray, Tokens, tokenise

__all__ = ["Encoder", "adapt", "load_encoder"]

SPECIAL = 0.15  # share of tokens to guess, as in BERT


@dataclass(frozen=True, slots=True)
class Encoder:
    """A text encoder with its tokenizer.

    Parameters
    ----------
    folder : Path
        Where configuration and tokenizer lie.
    tokenizer : object
        Tokenizer of transformers.
    model : torch.nn.Module
        Encoder of transformers, on its device.
    precision : {"auto", "float32", "bfloat16"}
        Arithmetic of the forward pass.

    Notes
    -----
    Chapter: language/01_bert_finetuning
    """

    folder: Path
    tokenizer: Any
    model: Any
    precision: Precision = "auto"

    @property
    def device(self) -> Any:
        """Device of the weights."""
        return next(self.model.parameters()).device

    @property
    def width(self) -> int:
        """Numbers a text is turned into."""
        return int(self.model.config.hidden_size)

    @property
    def longest(self) -> int:
        """Tokens that the model can read at once."""
        return int(getattr(self.model.config, "max_position_embeddings", 512))

    def tokens(self, texts: Sequence[str], max_tokens: int = 128) -> Tokens:
        """Cut texts into tokens.

        Parameters
        ----------
        texts : sequence of str of length n
            The texts; an empty text has its two special tokens.
        max_tokens : int
            Longer texts are cut.

        Returns
        -------
        Tokens
            Tokens of all texts.

        Raises
        ------
        ValueError
            If a text is missing, or `max_tokens` is more than the model can read.
        """
        found = _inputs.texts(texts, "texts")
        _validate.integer(max_tokens, "max_tokens", low=3, high=self.longest)
        return tokenise(self.tokenizer, found, max_tokens)

    def pooled(self, tokens: Tokens, rows: IntArray) -> Any:
        """Return the mean of the token vectors of some texts, as a tensor that gradients pass through.

        Parameters
        ----------
        tokens : Tokens
            What `tokens()` returned.
        rows : ndarray of shape (k,)
            Which texts.

        Returns
        -------
        torch.Tensor of shape (k, width)
            One vector a text.
        """
        import torch

        ids, mask = (torch.from_numpy(a).to(self.device, non_blocking=True) for a in tokens.padded(rows))
        hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        weight = mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weight).sum(1) / weight.sum(1)

    def embed(self, texts: Sequence[str], max_tokens: int = 128, batch_size: int = 64) -> FloatArray:
        """Turn texts into vectors of length one: the mean of a text's token vectors, scaled.

        Parameters
        ----------
        texts : sequence of str of length n
            The texts.
        max_tokens : int
            Longer texts are cut.
        batch_size : int
            Texts that pass through the model together; no effect on the answer but by rounding.

        Returns
        -------
        ndarray of shape (n, width)
            One vector a text.

        Raises
        ------
        ValueError
            If a text is missing, or a setting is out of its range.

        Notes
        -----
        Chapter: language/01_bert_finetuning

        References
        ----------
        bib: reimers2019sentence
        """
        tokens = self.tokens(texts, max_tokens)
        vectors = self.features(tokens, _validate.integer(batch_size, "batch_size", low=1))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def features(self, tokens: Tokens, batch_size: int = 64) -> FloatArray:
        """Return the pooled vector of every text, without gradients.

        Parameters
        ----------
        tokens : Tokens
            What `tokens()` returned.
        batch_size : int
            Texts that pass through the model together.

        Returns
        -------
        ndarray of shape (n, width)
            One vector a text.
        """
        out = np.empty((len(tokens.lengths), self.width))
        for rows, part in forward(self.model, tokens.lengths, batch_size, self.precision, self._pooled_of(tokens)):
            out[rows] = part
        return out

    def _pooled_of(self, tokens: Tokens) -> Any:
        return lambda rows: self.pooled(tokens, rows)


def load_encoder(
    model: str | Path = "minilm", *, device: str | None = None, precision: Precision = "auto"
) -> Encoder:
    """Load a text encoder from safetensors weights, without the network unless the hub is named.

    Parameters
    ----------
    model : str or Path
        `minilm`, a folder, or a name of the hub, such as "google-bert/bert-base-cased", where it can be reached.
    device : str, optional
        Torch device; without it the GPU if there is one. Chapters pass `run.device`.
    precision : {"auto", "float32", "bfloat16"}
        Arithmetic of the forward pass; "auto" takes bfloat16 where the device has instructions for it.

    Returns
    -------
    Encoder
        Ready for `embed` and for fine-tuning.

    Raises
    ------
    ValueError
        If `device` or `precision` is unknown.
    DataUnavailable
        If the model can't be had here.
    ModelUnusable
        If weights or tokenizer are missing, cut off, or of another model.

    Notes
    -----
    Chapter: language/01_bert_finetuning

    References
    ----------
    bib: devlin2019bert, wang2020minilm
    """
    _validate.one_of(precision, "precision", ("auto", "float32", "bfloat16"))
    where = device_of(device)
    folder = _weights.folder_of(model)
    _weights.check_folder(folder)
    net = _weights.read(folder, "AutoModel", attn_implementation=attention(where), **NO_DROPOUT)
    return Encoder(folder, _weights.tokenizer_of(folder), net.float().to(where).eval(), precision)


class _Masked:
    """The task of guessing masked words: which tokens are masked comes from the seed and the number of the call."""

    def __init__(self, net: Any, tokens: Tokens, tokenizer: Any, seed: int) -> None:
        self.net, self.tokens, self.tokenizer, self.seed, self.calls = net, tokens, tokenizer, seed, 0

    def loss(self, rows: IntArray) -> Any:
        """Mean loss of the masked tokens of some rows."""
        self.calls += 1
        return self.of(rows, np.random.default_rng([self.seed, self.calls]))

    def of(self, rows: IntArray, rng: np.random.Generator) -> Any:
        """Mask 15 % of the tokens: most by the mask, some by another word, some left as they are."""
        import torch

        ids, mask = self.tokens.padded(rows)
        special = np.isin(ids, self.tokenizer.all_special_ids) | (mask == 0)
        chosen = (rng.random(ids.shape) < SPECIAL) & ~special
        first = (~special).argmax(axis=1)
        chosen[np.arange(len(rows)), first] |= ~chosen.any(axis=1) & ~special.all(axis=1)
        labels = ids.copy()
        lot = rng.random(ids.shape)
        ids = np.where(chosen & (lot < 0.8), self.tokenizer.mask_token_id, ids)
        other = rng.integers(0, len(self.tokenizer), ids.shape)
        ids = np.where(chosen & (lot >= 0.8) & (lot < 0.9), other, ids)
        device = next(self.net.parameters()).device
        seen, kept, want = (torch.from_numpy(a).to(device) for a in (ids, mask, labels[chosen]))
        hidden = self.net.base_model(input_ids=seen, attention_mask=kept).last_hidden_state
        scores = self.net.cls(hidden[torch.from_numpy(chosen).to(device)])  # words are scored where one is hidden
        return torch.nn.functional.cross_entropy(scores.float(), want)


def adapt(
    texts: Sequence[str],
    *,
    held_out: Sequence[str],
    recipe: Recipe | None = None,
    model: str | Path = "minilm",
    device: str | None = None,
) -> tuple[Encoder, pd.DataFrame]:
    """Go on with pre-training on texts of a domain: guess masked words (domain-adaptive pre-training).

    Parameters
    ----------
    texts : sequence of str
        Texts of the domain, without labels.
    held_out : sequence of str
        Texts on which the loss of guessing is measured after each epoch.
    recipe : Recipe, optional
        Settings; `frozen` and `balanced` have no meaning here.
    model : str or Path
        As in `load_encoder`.
    device : str, optional
        As in `load_encoder`.

    Returns
    -------
    encoder : Encoder
        The adapted encoder.
    history : DataFrame
        One row an epoch: `epoch`, `step`, `loss` (held-out, nats a masked token).

    Raises
    ------
    ValueError
        If a text is missing or the recipe asks for what has no meaning here.
    ModelUnusable
        If weights or tokenizer are missing, cut off, or of another model.
    TrainingDiverged
        If the loss is no number any more.

    Notes
    -----
    Chapter: language/01_bert_finetuning

    References
    ----------
    bib: gururangan2020dont
    """
    recipe = Recipe() if recipe is None else _validate.instance(recipe, "recipe", Recipe, "make one with Recipe(...)")
    if recipe.frozen or recipe.balanced:
        raise ValueError("recipe: frozen and balanced have no meaning for masked words; leave them out.")
    where, folder = device_of(device), _weights.folder_of(model)
    tokenizer = _weights.tokenizer_of(folder)
    net = _weights.read(
        folder, "AutoModelForMaskedLM", seed=recipe.seed, attn_implementation=attention(where), **NO_DROPOUT
    )
    net = net.float().to(where)
    held = _Masked(net, tokenise(tokenizer, _inputs.texts(held_out, "held_out"), recipe.max_tokens), tokenizer, 0)
    mine = _Masked(net, tokenise(tokenizer, _inputs.texts(texts, "texts"), recipe.max_tokens), tokenizer, recipe.seed)
    task = _loop.Task(net, mine.loss, mine.tokens.lengths, lambda: {"loss": _held_out_loss(held, recipe)})
    before = {"epoch": 0, "step": 0, "loss": _held_out_loss(held, recipe)}
    at = _loop.train(task, recipe)
    encoder = Encoder(folder, tokenizer, net.base_model.eval(), recipe.precision)
    return encoder, pd.DataFrame([before, *at.epochs])


def _held_out_loss(task: _Masked, recipe: Recipe) -> float:
    """Mean loss of the held-out texts, the same words masked each time."""
    rng = np.random.default_rng(0)
    parts = [
        (len(rows), float(part))
        for rows, part in forward(
            task.net, task.tokens.lengths, 64, recipe.precision, lambda rows: task.of(rows, rng)
        )
    ]
    weights, losses = zip(*parts, strict=True)
    return float(np.average(losses, weights=weights))
