"""A small lesson of two exercises, and a learner's notebook of it."""

from __future__ import annotations

from pathlib import Path

import nbformat

from tinyternary.course import read_lesson
from tinyternary.course.authoring.build import learner_notebook

META = '"schema_version": 3, "task": false'
SMALL = f'''# %% [markdown]
# # 01 · A small lesson

# %% tags=["setup"]
import numpy as np

import tinyternary as tt
from tinyternary import course

check = course.checks("91_small")
my = check.mine

# %% nbgrader={{"grade": false, "grade_id": "1_1_threshold", "locked": false, "solution": true, {META}}}
def threshold(weights, delta):
    """Trits."""
    ### BEGIN SOLUTION
    secret_of_solution = np.abs(weights) > delta
    return np.sign(weights).astype(np.int8) * secret_of_solution
    ### END SOLUTION


# %% nbgrader={{"grade": true, "grade_id": "1_1_threshold_check", "locked": true, "points": 1, "solution": false, {META}}}
@check.exercise("1.1")
def _(threshold):
    check.equal(threshold(np.array([-2.0, 0.1, 3.0]), 1.0), [-1, 0, 1], "mind the signs")
    ### BEGIN HIDDEN TESTS
    secret_of_hidden = np.array([1.0, 5.0])
    check.equal(threshold(secret_of_hidden, 1.0), [0, 1], "mind the edge")
    ### END HIDDEN TESTS


# %% variant={{"of": "1_1_threshold", "wrong": "secret_of_variant: no zeros", "says": "signs"}}
def threshold(weights, delta):
    return np.sign(weights)


# %% variant={{"of": "1_1_threshold", "wrong": "no signs"}}
def threshold(weights, delta):
    return np.abs(weights) > delta


# %% variant={{"of": "1_1_threshold", "wrong": "the edge", "says": "edge"}}
def threshold(weights, delta):
    return np.sign(weights) * (np.abs(weights) >= delta)


# %% variant={{"of": "1_1_threshold", "right": "where"}}
def threshold(weights, delta):
    return np.where(np.abs(weights) > delta, np.sign(weights), 0)


# %% variant={{"of": "1_1_threshold", "right": "two comparisons"}}
def threshold(weights, delta):
    return (weights > delta).astype(int) - (weights < -delta)


# %%
print("a demonstration", my.threshold(np.array([3.0]), 1.0))

# %% nbgrader={{"grade": false, "grade_id": "1_2_best_scale", "locked": false, "solution": true, {META}}}
def best_scale(weights, trits):
    ### BEGIN SOLUTION
    return float(np.abs(weights)[trits != 0].mean())
    ### END SOLUTION


# %% nbgrader={{"grade": true, "grade_id": "1_2_best_scale_check", "locked": true, "points": 3, "solution": false, {META}}}
@check.exercise("1.2")
def _(best_scale):
    check.close(best_scale(np.array([-2.0, 0.1, 1.0]), np.array([-1, 0, 1])), 1.5, "survivors")


# %% variant={{"of": "1_2_best_scale", "wrong": "all"}}
def best_scale(weights, trits):
    return np.abs(weights).mean()


# %% variant={{"of": "1_2_best_scale", "wrong": "sum"}}
def best_scale(weights, trits):
    return np.abs(weights)[trits != 0].sum()


# %% variant={{"of": "1_2_best_scale", "wrong": "one"}}
def best_scale(weights, trits):
    return 1.0


# %% variant={{"of": "1_2_best_scale", "right": "inner products"}}
def best_scale(weights, trits):
    return weights @ trits / (trits @ trits)


# %% variant={{"of": "1_2_best_scale", "right": "a loop"}}
def best_scale(weights, trits):
    kept = [abs(w) for w, t in zip(weights, trits) if t]
    return sum(kept) / len(kept)
'''

GOOD_1 = """
def threshold(weights, delta):
    return np.where(np.abs(weights) > delta, np.sign(weights), 0)
"""
GOOD_2 = """
def best_scale(weights, trits):
    return np.abs(weights)[trits != 0].mean()
"""


class Notebook:
    """A learner's notebook under construction."""

    def __init__(self, root: Path) -> None:
        self.nb = learner_notebook(read_lesson("91", root))
        self.path = root / "learner.ipynb"

    def cell(self, name: str) -> nbformat.NotebookNode:
        return next(c for c in self.nb.cells if c.id == name)

    def answer(self, one: str | None = GOOD_1, two: str | None = GOOD_2) -> Notebook:
        if one is not None:
            self.cell("1_1_threshold").source = one
        if two is not None:
            self.cell("1_2_best_scale").source = two
        return self

    def add(self, source: str, before: str = "1_1_threshold") -> Notebook:
        place = [c.id for c in self.nb.cells].index(before)
        self.nb.cells.insert(place, nbformat.v4.new_code_cell(source))
        return self

    def save(self) -> Path:
        nbformat.write(self.nb, self.path)
        return self.path
