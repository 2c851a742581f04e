"""What the images are, how the network was made, and what all of it cannot tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinyternary.report.page import Section, Table
from tinyternary.report.trust.words import counted, name_of, networks
from tinyternary.text import USE

_TASKS = {
    "binary-class": "one of two classes is right for each image",
    "multi-class": "one of several classes is right for each image",
    "ordinal-regression": "one of several ordered classes is right for each image",
    "multi-label, binary-class": "several labels may be right for one image",
}


def data_section(record: Mapping[str, Any]) -> Section:
    """Say what was learned from what, and what was asked."""
    found = record["data"]
    total = found["images"]
    height, width, channels = found["shape"]
    kind = "drawn by a program; they show no patient" if found["synthetic"] else (
        "MedMNIST v2's, reduced by its authors" if found["license"] else "the user's own"
    )  # fmt: skip
    splits = ("train", "val", "test")
    rows = [
        [name, *(_of(found["of_each_class"][split][i], total[split]) for split in splits)]
        for i, name in enumerate(found["class_names"])
    ]
    rows.append(["all", *(f"{total[split]:,}" for split in splits)])
    licence = f" Licence of the images: {found['license']}." if found["license"] else ""
    return Section(
        "The images and the question",
        f"The images of {found['title']} are {kind}: {height} x {width} pixels, "
        f"{'grey' if channels == 1 else 'in colour'}; {_TASKS[found['task']]}. "
        "How many patients, hospitals and devices they come from is not in the files, so that "
        "results may not hold for other patients.",
        table=Table(
            ["class", "training", "validation", "test"], rows,
            caption="Images, and their share of the split. Training images train, validation "
            "images choose, test images are asked for this report." + licence,
        ),
    )  # fmt: skip


def _of(count: int, total: int) -> str:
    return f"{count:,} ({count / total:.0%})"


def model_section(record: Mapping[str, Any]) -> Section:
    """Say what each network is and how it was trained."""
    who = networks(record)
    found = [record["model"][key] for key in who]
    config = record["model"]["student"]["config"]
    rows = [
        ["image and patches", *(_shape(each["config"]) for each in found)],
        ["encoder", *(_encoder(each["config"]) for each in found)],
        ["quantised matrices", *(_rules(each) for each in found)],
        ["preprocessing", *(_pixels(each["preprocessing"]) for each in found)],
        ["decision", *(_decision(each, record) for each in found)],
        ["training", *(_training(each) for each in found)],
    ]
    recipes = {key: _flat(record["model"][key].get("recipe", {})) for key in who}
    fields = list(dict.fromkeys(name for recipe in recipes.values() for name in recipe))
    parts = []
    if fields:
        parts.append(
            Section(
                "The recipe of training, in full",
                table=Table(
                    ["field", *(key for key in who)],
                    [[field, *(recipes[key].get(field, "-") for key in who)] for field in fields],
                    words=True,
                ),
            )
        )
    return Section(
        "The network and its training",
        f"A Vision Transformer of {config['depth']} blocks looks at patches of "
        f"{config['patch_size']} x {config['patch_size']} pixels and gives each class a "
        "probability; the student's encoder multiplies by -1, 0 and +1 only. What is measured "
        "here is the packed file, as users run it, not the network as it was trained.",
        table=Table(["", *(name_of(record, key) for key in who)], rows, words=True),
        parts=parts,
    )


def _shape(config: Mapping[str, Any]) -> str:
    size, patch = config["image_size"], config["patch_size"]
    return (
        f"{size} x {size} x {config['channels']}, patches of {patch} every "
        f"{config['stride'] or patch} pixels"
    )


def _encoder(config: Mapping[str, Any]) -> str:
    return f"{config['depth']} blocks of width {config['width']}, {config['heads']} heads"


def _rules(found: Mapping[str, Any]) -> str:
    total = found["matrices"]
    if not found["rules"]:
        return f"none of {total}"
    said = "; ".join(f"{count} by {rule}" for rule, count in found["rules"].items())
    return f"{sum(found['rules'].values())} of {total}: {said}; {found['bits']:g} bits a trit"


def _pixels(found: Mapping[str, Any]) -> str:
    mean, std = (", ".join(f"{v:.3f}" for v in found[key]) for key in ("mean", "std"))
    return f"pixels / 255, less {mean}, divided by {std}"


def _decision(found: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    cooled = f"logits divided by {found['temperature']:.2f}, " if found["temperature"] else ""
    if found["threshold"]:
        return f"{cooled}yes above {', '.join(f'{v:.3g}' for v in found['threshold'])}"
    if record["data"]["task"] in ("binary-class", "multi-label, binary-class"):
        return f"{cooled}yes above one half"
    return f"{cooled}the likeliest class"


def _training(found: Mapping[str, Any]) -> str:
    if "seed" not in found:
        return "not in a packed file"
    text = f"seed {found['seed']}, {found['seconds'] / 60:.1f} minutes"
    return text if found["finished"] else f"{text}; not ended: the best epoch so far"


def _flat(recipe: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Fields of a recipe as its file names them: ``optimizer.lr``."""
    found: dict[str, str] = {}
    for name, value in recipe.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}.")
        elif value is not None:
            found[f"{prefix}{name}"] = str(value)
    return found


def limits_section(record: Mapping[str, Any]) -> Section:
    """Say what none of the numbers can tell."""
    images = record["data"]["images"]["test"]
    source = "a program's drawings" if record["data"]["synthetic"] else "one data set"
    return Section(
        "What this report cannot tell",
        f"All numbers come from {counted(images, 'test image')} of {source}; intervals say how far "
        "chance among such images reaches, not how the network fares on images of another device, "
        "site or population. Whether it treats groups of people alike cannot be asked of files "
        "that name none. One run was measured: another seed would give other numbers. No regulator "
        f"has seen it, and no clinician has checked its answers. {USE} Next steps would be images "
        "of other sites with one patient on one side of the split, and readers who look at the "
        "mistakes.",
    )
