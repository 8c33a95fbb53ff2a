"""Language models in the course: text encoders, their fine-tuning, and what stands on them."""
