"""Mutants of solutions: what is made, what survives, what has to be explained; other hands' answers."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tinyternary import course
from tinyternary.cli import main
from tinyternary.course.authoring import trials
from tinyternary.course.authoring.mutate import OPERATORS, mutants
from tinyternary.course.authoring.survivors import mutants_of, read_explanations
from tinyternary.course.authoring.trials import Trial, run_trials
from tinyternary.errors import LessonError

CASES = [
    ("statement removed", "x = 1", ["pass"]),
    ("statement removed", "if x:\n    raise ValueError('no')", ["pass"]),
    ("returned value", "def f(self, a, b):\n    return a, 2",
     ["return", "return a", "return b", "return (2, a)"]),
    ("comparison", "x > y", ["x >= y", "x <= y"]),
    ("comparison", "x >= y", ["x > y", "x < y"]),
    ("comparison", "x < y", ["x <= y", "x >= y"]),
    ("comparison", "x <= y", ["x < y", "x > y"]),
    ("comparison", "x == y", ["x != y"]),
    ("comparison", "x != y", ["x == y"]),
    ("comparison", "a < x not in y", ["a <= x not in y", "a >= x not in y", "a < x in y"]),
    ("arithmetic", "x + y", ["x - y"]),
    ("arithmetic", "x - y", ["x + y", "y - x"]),
    ("arithmetic", "x * y", ["x / y"]),
    ("arithmetic", "x / y", ["x * y", "x // y", "y / x"]),
    ("arithmetic", "x // y", ["x / y"]),
    ("arithmetic", "x ** y", ["x * y"]),
    ("arithmetic", "x @ y", ["x * y", "y @ x"]),
    ("arithmetic", "x << y | z", ["x << y & z", "x >> y | z"]),
    ("arithmetic", "x += y", ["x -= y", "x = y"]),
    ("operand dropped", "x * y", ["x", "y"]),
    ("operand dropped", "x ** y", ["x"]),
    ("number", "x[0]", ["x[1]", "x[-1]"]),
    ("number", "x[5]", ["x[6]", "x[4]"]),
    ("number", "x = 0.5", ["x = 0.55", "x = -0.5"]),
    ("number", "x = 0.0", ["x = 1.0"]),
    ("number", "x.reshape(-1, 4)", ["x.reshape(-1, 5)", "x.reshape(-1, 3)"]),
    ("sign or negation dropped", "-x", ["x"]),
    ("sign or negation dropped", "not x", ["x"]),
    ("boolean", "f(True)", ["f(False)"]),
    ("boolean", "x and y", ["x or y", "y", "x"]),
    ("condition", "if x:\n    pass", ["if not x:", "if False:", "if True:"]),
    ("condition", "a if x > 1 else b", ["a if False else b", "a if True else b"]),
    ("condition", "while x:\n    pass", ["while not x:", "while False:"]),
    ("condition", "[x for x in y if x]", ["[x for x in y if not x]", "[x for x in y]"]),
    ("break and continue", "for x in y:\n    break", ["continue", "pass"]),
    ("break and continue", "for x in y:\n    continue", ["break", "pass"]),
    ("loop runs no time", "for x in y:\n    f(x)", ["for x in ():"]),
    ("loop runs one time", "for x in y:\n    f(x)", ["for x in y:  # loop runs one time"]),
    ("loop runs one time", "while y:\n    f(y)", ["while y:  # loop runs one time"]),
    ("function", "np.maximum(x, y)", ["np.minimum(x, y)"]),
    ("function", "x.argmax()", ["x.argmin()"]),
    ("function", "np.sum(x)", ["np.mean(x)"]),
    ("function", "max(x)", ["min(x)"]),
    ("function", "np.floor(x)", ["np.ceil(x)", "np.round(x)"]),
    ("function", "sum(x)", []),
    ("function left out", "np.abs(x)", ["x"]),
    ("function left out", "abs(x)", ["x"]),
    ("function left out", "x.astype(np.int8)", ["x"]),
    ("function left out", "x.T", ["x"]),
    ("order", "sorted(x)", ["sorted(x, reverse=True)"]),
    ("order", "np.argsort(x)", ["np.argsort(x)[::-1]"]),
    ("order", "x[::-1]", ["x"]),
    ("keyword dropped", "x.sum(axis=0, keepdims=True)", ["x.sum(keepdims=True)", "x.sum(axis=0)"]),
    ("axis", "x.sum(axis=0)", ["x.sum(axis=1)", "x.sum(axis=-1)"]),
    ("axis", "x.sum(axis=-1)", ["x.sum(axis=0)", "x.sum(axis=1)"]),
    ("data type", "np.int8(x)", ["np.uint8(x)", "np.int16(x)", "np.int32(x)"]),
    ("data type", "f('float32')", ["f('float64')"]),
    ("arguments swapped", "f(x, y, z)", ["f(y, x, z)", "f(x, z, y)"]),
    ("arguments swapped", "np.maximum(x, y)", []),
    ("bound", "x[1:n]", ["x[:n]", "x[1:n + 1]", "x[1:n - 1]", "x[1:]"]),
    ("bound", "x[i, 0]", ["x[i + 1, 0]", "x[i - 1, 0]"]),
    ("bound", "x[k]", ["x[k + 1]", "x[k - 1]"]),
    ("bound", "range(n)", ["range(n + 1)", "range(n - 1)", "range(1, n)"]),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "text", "expected"), CASES)
def test_an_operator_makes_what_it_should(operator: str, text: str, expected: list[str]) -> None:
    found = [m.after for m in mutants(text) if m.operator == operator]
    assert found == expected


def test_every_operator_has_a_case() -> None:
    assert {operator for operator, _, _ in CASES} == set(OPERATORS)


FUNCTION = '''
def f(x, n: int = 3):
    """Add 1 to 2."""
    for i in range(n):
        if x[i] > 0 and i != 2:
            raise ValueError(f"{i + 1} is more than 0")
    return np.abs(x).sum(axis=0)
'''


def test_mutants_are_the_same_each_time_differ_and_compile() -> None:
    made = mutants(FUNCTION)
    assert made == mutants(FUNCTION)
    texts = [mutant.text for mutant in made]
    assert len(set(texts)) == len(texts) > 20
    assert ast.unparse(ast.parse(FUNCTION)) not in texts
    for text in texts:
        compile(text, "mutant", "exec")
        assert '"""Add 1 to 2."""' in text  # a docstring is no code
        assert "is more than 0" in text or "pass" in text  # nor is what is said of a mistake
    assert [m.line for m in made] == sorted(m.line for m in made)


def test_mistakes_are_made_in_the_lines_asked_for() -> None:
    assert {mutant.line for mutant in mutants(FUNCTION, lines={7})} == {7}


def test_what_stands_around_a_solution_is_left_alone(root: Path) -> None:
    exercise = course.read_lesson("91", root).exercises[0]
    assert {m.line for m in mutants_of(exercise)} == {3, 4}


# --- survivors -----------------------------------------------------------------------

TYPES = """
[[survivor]]
exercise = "1.1"
before = "return np.sign(weights).astype(np.int8) * secret_of_solution"
after = [
    "return np.sign(weights) * secret_of_solution",
    "return np.sign(weights).astype(np.int16) * secret_of_solution",
    "return np.sign(weights).astype(np.int32) * secret_of_solution",
]
reason = "the exercise asks for values and not for a type"
"""


def explain(root: Path, text: str) -> Path:
    path = root / "source" / "survivors" / "91_small.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def change(root: Path, old: str, new: str) -> None:
    path = root / "source" / "91_small.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    course.build(root=root, solved=False)


def check(root: Path, every: int = 1) -> course.LessonReport:
    (report,) = course.check_lessons(root=root, jobs=1, every=every)
    return report


@pytest.fixture
def small(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Folder of a lesson that is held to its mutants, and a cache of its own."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    course.build(root=root, solved=False)
    explain(root, TYPES)
    return root


def test_an_explained_survivor_is_accepted_and_what_is_known_is_not_tried_again(
    small: Path,
) -> None:
    first = check(small)
    assert first.ok, first.problems
    assert first.mutants is not None
    assert [s.mutant.operator for s in first.mutants.survivors] == [
        "function left out", "data type", "data type",
    ]  # fmt: skip
    made = first.mutants.made
    assert made == sum(len(mutants_of(e)) for e in course.read_lesson("91", small).exercises)
    # solution, stub and listed answers; each exercise's solution again beside its mutants
    assert first.tried == 14 + 2 + made
    again = check(small)
    assert (again.tried, again.variants) == (0, first.variants)
    assert again.mutants is not None
    assert again.mutants.survivors == first.mutants.survivors
    change(small, '"survivors")', '"the survivors")')  # the check of 1.2
    second = course.read_lesson("91", small).exercises[1]
    assert check(small).tried == 14 + 1 + len(mutants_of(second))


def test_of_a_sample_of_mutants_only_what_was_tried_is_judged(small: Path) -> None:
    exercises = course.read_lesson("91", small).exercises
    for every in (2, 3):
        report = check(small, every)
        assert report.ok, report.problems  # an explained survivor may be among the others
        assert report.mutants is not None
        assert report.mutants.made == sum(len(mutants_of(e)[::every]) for e in exercises)
        assert check(small, every).tried == 0
    whole = check(small)  # a sample is not taken for all
    assert whole.mutants is not None
    assert whole.mutants.made == whole.tried - len(exercises)
    first = mutants_of(exercises[0])[0]
    explain(
        small,
        TYPES
        + f"""
