import json
import shutil

import pytest

from tests.train.small import model, splits
from tinyternary.data import Splits
from tinyternary.errors import CheckpointError, ConfigError
from tinyternary.experiments import ablate, ablations, read_ablation
from tinyternary.experiments.factors import (
    Cell,
    cells_of,
    read_ablation_plan,
    student_of,
)
from tinyternary.train import fit, load_run

PLAN = """
name = "plan"
dataset = "phantoms"
quantizer = ["absmean", "ttq"]
granularity = ["tensor", "channel"]
distillation = [true, false]
[policy]
bitmedvit = {}
all-linear = {}
bit-attention = {}
[recipe]
epochs = 1
augment = "none"
warmup_epochs = 0
start_from_teacher = true
feature = "none"
"""


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher")
    fit(model(), splits(), epochs=2, augment="none", run_dir=folder, progress=False)
    return folder


@pytest.fixture(scope="module")
def half(teacher, tmp_path_factory):
    """The first five cells of sixteen."""
    folder = tmp_path_factory.mktemp("half")
    (folder / "plan.toml").write_text(PLAN)
    ablate(folder / "plan.toml", teacher, out=folder / "out", cells=(0, 5), progress=False,
           data=splits())  # fmt: skip
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ablations())
def test_every_combination_of_the_package_takes_a_step(name, teacher, tmp_path):
    """One epoch of six steps per cell, packed and evaluated."""
    plan = read_ablation_plan(name)
    path = tmp_path / "quick.toml"
    text = plan.model_copy(update={"dataset": "phantoms"}).model_dump(exclude={"recipe"})
    lines = [f"{key} = {json.dumps(value)}" for key, value in text.items() if key != "policy"]
    for label, level in text["policy"].items():
        lines.append(f'[policy.{label}]\npolicy = "{level["policy"]}"\n[policy.{label}.model]')
        lines += [f"{key} = {json.dumps(value)}" for key, value in level["model"].items()]
    lines += ['[recipe]\nepochs = 1\naugment = "none"\nmixup = 0.0\nwarmup_epochs = 0\n'
              'start_from_teacher = true\nfeature = "none"\nbatch_size = 16']  # fmt: skip
    path.write_text("\n".join(lines))
    found = ablate(path, teacher, out=tmp_path / "out", progress=False, data=splits())
    levels = {k: len(v) for k, v in plan.levels().items()}
    wanted = levels["quantizer"] * levels["granularity"] * levels["distillation"]
    assert len(found.cells) == found.planned == wanted * (levels["policy"] - len(found.skipped))
    for cell in found.cells:
        assert 0 < cell["bytes"] < found.teacher["bytes"]
        assert 0 <= cell["val"]["acc"] <= 1
        assert len(cell["test"]["intervals"]["acc"]) == 2
    effects = found.effects("test_acc")
    assert {level.factor for level in effects.levels} <= set(plan.levels())
    assert len(effects.pairs()) == 6
    sizes = {policy: [c["bytes"] for c in found.cells if c["policy"] == policy]
             for policy in ("bitmedvit", "everything")}  # fmt: skip
    assert max(sizes["everything"]) < min(sizes["bitmedvit"])


