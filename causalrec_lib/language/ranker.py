"""A language model as recommender: load it, ask it for a letter, a yes or a ranking, and read what it says."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from causalrec_lib import _validate
from causalrec_lib._validate import FloatArray
from causalrec_lib.data import models, registry
from causalrec_lib.language._answers import Unparsed, parse_ranking, read_rankings
from causalrec_lib.language._prompts import LETTERS, QUESTION, Messages, choice_messages, item_line, worth_messages
from causalrec_lib.language._scoring import answer_scores

__all__ = [
    "LETTERS",
    "QUESTION",
    "Ranker",
    "Unparsed",
    "answer_logprobs",
    "choice_messages",
    "generate",
    "item_line",
    "load_ranker",
    "parse_ranking",
    "read_rankings",
    "worth_messages",
]

_OWN = "smollm2"
_DTYPES = ("auto", "bfloat16", "float32")


@dataclass(frozen=True, eq=False)
class Ranker:
    """A loaded model with its tokenizer; made by `load_ranker`.

    Parameters
    ----------
    name : str
        Where it came from.
    model : torch.nn.Module
        A causal language model of transformers, in evaluation mode.
    tokenizer : object
        Its tokenizer, with a chat template.
    device : str
        "cpu", "cuda" or "mps".
    dtype : str
        "bfloat16" or "float32".
    context : int
        The longest prompt that the model reads, in tokens.

    Notes
    -----
    Chapter: language/04_llm_as_recommender
    """

    name: str
    model: Any = field(repr=False)
    tokenizer: Any = field(repr=False)
    device: str
    dtype: str
    context: int


def load_ranker(name: str = _OWN, *, device: str = "cpu", dtype: str = "auto", threads: int | None = None) -> Ranker:
    """Load a causal language model that follows instructions.

    Parameters
    ----------
    name : str
        "smollm2" (comes with the course, no network needed), a folder, or "owner/name" on the hub.
    device : {"cpu", "cuda", "mps"}
        Where to compute; chapters pass `run.device`.
    dtype : {"auto", "bfloat16", "float32"}
        "auto" takes bfloat16 where the device computes in it, and float32 elsewhere.
    threads : int, optional
        CPU threads for torch; chapters pass `run.threads`.

    Returns
    -------
    Ranker
        Model and tokenizer.

    Raises
    ------
    ValueError
        If the model can't be found or read, is no causal language model, has no safetensors weights, needs code of
        its own, or its tokenizer has no chat template; the message names `name` and the mend.
    ImportError
        If torch or transformers is not installed: `pip install 'causalrec-lib[language]'`.

    Notes
    -----
    Weights are read from safetensors alone, and no code that comes with a model is run.
    Chapter: language/04_llm_as_recommender

    References
    ----------
    bib: allal2025smollm
    """
    _validate.text(name, "name", 1)
    _validate.one_of(device, "device", ("cpu", "cuda", "mps"))
    _validate.one_of(dtype, "dtype", _DTYPES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tqdm misses a widget that nothing here shows
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

    if threads is not None:
        torch.set_num_threads(_validate.integer(threads, "threads", 1))
    kind = _fast_dtype(device) if dtype == "auto" else dtype
    source, local = _source(name)
    safe: dict[str, Any] = {"local_files_only": local, "trust_remote_code": False}
    try:
        with _quiet():
            tokenizer = AutoTokenizer.from_pretrained(source, **safe)
            model = AutoModelForCausalLM.from_pretrained(
                source, use_safetensors=True, dtype=getattr(torch, kind), **safe
            )
    except Exception as err:  # hub, disk and format each raise errors of their own
        first = str(err).strip().partition("\n")[0]
        raise ValueError(
            f"name: {name!r} can't be loaded as a causal language model ({type(err).__name__}: {first[:200]}); "
            f"pass '{_OWN}', a folder with config.json, tokenizer and safetensors, or a name on a hub that answers."
        ) from err
    if not getattr(tokenizer, "chat_template", None):
        raise ValueError(f"name: {name!r} has no chat template; pass a model that was tuned to follow instructions.")
    context = int(getattr(model.config, "max_position_embeddings", None) or tokenizer.model_max_length)
    placed: Any = model  # its own type of `to` asks for a model
    return Ranker(name, placed.to(device).eval(), tokenizer, device, kind, context)


@contextmanager
def _quiet() -> Iterator[None]:
    """Load without progress bars, whose times would differ from run to run on a page."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _source(name: str) -> tuple[str, bool]:
    """Return where to load from, and whether that is a folder."""
    if name in registry.names(group="model"):
        if name != _OWN:
            raise ValueError(f"name: {name!r} can't write, it only encodes; pass '{_OWN}'.")
        return str(models.model_path(name)), True
    if Path(name).is_dir():
        return name, True
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise ValueError(f"name: {name!r} is no folder and no model here; pass '{_OWN}', a folder, or 'owner/name'.")
    return name, False


def _fast_dtype(device: str) -> str:
    """Return bfloat16 where the device has instructions for it."""
    import torch

    if device == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    if device == "mps":
        return "float32"
    known = torch.cpu.get_capabilities()
    return "bfloat16" if known.get("avx512_bf16") or known.get("amx_bf16") else "float32"


# Ask ------------------------------------------------------------------------------------------------------------


