"""Predicted bytes against packed files on disk, to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyternary import cost, deploy
from tinyternary.config import LayerQuant, ViTConfig, preset
from tinyternary.models import ViT
from tinyternary.quant import ternarize

# no size is a multiple of 4 or 5: every padding shows
ODD = ViTConfig(image_size=9, patch_size=3, channels=3, width=18, depth=2, heads=3, kv_heads=1,
                mlp_width=33, num_classes=7)  # fmt: skip
POLICIES = [
    None,
    "bitmedvit",
    "all-linear",
    "everything",
    {"blocks.*.mlp.fc?": LayerQuant("twn", granularity=3), "head": LayerQuant("ttq", norm=False)},
    {"blocks.*.attn.*": LayerQuant("int8", granularity="channel"),
     "blocks.*.mlp.fc?": LayerQuant("int4", granularity="channel", activation="int4")},
]  # fmt: skip


@pytest.mark.parametrize(
    "policy", POLICIES, ids=lambda p: p if isinstance(p, str) else type(p).__name__
)
@pytest.mark.parametrize("bits", [2, 1.6])
@pytest.mark.parametrize("rest", ["float32", "float16", "int8"])
@pytest.mark.parametrize("shape", ["odd", "cls"])
def test_bytes_equal_the_packed_file(
    policy: object, bits: float, rest: str, shape: str, tmp_path: Path
) -> None:
    config = ODD if shape == "odd" else ViTConfig(
        image_size=8, width=24, heads=2, depth=1, mlp_width=21, pool="cls",
        positions="sinusoidal", attn_norm=False, mlp_norm=False, mlp_bias=False, num_classes=2,
    )  # fmt: skip
    model = ViT(config, seed=1)
    if policy is not None:
        ternarize(model, policy)
    path = deploy.pack(model, bits=bits, rest=rest).save(tmp_path / "model.safetensors")
    report = cost.analyze(model, bits=bits, rest=rest)
    content = path.read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    assert report.bytes_stored == len(content) - header


def test_every_array_has_the_size_the_file_gives_it(tmp_path: Path) -> None:
    from safetensors import safe_open

    model = ViT(ODD)
    ternarize(model, "all-linear")
    path = deploy.pack(model).save(tmp_path / "model.safetensors")
    predicted = {
        array.name: array.nbytes
        for layer in cost.analyze(model).layers
        for array in layer.step.arrays
    }
    with safe_open(path, "np") as file:
        stored = {name: file.get_tensor(name).nbytes for name in file.keys()}  # noqa: SIM118
    assert predicted == stored


@pytest.mark.slow
def test_bitmedvit_itself(tmp_path: Path) -> None:
    model = ViT(preset("bitmedvit"))
    ternarize(model, "bitmedvit")
    packed = deploy.pack(model)
    assert cost.analyze("bitmedvit", "bitmedvit").bytes_stored == packed.tensor_bytes == 10_915_360
