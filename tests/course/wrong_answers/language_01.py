"""Plausible wrong answers to the exercises of language/01_bert_finetuning, each to be refused with a hint."""

import numpy as np
from sklearn.metrics import f1_score


def _accuracy(y, said, k):
    return (y == said).mean()


def _weighted(y, said, k):
    return f1_score(y, said, average="weighted")


def _present_only(y, said, k):
    return f1_score(y, said, average="macro")


def _from_zero(S, eta, warmup):
    s, W = np.arange(S), int(np.ceil(warmup * S))
    return eta * np.where(s < W, s / W, (S - s) / (S - W))


def _uphill(S, eta, warmup):
    s, W = np.arange(S), int(np.ceil(warmup * S))
    return eta * np.where(s < W, (s + 1) / W, (W - s) / (S - W))


def _items_only(item, text, chosen):
    return np.isin(item, chosen)


def _no_text_twice(item, text, chosen):
    return np.isin(item, chosen) & np.array([(text == t).sum() == 1 for t in text])


WRONG = {
    "language/01.1": [_accuracy, _weighted, _present_only],
    "language/01.2": [_from_zero, _uphill],
    "language/01.3": [_items_only, _no_text_twice],
}