def answer_logprobs(
    ranker: Ranker, conversations: Iterable[Messages], answers: Sequence[str], *, start: str = "", batch: int = 24
) -> FloatArray:
    """Return how probable each answer is as the next token of each conversation (constrained scoring).

    Parameters
    ----------
    ranker : Ranker
        From `load_ranker`.
    conversations : iterable of list of dict
        From `choice_messages` or `worth_messages`.
    answers : sequence of str
        What may follow, each of them a single token: letters, or "Yes" and "No".
    start : str
        Words that the model is made to begin its answer with.
    batch : int
        Prompts computed together.

    Returns
    -------
    ndarray of shape (n, answers)
        Natural logarithms of probabilities among all tokens; what is missing to a sum of 1 goes to other words.

    Raises
    ------
    ValueError
        If there is no conversation, one holds a control token of the model or is longer than its context, an answer
        is no single token or comes twice, or the model's scores are no numbers.

    Notes
    -----
    Nothing is generated, so no answer can be misread. Prompts are sorted, and a beginning that several share is
    computed once; the order in which they are given doesn't matter beyond rounding.
    Chapter: language/04_llm_as_recommender

    References
    ----------
    bib: hou2024large
    """
    _validate.instance(ranker, "ranker", Ranker, "call load_ranker() first")
    size = _validate.integer(batch, "batch", 1)
    prompts = _prompts(ranker, conversations, _validate.text(start, "start"), 1)
    tokens = [_single(ranker, answer, bool(start)) for answer in _validate.texts(answers, "answers")]
    if len(tokens) < 2 or len(set(tokens)) < len(tokens):
        raise ValueError(f"answers must be two or more that differ, but are {list(answers)}.")
    found = answer_scores(ranker.model, prompts, tokens, size, ranker.device)
    bad = ~np.isfinite(found).all(axis=1)
    if bad.any():
        raise ValueError(f"ranker: the model's scores are no numbers in {_validate.rows(bad)}; load intact weights.")
    return found


def _single(ranker: Ranker, answer: str, inside: bool) -> int:
    """Return the token of an answer; in the middle of a sentence it has a space before it."""
    tokens = ranker.tokenizer.encode((" " if inside else "") + answer, add_special_tokens=False)
    if len(tokens) != 1:
        raise ValueError(f"answers: {answer!r} is {len(tokens)} tokens of {ranker.name}, not one; ask for letters.")
    return int(tokens[0])


def _prompts(ranker: Ranker, conversations: Iterable[Messages], start: str, answer_tokens: int) -> list[list[int]]:
    """Return the tokens of each conversation, the beginning of the answer included."""
    encoded = []
    special = [token for token in ranker.tokenizer.all_special_tokens if token]
    for row, messages in enumerate(_validate.iterable(conversations, "conversations")):
        for message in _validate.iterable(messages, f"row {row} of conversations"):
            content = _validate.mapping(message, f"each message in row {row} of conversations").get("content", "")
            found = [token for token in special if token in _validate.text(content, "content of conversations")]
            if found:
                raise ValueError(
                    f"conversations has the control token {found[0]!r} in row {row}; clean item texts with item_line."
                )
        text = ranker.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        encoded.append(list(ranker.tokenizer.encode(text + start, add_special_tokens=False)))
    if not encoded:
        raise ValueError("conversations is empty; check the filter that made it.")
    long = np.array([len(tokens) + answer_tokens > ranker.context for tokens in encoded])
    if long.any():
        most = max(map(len, encoded))
        raise ValueError(
            f"conversations are too long in {_validate.rows(long)}: up to {most:,} tokens, and {ranker.name} reads "
            f"{ranker.context:,} with its answer; pass fewer words or items."
        )
    return encoded


def generate(
    ranker: Ranker, conversations: Iterable[Messages], *, tokens: int = 24, start: str = "", batch: int = 24
) -> list[str]:
    """Let the model write its answers, each time with the most probable next token (greedy).

    Parameters
    ----------
    ranker : Ranker
        From `load_ranker`.
    conversations : iterable of list of dict
        From `choice_messages`.
    tokens : int
        The longest answer.
    start : str
        Words that the model is made to begin with; they stand in the answer, too.
    batch : int
        Prompts computed together.

    Returns
    -------
    list of str
        The answers, in the order of the conversations.

    Raises
    ------
    ValueError
        As `answer_logprobs`.

    Notes
    -----
    Chapter: language/04_llm_as_recommender
    """
    import torch

    _validate.instance(ranker, "ranker", Ranker, "call load_ranker() first")
    longest, size = _validate.integer(tokens, "tokens", 1), _validate.integer(batch, "batch", 1)
    prompts = _prompts(ranker, conversations, _validate.text(start, "start"), longest)
    pad = (
        ranker.tokenizer.pad_token_id if ranker.tokenizer.pad_token_id is not None else ranker.tokenizer.eos_token_id
    )
    said = [""] * len(prompts)
    order = sorted(range(len(prompts)), key=lambda row: len(prompts[row]))
    for rows in (order[i : i + size] for i in range(0, len(order), size)):
        width = max(len(prompts[row]) for row in rows)
        table = torch.full((len(rows), width), pad)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for at, row in enumerate(rows):  # on the left, so that each answer begins where its prompt ends
            table[at, width - len(prompts[row]) :] = torch.tensor(prompts[row])
            mask[at, width - len(prompts[row]) :] = 1
        with torch.inference_mode():
            written = ranker.model.generate(
                input_ids=table.to(ranker.device), attention_mask=mask.to(ranker.device), max_new_tokens=longest,
                do_sample=False, pad_token_id=pad,
            )[:, width:]  # fmt: skip
        for at, row in enumerate(rows):
            said[row] = start + ranker.tokenizer.decode(
                written[at], skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
    return said
