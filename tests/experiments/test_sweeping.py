"""A sweep is its runs, each by itself: planned, finished once, and where they belong."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings, strategies as st

from tests.experiments.crumbs import RECIPE, weights, write_data, write_plan
from tinyternary.config import POLICIES
from tinyternary.data import NAMES
from tinyternary.errors import CheckpointError, ConfigError, DataFileError
from tinyternary.experiments import (
    Sweep,
    experiments,
    read_results,
    read_sweep,
    reproduce,
    run_experiment,
    sweep,
    sweep_runs,
    sweeps,
)
from tinyternary.experiments.jobs import run_jobs
from tinyternary.experiments.sweep_plan import arms_of, merged, sharing_teachers
from tinyternary.experiments.sweep_runs import (
    forget,
    held,
    is_finished,
    is_kept,
    place,
    take_shared,
    train_run,
)
from tinyternary.experiments.sweeping import alone, run_arms

pytestmark = pytest.mark.filterwarnings("ignore::tinyternary.data.DataFileWarning")


def some(names):
    return st.lists(st.sampled_from(sorted(names)), min_size=1, max_size=3, unique=True)


@settings(max_examples=25)
@given(
    some(experiments()), st.sets(st.sampled_from(["a", "b-1", "2kb"])), some(NAMES),
    some(POLICIES), st.sets(st.integers(0, 99), min_size=1),
)  # fmt: skip
def test_each_combination_is_an_arm_with_a_folder_of_its_own(
    recipes, variants, sets, policies, seeds
):
    plan = Sweep(
        name="p", recipes=recipes, variants={name: {"images": 1} for name in variants},
        datasets=sets, policies=policies, seeds=list(seeds),
    )  # fmt: skip
    arms = arms_of(plan)
    many = len(recipes) * max(1, len(variants)) * len(sets) * len(policies)
    assert len({arm.name for arm in arms}) == len(arms) == many
    for arm in arms:
        assert {arm.recipe, arm.dataset, arm.experiment.policy} <= {*recipes, *sets, *policies}
        between = f"{arm.variant}-" if variants else ""
        assert arm.name == f"{arm.recipe}-{between}{arm.dataset}-{arm.experiment.policy}"
        assert set(arm.seeds) == seeds


def test_a_variant_says_more_than_a_recipes_changes_and_these_more_than_change():
    plan = Sweep(
        name="p", recipes=["breastmnist", "bloodmnist"], variants={"long": {"teacher": {"epochs": 3}}, "as-is": {}},
        change={"teacher": {"epochs": 1, "lr": 0.5, "warmup_epochs": 0}, "student": {"epochs": 1, "warmup_epochs": 0}},
        by_recipe={"bloodmnist": {"teacher": {"epochs": 2}, "student": {"epochs": 2}}},
    )  # fmt: skip
    found = {}
    for arm in arms_of(plan):
        teacher, student = arm.for_images(1000).recipes(1000)
        assert teacher.optimizer.lr == 0.5
        found[arm.recipe, arm.variant] = (teacher.epochs, student.epochs)
    assert found == {
        ("breastmnist", "long"): (3, 1), ("breastmnist", "as-is"): (1, 1),
        ("bloodmnist", "long"): (3, 2), ("bloodmnist", "as-is"): (2, 2),
    }  # fmt: skip
    assert all(others == [] for others in sharing_teachers(arms_of(plan)).values())


@given(
    st.recursive(
        st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner), max_leaves=8
    ).filter(lambda x: isinstance(x, dict)),
    st.dictionaries(
        st.sampled_from("abc"),
        st.integers() | st.dictionaries(st.sampled_from("abc"), st.integers()),
    ),
)
def test_what_is_put_on_top_is_there_and_what_it_leaves_out_stays(below, above):
    found = merged(below, above)
    assert set(found) == {*below, *above}
    for name, value in found.items():
        if name not in above:
            assert value == below[name]
        elif isinstance(above[name], dict) and isinstance(below.get(name), dict):
            assert value == merged(below[name], above[name])
        else:
            assert value == above[name]


@pytest.mark.parametrize("name", sweeps())
def test_sweeps_of_the_package_can_be_run(name):
    plan = read_sweep(name)
    assert plan.name == name
    assert arms_of(plan)


def test_what_is_left_out_is_the_recipes_own():
    (arm,) = arms_of(Sweep(name="p", recipes=["breastmnist"]))
    assert (arm.dataset, arm.experiment.policy, list(arm.seeds)) == (
        "breastmnist", "all-linear", [0, 1, 2, 3, 4],
    )  # fmt: skip


def test_changes_hold_for_few_images_and_for_many():
    part = {"warmup_epochs": 0.5}
    change = {"images": 1, "fewest_epochs": 2, "teacher": part, "student": part}
    (arm,) = arms_of(Sweep(name="p", datasets=["octmnist"], change=change))
    for images in (100, 100_000):
        teacher, _ = arm.for_images(images).recipes(images)
        assert (teacher.epochs, teacher.warmup_epochs) == (2, 0.5)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("recipe = ['default']", "recipe"),
        ("datasets = 3", "datasets = 3"),
        ("seeds = [-1]", "seeds.0 = -1"),
        ("recipes = []", "recipes"),
        ("recipes = ['defualt']", "Did you mean 'default'"),
        ("recipes = ['default']", "name one"),
        ("recipes = ['none.toml']", "none.toml: cannot be read"),
        ("datasets = ['breastmnits']", "Did you mean 'breastmnist'"),
        ("datasets = ['octmnist', 'octmnist']", "are one"),
        ("datasets = ['octmnist']\npolicies = ['all']", "unknown policy 'all'"),
        ("datasets = ['octmnist']\nchange.teacher.epoch = 1", "epoch"),
        ("datasets = ['octmnist']\nchange.few = 3", "few"),
        ("datasets = ['octmnist']\nvariants.a.teacher.epoch = 1", "epoch"),
        ("datasets = ['octmnist']\nvariants.'a b' = {}", "folder is named after them"),
        ("datasets = ['octmnist']\nby_recipe.defualt.images = 1", "Did you mean 'default'"),
        ("datasets = ['octmnist']\nchange.teacher = 3", "teacher: expected a table"),
        ("[search]\ntrials = 1\nspace = {}", "search.space"),
        ("seeds = [", "not a TOML file"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(tmp_path, text, says):
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says) as caught:
        sweep(path, out=tmp_path / "out", progress=False)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_folder_is_never_named_by_what_a_recipe_likes(tmp_path):
    path = tmp_path / "a b.toml"
    path.write_text('dataset = "phantoms"')
    with pytest.raises(ConfigError, match="folder is named after them"):
        arms_of(Sweep(name="p", recipes=[str(path)]))


def test_a_sweep_is_what_reproduce_gives_and_no_run_is_run_twice(tmp_path):
    root, plan = write_data(tmp_path / "data"), write_plan(tmp_path)
    found = sweep(plan, root, out=tmp_path / "sweep", progress=False)
    assert (found.finished, found.planned, found.failed) == (4, 4, {})
    for name in ("breastmnist", "pneumoniamnist"):
        apart = tmp_path / name
        reproduce(tmp_path / "crumbs.toml", root, [0, 1], out=apart, dataset=name, progress=False)
        arm = tmp_path / "sweep" / f"crumbs-{name}-all-linear"
        assert weights(arm) == weights(apart)
        assert len(weights(arm)) == 4
        assert found.arms[arm.name].values("student", "auc") == read_results(apart).values(
            "student", "auc"
        )

    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "sweep").rglob("metrics.json")}
    more = write_plan(tmp_path, seeds=[0, 1, 2])
    again = sweep(more, root, out=tmp_path / "sweep", progress=False)
    assert (again.finished, again.planned) == (6, 6)
    assert {path: path.stat().st_mtime_ns for path in written} == written
    fewer = sweep(write_plan(tmp_path, seeds=[2]), root, out=tmp_path / "sweep", progress=False)
    assert [row["seed"] for each in fewer.arms.values() for row in each.seeds] == [2, 2]
    record = json.loads((tmp_path / "sweep" / "sweep.json").read_text())
    assert record["planned"] == 2

    for changes in ({"epochs": 3}, {"change.policy": "bitmedvit"}, {"change.teacher.lr": 0.5}):
        with pytest.raises(CheckpointError, match="another sweep"):
            sweep(write_plan(tmp_path, **changes), root, out=tmp_path / "sweep", progress=False)
    write_data(root, "breastmnist")
    with (root / "breastmnist.npz").open("ab") as file:
        file.write(b"longer")
    with pytest.raises(CheckpointError, match=r"files\.breastmnist"):
        sweep(write_plan(tmp_path), root, out=tmp_path / "sweep", progress=False)


def test_a_teacher_is_trained_once_whatever_the_policies(tmp_path, monkeypatch):
    root = write_data(tmp_path / "data", "breastmnist")
    policies = ["all-linear", "bitmedvit"]
    plan = write_plan(tmp_path, datasets=["breastmnist"], policies=policies)
    trained = []
    monkeypatch.setattr(sweep_runs, "run_experiment", noting(trained))
    found = sweep(plan, root, out=tmp_path / "sweep", progress=False)
    assert (found.finished, found.failed) == (4, {})
    assert trained == [False, False, True, True]  # whether a teacher was there
    for policy in policies:
        apart = tmp_path / policy
        (tmp_path / "own.toml").write_text(f"policy = {policy!r}\n" + RECIPE.format(epochs=2))
        reproduce(tmp_path / "own.toml", root, [0, 1], out=apart, dataset="breastmnist",
                  progress=False)  # fmt: skip
        assert weights(tmp_path / "sweep" / f"crumbs-breastmnist-{policy}") == weights(apart)


def noting(trained):
    def run(*arguments, out, **options):
        trained.append((out / "teacher" / "metrics.json").is_file())
        return run_experiment(*arguments, out=out, **options)

    return run


def test_only_what_is_over_and_not_there_is_taken_over(tmp_path):
    mine, begun, over = (tmp_path / name for name in ("mine", "begun", "over"))
    files = {
        begun / "teacher" / "model.safetensors": "begun",
        over / "teacher" / "model.safetensors": "over", over / "teacher" / "metrics.json": "over",
        over / "student" / "metrics.json": "over",
        over / "pretraining" / "metrics.json": "over",
        mine / "pretraining" / "metrics.json": "mine",
    }  # fmt: skip
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    take_shared(mine, [begun, over])
    there = {p.relative_to(mine).as_posix(): p.read_text() for p in mine.rglob("*.*")}
    assert there == {
        "pretraining/metrics.json": "mine",
        "teacher/metrics.json": "over", "teacher/model.safetensors": "over",
    }  # fmt: skip


def test_arms_share_a_teacher_where_the_policy_alone_differs(tmp_path):
    for folder in "ab":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "r.toml").write_text(
            RECIPE.format(epochs=len(folder) + (folder == "b"))
        )
    one = arms_of(Sweep(name="p", recipes=[str(tmp_path / "a" / "r.toml")],
                        datasets=["breastmnist", "bloodmnist"],
                        policies=["all-linear", "bitmedvit"]))  # fmt: skip
    other = arms_of(Sweep(name="p", recipes=[str(tmp_path / "b" / "r.toml")],
                          datasets=["breastmnist"], policies=["everything"]))  # fmt: skip
    shared = [(a, b) for a, others in sharing_teachers([*one, *other]).items() for b in others]
    assert {frozenset(pair) for pair in shared} == {
        frozenset({f"r-{name}-all-linear", f"r-{name}-bitmedvit"})
        for name in ("breastmnist", "bloodmnist")
    }


@pytest.mark.filterwarnings(
    "ignore::RuntimeWarning"
)  # where nothing is compiled, NumPy says so too
def test_a_run_that_fails_is_told_and_the_others_are_run(tmp_path):
    root, plan = write_data(tmp_path / "data"), write_plan(tmp_path, datasets=["breastmnist"])
    wild = RECIPE.format(epochs=2).replace("[student]\n", "[student]\nlr = 1e30\nclip_norm = 0\n")
    (tmp_path / "wild.toml").write_text(wild)
    text = plan.read_text().replace("'crumbs.toml'", "'wild.toml', 'crumbs.toml'")
    plan.write_text(text.replace("[0, 1]", "[0]"))
    found = sweep(plan, root, out=tmp_path / "out", progress=False)
    assert list(found.failed) == ["wild-breastmnist-all-linear/seed-0"]
    assert "not finite" in found.failed["wild-breastmnist-all-linear/seed-0"] or "nan" in str(
        found.failed
    )
    assert list(found.arms) == ["crumbs-breastmnist-all-linear"]


def test_a_missing_file_and_a_second_sweep_are_refused(tmp_path):
    plan = write_plan(tmp_path)
    with pytest.raises(DataFileError, match="not found"):
        sweep(plan, tmp_path / "nothing", out=tmp_path / "out", progress=False)
    root = write_data(tmp_path / "data")
    with (
        alone(tmp_path / "out"),
        pytest.raises(CheckpointError, match="another sweep runs there"),
    ):
        sweep(plan, root, out=tmp_path / "out", progress=False)


# ---- a worker that does not see the folder ------------------------------------------------------


@pytest.fixture
def one_run(tmp_path, monkeypatch):
    """Arguments of `train_run` for a sweep's only run, and its folder."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))  # where a worker keeps its runs
    root = write_data(tmp_path / "data")
    plan = read_sweep(write_plan(tmp_path, datasets=["breastmnist"], seeds=[0]))
    asked = {}

    def note(jobs, *others):
        asked.update(jobs[0].arguments)
        return iter(())

    monkeypatch.setattr("tinyternary.experiments.sweeping.run_jobs", note)
    with alone(tmp_path / "out") as token:
        run_arms(arms_of(plan), root, tmp_path / "out", token, "here", progress=False)
    monkeypatch.setattr("tinyternary.experiments.sweeping.run_jobs", run_jobs)
    return asked, tmp_path / "out" / asked["folder"]


