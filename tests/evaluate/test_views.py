"""Predictions averaged over mirrored and moved copies, against a plain loop."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tinyternary.errors import ConfigError
from tinyternary.evaluate import predict_logits


@given(st.integers(0, 2**32), st.integers(0, 2), st.sampled_from(["none", "horizontal", "both"]))
def test_views_are_averaged_as_told(seed, shifts, flips):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (3, 6, 5, 1), np.uint8)
    wanted = []
    for down in range(-shifts, shifts + 1):
        for right in range(-shifts, shifts + 1):
            # edges repeated: every pixel asks for the nearest one that exists
            rows = np.clip(np.arange(6) - down, 0, 5)
            columns = np.clip(np.arange(5) - right, 0, 4)
            moved = images[:, rows][:, :, columns]
            for axes in {"none": [()], "horizontal": [(), 2]}.get(flips, [(), 1, 2, (1, 2)]):
                wanted.append(np.flip(moved, axes))
    asked = []

    def ask(batch):
        asked.append(batch)
        return batch.reshape(len(batch), -1)[:, :2].astype(np.float32)

    got = predict_logits(ask, images, flips=flips, shifts=shifts, batch_size=3)
    np.testing.assert_allclose(got, np.mean([ask(view) for view in wanted], axis=0), rtol=1e-5)
    seen = asked[: len(wanted)]
    np.testing.assert_array_equal(seen[0], images)
    assert sorted(v.tobytes() for v in seen) == sorted(v.tobytes() for v in wanted)


def test_views_that_cannot_be_made_are_refused():
    images = np.zeros((1, 4, 4, 1), np.uint8)
    with pytest.raises(ConfigError, match="shifts"):
        predict_logits(lambda x: np.zeros((len(x), 2), np.float32), images, shifts=-1)
    with pytest.raises(ConfigError, match="flips"):
        predict_logits(lambda x: np.zeros((len(x), 2), np.float32), images, flips="sideways")


def test_a_bar_is_shown_where_it_has_a_label(capsys):
    images = np.zeros((5, 4, 4, 1), np.uint8)
    predict_logits(lambda batch: np.zeros((len(batch), 2), np.float32), images, batch_size=2)
    assert capsys.readouterr().err == ""
    predict_logits(
        lambda batch: np.zeros((len(batch), 2), np.float32), images, batch_size=2, progress="asking"
    )
    shown = capsys.readouterr().err
    assert "asking" in shown
    assert "0/3" in shown
