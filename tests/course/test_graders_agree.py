"""One judge: what a learner saw, what `tinyternary grade` gives, what nbgrader's gradebook holds."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest

import tinyternary
from tests.course.nbgrader_course import Course
from tests.course.room_lesson import ANSWERS, CELLS, NAME, POINTS, WORDS, Answered, lessons_folder
from tinyternary.course.authoring.build import records, to_text
from tinyternary.course.authoring.kernel import kernel
from tinyternary.course.grading.classroom import lay_out_course
from tinyternary.course.grading.folder import Submission, grade_all
from tinyternary.course.lesson.pack import OTHER_PACKS

LOOP = "def best_scale(weights, trits):\n    while True:\n        pass"
WRONG = {
    "1.1": "def threshold(w, d):\n    return w",
    "1.2": "def best_scale(w, t):\n    return 7.0",
}
GIGABYTES = "def best_scale(weights, trits):\n    return np.ones(10**10 // 8).sum()"
FAKE_CHECK = """
class _F:
    def __getattr__(self, name):
        return self
    def __call__(self, *a, **k):
        return self
check = my = _F()
"""
PATCHED = """
from tinyternary.course.judge import judging
from tinyternary.course.learner import checks
judging.Judge.judge = checks.Judge.judge = lambda self, number, given: judging.Verdict(
    number, "", "passed", "", self.lesson.exercise(number).points, 1.0
)
"""
ALL = frozenset(POINTS)


@dataclass
class Row:
    """A submission, and what it earns."""

    make: Callable[[Path], Answered]
    lost: frozenset[str] = frozenset()
    """Exercises that earn nothing; the others earn all."""
    part: dict[str, float] = field(default_factory=dict)
    unseen: frozenset[str] = frozenset()
    """Exercises whose check shows the learner nothing, in a run from top to bottom."""
    believed: bool = False
    """Whether the learner has bent their own notebook: it shows all points, and graders do not."""
    says: str = ""
    """Words that the grader's message for 1.2 must hold."""
    fake_package: bool = False
    words: bool = False

    @property
    def points(self) -> dict[str, float]:
        return {n: 0.0 if n in self.lost else self.part.get(n, full) for n, full in POINTS.items()}


def answered(**texts: str) -> Callable[[Path], Answered]:
    """All right but for these, by the exercise's number with an underscore."""
    other = {name.replace("_", "."): text for name, text in texts.items()}
    return lambda root: Answered(root, {**ANSWERS, **other})


def without(name: str) -> Callable[[Path], Answered]:
    def make(root: Path) -> Answered:
        made = Answered(root)
        return made.drop(made.cell(name))

    return make


def no_setup(root: Path) -> Answered:
    made = Answered(root)
    return made.drop(made.setup())


def stripped(root: Path) -> Answered:
    made = Answered(root)
    for cell in made.nb.cells:
        cell.metadata = nbformat.from_dict({})
        cell.id = nbformat.v4.new_code_cell().id
    made.nb.metadata.pop("tinyternary")
    return made


def beside_the_stub(root: Path) -> Answered:
    made = Answered(root, {n: t for n, t in ANSWERS.items() if n != "1.2"})
    return made.after(CELLS["1.2"], ANSWERS["1.2"])


def copied(root: Path) -> Answered:
    made = Answered(root)
    double = copy.deepcopy(made.cell(CELLS["1.2"]))
    double.id, double.source = "a-copy", WRONG["1.2"]
    made.nb.cells.insert(made.place(CELLS["1.2"]) + 1, double)
    return made


def merged(root: Path) -> Answered:
    made = Answered(root)
    check = made.cell("1_2_best_scale_check")
    made.cell(CELLS["1.2"]).source += f"\n\n{check.source}"
    return made.drop(check)


def in_words(root: Path) -> Answered:
    made = Answered(root)
    made.cell("1_7_words").source = WORDS
    return made


def after_setup(text: str, answers: dict[str, str]) -> Callable[[Path], Answered]:
    def make(root: Path) -> Answered:
        made = Answered(root, answers)
        made.setup().source += f"\n{text}"
        return made

    return make


