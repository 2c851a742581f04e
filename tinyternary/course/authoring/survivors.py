"""Mutants of a lesson's solutions that its checks let pass, and why that is so.

`mutate` makes small mistakes in each solution. A check that passes one does not see it: either
it has to become stricter, or the change is none (it gives the same, or something that nobody
asked for) and `lessons/source/survivors/NN_name.toml` says why::

    [[survivor]]
    exercise = "1.3"
    before = "scale = np.maximum(scale, 1e-05)"
    after = ["scale = np.maximum(scale, 1.1e-05)"]
    reason = "the floor is there against division by zero; its size is no part of the exercise"

An entry that explains nothing any more is a mistake too. A lesson is held to its mutants once
it has such a file; it may be empty.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyternary.brief import Brief
from tinyternary.course.authoring.mutate import Mutant, mutants
from tinyternary.course.lesson._marks import walk
from tinyternary.course.lesson.drawn import template_of
from tinyternary.course.lesson.model import Exercise, Lesson
from tinyternary.errors import LessonError


@dataclass(frozen=True)
class Survivor:
    """A mutant that a check passed.

    Attributes
    ----------
    exercise : str
        ``"1.3"``.
    mutant : Mutant
    reason : str
        Why it may pass; empty where nobody has said.
    """

    exercise: str
    mutant: Mutant
    reason: str = ""

    def __str__(self) -> str:
        return f"exercise {self.exercise}, {self.mutant.operator}, {self.mutant}"


@dataclass(frozen=True)
class Explanation:
    """An entry of the file: one change, and the reason why a check may pass it."""

    exercise: str
    before: str
    after: str
    reason: str


@dataclass(frozen=True, repr=False)
class MutantReport(Brief):
    """What a lesson's checks said of its mutants.

    Attributes
    ----------
    lesson : str
    made : int
    survivors : tuple of Survivor
        All that passed, explained or not.
    stale : tuple of str
        One line for each entry of the file that explains nothing.
    broken : tuple of str
        Exercises whose own solution does not pass, so that a mutant's end says nothing.
    held : bool
        Whether the lesson has a file of explanations: then survivors without one are problems.
    seconds : float
        Of trying, summed over processes; 0 where all was remembered.
    """

    lesson: str
    made: int
    survivors: tuple[Survivor, ...]
    stale: tuple[str, ...]
    broken: tuple[str, ...]
    held: bool
    seconds: float

    @property
    def unexplained(self) -> list[Survivor]:
        """Survivors without a reason."""
        return [survivor for survivor in self.survivors if not survivor.reason]

    @property
    def problems(self) -> list[str]:
        """One line for each thing that is not as it must be; empty if all is well."""
        found = [f"exercise {number}: its own solution does not pass" for number in self.broken]
        if self.held:
            found += [f"{survivor}: the check lets it pass" for survivor in self.unexplained]
        return [*found, *self.stale]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "made": self.made,
            "caught": self.made - len(self.survivors),
            "survivors": [
                {"exercise": s.exercise, **_shown(s.mutant), "reason": s.reason}
                for s in self.survivors
            ],
            "held": self.held,
            "problems": self.problems,
            "seconds": round(self.seconds, 1),
        }


def _shown(mutant: Mutant) -> dict[str, Any]:
    names = ("operator", "line", "before", "after")
    return {name: getattr(mutant, name) for name in names}


def mutants_of(exercise: Exercise) -> list[Mutant]:
    """Return the mutants of an exercise: mistakes in what a learner writes, not around it."""
    lines: set[int] = set()
    count = 0
    for _, inside, mark in walk(exercise.solution.source, "solution"):
        if not mark:
            count += 1
            if inside:
                lines.add(count)
    return mutants(exercise.solution.solved(hidden=True), lines)


def survivors_path(folder: Path, name: str) -> Path:
    """Return where the explanations for a lesson lie in a folder `lessons`."""
    return folder / "source" / "survivors" / f"{template_of(name)}.toml"


def read_explanations(path: Path) -> list[Explanation]:
    """Read a file of explanations, one for each change.

    Raises
    ------
    LessonError
        If it is damaged, an entry lacks something, or a change is explained twice.
    """
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("survivor", [])
    except (OSError, ValueError) as error:
        raise LessonError(f"{path}: not a file of explanations: {error}") from None
    found: list[Explanation] = []
    for entry in entries:
        lacking = [k for k in ("exercise", "before", "after", "reason") if not entry.get(k)]
        if lacking or len(entry) != 4:
            raise LessonError(
                f"{path}: an entry has exercise, before, after and reason and nothing else; "
                f"not so {entry}"
            )
        after = entry["after"]
        for change in [after] if isinstance(after, str) else after:
            found.append(
                Explanation(entry["exercise"], entry["before"], change, entry["reason"].strip())
            )
    changes = [(e.exercise, e.before, e.after) for e in found]
    for change in changes:
        if changes.count(change) > 1:
            raise LessonError(f"{path}: explained twice: {change}")
    return found


def judge_survivors(
    lesson: Lesson,
    passed: Mapping[str, Sequence[bool]],
    explanations: Iterable[Explanation] | None,
    broken: Iterable[str] = (),
    seconds: float = 0.0,
    every: int = 1,
) -> MutantReport:
    """Hold what the checks passed against what is explained.

    Parameters
    ----------
    lesson : Lesson
    passed : mapping of str to sequence of bool
        For each exercise, whether the check passed each of its `mutants_of` that was tried.
    explanations : iterable of Explanation, or None
        None where the lesson has no file of them.
    broken, seconds
        See `MutantReport`.
    every : int
        One mutant in so many was tried, the first, ...; what explains another is not judged.
    """
    known = list(explanations or ())
    reasons = {(e.exercise, e.before, e.after): e.reason for e in known}
    made: set[tuple[str, str, str]] = set()
    untried: set[tuple[str, str, str]] = set()
    survivors = []
    count = 0
    for exercise in lesson.exercises:
        all_made = mutants_of(exercise)
        untried |= {(exercise.number, mutant.before, mutant.after) for mutant in all_made}
        for mutant, alive in zip(all_made[::every], passed[exercise.number], strict=True):
            count += 1
            change = (exercise.number, mutant.before, mutant.after)
            made.add(change)
            if alive:
                survivors.append(Survivor(exercise.number, mutant, reasons.get(change, "")))
    alive_now = {(s.exercise, s.mutant.before, s.mutant.after) for s in survivors}
    untried -= made
    stale = []
    for entry in known:
        change = (entry.exercise, entry.before, entry.after)
        if change not in alive_now | untried:
            why = "the check sees it now" if change in made else "no such mutant"
            stale.append(
                f"exercise {entry.exercise}, explained but {why}: {entry.before} -> {entry.after}"
            )
    return MutantReport(
        lesson.name, count, tuple(survivors), tuple(stale), tuple(broken),
        explanations is not None, seconds,
    )  # fmt: skip
