"""A small lesson in a folder of its own, laid out like the real ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.course.small_lesson import SMALL, Notebook


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Folder `lessons` with the small lesson's source."""
    source = tmp_path / "lessons" / "source"
    source.mkdir(parents=True)
    (source / "91_small.py").write_text(SMALL)
    return source.parent


@pytest.fixture
def notebook(root: Path) -> Notebook:
    return Notebook(root)
