"""From texts to batches of tokens: cut once, batched by length, padded to the longest of the batch."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


class Tokens(NamedTuple):
    """Token numbers of many texts, one after the other.

    Parameters
    ----------
    flat : ndarray of shape (n_tokens,)
        Numbers of all tokens.
    starts : ndarray of shape (n + 1,)
        Where each text starts in `flat`.
    cut : int
        Texts that were longer than the limit.
    pad : int
        Number of the padding token.
    """

    flat: IntArray
    starts: IntArray
    cut: int
    pad: int

    @property
    def lengths(self) -> IntArray:
        """Tokens of each text."""
        return np.diff(self.starts)

    def padded(self, rows: IntArray, width: int | None = None) -> tuple[IntArray, IntArray]:
        """Return tokens and mask of some texts, each of shape (rows, longest of them)."""
        lengths = self.lengths[rows]
        columns = np.arange(int(lengths.max()) if width is None else width)
        mask = columns < lengths[:, None]
        ids = np.full(mask.shape, self.pad, dtype=np.int64)
        ids[mask] = self.flat[(self.starts[rows][:, None] + columns)[mask]]
        return ids, mask.astype(np.int64)


def tokenise(tokenizer: Any, texts: list[str], max_tokens: int) -> Tokens:
    """Cut texts into tokens, at most `max_tokens` of each, special tokens included."""
    room = 40 * max_tokens  # no token has more letters than that, and a book need not be cut to its end
    short = [t[:room] for t in texts]
    found = tokenizer(short, truncation=True, max_length=max_tokens, return_attention_mask=False)["input_ids"]
    lengths = np.array([len(ids) for ids in found], dtype=np.int64)
    full = tokenizer([t for t, n in zip(short, lengths, strict=True) if n == max_tokens] or [""])["input_ids"]
    cut = sum(len(ids) > max_tokens for ids in full)
    flat = np.fromiter((i for ids in found for i in ids), dtype=np.int64, count=int(lengths.sum()))
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    return Tokens(flat, np.concatenate([[0], np.cumsum(lengths)]), cut, int(pad))


def batches(lengths: IntArray, size: int, rng: np.random.Generator | None = None) -> list[IntArray]:
    """Return batches of texts of like length; with `rng` texts and batches come in random order.

    Texts are shuffled, sorted by length within windows of 50 batches, and cut: a batch holds little padding, and the
    batches of one epoch differ from those of the next.
    """
    n = len(lengths)
    order = np.arange(n) if rng is None else rng.permutation(n)
    window = 50 * size if rng is not None else max(n, 1)
    parts: list[IntArray] = []
    for start in range(0, n, window):
        some = order[start : start + window]
        some = some[np.argsort(lengths[some], kind="stable")]
        parts += [some[i : i + size] for i in range(0, len(some), size)]
    if rng is not None:
        parts = [parts[i] for i in rng.permutation(len(parts))]
    return parts
