"""`tinyternary lessons` and `tinyternary grade`: for learners, teachers and authors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinyternary.cli import console
from tinyternary.cli.app import app
from tinyternary.cli.options import AsJson

if TYPE_CHECKING:
    from tinyternary.course import LessonReport

lessons = typer.Typer(help="Work through the lessons, build and check them.", no_args_is_help=False)
app.add_typer(lessons, name="lessons")

Root = Annotated[
    Path | None,
    typer.Option(help="Folder that holds `lessons/`; by default found from here upwards."),
]
Names = Annotated[
    list[str] | None,
    typer.Argument(help="Lessons by number or name; by default all.", show_default=False),
]
Folder = Annotated[Path, typer.Option("--folder", help="The learner's own folder.")]
MINE = Path("mine")


@lessons.callback(invoke_without_command=True, epilog="Example: tinyternary lessons")
def progress(context: typer.Context) -> None:
    """Show the lessons and how far you are; `lessons start 01` begins one."""
    if context.invoked_subcommand is None:
        list_()


@lessons.command("list", epilog="Example: tinyternary lessons list")
def list_(folder: Folder = MINE, as_json: AsJson = False) -> None:
    """Show the lessons: what you build, exercises, points, and how many of them you have."""
    from tinyternary import course
    from tinyternary.course.learner.progress import Progress

    rows: list[dict[str, Any]] = []
    known = set(course.packed_lessons())
    for outline in course.LESSONS:
        row = {"lesson": outline.name, "builds": outline.builds, "written": outline.name in known}
        if outline.name in known:
            lesson = course.packed_lesson(outline.name)
            row |= {
                "exercises": len(lesson.exercises),
                "points": lesson.points,
                "yours": Progress(lesson.name, folder).points(),
                "started": (folder / f"{lesson.name}.ipynb").is_file(),
            }
        rows.append(row)
    if as_json:
        console.print_json(rows)
        return
    console.print_table(
        ["lesson", "you build", "exercises", "points", "yours"],
        [
            [r["lesson"], r["builds"], str(r["exercises"]), f"{r['points']:g}",
             f"{r['yours']:g}" if r["started"] else "-"]
            if r["written"] else [r["lesson"], r["builds"], "planned", "", ""]
            for r in rows
        ],
        caption="`tinyternary lessons start 01` copies a lesson into mine/; "
        "`tinyternary grade mine/01_*.ipynb` gives points.",
        text=2,
    )  # fmt: skip


@lessons.command(epilog="Example: tinyternary lessons start 04")
def start(
    name: Annotated[str, typer.Argument(help="A lesson, by number or name.")],
    folder: Folder = MINE,
) -> None:
    """Copy a lesson into your own folder, mine/; a copy that is there already is kept."""
    from tinyternary import course

    path, new = course.start(name, folder)
    console.out.print(
        f"{path} ({'ready' if new else 'already there, kept as it is'}): "
        f"open it with `jupyter lab {path}`",
        highlight=False,
    )


@lessons.command(epilog="Example: tinyternary lessons build 01")
def build(
    names: Names = None,
    root: Root = None,
    solved: Annotated[
        bool, typer.Option(help="Also run the solved notebooks, with their figures.")
    ] = True,
    force: Annotated[
        bool, typer.Option("--force", help="Also replace a notebook that somebody has worked in.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make the learners' notebooks and the solved ones from lessons/source."""
    from tinyternary import course

    built = course.build(names, root, solved=solved, force=force)
    if as_json:
        console.print_json([item.to_dict() for item in built])
        return
    for item in built:
        for path in (item.learner, item.pack):
            state = "changed" if path.name in item.changed else "unchanged"
            console.out.print(f"{path} ({state})", highlight=False)
        if item.solved:
            console.out.print(f"{item.solved} (ran in {item.seconds:.0f} s)", highlight=False)


@lessons.command(epilog="Example: tinyternary lessons check 01")
def check(
    names: Names = None,
    root: Root = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that try answers.")] = 2,
    mutants: Annotated[
        bool, typer.Option(help="Also try small mistakes made by rule in each solution.")
    ] = True,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Try everything anew, also what the cache knows.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fail if a notebook is stale, a wrong answer or a mutant passes, or a right answer fails."""
    from tinyternary import course

    reports = course.check_lessons(
        names, root, jobs=jobs, mutants=mutants, fresh=fresh,
        progress=not as_json and console.err.is_terminal,
    )  # fmt: skip
    if as_json:
        console.print_json([report.to_dict() for report in reports])
    else:
        _print_checked(reports)
    if not all(report.ok for report in reports):
        raise typer.Exit(1)


def _print_checked(reports: list[LessonReport]) -> None:
    rows = []
    for report in reports:
        row = [report.lesson, str(len(report.variants.results))]
        if report.mutants is not None:
            found = report.mutants
            open_ = len(found.unexplained)
            alive = len(found.survivors)
            row += [str(found.made), str(found.made - alive), str(alive - open_), str(open_)]
        rows.append([*row, "✓" if report.ok else "✗"])
    header = ["lesson", "answers", "mutants", "caught", "explained", "open", "ok"]
    without = reports and reports[0].mutants is None
    console.print_table(header[:2] + header[-1:] if without else header, rows)
    for report in reports:
        for problem in report.problems:
            _say(f"! {report.lesson}: {problem}")
        if report.mutants is not None and not report.mutants.held:
            for survivor in report.mutants.unexplained:
                _say(f"? {report.lesson}: {survivor}: the check lets it pass")


def _say(line: str) -> None:
    console.out.print(line, highlight=False, markup=False, soft_wrap=True)


@app.command(epilog="Example: tinyternary grade mine/01_ternary_basics.ipynb")
def grade(
    notebook: Annotated[Path, typer.Argument(help="The learner's notebook.")],
    source: Annotated[
        Path | None, typer.Option(help="Lesson source; by default the installed lesson.")
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
