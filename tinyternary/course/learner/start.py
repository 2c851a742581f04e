"""`tinyternary lessons start`: a copy of a lesson to work in."""

from __future__ import annotations

from pathlib import Path

from tinyternary.course.authoring.build import learner_notebook, to_text
from tinyternary.course.learner.progress import MARK
from tinyternary.course.lesson.pack import packed_lesson
from tinyternary.errors import ConfigError
from tinyternary.files import replace_content


def start(name: str, folder: str | Path = "mine") -> tuple[Path, bool]:
    """Copy a lesson's notebook into a learner's own folder.

    Parameters
    ----------
    name : str
        ``"01_ternary_basics"``, or its number, ``"01"``.
    folder : path
        Made if absent, and marked as the learner's: what they solve is kept there, for
        later lessons.

    Returns
    -------
    (Path, bool)
        The notebook, and whether it is new: one that is there already is left alone.

    Raises
    ------
    ConfigError
        If there is no such lesson, or the folder cannot be written.
    """
    lesson = packed_lesson(name)
    target = Path(folder) / f"{lesson.name}.ipynb"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        (target.parent / MARK).touch()
        if target.exists():
            return target, False
        replace_content(target, to_text(learner_notebook(lesson)).encode())
    except OSError as error:
        raise ConfigError(f"{target}: cannot be written ({error.strerror})") from None
    return target, True
