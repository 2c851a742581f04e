"""Small activations: int8 and trits, each with its straight-through estimator (lesson 06)."""
