"""nbgrader's command in a course of its own, and what its gradebook says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

NBGRADER = Path(sys.executable).with_name("nbgrader")


class Course:
    """A folder that `tinyternary lessons course` laid out, or one for plain nbgrader."""

    def __init__(self, folder: Path, packs: Path) -> None:
        pytest.importorskip("nbgrader")
        if not NBGRADER.exists():
            pytest.skip("nbgrader's command is not beside this Python")
        self.folder = folder
        own = folder.parent / "jupyter"
        self.env = {
            **os.environ, "TINYTERNARY_PACKS": str(packs),
            # nbgrader calls alembic, which it looks up on PATH
            "PATH": f"{NBGRADER.parent}{os.pathsep}{os.environ['PATH']}",
            "JUPYTER_DATA_DIR": str(own / "data"), "JUPYTER_CONFIG_DIR": str(own / "config"),
        }  # fmt: skip

    def run(self, *arguments: str, folder: Path | None = None) -> str:
        done = subprocess.run(
            [NBGRADER, *arguments], cwd=folder or self.folder, env=self.env,
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stderr

    def submit(self, student: str, lesson: str, text: str) -> Path:
        path = self.folder / "submitted" / student / lesson / f"{lesson}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def grades(self, student: str, lesson: str) -> dict[str, tuple[float | None, bool]]:
        """Points by nbgrader itself, and whether a person has to look, by the cell's id."""
        from nbgrader.api import Gradebook

        with Gradebook(f"sqlite:///{self.folder / 'gradebook.db'}") as gradebook:
            notebook = gradebook.find_submission_notebook(lesson, lesson, student)
            return {g.name: (g.auto_score, bool(g.needs_manual_grade)) for g in notebook.grades}
