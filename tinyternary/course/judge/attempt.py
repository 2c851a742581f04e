"""An answer that stands in no notebook: a listed variant, a mutant of the solution."""

from __future__ import annotations

from contextlib import suppress

from tinyternary.course.judge.judging import Judge
from tinyternary.course.judge.namespaces import Idle, run_text, silence
from tinyternary.course.judge.verdict import Verdict


def try_answer(judge: Judge, number: str, text: str) -> Verdict:
    """Judge a text as if it stood in the cell of an exercise, in a notebook otherwise empty.

    Parameters
    ----------
    judge : Judge
    number : str
        ``"1.2"``.
    text : str
        The cell; what it raises by itself is raised here, but for a stub's NotImplementedError.
    """
    # the cell runs after the set-up and what comes before it, as in a notebook
    names = judge.names.before(number, Idle())
    with silence(), suppress(NotImplementedError):  # a stub at the top level
        run_text(text, f"<put in for {number}>", names)
    return judge.judge(number, names)
