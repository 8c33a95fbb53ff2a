"""Plausible wrong answers, one module a chapter: `WRONG = {"part/NN.k": [function, function, ...]}`."""