def test_cells_are_read_and_not_run_again(half, teacher, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(half / "out", out)
    stamp = {path.name: path.stat().st_mtime_ns for path in (out / "cells").iterdir()}
    assert len(stamp) == 5
    found = ablate(half / "plan.toml", teacher, out=out, cells=(3, None), progress=False,
                   data=splits())  # fmt: skip
    after = {path.name: path.stat().st_mtime_ns for path in (out / "cells").iterdir()}
    assert {name: after[name] for name in stamp} == stamp
    # cells of other processes count, in the plan's order
    assert len(found.cells) == found.planned == 16
    assert [c["policy"] for c in found.cells[:4]] == ["bitmedvit", "all-linear"] * 2
    assert found.skipped == {"bit-attention": "the same layers of the same network as 'all-linear'"}
    read = read_ablation(out)
    assert read.to_dict() == json.loads(json.dumps(found.to_dict()))
    assert read.effects("val_auc").response == "val_auc"
    assert str(tmp_path) not in json.dumps(read.to_dict())


def test_a_cell_is_the_same_whoever_runs_it(half, teacher, tmp_path):
    again = ablate(half / "plan.toml", teacher, out=tmp_path, cells=(4, 5), progress=False,
                   data=splits())  # fmt: skip
    first = read_ablation(half / "out").cells[4]
    (cell,) = again.cells
    assert cell["test"] == first["test"]
    assert cell["bytes"] == first["bytes"]


def test_labels_alone_do_not_depend_on_the_teachers_answers(half, teacher):
    cells = read_ablation(half / "out").cells
    told, alone = cells[0], cells[2]
    assert (told["distillation"], alone["distillation"]) == (True, False)
    assert told["val"]["loss"] != alone["val"]["loss"]


def test_cells_of_another_teacher_or_recipe_are_refused(half, teacher, tmp_path):
    other = fit(model(seed=5), splits(), epochs=1, run_dir=tmp_path / "t", progress=False)
    with pytest.raises(CheckpointError, match="of another ablation: teacher was"):
        ablate(half / "plan.toml", other, out=half / "out", progress=False, data=splits())
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN.replace("epochs = 1", "epochs = 3"))
    with pytest.raises(CheckpointError, match=r"recipe\.epochs was 1, now 3"):
        ablate(plan, teacher, out=half / "out", progress=False, data=splits())


@pytest.mark.parametrize("split", ["val", "test"])
def test_cells_of_other_images_are_refused(half, teacher, split):
    parts = {"train": splits().train, "val": splits().val, "test": splits().test}
    parts[split] = parts[split].subset(slice(1, None))
    with pytest.raises(CheckpointError, match=f"of another ablation: {split}.*_images was"):
        ablate(half / "plan.toml", teacher, out=half / "out", progress=False, data=Splits(**parts))


def test_quantiser_and_granularity_reach_every_matrix_and_leave_norms_alone(teacher):
    plan = read_ablation_plan("pneumoniamnist")
    config = load_run(teacher).model.config
    _, rules = student_of(plan, Cell("ttq", "channel", True, "everything"), config)
    matrices = {name: rule for name, rule in rules.items() if "norm" not in name.rpartition(".")[2]}
    assert {"patch_embed.proj", "head"} < set(matrices)
    assert {(r.weight, r.granularity) for r in matrices.values()} == {("ttq", "channel")}
    assert matrices["patch_embed.proj"].norm is False
    assert {r.weight for name, r in rules.items() if name not in matrices} == {"absmean"}
    _, skipped = cells_of(plan, config)
    assert set(skipped) <= {"all-linear"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("ttq", "ttqq"), "Did you mean 'ttq'"),
        (("bitmedvit = {}", "bitmedvitt = {}"), "bitmedvit"),
        (("bitmedvit = {}", "mine = {policy = 'all-linnear'}"), "all-linear"),
        (('"tensor", "channel"', '"row"'), "granularity"),
        (("[true, false]", "[]"), "distillation"),
        (("epochs = 1", "epochz = 1"), "epochs"),
        (('name = "plan"', "nam = 3"), "nam"),
    ],
)
def test_bad_plans_are_named_in_one_line(tmp_path, change, message):
    path = tmp_path / "plan.toml"
    path.write_text(PLAN.replace(*change))
    with pytest.raises(ConfigError) as caught:
        read_ablation_plan(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_names_teachers_and_cells(teacher, half, tmp_path):
    with pytest.raises(ConfigError, match="unknown ablation"):
        read_ablation_plan("nonsense")
    with pytest.raises(CheckpointError, match="not a run folder"):
        ablate(half / "plan.toml", tmp_path, out=tmp_path, data=splits())
    with pytest.raises(ConfigError, match="none of the 16 cells"):
        ablate(half / "plan.toml", teacher, out=tmp_path, cells=(40, 50), data=splits())
    ternary = fit(model("all-linear"), splits(), epochs=1, progress=False)
    with pytest.raises(ConfigError, match="float"):
        ablate(half / "plan.toml", ternary, out=tmp_path, data=splits())
    unfinished = load_run(teacher)
    unfinished.metrics = {}
    with pytest.raises(ConfigError, match="not finished"):
        ablate(half / "plan.toml", unfinished, out=tmp_path, data=splits())
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_ablation(tmp_path / "nowhere.json")
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(CheckpointError, match="not an ablation"):
        read_ablation(tmp_path / "x.json")
