"""A name that is no choice is refused at once, by every public name that takes choices."""

from __future__ import annotations

import importlib
import inspect
import typing
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

import tinyternary as tt
from tinyternary.errors import ConfigError, TinyTernaryError

W = np.ones((2, 4), np.float32)
CALLS = {  # what each needs besides its choice
    "LayerQuant": (), "ViTConfig": (), "Blocking": (4, 4), "Gemm": (2, 2, 2), "analyze": ("tiny",),
    "footprint": ("tiny",), "would_fit": ("tiny",),
    "medmnist": ("breastmnist",), "phantoms": (), "table": (W, np.zeros(2, int)),
    "pack": (tt.models.ViT(tt.models.preset("tiny")),),
    "choose_threshold": ([0, 1], [0.2, 0.7], "binary-class"),
    "nonconformity": ([[0.3, 0.7]],),
    "class_limits": ([0, 1], [[0.8, 0.2], [0.3, 0.7]], "binary-class", 0.5),
    "conformal_sets": ([[0.3, 0.7]], [0.0, 0.0]),
    "absmean": (W,), "band": (W,), "integer": (W,), "seq": (W,), "ttq": (W,), "twn": (W,),
    "Pretraining": (), "Schedule": (10, 0.1),
}  # fmt: skip


def choices(hint: object) -> bool:
    """Whether a type has a Literal in it."""
    inner = typing.get_args(hint)
    return typing.get_origin(hint) is typing.Literal or any(choices(one) for one in inner)


def public() -> list[tuple[str, str, object]]:
    """(name, argument, what is called) for each public argument that is a choice."""
    found = {}
    for face in sorted(Path(tt.__file__).parent.glob("*/__init__.pyi")):
        package = face.parent.name
        if package == "course":  # its choices are verdicts, which it gives and does not take
            continue
        module = importlib.import_module(f"tinyternary.{package}")
        for name in dir(module):
            value = getattr(module, name)
            if not (inspect.isclass(value) or inspect.isfunction(value)):
                continue
            own = inspect.isclass(value) and not hasattr(value, "__dataclass_fields__")
            plain = own and not hasattr(value, "model_fields")
            try:
                hints = typing.get_type_hints(value.__init__ if plain else value)
            except NameError:  # a type that is imported for checking only
                continue
            for argument, hint in hints.items():
                if argument != "return" and choices(hint):
                    found[name, argument] = value
    return [(name, argument, value) for (name, argument), value in found.items()]


PUBLIC = public()


def test_choices_are_found() -> None:
    assert {name for name, *_ in PUBLIC} == CALLS.keys()


@pytest.mark.parametrize("wrong", ["bogus", "", None, 1.5])
@pytest.mark.parametrize(
    ("name", "argument", "call"), PUBLIC, ids=[f"{n}-{a}" for n, a, _ in PUBLIC]
)
def test_what_is_no_choice_is_refused(
    name: str, argument: str, call: typing.Callable[..., object], wrong: object
) -> None:
    default = inspect.signature(call).parameters[argument].default
    if wrong == default or (wrong is None and name == "analyze"):
        return
    with pytest.raises((TinyTernaryError, ValidationError)):
        call(*CALLS[name], **{argument: wrong})


@pytest.mark.parametrize("wrong", ["binary", "", None])
def test_a_task_that_does_not_exist_is_told_which_do(wrong: object) -> None:
    with pytest.raises(ConfigError, match=r"unknown task .*Known: binary-class, multi-class"):
        tt.evaluate.choose_threshold([0, 1], [0.2, 0.7], wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        {"lr": -0.1}, {"lr": np.nan}, {"lr": np.inf}, {"min_lr": -1}, {"min_lr": 1.0},
        {"phase_split": 1.0}, {"phase_split": 0.0}, {"phase_drop": 0.0}, {"phase_drop": 2.0},
    ],
)  # fmt: skip
def test_a_schedule_refuses_impossible_numbers(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="schedule: expected"):
        tt.train.Schedule(**{"total": 10, "lr": 0.1, **options})


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("SGD", {"lr": np.nan}), ("SGD", {"momentum": 1.0}), ("SGD", {"momentum": -0.1}),
        ("SGD", {"weight_decay": -1.0}), ("SGD", {"nesterov": True, "momentum": 0.0}),
        ("AdamW", {"betas": (0.9, 1.0)}), ("AdamW", {"betas": (0.9,)}), ("AdamW", {"eps": -1e-8}),
        ("AdamW", {"weight_decay": np.nan}), ("AdamW", {"betas": (np.nan, 0.9)}),
    ],
)  # fmt: skip
def test_an_optimizer_refuses_impossible_numbers(kind: str, options: dict[str, object]) -> None:
    parameter = tt.Tensor([1.0], requires_grad=True)
    name = "nesterov" if "nesterov" in options else next(iter(options))
    with pytest.raises(ConfigError, match=name):
        getattr(tt.train, kind)([parameter], **options)
