"""Language models: encoders that are fine-tuned, text in its causal roles, and a model that ranks."""
