"""The judge: exercises that build a class, parts, arguments, counted inputs, what is refused."""

from __future__ import annotations

import linecache
from pathlib import Path

import numpy as np
import pytest

from tinyternary.course.authoring.variants import try_answer
from tinyternary.course.judge.judging import Judge
from tinyternary.course.judge.tools import Tools
from tinyternary.course.judge.watch import Watch
from tinyternary.course.lesson.model import Lesson
from tinyternary.course.lesson.percent import parse_lesson

META = '"schema_version": 3, "task": false'


def cell(number: str, name: str, solution: str, check: str, points: int, head: str = "") -> str:
    """Source of an exercise: its cell and its check."""
    grade_id = f"{number.replace('.', '_')}_{name}"
    return f'''
# %% nbgrader={{"grade": false, "grade_id": "{grade_id}", "solution": true, {META}}}
{head}### BEGIN SOLUTION
{solution}
### END SOLUTION

# %% nbgrader={{"grade": true, "grade_id": "{grade_id}_check", "points": {points}, {META}}}
{check}
'''


SETUP = """# %% [markdown]
# # 92 · A class in three steps

# %% tags=["setup"]
import numpy as np

from tinyternary import course

check = course.checks("92_class")
my = check.mine
"""
VALUE = """class Value:
    def __init__(self, data, parents=()):
        self.data, self.grad, self.parents = data, 0.0, parents
    def __add__(self, other):
        return Value(self.data + other.data, ((self, 1.0), (other, 1.0)))
    def __mul__(self, other):
        return Value(self.data * other.data, ((self, other.data), (other, self.data)))"""
CHECK_VALUE = """@check.exercise("1.1")
def _(Value):
    a, b = Value(2.0), Value(3.0)
    with check.part("a sum", points=1):
        check.close((a + b).data, 5.0, "add the data")
    with check.part("a product", points=2):
        check.close((a * b).data, 6.0, "multiply the data")
        check.close((a * b).parents[0][1], 3.0, "the other one's data")"""
ORDER = """def order(value):
    seen, out = set(), []
    def visit(v):
        if id(v) not in seen:
            seen.add(id(v))
            for p, _ in v.parents:
                visit(p)
            out.append(v)
    visit(value)
    return out"""
CHECK_ORDER = """@check.exercise("1.2")
def _(order):
    x = Value(1.0)
    y = x + x
    check.equal([v is x for v in order(y)], [True, False], "parents first")"""
BACKWARD = """def backward(self):
    self.grad = 1.0
    for v in reversed(order(self)):
        for p, slope in v.parents:
            p.grad += slope * v.grad
Value.backward = backward"""
CHECK_BACKWARD = """@check.exercise("1.3")
def _(backward, Value):
    x = Value(3.0)
    (x * x + x).backward()
    check.close(x.grad, 7.0, "gradients add up at a fan-out")"""
SOURCE = (
    SETUP + cell("1.1", "Value", VALUE, CHECK_VALUE, 3) + cell("1.2", "order", ORDER, CHECK_ORDER, 1)
    + cell("1.3", "backward", BACKWARD, CHECK_BACKWARD, 2)
)  # fmt: skip


def lesson(text: str = SOURCE) -> Lesson:
    return parse_lesson(text, "92_class", Path("x.py"))


def notebook(*cells: str) -> dict:
    """Names of a notebook whose cells were run, each under a file name of its own."""
    names = {"__name__": "__main__", "np": np}
    for place, text in enumerate(cells):
        file = f"<cell {place} {hash(cells)}>"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        exec(compile(text, file, "exec"), names)
    return names


def test_a_class_is_built_over_three_exercises() -> None:
    judge = Judge(lesson())
    for number, points in (("1.1", 3), ("1.2", 1), ("1.3", 2)):
        solution = judge.lesson.exercise(number).solution.solved(hidden=False)
        verdict = try_answer(judge, number, solution)
        assert (verdict.status, verdict.points) == ("passed", points), verdict.message