[[survivor]]
exercise = "1.1"
before = {first.before!r}
after = {first.after!r}
reason = "none"
""",
    )
    (problem,) = check(small, 3).problems  # the first is in every sample
    assert "the check sees it now" in problem


def test_a_weak_check_leaves_a_survivor_that_is_reported(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weak = 'check.equal(threshold(secret_of_hidden, 1.0), [0, 1], "mind the edge")'
    change(small, weak, "check.equal(secret_of_hidden, [1.0, 5.0], '')")
    report = check(small)
    assert report.mutants is not None
    (found,) = report.mutants.unexplained
    assert found.mutant.operator == "comparison"
    assert found.mutant.after == "secret_of_solution = np.abs(weights) >= delta"
    assert str(found) in "".join(report.problems)
    assert report.to_dict()["mutants"]["problems"]
    with pytest.raises(SystemExit) as ended:
        main(["lessons", "check", "--root", str(small)])
    assert ended.value.code == 1
    assert "np.abs(weights) >= delta: the check lets it pass" in capsys.readouterr().out


@pytest.mark.slow
def test_a_lesson_without_a_file_reports_its_survivors_and_is_not_held_to_them(
    small: Path,
) -> None:
    (small / "source" / "survivors" / "91_small.toml").unlink()
    report = check(small)
    assert report.ok
    assert report.mutants is not None
    assert len(report.mutants.unexplained) == 3


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("np.abs(weights) > delta", "np.abs(weights) >= delta", "the check sees it now"),
        ("np.abs(weights) > delta", "np.abs(weights) > 2 * delta", "no such mutant"),
    ],
)
def test_a_stale_explanation_is_an_error(small: Path, before: str, after: str, why: str) -> None:
    stale = f"""
