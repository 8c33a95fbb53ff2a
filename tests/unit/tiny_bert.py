"""A BERT with random weights, small enough to train in a second, in a folder as transformers writes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

WORDS = ["lovely", "awful", "dress", "fits", "tight", "loose", "soft", "rough", "blue", "red", "returned", "kept"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def save(folder: Path, *, seed: int = 0, width: int = 32, layers: int = 2) -> Path:
    """Write a tiny BERT and its tokenizer into `folder`."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    vocabulary = {w: i for i, w in enumerate([*SPECIAL, *WORDS])}
    inner = Tokenizer(models.WordPiece(vocabulary, unk_token=SPECIAL[1]))
    inner.normalizer = normalizers.BertNormalizer()
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    )
    names = dict(zip(["pad", "unk", "cls", "sep", "mask"], SPECIAL, strict=True))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, **{f"{k}_token": v for k, v in names.items()})
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=2 * width,
        max_position_embeddings=128,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def reviews(n: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Draw texts of two classes that one word tells apart."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    noise = [" ".join(rng.choice(WORDS[2:], rng.integers(1, 8))) for _ in range(n)]
    return [f"{WORDS[1 - c]} {rest}" for c, rest in zip(y, noise, strict=True)], y