def test_each_step_stands_on_the_lessons_own_earlier_ones() -> None:
    judge = Judge(lesson())
    names = notebook("class Value:\n    pass\n", "def order(v):\n    return []\n", BACKWARD)
    assert judge.judge("1.1", names).status == "crashed" or judge.judge("1.1", names).points == 0
    assert judge.judge("1.2", names).status == "failed"
    assert judge.judge("1.3", names).status == "passed"
    # and the learner's own class has not been touched by any of this
    assert names["Value"].backward is names["backward"]
    assert names["order"](None) == []


def test_parts_earn_their_points_and_their_mistakes_are_named() -> None:
    judge = Judge(lesson())
    verdict = try_answer(judge, "1.1", VALUE.replace("(self, other.data)", "(self, self.data)"))
    assert (verdict.status, verdict.points, verdict.max_points) == ("partly", 1, 3)
    assert "a product" in verdict.message
    assert "the other one's data" in verdict.message
    assert "a sum" not in verdict.message
    verdict = try_answer(judge, "1.1", VALUE.replace("self.data + other.data", "here_not"))
    assert (verdict.status, verdict.points) == ("partly", 2)
    assert "NameError" in verdict.message
    stubs = VALUE.replace(
        "return Value(self.data",
        'raise NotImplementedError("Exercise 1.1")\n        return Value(self.data',
    )
    assert try_answer(judge, "1.1", stubs).status == "not attempted"


def test_methods_that_call_the_library_are_seen() -> None:
    helped = VALUE.replace(
        "return Value(self.data + other.data,",
        "import tinyternary.quant as q\n        q.absmean(np.ones((2, 2)))\n"
        "        return Value(self.data + other.data,",
    )
    verdict = try_answer(Judge(lesson()), "1.1", helped)
    assert verdict.status == "failed"
    assert verdict.points == 0
    assert "tinyternary.quant" in verdict.message


ONE = SETUP + "{}"


def one(solution: str, check: str, answer: str | None = None, options: str = ""):
    """Judge one answer to an exercise of one function, `f`."""
    text = SETUP + cell("1.1", "f", solution, f'@check.exercise("1.1"{options})\n{check}', 1)
    return try_answer(Judge(lesson(text)), "1.1", answer or solution)


HALF = "def f(x):\n    return x / 2"
CHECK_HALF = "def _(f):\n    check.close(f(np.array([2.0, 4.0])), [1.0, 2.0], 'half of each')"


def test_an_argument_that_is_changed_is_noticed_even_if_the_result_is_right() -> None:
    in_place = "def f(x):\n    x /= 2\n    return x"
    verdict = one(HALF, CHECK_HALF, in_place)
    assert verdict.status == "failed"
    assert "`x`" in verdict.message
    assert "copy" in verdict.message
    assert one(HALF, CHECK_HALF, in_place, ", mutates=True").status == "passed"


def test_the_input_is_shown_beside_what_came() -> None:
    message = one(HALF, CHECK_HALF, "def f(x):\n    return x / 3").message
    assert "`f(x=[2., 4.])`" in message
    assert "half of each" in message
    sign = one(HALF, CHECK_HALF, "def f(x):\n    return -x / 2").message
    assert "opposite sign" in sign
    unpack = one(HALF, "def _(f):\n    a, b = f(3)\n    check.true(a, '')").message
    assert "could not use what your function returned" in unpack


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("def f(x):\n    import sys\n    sys.setprofile(None)\n    return x / 2", "turned off"),
        ("def f(x):\n    import threading\n    threading.Thread(target=print).start()\n"
         "    return x / 2", "thread"),
        ("def f(x):\n    import subprocess\n    subprocess.run(['true'])\n    return x / 2",
         "another program"),
        ("def f(x):\n    import os\n    os.system('true')\n    return x / 2", "another program"),
        ("def f(x):\n    import inspect\n    import tinyternary.quant as q\n"
         "    inspect.getsource(q.rules.absmean) if hasattr(q, 'rules') else 0\n"
         "    open(q.__file__).read()\n    return x / 2", "read a source file"),
        ("def f(x):\n    open('lessons/source/01_ternary_basics.py')\n    return x / 2",
         "read a source file"),
        ("def f(x):\n    import gc\n    gc.get_objects()\n    return x / 2", "searched"),
        ("def f(x):\n    try:\n        open('lessons/x.py')\n    except Exception:\n"
         "        pass\n    return x / 2", "read a source file"),
    ],
)  # fmt: skip
def test_ways_around_are_refused(answer: str, says: str) -> None:
    verdict = one(HALF, CHECK_HALF, answer)
    assert verdict.status == "failed", verdict
    assert says in verdict.message