[[survivor]]
exercise = "1.1"
before = "secret_of_solution = {before}"
after = "secret_of_solution = {after}"
reason = "it was so once"
"""
    explain(small, TYPES + stale)
    (problem,) = check(small).problems
    assert problem.startswith(f"exercise 1.1, explained but {why}")
    assert after in problem


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TYPES + TYPES, "explained twice"),
        (TYPES.replace("the exercise asks for values and not for a type", ""), "an entry has"),
        (TYPES + 'because = "so"', "an entry has"),
        ("[[survivor", "not a file of explanations"),
    ],
)
def test_a_damaged_file_of_explanations_is_named(root: Path, text: str, message: str) -> None:
    path = explain(root, text)
    with pytest.raises(LessonError, match=message) as raised:
        read_explanations(path)
    assert str(path) in str(raised.value)


@pytest.mark.slow
def test_a_solution_that_does_not_pass_makes_no_mutant_look_caught(small: Path) -> None:
    change(small, "return float(np.abs(weights)[trits != 0].mean())", "return float(delta)")
    report = check(small)
    assert "exercise 1.2: its own solution does not pass" in report.problems


@pytest.mark.slow
def test_a_mutant_that_never_ends_does_end_and_the_rest_is_tried(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "LEAST", 0.5)
    lesson = course.read_lesson("91", root)
    good = lesson.exercises[0].solution.solved(hidden=True)
    endless = good.replace("    return", "    while True:\n        delta += 0\n    return")
    deadly = good.replace("    return", "    __import__('os')._exit(0)\n    return")
    tried = [Trial("91_small", "1.1", text, True) for text in (endless, deadly, good)]
    outcomes = run_trials({"91_small": lesson}, tried, jobs=1)
    verdicts = [outcome.verdict for outcome in outcomes]
    assert [verdict.status for verdict in verdicts] == ["crashed", "crashed", "passed"]
    assert "processor time" in verdicts[0].message
    assert "ended the process" in verdicts[1].message


# --- answers by another hand ---------------------------------------------------------

OTHERS = """# %% [markdown]
# By someone who has not read the checks.

# %% variant={"of": "1_2_best_scale", "wrong": "the largest"}
def best_scale(weights, trits):
    return np.abs(weights).max()
"""


def test_answers_by_another_hand_are_a_lessons_own(root: Path) -> None:
    (root / "source" / "answers").mkdir()
    (root / "source" / "answers" / "91_small.py").write_text(OTHERS)
    lesson = course.read_lesson("91", root)
    assert lesson.exercises[1].variants[-1].why == "the largest"
    assert course.list_lessons(root) == ["91_small"]
    report = course.run_variants(root=root)[0]
    assert report.ok, report.table()
    assert len(report.results) == 15
    (built,) = course.build(root=root, solved=False)
    assert "the largest" in built.pack.read_text()
    assert "abs(weights).max" not in built.learner.read_text()


def test_answers_that_are_no_variants_are_refused(root: Path) -> None:
    (root / "source" / "answers").mkdir()
    (root / "source" / "answers" / "91_small.py").write_text(OTHERS + "\n# %%\nprint(1)\n")
    with pytest.raises(LessonError, match="no variant"):
        course.read_lesson("91", root)
