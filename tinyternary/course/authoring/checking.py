"""`tinyternary lessons check`: built files, listed answers, mutants; what is known is not redone.

Trying thousands of answers takes minutes. A verdict depends on the library's code, on NumPy,
and on what the judge reads for an exercise: set-up, solutions up to its own, check. Under a hash
of these it is kept in the user's cache folder, and an author who changes one check waits for
one exercise.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import platform
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from tinyternary.compiled.switch import jit_enabled
from tinyternary.course.authoring.build import check_built
from tinyternary.course.authoring.survivors import (
    MutantReport,
    judge_survivors,
    mutants_of,
    read_explanations,
    survivors_path,
)
from tinyternary.course.authoring.trials import Outcome, Trial, run_trials
from tinyternary.course.authoring.variants import VariantReport, answers, report
from tinyternary.course.judge.verdict import Verdict
from tinyternary.course.lesson.model import Exercise, Lesson
from tinyternary.course.lesson.percent import (
    find_lessons,
    list_assignments,
    list_lessons,
    read_lesson,
)
from tinyternary.files import replace_content
from tinyternary.places import cache_folder

PACKAGE = Path(__file__).resolve().parents[2]
SEED = 1
"""Draws the assignments that are checked where none are named."""
_VARIANTS = "variants"


@dataclass(frozen=True)
class LessonReport:
    """All that was found of one lesson's checks."""

    variants: VariantReport
    mutants: MutantReport | None
    """None where they were not asked for."""
    tried: int
    """Answers and mutants that were tried this time; the others were known."""

    @property
    def lesson(self) -> str:
        """The lesson's name, as in ``"01_ternary_basics"``."""
        return self.variants.lesson

    @property
    def problems(self) -> list[str]:
        """One line for each thing that is not as it must be; empty if all is well."""
        return [*self.variants.problems, *(self.mutants.problems if self.mutants else ())]

    @property
    def ok(self) -> bool:
        """Whether there are none."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        mutants = self.mutants.to_dict() if self.mutants else None
        return {
            **self.variants.to_dict(), "ok": self.ok, "mutants": mutants, "tried": self.tried,
        }  # fmt: skip


def check_lessons(
    names: Iterable[str] | None = None,
    root: str | Path | None = None,
    *,
    jobs: int = 2,
    mutants: bool = True,
    every: int = 1,
    fresh: bool = False,
    progress: bool = False,
) -> list[LessonReport]:
    """Hold lessons to what is asked of them.

    Parameters
    ----------
    names : iterable of str, optional
        Lessons, by name or number, and assignments with a seed; by default all, assignments
        as the seed `SEED` draws them.
    root : path, optional
        A checkout or its `lessons` folder; see `find_lessons`.
    jobs : int
        Processes in which answers are tried.
    mutants : bool
        Whether mutants of the solutions are tried too, and not only the answers listed.
    every : int
        Of each exercise's mutants one in so many is tried: 4 takes a quarter of the time.
    fresh : bool
        Try everything, also what is known from an earlier time.
    progress : bool
        Draw a bar.

    Returns
    -------
    list of LessonReport

    Raises
    ------
    LessonError
        If a built file is not what its source makes, or a source breaks a rule.
    """
    folder = find_lessons(root)
    drawn = [f"{template}-{SEED}" for template in list_assignments(folder)]
    chosen = list(names or [*list_lessons(folder), *drawn])
    check_built(chosen, folder)
    works = [_Work(read_lesson(name, folder), folder, mutants, every, fresh) for name in chosen]
    trials = [trial for work in works for trial in work.trials]
    lessons = {work.lesson.name: work.lesson for work in works}
    bar = tqdm(
        total=len(trials), unit="answer", desc="answers tried", disable=not progress,
        dynamic_ncols=True, leave=False,
    )  # fmt: skip
    reports = []
    with bar:
        outcomes = iter(run_trials(lessons, trials, jobs, bar.update))
        for work in works:
            reports.append(work.report([next(outcomes) for _ in work.trials]))
    return reports


@dataclass
class _Work:
    """What is to be tried for one lesson, and what is known already."""

    lesson: Lesson
    folder: Path
    mutants: bool
    every: int
    fresh: bool
    trials: list[Trial] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        name = self.lesson.name
        self._known = {} if self.fresh else _read(self._cache)
        self._todo: dict[str, int] = {}
        if _hash_of_variants(self.lesson) != self._known.get(_VARIANTS, {}).get("key"):
            texts = [Trial(name, a.exercise, a.source) for a in answers(self.lesson)]
            self._add(_VARIANTS, texts)
        for exercise in self.lesson.exercises if self.mutants else ():
            if self._key_of(exercise) != self._known.get(exercise.number, {}).get("key"):
                own = exercise.solution.solved(hidden=True)
                texts = [Trial(name, exercise.number, own)]
                texts += [
                    Trial(name, exercise.number, m.text, True)
                    for m in mutants_of(exercise)[:: self.every]
                ]
                self._add(exercise.number, texts)

    def _add(self, what: str, trials: list[Trial]) -> None:
        self._todo[what] = len(trials)
        self.trials += trials

    def _key_of(self, exercise: Exercise) -> str:
        return _hash_of(exercise, self.lesson, self.every)

    @property
    def _cache(self) -> Path:
        place = hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()[:8]
        return cache_folder() / "lessons" / f"{self.lesson.name}-{place}.json"

    def report(self, outcomes: list[Outcome]) -> LessonReport:
        """Put together what came of `trials` and what was known."""
        rest = iter(outcomes)
        took = sum(outcome.seconds for outcome in outcomes)
        for what, count in self._todo.items():
            verdicts = [next(rest).verdict for _ in range(count)]
            if what == _VARIANTS:
                kept: dict[str, Any] = {"verdicts": [verdict.to_dict() for verdict in verdicts]}
                kept["key"] = _hash_of_variants(self.lesson)
            else:
                passed = [verdict.status == "passed" for verdict in verdicts]
                kept = {"sound": passed[0], "passed": passed[1:]}
                kept["key"] = self._key_of(self.lesson.exercise(what))
            self._known[what] = kept
        if self._todo:
            text = json.dumps(self._known)
            # a cache that cannot be written costs time only
            with contextlib.suppress(OSError):
                replace_content(self._cache, text.encode(), make_folder=True)
        listed = [Verdict.from_dict(plain) for plain in self._known[_VARIANTS]["verdicts"]]
        return LessonReport(report(self.lesson, listed), self._survivors(took), len(outcomes))

    def _survivors(self, took: float) -> MutantReport | None:
        if not self.mutants:
            return None
        path = survivors_path(self.folder, self.lesson.name)
        numbers = [exercise.number for exercise in self.lesson.exercises]
        return judge_survivors(
            self.lesson,
            {number: self._known[number]["passed"] for number in numbers},
            read_explanations(path) if path.is_file() else None,
            [number for number in numbers if not self._known[number]["sound"]],
            took,
            self.every,
        )


def _read(path: Path) -> dict[str, Any]:
    """Read what is known; a file that is missing or damaged knows nothing."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _hash_of_variants(lesson: Lesson) -> str:
    code = [cell.source for cell in lesson.cells if cell.kind == "code"]
    return _hash([json.dumps([vars(a) for a in answers(lesson)]), *code])


def _hash_of(exercise: Exercise, lesson: Lesson, every: int) -> str:
    """Hash what the judge reads for an exercise, and how many of its mutants are tried."""
    texts = [cell.source for cell in lesson.cells if cell.role == "setup"]
    for earlier in lesson.exercises:
        texts.append(earlier.solution.source)
        if earlier.number == exercise.number:
            break
    return _hash([lesson.name, str(every), *texts, exercise.check.source])


def _hash(texts: Iterable[str]) -> str:
    digest = hashlib.sha256(_surroundings().encode())
    for text in texts:
        digest.update(f"{len(text)}\n{text}".encode())
    return digest.hexdigest()


@functools.cache
def _surroundings() -> str:
    """Hash what every verdict depends on: the library, NumPy, Python."""
    digest = hashlib.sha256()
    versions = (np.__version__, platform.python_version(), f"compiled: {jit_enabled()}")
    digest.update(" ".join(versions).encode())
    for path in sorted(PACKAGE.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(PACKAGE)} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
