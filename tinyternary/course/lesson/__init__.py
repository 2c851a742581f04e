"""A lesson as data: its cells, its exercises, its source text, and its form inside the package."""