def test_what_an_answer_may_do_is_not_refused() -> None:
    free = (
        "import math\nLIMIT = 2\n"
        "def helper(x):\n    return x / LIMIT\n"
        "def f(x):\n    import json\n    json.dumps({})\n    math.sqrt(2)\n    return helper(x)"
    )
    assert one(HALF, CHECK_HALF, free).status == "passed"


DOT = "def f(w, x):\n    total = 0\n    for a, b in zip(w.tolist(), x):\n        if a > 0: total = total + b\n        if a < 0: total = total - b\n    return total"
CHECK_DOT = """def _(f):
    w = np.array([1, -1, 0, 1], np.int8)
    x = check.counted(np.array([5, 6, 7, 8], np.int8))
    check.equal(f(w, x), 7, "the product")
    check.true(check.tally.multiply + check.tally.divide == 0, "no multiplication")
    check.true(check.tally.add > 0, "add the numbers as they come")"""


@pytest.mark.parametrize(
    "expression",
    [
        "w.astype(int) @ x.astype(int)", "np.dot(w.astype(int), x.astype(int))",
        "x.astype(int).dot(w.astype(int))", "np.inner(w.astype(int), x.astype(int))",
        "(w * x.astype(int)).sum()", "sum(int(a) * b for a, b in zip(w, x))",
        "sum(a * b for a, b in zip(w.tolist(), x.tolist()))",
        "__import__('operator').matmul(w.astype(int), x.astype(int))",
        "w.astype(int).__matmul__(x.astype(int))",
        "np.linalg.multi_dot([w.astype(int), np.eye(4, dtype=int), x.astype(int)])",
        "np.einsum('i,i', w.astype(int), x.astype(int))",
        "np.tensordot(w.astype(int), x.astype(int), 1)",
        "np.vdot(w.astype(int), x.astype(int))",
        "sum(b / (1 / a) for a, b in zip(w.tolist(), x.tolist()) if a)",
        "np.multiply(w, x.astype(int)).sum()", "np.convolve(w.astype(int), x[::-1].astype(int))[3]",
        "np.where(w == 1, x.astype(int), 0).sum() + (np.where(w < 0, x.astype(int), 0) * -1).sum()",
        "np.multiply.outer(w, x.astype(int)).trace()", "np.cov(w, x)[0, 1] * 0 + 7",
    ],
)  # fmt: skip
def test_a_multiplication_is_counted_whatever_it_is_called_by(expression: str) -> None:
    verdict = one(DOT, CHECK_DOT, f"def f(w, x):\n    return {expression}")
    assert verdict.status == "failed"
    assert "no multiplication" in verdict.message


@pytest.mark.parametrize(
    "expression",
    [
        "x[w == 1].astype(int).sum() - x[w == -1].astype(int).sum()",
        "np.where(w == 1, x.astype(int), 0).sum() - np.where(w == -1, x.astype(int), 0).sum()",
        "sum(b if a > 0 else -b for a, b in zip(w.tolist(), x.tolist()) if a)",
        "np.add.reduce(x[w > 0].astype(int)) - np.add.reduce(x[w < 0].astype(int))",
        "np.cumsum(np.where(w > 0, x, np.where(w < 0, -x.astype(int), 0)))[-1]",
        "sum(([0] * 4)[:0], sum(x[w > 0].tolist()) - sum(x[w < 0].tolist()))"
        .replace("sum(([0] * 4)[:0], ", "max([0] * 0 + [").replace(" - sum(x[w < 0].tolist()))",
                                                                 " - sum(x[w < 0].tolist())])"),
    ],
)  # fmt: skip
def test_right_ways_without_a_multiplication_pass(expression: str) -> None:
    verdict = one(DOT, CHECK_DOT, f"def f(w, x):\n    return {expression}")
    assert verdict.status == "passed", verdict.message


