"""Prompts a second of the ranker: 24 orders of one case, and unrelated cases; bfloat16 and float32, and their gap."""

import itertools
import time

import numpy as np

from causalrec_lib.language import ranker as lm

LETTERS = list("ABCD")
WORDS = ("soft", "wide", "blue", "warm", "short", "light", "plain", "fine")
KINDS = ("Dresses", "Knits", "Pants", "Skirts", "Jackets", "Sweaters")
BAR = 10.0  # prompts a second of about 100 tokens, in bfloat16 on two cores


def cases(n: int, rng: np.random.Generator) -> list[tuple[list[str], list[str]]]:
    """Return histories and candidates of made-up items."""
    items = [f"{kind}: a {a} one and very {b}" for kind in KINDS for a, b in itertools.permutations(WORDS, 2)]
    drawn = [rng.choice(items, 7, replace=False).tolist() for _ in range(n)]
    return [(lines[:3], lines[3:]) for lines in drawn]


def rate(ranker: lm.Ranker, prompts: list[list[dict[str, str]]]) -> tuple[float, np.ndarray]:
    """Return prompts a second (the better of two runs) and the scores."""
    best = 0.0
    for _ in range(2):
        started = time.perf_counter()
        found = lm.answer_logprobs(ranker, prompts, LETTERS)
        best = max(best, len(prompts) / (time.perf_counter() - started))
    return best, found


def main(threads: int = 2) -> None:
    """Print both rates in both precisions, and how far bfloat16 is from float32."""
    drawn = cases(48, np.random.default_rng(0))
    apart = [lm.choice_messages(*case) for case in drawn]
    past, offer = drawn[0]
    together = [lm.choice_messages(past, [offer[k] for k in p]) for p in itertools.permutations(range(4))]
    scores = {}
    for dtype in ("bfloat16", "float32"):
        ranker = lm.load_ranker(dtype=dtype, threads=threads)
        text = ranker.tokenizer.apply_chat_template(apart[0], tokenize=False, add_generation_prompt=True)
        tokens = len(ranker.tokenizer.encode(text, add_special_tokens=False))
        alone, scores[dtype] = rate(ranker, apart)
        shared, _ = rate(ranker, together)
        print(
            f"{dtype}, {threads} threads, {tokens} tokens: {alone:.1f} prompts/s, {shared:.1f} with a shared start "
            f"(bar: {BAR:g} in bfloat16 on two cores)"
        )
    gap = scores["bfloat16"] - scores["float32"]
    gap = gap - gap.mean(axis=1, keepdims=True)
    print(f"bfloat16 against float32, log-probability against the mean of the four: spread {gap.std():.3f}")


if __name__ == "__main__":
    main()
