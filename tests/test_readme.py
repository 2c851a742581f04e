"""The README's Python runs: the lines as they stand, but for the size of the job."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tinyternary as tt

README = Path(__file__).parents[1] / "README.md"
SNIPPETS = re.findall(r"^```python\n(.*?)^```", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_there_is_something_to_run() -> None:
    assert SNIPPETS


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_a_snippet_runs(
    snippet: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    splits = tt.data.load("phantoms")
    few = tt.data.Splits(*(part.subset(slice(64)) for part in splits))
    monkeypatch.setattr(tt.data, "load", lambda name: few)
    monkeypatch.chdir(tmp_path)
    quick = re.sub(r"epochs=\d+", "epochs=1", snippet)
    exec(compile(quick, str(README), "exec"), {})
    assert "MiB" in capsys.readouterr().out
