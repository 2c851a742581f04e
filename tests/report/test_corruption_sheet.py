"""The contact sheet shows the bytes that the corruptions give."""

import numpy as np
import pytest

from tests.data.original_medmnistc import phantom_set
from tinyternary.data import MEDMNIST_C, medmnist_c
from tinyternary.errors import ConfigError
from tinyternary.report import corruption_sheet


def test_each_row_is_a_corruption_and_each_column_a_severity():
    data = phantom_set("breastmnist", 2)
    figure = corruption_sheet(data, 1, seed=3)
    kinds = list(MEDMNIST_C["breastmnist"])
    shown = np.array([ax.images[0].get_array() for ax in figure.axes])
    shown = shown.reshape(len(kinds), 6, 28, 28)
    for row, kind in zip(shown, kinds):
        np.testing.assert_array_equal(row[0], data.images[1, ..., 0])
        for severity in range(1, 6):
            wanted = medmnist_c(data, kind, severity, seed=3).images[1, ..., 0]
            np.testing.assert_array_equal(row[severity], wanted)
    labels = [ax.get_ylabel() for ax in figure.axes[::6]]
    assert labels == [kind.replace("_", " ") for kind in kinds]


def test_a_set_without_corruptions_is_refused():
    with pytest.raises(ConfigError, match="MedMNIST-C set"):
        corruption_sheet(phantom_set("breastmnist"), amounts_of="phantoms")
