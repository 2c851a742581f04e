"""Lessons and notebooks as pages: the learner's text, the figures of the run, nothing given away.

A page shows what a learner's notebook shows, stubs and all. What the solved notebook adds lies
folded below the stub, as do the checks and the code of figures; hidden tests are in neither.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from pages.links import COPIES, ROOT, rewrite
from tinyternary.course import LESSONS, Outline

Cell = dict[str, Any]
Notebook = dict[str, Any]

PLACEHOLDER = "*Write your answer here.*"
"""What a learner's notebook has where an answer in words goes."""
_TITLE = re.compile(r"title=f?\"([^\"{]+)\"")


def written() -> list[Outline]:
    """Rows of the table of lessons that have notebooks."""
    return [outline for outline in LESSONS if outline.written]


def lesson_page(outline: Outline) -> Notebook:
    """Make the page of one lesson from its two notebooks.

    Raises
    ------
    ValueError
        If the two do not have the same cells: they were not built from one source.
    """
    learner = _read(f"lessons/{outline.name}.ipynb")
    solved = _read(f"notebooks/{outline.name}_solved.ipynb")
    if [cell["id"] for cell in learner["cells"]] != [cell["id"] for cell in solved["cells"]]:
        raise ValueError(f"lesson {outline.name}: `tinyternary lessons build` it again")
    cells = [
        shown
        for one, other in zip(learner["cells"], solved["cells"])
        for shown in lesson_cells(one, other)
    ]
    _introduce(cells[0], outline)
    return _notebook(cells)


def lesson_cells(learner: Cell, solved: Cell) -> Iterator[Cell]:
    """Show one cell of a lesson: one or two cells of its page.

    Parameters
    ----------
    learner, solved : dict
        The cell as a learner gets it, and as it was run with the lesson's solutions.
    """
    source, marks = _source(learner), learner["metadata"].get("nbgrader", {})
    if learner["cell_type"] == "markdown":
        text = rewrite(source.replace(PLACEHOLDER, ""), "lessons")
        if marks.get("solution"):
            answer = _source(solved).removeprefix(source.replace(PLACEHOLDER, "").rstrip()).strip()
            text += f"\n\n::::{{dropdown}} An answer\n{rewrite(answer, 'lessons')}\n::::\n"
        yield _text(text)
    elif marks.get("solution"):
        yield _code(source)
        yield _code(_source(solved), folded="A solution", kind="solution")
    elif marks.get("grade"):
        yield _code(source, folded=f"The check of {_exercise(source)}", kind="check")
    elif "setup" in learner["metadata"].get("tags", ()):
        yield _code(source, folded="Set-up")
    else:
        # points that the solutions got say nothing to a reader
        outputs = [] if "check.summary()" in source else solved["outputs"]
        hidden = learner["metadata"].get("jupyter", {}).get("source_hidden")
        yield _code(source, outputs, folded="Code of this figure" if hidden else None)


def plain_page(path: str) -> Notebook:
    """Make the page of a notebook that is no lesson, as it was run."""
    folder = path.rpartition("/")[0]
    cells = []
    for cell in _read(path)["cells"]:
        source = _source(cell)
        if cell["cell_type"] == "markdown":
            cells.append(_text(rewrite(source, folder)))
            continue
        draws = any("image/png" in output.get("data", {}) for output in cell["outputs"])
        folded = "Code of this figure" if draws else "Code"
        cells.append(_code(source, cell["outputs"], folded=folded))
    return _notebook(cells)


def pages() -> dict[str, str]:
    """Return all these pages: path below ``docs/`` and content."""
    made = {f"lessons/{outline.name}.ipynb": _dumped(lesson_page(outline)) for outline in written()}
    for path, page in COPIES.items():
        if path.endswith(".ipynb"):
            made[page] = _dumped(plain_page(path))
            continue
        text = (ROOT / path).read_text("utf-8")
        made[page] = rewrite(text, path.rpartition("/")[0])
    made["lessons/index.md"] += _contents(outline.name for outline in written())
    return made


def _contents(names: Iterator[str]) -> str:
    return "\n```{toctree}\n:hidden:\n\n" + "\n".join(names) + "\n```\n"


def _introduce(first: Cell, outline: Outline) -> None:
    """Say below the title what this page is, and how the lesson is worked through."""
    title, _, rest = first["source"].partition("\n")
    number = outline.number
    first["source"] = (
        f"{title}\n\n"
        ":::{admonition} This is for reading\n:class: tip\n"
        "The lesson lives in a notebook, where each check answers you at once:\n\n"
        f"```sh\ntinyternary lessons start {number}\n```\n\n"
        "Figures and numbers here come from a run with the lesson's own solutions. These are "
        "folded: try yourself first.\n:::\n"
        f"{rest}"
    )


def _exercise(source: str) -> str:
    found = re.search(r"check\.exercise\(\"([\d.]+)\"", source)
    return f"exercise {found[1]}" if found else "this exercise"


def _text(source: str) -> Cell:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def _code(
    source: str,
    outputs: list[dict[str, Any]] | None = None,
    *,
    folded: str | None = None,
    kind: str | None = None,
) -> Cell:
    metadata: dict[str, Any] = {"tags": [f"cell-{kind}"] if kind else []}
    if folded:
        metadata["tags"].append("hide-input")
        metadata["mystnb"] = {"code_prompt_show": folded, "code_prompt_hide": folded}
    titles = _TITLE.findall(source)
    if titles:
        metadata.setdefault("mystnb", {})["image"] = {"alt": "Figure: " + "; ".join(titles)}
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": metadata,
        "outputs": outputs or [],
        "source": source,
    }


def _notebook(cells: list[Cell]) -> Notebook:
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    language = {"name": "python", "pygments_lexer": "ipython3"}
    metadata = {"kernelspec": kernel, "language_info": language}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _read(path: str) -> Notebook:
    found: Notebook = json.loads((ROOT / path).read_text("utf-8"))
    return found


def _source(cell: Cell) -> str:
    return "".join(cell["source"])


def _dumped(notebook: Notebook) -> str:
    return json.dumps(notebook, ensure_ascii=False, indent=1)
