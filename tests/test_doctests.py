"""Every promised name shows itself in use, and what its docstring shows is what happens."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import inspect
import pkgutil
from pathlib import Path

import numpy as np
import pytest

import tinyternary as tt
from tinyternary.errors import LessonError

PROMISED = [
    "Tensor",
    "Tensor.backward",
    "no_grad",
    "gradcheck",
    "nn.Linear",
    "nn.LayerNorm",
    "nn.RMSNorm",
    "nn.GELU",
    "nn.Sequential",
    "nn.Dropout",
    "nn.DropPath",
    "nn.Attention",
    "nn.Mlp",
    "nn.PatchEmbed",
    "nn.EncoderBlock",
    "models.ViT",
    "models.preset",
    "models.list_models",
    "models.load_pretrained",
    "quant.absmean",
    "quant.twn",
    "quant.ttq",
    "quant.seq",
    "quant.band",
    "quant.absmax",
    "quant.ternarize",
    "quant.Quantized",
    "kernels.pack",
    "kernels.matmul",
    "kernels.linear",
    "kernels.backends",
    "kernels.PackedTernary",
    "data.phantoms",
    "data.medmnist",
    "data.load",
    "train.fit",
    "train.distill",
    "deploy.pack",
    "deploy.load",
    "deploy.Engine",
    "deploy.PackedModel",
    "deploy.to_onnx",
    "deploy.to_c",
    "cost.analyze",
]
NEEDS = {"deploy.to_onnx": "onnx"}
"""Names whose examples need a package of an extra."""
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def promised(name: str) -> object:
    found: object = tt
    for part in name.split("."):
        found = getattr(found, part)
    return found


def examples(value: object, name: str) -> doctest.DocTest:
    """Return the examples of one docstring, with ``tt``, ``np`` and its own module's names."""
    text = inspect.getdoc(value) or ""
    space = {**vars(inspect.getmodule(value)), "tt": tt, "np": np}
    return doctest.DocTestParser().get_doctest(text, space, name, None, 0)


def run(test: doctest.DocTest) -> None:
    report: list[str] = []
    outcome = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=report.append)
    assert outcome.attempted == len(test.examples)
    assert outcome.failed == 0, "".join(report)


@pytest.mark.parametrize("name", PROMISED)
def test_a_promised_name_has_an_example_that_holds(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    test = examples(promised(name), name)
    assert test.examples, f"tt.{name} has no example in its docstring"
    monkeypatch.chdir(tmp_path)
    needed = NEEDS.get(name)
    if needed and importlib.util.find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed (extra parity)")
    if name == "data.medmnist":  # skips, and says why, where there is no real file
        monkeypatch.setenv("TINYTERNARY_DATA", str(request.getfixturevalue("medmnist_root")))
    run(test)


def others() -> dict[str, object]:
    """Every other function and class of the library with an example, by its full name."""
    already = {id(promised(name)) for name in PROMISED}
    found: dict[str, object] = {}
    for each in pkgutil.walk_packages(tt.__path__, "tinyternary."):
        if each.name.endswith("__main__"):
            continue
        try:
            module = importlib.import_module(each.name)
        except LessonError:  # asks for an extra that is not installed (`classroom`)
            continue
        for name, value in vars(module).items():
            own = getattr(value, "__module__", None) == each.name
            if own and id(value) not in already and ">>> " in (inspect.getdoc(value) or ""):
                found[f"{each.name}.{name}"] = value
    return found


@pytest.mark.parametrize("name", others())
def test_other_examples_hold(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(examples(others()[name], name))


def test_a_wrong_example_is_found() -> None:
    def wrong() -> None:
        """>>> 1 + 1
        3
        """

    with pytest.raises(AssertionError):
        run(examples(wrong, "wrong"))
