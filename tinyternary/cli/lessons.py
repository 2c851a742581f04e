"""`tinyternary lessons` and `tinyternary grade`: for learners, teachers and authors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinyternary.cli import console
from tinyternary.cli.app import app
from tinyternary.cli.options import AsJson, Quiet

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
    """Copy a lesson, or an assignment (assignment-01-2027), into your own folder, mine/.

    A copy that is there already is kept.
    """
    from tinyternary import course

    path, new = course.start(name, folder)
    console.say(
        f"{path} ({'ready' if new else 'already there, kept as it is'}): "
        f"open it with `jupyter lab {path}`"
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
        for path in filter(None, (item.learner, item.pack)):
            state = "changed" if path.name in item.changed else "unchanged"
            console.say(f"{path} ({state})")
        if item.solved:
            console.say(f"{item.solved} (ran in {item.seconds:.0f} s)")


@lessons.command(epilog="Example: tinyternary lessons check 01")
def check(
    names: Names = None,
    root: Root = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that try answers.")] = 2,
    mutants: Annotated[
        bool, typer.Option(help="Also try small mistakes made by rule in each solution.")
    ] = True,
    every: Annotated[
        int, typer.Option(min=1, help="Try one in so many of each exercise's small mistakes.")
    ] = 1,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Try everything anew, also what the cache knows.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fail if a notebook is stale, a wrong answer or a mutant passes, or a right answer fails."""
    from tinyternary import course

    reports = course.check_lessons(
        names, root, jobs=jobs, mutants=mutants, every=every, fresh=fresh,
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
            console.say(f"! {report.lesson}: {problem}")
        if report.mutants is not None and not report.mutants.held:
            for survivor in report.mutants.unexplained:
                console.say(f"? {report.lesson}: {survivor}: the check lets it pass")


@lessons.command(epilog="Example: tinyternary lessons course class2027 01 --class-list class.csv")
def course(
    folder: Annotated[Path, typer.Argument(help="Where the course goes.")],
    names: Names = None,
    course_id: Annotated[str, typer.Option(help="Name of the course.")] = "tinyternary",
    students: Annotated[
        str, typer.Option(help="The class: ids, with commas between them.", show_default=False)
    ] = "",
    class_list: Annotated[
        Path | None,
        typer.Option(
            help="The class: a CSV file with id, and first_name, last_name, email if you like.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Also the assignments that go with these lessons, drawn by this seed.",
            show_default=False,
        ),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(
            help="A checkout whose lessons/source is taken; by default the installed lessons.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over a course that is there.")
    ] = False,
) -> None:
    """Lay out an nbgrader course that grades with the lessons' own judge."""
    from tinyternary.course.grading.classroom import Student, lay_out_course, read_class_list
    from tinyternary.errors import ConfigError

    if students and class_list is not None:
        raise ConfigError("the class comes from --students or from --class-list, not from both")
    ids = [one.strip() for one in students.split(",")] if students else []
    pupils = read_class_list(class_list) if class_list is not None else [Student(i) for i in ids]
    for path in lay_out_course(
        folder, names, course_id=course_id, students=pupils, seed=seed, root=root, force=force
    ):
        console.say(str(path))
    console.note(f"{folder / 'README.md'} says what comes next; keep source/ from learners")


@app.command(epilog="Example: tinyternary grade submitted/ --csv points.csv --feedback feedback/")
def grade(
    paths: Annotated[
        list[Path], typer.Argument(help="A learner's notebook, or several, or folders of them.")
    ],
    source: Annotated[
        Path | None,
        typer.Option(
            help="Lesson source, or a course's source notebook; by default the installed lesson."
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Notebooks to grade at a time.")] = 2,
    time_scale: Annotated[
        float, typer.Option(min=0.01, help="Multiplies the limits of time.")
    ] = 1.0,
    csv: Annotated[
        Path | None, typer.Option(help="Also write a row for each notebook.", show_default=False)
    ] = None,
    feedback: Annotated[
        Path | None,
        typer.Option(help="Folder for a page for each notebook.", show_default=False),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run learners' notebooks apart from everything else and give points per exercise."""
    from tqdm import tqdm

    from tinyternary.course.grading import folder as classwork
    from tinyternary.errors import LessonError
    from tinyternary.files import replace_content

    found = classwork.find_submissions(paths)
    alone = len(found) == 1 and not paths[0].is_dir()
    bar = tqdm(total=len(found), unit=" notebooks", disable=quiet or alone or None, leave=False)
    with bar:
        graded = classwork.grade_all(
            found, source, jobs=jobs, time_scale=time_scale, strict=alone,
            done=lambda _: bar.update(),
        )  # fmt: skip
    if csv is not None:
        replace_content(csv, classwork.class_csv(graded).encode(), LessonError)
    if feedback is not None:
        classwork.write_feedback(graded, feedback)
    if alone and graded[0].report is not None:
        report = graded[0].report
        if as_json:
            console.print_json(report.to_dict())
        else:
            console.say(report.table())
        return
    if as_json:
        console.print_json([item.to_dict() for item in graded])
    else:
        _print_class(graded)
    failures = [item for item in graded if item.report is None]
    if failures:
        console.note(f"{len(failures)} of {len(graded)} notebooks could not be graded")
        raise typer.Exit(1)


def _print_class(graded: list[Any]) -> None:
    rows = []
    for item in graded:
        report = item.report
        points = f"{report.points:g} / {report.max_points:g}" if report else ""
        rows.append([
            item.student, report.lesson if report else "", item.remarks, points,
            f"{report.seconds:.1f}" if report else "",
        ])  # fmt: skip
    console.print_table(["student", "lesson", "remarks", "points", "seconds"], rows, text=3)
