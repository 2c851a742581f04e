"""A lesson for graders: a class over three exercises, parts, a question; answers to all of it."""

from __future__ import annotations

from pathlib import Path

import nbformat

from tests.course.small_lesson import GOOD_1, GOOD_2, META, SMALL
from tinyternary import course
from tinyternary.course.authoring.build import learner_notebook

NAME = "92_room"


def _exercise(grade_id: str, points: int, solution: str, body: str, wrong: list[str]) -> str:
    number = ".".join(grade_id.split("_")[:2])
    variants = "\n\n".join(
        f'# %% variant={{"of": "{grade_id}", "wrong": "number {place}"}}\n{text.strip()}\n'
        for place, text in enumerate(wrong)
    )
    first, _, rest = solution.strip().partition("\n")
    return f'''
# %% nbgrader={{"grade": false, "grade_id": "{grade_id}", "locked": false, "solution": true, {META}}}
{first}
    ### BEGIN SOLUTION
{rest.partition("#end")[0].rstrip()}
    ### END SOLUTION
{rest.partition("#end")[2]}

# %% nbgrader={{"grade": true, "grade_id": "{grade_id}_check", "locked": true, "points": {points}, "solution": false, {META}}}
@check.exercise("{number}")
{body.strip()}


{variants}
'''


RUNNING = """
class Running:
    def __init__(self):
        self.values = []

    def add(self, value):
        self.values.append(value)
"""
MEAN = """
def mean(self):
    return sum(self.values) / len(self.values)
#end
Running.mean = mean
"""
SPREAD = """
def spread(self):
    return max(self.values) - min(self.values)
#end
Running.spread = spread
"""
BOTH = """
def quantized(weights, delta):
    trits = threshold(weights, delta)
    return trits, best_scale(weights, trits)
"""
ROOM = (
    SMALL.replace("91_small", NAME)
    + _exercise(
        "1_3_Running", 1, RUNNING,
        """
def _(Running):
    one = Running()
    one.add(3.0)
    check.equal(one.values, [3.0], "Keep what is added.")
    check.equal(Running().values, [], "Each object keeps its own.")
""",
        ["class Running:\n    values = []\n    def add(self, value):\n        self.values.append(value)"],
    )
    + _exercise(
        "1_4_mean", 1, MEAN,
        """
def _(mean, Running):
    one = Running()
    one.add(3.0)
    one.add(5.0)
    check.close(one.mean(), 4.0, "Divide by how many there are.")
""",
        ["def mean(self):\n    return sum(self.values)\nRunning.mean = mean"],
    )
    + _exercise(
        "1_5_spread", 1, SPREAD,
        """
def _(spread, Running):
    one = Running()
    one.add(3.0)
    one.add(5.0)
    check.close(one.spread(), 2.0, "From the smallest to the largest.")
""",
        ["def spread(self):\n    return max(self.values)\nRunning.spread = spread"],
    )
    + _exercise(
        "1_6_quantized", 3, BOTH,
        """
def _(quantized):
    w = np.array([-2.0, 0.1, 1.0])
    with check.part("trits", points=1):
        check.equal(quantized(w, 0.5)[0], [-1, 0, 1], "The trits come first.")
    with check.part("scale", points=2):
        check.close(quantized(w, 0.5)[1], 1.5, "The scale of these trits.")
    ### BEGIN HIDDEN TESTS
    secret_of_parts = 0
    ### END HIDDEN TESTS
""",
        ["def quantized(weights, delta):\n    return np.sign(weights), 1.0"],
    )
    + f'''
# %% [markdown] nbgrader={{"grade": true, "grade_id": "1_7_words", "locked": false, "points": 2, "solution": true, {META}}}
# **Why** are there three?
#
# ### BEGIN SOLUTION
# secret_of_words: because zero counts.
# ### END SOLUTION

# %% [markdown] rubric={{"of": "1_7_words"}}
# secret_of_rubric
'''
)  # fmt: skip
SECRETS = tuple(
    f"secret_of_{what}" for what in ("solution", "hidden", "variant", "parts", "words", "rubric")
)
POINTS = {"1.1": 1.0, "1.2": 3.0, "1.3": 1.0, "1.4": 1.0, "1.5": 1.0, "1.6": 3.0}
CELLS = {"1.1": "1_1_threshold", "1.2": "1_2_best_scale", "1.3": "1_3_Running", "1.4": "1_4_mean",
         "1.5": "1_5_spread", "1.6": "1_6_quantized"}  # fmt: skip
ANSWERS = {
    "1.1": GOOD_1, "1.2": GOOD_2, "1.3": RUNNING, "1.4": MEAN, "1.5": SPREAD, "1.6": BOTH,
}  # fmt: skip
WORDS = "**Why** are there three?\n\nBecause zero counts too."


class Answered:
    """A learner's notebook of the lesson."""

    def __init__(self, root: Path, answers: dict[str, str] | None = None) -> None:
        self.nb = learner_notebook(course.read_lesson(NAME, root))
        for number, text in (ANSWERS if answers is None else answers).items():
            self.cell(CELLS[number]).source = text.strip()

    def cell(self, name: str) -> nbformat.NotebookNode:
        return next(c for c in self.nb.cells if c.id == name)

    def setup(self) -> nbformat.NotebookNode:
        return next(c for c in self.nb.cells if "course.checks" in c.source)

    def place(self, name: str) -> int:
        return [c.id for c in self.nb.cells].index(name)

    def after(self, name: str, source: str) -> Answered:
        self.nb.cells.insert(self.place(name) + 1, nbformat.v4.new_code_cell(source))
        return self

    def drop(self, cell: nbformat.NotebookNode) -> Answered:
        self.nb.cells.remove(cell)
        return self


def lessons_folder(parent: Path) -> Path:
    """Write the lesson's source and its pack into a folder `lessons`, and return that."""
    source = parent / "lessons" / "source"
    source.mkdir(parents=True)
    (source / f"{NAME}.py").write_text(ROOM)
    course.build(root=source.parent, solved=False)
    return source.parent
