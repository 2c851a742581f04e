"""The judge: whether an answer is right, whose it is, and what to tell its author."""
