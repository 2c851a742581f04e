"""The convolutional baseline is a convolutional network: PyTorch's, and its gradients."""

from __future__ import annotations

import numpy as np
import pytest

from tinyternary.autograd import Tensor, gradcheck
from tinyternary.errors import ShapeError
from tinyternary.models import SmallConvNet
from tinyternary.models.small_conv import _with_neighbors


@pytest.mark.parity
@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 28), (3, 12)])
def test_it_is_the_network_that_pytorch_builds(rng, channels, side):
    torch = pytest.importorskip("torch")
    model = SmallConvNet(channels, 5, width=4, seed=3)
    images = rng.standard_normal((6, channels, side, side)).astype(np.float32)

    def weights(layer):
        return torch.tensor(layer.weight.data), torch.tensor(layer.bias.data)

    F = torch.nn.functional
    w, b = weights(model.conv1.proj)
    x = F.conv2d(torch.tensor(images), w.reshape(4, channels, 4, 4), b, stride=2, padding=1).relu()
    w, b = weights(model.conv2)
    x = F.conv2d(x, w.reshape(8, 3, 3, 4).permute(0, 3, 1, 2), b, padding=1).relu()
    x = F.avg_pool2d(x, 2)
    w, b = weights(model.conv3)
    x = F.conv2d(x, w.reshape(16, 3, 3, 8).permute(0, 3, 1, 2), b, padding=1).relu()
    w, b = weights(model.head)
    wanted = F.linear(x.mean((2, 3)), w, b)
    np.testing.assert_allclose(model(images).numpy(), wanted.numpy(), atol=1e-5)


def test_neighbors_are_nine_places_with_zeros_beyond_the_edge(rng):
    x = rng.standard_normal((2, 3, 4, 5))
    found = _with_neighbors(Tensor(x)).numpy().reshape(2, 3, 4, 3, 3, 5)
    np.testing.assert_array_equal(found[:, :, :, 1, 1], x)
    np.testing.assert_array_equal(found[:, 1, 2, 0, 2], x[:, 0, 3])
    assert not found[:, 0, :, 0].any()
    assert not found[:, :, -1, :, 2].any()
    assert gradcheck(_with_neighbors, x)


def test_images_that_do_not_fit_are_refused():
    model = SmallConvNet(1, 2)
    for shape in ((2, 3, 28, 28), (2, 1, 27, 27), (2, 1, 30, 30)):
        with pytest.raises(ShapeError):
            model(np.zeros(shape, np.float32))
