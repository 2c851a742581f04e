"""`tinyternary lessons` and `tinyternary grade`: for learners, teachers and authors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinyternary.cli import console
from tinyternary.cli.app import app
from tinyternary.cli.options import AsJson

lessons = typer.Typer(help="List, build and check the lessons.", no_args_is_help=True)
app.add_typer(lessons, name="lessons")

Root = Annotated[
    Path | None,
    typer.Option(help="Folder that holds `lessons/`; by default found from here upwards."),
]
Names = Annotated[
    list[str] | None,
    typer.Argument(help="Lessons by number or name; by default all.", show_default=False),
]


@lessons.command("list", epilog="Example: tinyternary lessons list")
def list_(root: Root = None, as_json: AsJson = False) -> None:
    """Show the lessons with what they build, their exercises and points."""
    from tinyternary import course

    found = {name: course.read_lesson(name, root) for name in course.list_lessons(root)}
    if as_json:
        console.print_json(
            [
                {
                    "lesson": lesson.name,
                    "exercises": len(lesson.exercises),
                    "points": lesson.points,
                }
                for lesson in found.values()
            ]
        )
        return
    builds = {outline.name: outline.builds for outline in course.LESSONS}
    console.print_table(
        ["lesson", "you build", "exercises", "points"],
        [
            [name, builds.get(name, ""), str(len(found[name].exercises)), f"{found[name].points:g}"]
            if name in found
            else [name, builds[name], "planned", ""]
            for name in sorted({*found, *builds})
        ],
        caption="Open lessons/NAME.ipynb with `jupyter lab`; grade it with `tinyternary grade`.",
        text=2,
    )


@lessons.command(epilog="Example: tinyternary lessons build 01")
def build(
    names: Names = None,
    root: Root = None,
    solved: Annotated[
        bool, typer.Option(help="Also run the solved notebooks, with their figures.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Make the learners' notebooks and the solved ones from lessons/source."""
    from tinyternary import course

    built = course.build(names, root, solved=solved)
    if as_json:
        console.print_json([item.to_dict() for item in built])
        return
    for item in built:
        state = "changed" if item.changed else "unchanged"
        console.out.print(f"{item.learner} ({state})", highlight=False)
        if item.solved:
            console.out.print(f"{item.solved} (ran in {item.seconds:.0f} s)", highlight=False)


@lessons.command(epilog="Example: tinyternary lessons check")
def check(names: Names = None, root: Root = None, as_json: AsJson = False) -> None:
    """Fail if a notebook is stale, a wrong answer passes or a right one fails."""
    from tinyternary import course

    course.check_built(names, root)
    reports = course.run_variants(names, root)
    if as_json:
        console.print_json([report.to_dict() for report in reports])
    else:
        for report in reports:
            console.out.print(report.table(), highlight=False, markup=False)
    if not all(report.ok for report in reports):
        raise typer.Exit(1)


@app.command(epilog="Example: tinyternary grade lessons/01_ternary_basics.ipynb")
def grade(
    notebook: Annotated[Path, typer.Argument(help="The learner's notebook.")],
    source: Annotated[
        Path | None, typer.Option(help="Lesson source; by default found beside the notebook.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a learner's notebook apart from everything else and give points per exercise."""
    from tinyternary import course

    report = course.grade(notebook, source)
    if as_json:
        console.print_json(report.to_dict())
    else:
        console.out.print(report.table(), highlight=False, markup=False)
