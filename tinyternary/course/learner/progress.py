"""What a learner has solved: kept as code in their own folder, `mine/`, for later lessons.

`tinyternary lessons start 02` makes the folder. Each exercise that passes is written into
`mine/solved/02_autograd.py`, a file to read and to be proud of: an exercise is a cell of it,
under a line that says how it stood.
"""

from __future__ import annotations

import re
from pathlib import Path

from tinyternary.course.judge.verdict import Verdict
from tinyternary.files import replace_content

MARK = ".tinyternary-mine"
"""A file of that name says that a folder is a learner's own."""
_HEAD = re.compile(r"^# %% exercise (\d+\.\d+): (\S+), (\S+) of (\S+) points, (.+)$", re.MULTILINE)


class Progress:
    """What is solved of one lesson, in a learner's folder.

    Parameters
    ----------
    lesson : str
        ``"02_autograd"``.
    folder : path, optional
        The learner's folder; by default the working directory, or its parent, if `MARK` is
        there. Without one nothing is written.
    """

    def __init__(self, lesson: str, folder: Path | None = None) -> None:
        self.lesson = lesson
        self.folder = folder if folder is not None else _own_folder()

    @property
    def path(self) -> Path | None:
        """The file of the lesson's solved exercises; ``None`` where there is no folder."""
        return self.folder / "solved" / f"{self.lesson}.py" if self.folder else None

    def record(self, verdict: Verdict) -> None:
        """Write an exercise down; one that had passed is not replaced by one that did not."""
        if self.path is None or not verdict.answer:
            return
        entries = self._entries()
        old = entries.get(verdict.exercise)
        if old is not None and float(old[0]) > verdict.points:
            return
        head = (
            f"# %% exercise {verdict.exercise}: {verdict.name}, {verdict.points:g} of "
            f"{verdict.max_points:g} points, {verdict.status}"
        )
        entries[verdict.exercise] = (f"{verdict.points:g}", f"{head}\n{verdict.answer.strip()}\n")
        ordered = sorted(entries.items(), key=lambda e: [int(n) for n in e[0].split(".")])
        text = "\n\n".join(text for _, (_, text) in ordered)
        if not self.path.is_file() or self.path.read_text(encoding="utf-8") != text:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            replace_content(self.path, text.encode())

    def answers(self) -> dict[str, str]:
        """Texts of the exercises that have passed, by number."""
        found = {}
        for number, (_, text) in self._entries().items():
            head, _, body = text.partition("\n")
            if head.endswith(", passed"):
                found[number] = body.strip()
        return found

    def points(self) -> float:
        """Points of all exercises written down."""
        return sum(float(points) for points, _ in self._entries().values())

    def _entries(self) -> dict[str, tuple[str, str]]:
        if self.path is None or not self.path.is_file():
            return {}
        text = self.path.read_text(encoding="utf-8")
        heads = list(_HEAD.finditer(text))
        ends = [head.start() for head in heads[1:]] + [len(text)]
        return {
            head[1]: (head[3], text[head.start() : end].strip() + "\n")
            for head, end in zip(heads, ends)
        }


def _own_folder() -> Path | None:
    here = Path.cwd()
    return next((folder for folder in (here, here.parent) if (folder / MARK).is_file()), None)
