"""Byte for byte what ``medmnistc`` 0.1.0 makes of the same image with the same random numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.data.original_medmnistc import (
    PAIRS,
    RECORD,
    Draws,
    made,
    original,
    phantom_set,
    works_at_28,
)
from tinyternary.data import MEDMNIST_C
from tinyternary.data.corruptions import marks
from tinyternary.data.corruptions.medmnist_c import damage

registry = pytest.importorskip(
    "medmnistc.corruptions.registry", exc_type=ImportError, reason="see original_medmnistc.py"
)
pytestmark = [pytest.mark.parity, pytest.mark.slow]

ONE_LEVEL = {"gaussian_blur": 1e-3, "defocus_blur": 5e-3, "motion_blur": 2e-2}
"""Sums in another order, cut off or rounded: the share of values that may be one level away."""


def test_amounts_are_the_registrys():
    def plain(values):
        return [tuple(v) if np.ndim(v) else v for v in list(values)[:5]]

    for name, kind in PAIRS:
        ours, theirs = MEDMNIST_C[name][kind], registry.CORRUPTIONS_DS[name][kind].severity_params
        if kind == "stain_deposit":  # ours have the size of the ink beside the number
            ours = [count for count, _ in ours]
        assert plain(ours) == plain(theirs), (name, kind)
    assert {name: list(kinds) for name, kinds in MEDMNIST_C.items()} == {
        name: list(registry.CORRUPTIONS_DS[name]) for name in MEDMNIST_C
    }


@pytest.mark.parametrize("side", [28, 224])
@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_damage_is_the_originals(name, kind, side, monkeypatch):
    if kind == "characters":
        pytest.skip("letters of another font")
    if side == 28 and not works_at_28(name, kind):
        pytest.skip("the original fails at 28 x 28")
    inks = registry.CORRUPTIONS_DS[name][kind].inks
    monkeypatch.setattr(
        marks, "_blot",
        lambda size, rng: inks[{24: "3", 32: "4"}[size]][rng.integers(0, 10)] == 1,
    )  # fmt: skip
    images = phantom_set(name, 1, side).images
    away = []
    for severity in range(1, 6):
        for image in images:
            wanted = original(name, kind, severity, image, severity)
            amount = MEDMNIST_C[name][kind][severity - 1]
            found = damage(image, kind, amount, Draws(severity))
            away.append(np.abs(found.astype(int) - wanted))
    assert max(a.max() for a in away) <= (kind in ONE_LEVEL)
    assert np.mean([(a > 0).mean() for a in away]) <= ONE_LEVEL.get(kind, 0)


def test_blots_cover_about_as_much_as_the_original_inks():
    """Its inks are drawings in a file, ours are drawn by a formula."""
    inks = registry.CORRUPTIONS_DS["bloodmnist"]["stain_deposit"].inks
    for size, name in ((24, "3"), (32, "4")):
        ours = np.mean([marks._blot(size, np.random.default_rng(i)).mean() for i in range(100)])
        assert abs(ours - inks[name].mean()) < 0.1


def test_letters_cover_about_as_much_as_the_originals():
    """Their font is OpenCV's, ours Pillow's: compare how many pixels change, over many draws."""
    image = phantom_set("dermamnist", 1, 224).images[0]
    for severity in (1, 3, 5):
        shares = np.zeros(2)
        for seed in range(40):
            amount = MEDMNIST_C["dermamnist"]["characters"][severity - 1]
            for i, found in enumerate((
                original("dermamnist", "characters", severity, image, seed),
                damage(image, "characters", amount, Draws(seed)),
            )):  # fmt: skip
                shares[i] += (found != image).any(-1).mean()
        assert 0.5 < shares[1] / shares[0] < 2


def test_the_record_is_what_the_package_makes():
    found, recorded = made(), json.loads(RECORD.read_text())
    assert found.keys() == recorded.keys()
    for name, kinds in recorded.items():
        assert kinds.keys() == found[name].keys()
        for kind, each in kinds.items():
            np.testing.assert_allclose(found[name][kind], each, atol=0.011)
