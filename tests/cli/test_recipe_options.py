"""What --config, --set and --epochs make of a recipe."""

from __future__ import annotations

from tinyternary.cli.train import _recipe
from tinyternary.train import Recipe


def test_fields_by_their_own_names_and_by_group(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("epochs = 9\n[optimizer]\nlr = 0.5\nweight_decay = 0.25\n")
    changes = ["lr=3e-4", "augment=medical", "optimizer.clip_norm=2", "evaluation.flips = 'both'",
               "betas=[0.8, 0.9]"]  # fmt: skip
    assert _recipe(file, changes, 3) == Recipe(
        epochs=3, lr=3e-4, weight_decay=0.25, clip_norm=2, betas=(0.8, 0.9), augment="medical",
        flips="both",
    )  # fmt: skip
    assert _recipe(file, None, None).epochs == 9
    assert _recipe(None, None, None) == Recipe()