ROWS = {
    "right": Row(in_words, words=True),
    "partly right": Row(
        answered(**{"1_2": WRONG["1.2"],
                    "1_6": "def quantized(w, d):\n    return threshold(w, d), 1.0"}),
        lost=frozenset({"1.2"}), part={"1.6": 1.0}, says="survivors",
    ),
    "untouched": Row(lambda root: Answered(root, {}), lost=ALL),
    "endless loop": Row(
        answered(**{"1_2": LOOP}), lost=frozenset({"1.2"}), unseen=frozenset({"1.2"}),
        says="longer than it may",
    ),
    "os._exit": Row(answered(**{"1_2": "import os\nos._exit(0)"}), lost=frozenset({"1.2"})),
    "exit()": Row(answered(**{"1_2": "exit()"}), lost=frozenset({"1.2"})),
    "deleted answer": Row(without(CELLS["1.2"]), lost=frozenset({"1.2"})),
    "deleted set-up": Row(no_setup, unseen=ALL),
    "deleted check": Row(without("1_2_best_scale_check"), unseen=frozenset({"1.2"})),
    "no ids, no marks": Row(stripped),
    "beside the stub": Row(beside_the_stub),
    "a copied cell": Row(copied, lost=frozenset({"1.2"})),
    "merged with its check": Row(merged),
    "syntax error": Row(answered(**{"1_2": "def best_scale(w, t):\n    return ("}),
                        lost=frozenset({"1.2"}), says="SyntaxError"),
    "10 GB": Row(answered(**{"1_2": GIGABYTES}), lost=frozenset({"1.2"}), says="memory"),
    "a package of our name": Row(answered(), fake_package=True),
    "hides nbgrader, all stubs": Row(
        after_setup("import os\nos.environ.pop('NBGRADER_EXECUTION', None)", {}), lost=ALL
    ),
    "a check that takes all": Row(after_setup(FAKE_CHECK, WRONG), lost=ALL, unseen=ALL),
    "a judge that passes all": Row(after_setup(PATCHED, WRONG), lost=ALL, believed=True),
    "changes its argument": Row(
        answered(**{"1_1": "def threshold(w, d):\n    w[np.abs(w) <= d] = 0\n    return np.sign(w)"}),
        lost=frozenset({"1.1"}),
    ),
    "calls what is open": Row(
        lambda root: Answered(root, {"1.6": ANSWERS["1.6"]}), lost=ALL - {"1.6"}
    ),
}  # fmt: skip


@contextlib.contextmanager
def memory_limit(size: int) -> Iterator[None]:
    """Children that start here may ask for so much: a learner's own kernel knows no limit."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def seen(notebook: nbformat.NotebookNode, folder: Path, packs: Path) -> dict[str, float]:
    """Points that the checks show in a learner's own run; a kernel that dies is started again."""
    shown: dict[str, float] = {}
    done: list[nbformat.NotebookNode] = []
    # wherever the library is installed, a package in the learner's folder comes after it
    env = {OTHER_PACKS: str(packs), "PYTHONPATH": str(Path(tinyternary.__file__).parents[1])}
    rest = [cell for cell in copy.deepcopy(notebook).cells if cell.cell_type == "code"]
    with memory_limit(4 << 30):
        while rest:
            with kernel(folder, env) as session:
                for cell in done:
                    session.run(cell, 20)
                while rest and session.alive:
                    cell = rest.pop(0)
                    session.run(cell, 8)
                    if session.alive and cell.source != "exit()":
                        done.append(cell)
                    shown |= {r["exercise"]: r["points"] for r in records(cell)}
                    if cell.source == "exit()":  # it ends the kernel, a moment after the cell
                        break
    return shown


@pytest.mark.slow
def test_graders_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    root = lessons_folder(tmp_path)
    packs = root / "packs"
    monkeypatch.setenv(OTHER_PACKS, str(packs))
    lay_out_course(tmp_path / "course", [NAME], root=root)
    room = Course(tmp_path / "course", packs)
    config = room.folder / "nbgrader_config.py"
    config.write_text(config.read_text() + "c.Grade.cell_limit = 2.0\n")
    room.run("generate_assignment", NAME)

    submissions = {}
    for place, (name, row) in enumerate(ROWS.items()):
        notebook = row.make(root).nb
        path = room.submit(f"s{place}", NAME, to_text(notebook))
        submissions[name] = Submission(f"s{place}", path)
        if row.fake_package:
            fake = path.parent / "tinyternary" / "__init__.py"
            fake.parent.mkdir()
            fake.write_text("import os\nos._exit(3)\n")

    graded = grade_all(list(submissions.values()), time_scale=0.1)
    log = room.run("autograde", NAME)

    table = ["", f"{'submission':<27}{'notebook':>9}{'grade':>7}{'nbgrader':>10}{'seconds':>9}"]
    wrong = []
    for (name, row), ours in zip(ROWS.items(), graded):
        path = submissions[name].path
        shown = seen(row.make(root).nb, path.parent, packs)
        report = ours.report
        assert report is not None, ours.error
        by_grade = {g.exercise: g.points for g in report.exercises}
        book = room.grades(ours.student, NAME)
        by_nbgrader = {n: book[f"{CELLS[n]}_check"][0] for n in POINTS}
        table.append(
            f"{name:<27}{sum(shown.values()):>9g}{sum(by_grade.values()):>7g}"
            f"{sum(p or 0 for p in by_nbgrader.values()):>10g}{report.seconds:>9.1f}"
        )
        expected_seen = {n: p for n, p in row.points.items() if n not in row.unseen}
        if row.believed:
            expected_seen = POINTS
        for what, got, expected in (
            ("notebook", shown, expected_seen),
            ("grade", by_grade, row.points),
            ("nbgrader", by_nbgrader, row.points),
            ("in words", book["1_7_words"], (None, True) if row.words else (0.0, False)),
            ("words kept", bool(report.written[0].text), row.words),
        ):
            if got != expected:
                wrong.append(f"{name}, {what}: {got}, expected {expected}")
        message = next(g.message for g in report.exercises if g.exercise == "1.2")
        if row.says not in message:
            wrong.append(f"{name}: {message!r} does not say {row.says!r}")
    with capsys.disabled():
        print("\n".join(table))
    assert not wrong, "\n".join([*wrong, log[-2000:]])