def test_numbers_made_plain_are_noticed() -> None:
    plain = "def f(w, x):\n    return sum(int(b) * int(a) for a, b in zip(w, x))"
    assert "as they come" in one(DOT, CHECK_DOT, plain).message


def test_set_up_arrays_are_fresh_each_time() -> None:
    text = SETUP.replace('check = course', 'shared = np.zeros(3)\ncheck = course') + cell(
        "1.1", "f", "def f(i):\n    shared[i] += 1\n    return shared[i]",
        "@check.exercise(\"1.1\")\ndef _(f):\n    check.close(f(0), 1.0, 'once')", 1,
    )  # fmt: skip
    judge = Judge(lesson(text))
    solution = judge.lesson.exercises[0].solution.solved(hidden=False)
    assert [try_answer(judge, "1.1", solution).status for _ in range(3)] == ["passed"] * 3


def test_counted_numbers_count_beside_numpys_scalars_and_several_share_a_tally() -> None:
    tools = Tools(Watch())
    trits, x = tools.counted(np.array([1, -1], np.int8), np.array([10, 20], np.int8))
    out = np.zeros(1, dtype=np.int64)
    out[0] += x[0]
    out[0] -= x[1]
    assert out[0] == -10
    assert tools.tally.add == 2
    assert tools.tally.multiply == 0
    assert [np.int64(3) * trits[0], trits @ x] == [3, -10]
    assert tools.tally.multiply == 3


def test_a_part_is_stored_without_a_load() -> None:
    tools = Tools(Watch())
    out, x = tools.counted(np.zeros((4, 4)), np.arange(4.0))
    out[1:3, :2] = x[:2]
    assert (tools.tally.load, tools.tally.store) == (2, 2)
    np.testing.assert_array_equal(np.asarray(out)[1:3], [[0, 1, 0, 0]] * 2)


def test_a_number_too_large_for_its_type_is_no_index() -> None:
    verdict = one(
        DOT, CHECK_DOT, "def f(w, x):\n    out = w.copy()\n    out[0] = 300\n    return out"
    )
    assert verdict.status == "crashed"
    assert "uint8 0 to 255" in verdict.message
    assert "index" not in verdict.message


def test_what_a_message_shows_of_an_argument_is_no_load() -> None:
    body = CHECK_DOT + '\n    check.true(check.tally.load == 4, f"loads: {check.tally.load}")'
    verdict = one(DOT, body, DOT)
    assert verdict.status == "passed", verdict.message


def test_a_recursion_without_an_end_is_called_that() -> None:
    for answer in (
        "def f(x):\n    return f(x)",
        "def g(x):\n    return f([x])\ndef f(x):\n    return g(x)",
    ):
        verdict = one(HALF, CHECK_HALF, answer)
        assert verdict.status == "crashed"
        assert "which case stops it" in verdict.message


WAIT = "import time\ndef burn():\n    end = time.process_time() + 0.05\n    while time.process_time() < end: pass\n"
CHECK_QUICK = "def _(f):\n    check.quick(0.02, lambda: f(1), 'no loop is needed')"


def test_a_time_budget_leaves_compilation_out() -> None:
    once = WAIT + "done = []\ndef f(x):\n    if not done: burn(); done.append(1)\n    return x"
    assert one("def f(x):\n    return x", CHECK_QUICK, once).status == "passed"
    always = WAIT + "def f(x):\n    burn()\n    return x"
    verdict = one("def f(x):\n    return x", CHECK_QUICK, always)
    assert verdict.status == "failed"
    assert "no loop is needed" in verdict.message
