"""Helper library of the course on causal inference for language-model recommenders."""

__version__ = "0.1.0"