def test_who_does_not_see_the_folder_sends_the_runs_files(one_run, tmp_path):
    asked, folder = one_run
    far = {**asked, "out": tmp_path / "not here"}
    assert not is_kept(**far)
    content = train_run(**far)
    assert not folder.exists()
    assert is_kept(**far)
    assert train_run(**far) == content  # a client that comes back
    place(folder, content)
    assert is_finished(folder)
    forget(asked["token"])
    assert not is_kept(**far)
    sent = weights(folder)
    for path in folder.rglob("*.*"):
        path.unlink()
    assert train_run(**asked) == {}  # whoever sees the folder writes there
    assert weights(folder) == sent


def test_the_file_that_says_finished_is_written_last(one_run, tmp_path, monkeypatch):
    asked, folder = one_run
    content = train_run(**{**asked, "out": tmp_path / "not here"})
    written = []

    def note(path, *others, **options):
        assert not is_finished(folder)
        written.append(path)

    monkeypatch.setattr("tinyternary.experiments.sweep_runs.replace_content", note)
    place(folder, content)
    assert written[-1] == folder / "student" / "metrics.json"
    assert len(written) == len(content)


@pytest.mark.parametrize(
    "name", ["../x.json", "student/../../x.json", "/etc/x.json", "student/x.py"]
)
def test_a_worker_cannot_write_elsewhere(tmp_path, name):
    with pytest.raises(CheckpointError, match="no run has"):
        place(tmp_path / "run", {name: b""})
    assert not list(tmp_path.iterdir())


def test_data_of_another_sum_are_refused(one_run):
    asked, _ = one_run
    with pytest.raises(DataFileError, match=r"expected breastmnist\.npz"):
        train_run(**{**asked, "files": {"breastmnist.npz": "0" * 32}})


def test_a_run_that_somebody_is_at_is_waited_for(one_run, monkeypatch):
    asked, folder = one_run
    slept = []
    with held(folder) as _:
        import tinyternary.experiments.sweep_runs as module

        class Enough(Exception):
            pass

        def sleep(seconds):
            slept.append(seconds)
            if len(slept) == 3:
                raise Enough

        monkeypatch.setattr(module.time, "sleep", sleep)
        with pytest.raises(Enough):
            train_run(**asked)
    assert len(slept) == 3
    assert not (folder / "teacher").exists()
