"""One small packed model for all tests of the layer."""

from __future__ import annotations

import pytest

from tests.deploy.small_models import make_model


@pytest.fixture(scope="session")
def model():
    return make_model()


@pytest.fixture(scope="session")
def packed(model):
    from tinyternary.deploy import pack

    return pack(model, class_names=["a", "b", "c"], metrics={"acc": 0.5}, dataset="phantoms")


@pytest.fixture(scope="session")
def packed_path(packed, tmp_path_factory):
    return packed.save(tmp_path_factory.mktemp("packed") / "model.safetensors")
