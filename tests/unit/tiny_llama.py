"""A Llama of a few thousand random weights and a tokenizer of bytes, built in the test: no file, no network."""

from __future__ import annotations

import string
from functools import cache
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from causalrec_lib.language.ranker import Ranker

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer with one token a byte, one for " A" ... " Z", and "Yes", "No"."""
    letters = [f"\u0120{c}" for c in string.ascii_uppercase]
    words = ["Ye", "Yes", "No", "\u0120Yes", "\u0120No"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: k for k, token in enumerate([*SPECIAL, *alphabet, *letters, *words])}
    merges = [("\u0120", c) for c in string.ascii_uppercase]
    merges = [("Y", "e"), ("Ye", "s"), ("N", "o"), ("\u0120", "Yes"), ("\u0120", "No"), *merges]
    plain = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(tokenizer_object=plain, bos_token=SPECIAL[1], eos_token=SPECIAL[2])
    made.add_special_tokens({"additional_special_tokens": SPECIAL[:1]})
    made.chat_template = TEMPLATE
    return made


def model(context: int = 512, seed: int = 0) -> LlamaForCausalLM:
    """Return a random Llama in float32."""
    torch.manual_seed(seed)
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = LlamaConfig(
        vocab_size=320, num_key_value_heads=2, max_position_embeddings=context, initializer_range=0.3,
        bos_token_id=1, eos_token_id=2, pad_token_id=2, **size,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


@cache
def ranker() -> Ranker:
    """Return both as `load_ranker` would."""
    return Ranker("tiny", model(), tokenizer(), "cpu", "float32", 512)


def saved(folder: Path) -> Path:
    """Write both where `load_ranker(folder)` finds them."""
    model().save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder
