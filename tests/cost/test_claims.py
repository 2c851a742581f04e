"""Published figures from first principles; what does not follow, says so."""

from __future__ import annotations

import pytest

from tinyternary import cost
from tinyternary.config import preset


def _claims() -> dict[str, cost.Claim]:
    return {claim.what: claim for claim in cost.claims()}


def test_parameters_of_bitmedvit_as_its_code_allocates_them() -> None:
    count = cost.bitmedvit_parameters(channels=1, classes=2)
    assert count.total == 8_660_915
    # LayerNorm 2 x 512, Linear 512 -> 49 with bias; 3 blocks of 2048 + 512 biases never added
    assert count.matcher == 1024 + 512 * 49 + 49
    assert count.idle_biases == 3 * 2560
    assert count.used == cost.analyze(preset("bitmedvit"), "bitmedvit").parameters


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("classes", [2, 9, 14])
def test_other_data_sets_change_patch_embedding_and_head_only(channels: int, classes: int) -> None:
    base, other = cost.bitmedvit_parameters(), cost.bitmedvit_parameters(channels, classes)
    assert other.total - base.total == (channels - 1) * 49 * 512 + (classes - 2) * 513


def test_macs_of_bitmedvit_by_hand() -> None:
    tokens, width = 1024, 512
    linear = tokens * (width * 640 + width * width + 2 * width * 2048)
    attention = 2 * tokens**2 * width
    expected = 3 * (linear + attention) + tokens * 49 * width + 2 * width
    assert cost.analyze("bitmedvit").macs == expected == 11_501_306_880


def test_what_follows_and_what_does_not() -> None:
    wrong = {claim.what for claim in cost.claims() if not claim.follows}
    assert wrong == {"size reduction claimed", "compression"}


def test_the_ratios() -> None:
    claims = _claims()
    assert claims["ternarising alone shrinks it"].derived == pytest.approx(3.14, abs=0.005)
    assert "42.9" in claims["size reduction claimed"].how
    ratio = claims["arithmetic energy, fp16 over ternary"].derived
    assert ratio == pytest.approx(0.5 / 0.007)
    assert claims["the same with accumulation"].derived == pytest.approx(0.5 / 0.03)
    assert claims["compression"].derived == pytest.approx(13.9, abs=0.05)


def test_the_model_reproduces_bitnets_convention() -> None:
    # its count: one int8 addition per trit, and no accumulation; fp16 against it
    table = cost.energy_table("7nm")
    half = cost.analyze("tiny", "float16", table=table)
    bare = cost.analyze("tiny", "all-linear", execution="int8-add", table=table)
    name = "blocks.0.mlp.fc1"

    def product_pj(report: cost.CostReport) -> float:
        step = next(layer.step for layer in report.layers if layer.step.name == name)
        return sum(table.op(op).middle * n for op, n in step.product_ops.items())

    assert product_pj(half) / product_pj(bare) == pytest.approx(71.43, abs=0.01)
    # with everything around the product, and memory, little of that is left
    assert half.energy_uj.middle / bare.energy_uj.middle < 3
