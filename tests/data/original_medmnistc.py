"""The package ``medmnistc`` 0.1.0 as an oracle, and the record of it for where it is not installed.

It asks for exact versions of scikit-image and medmnist, for torchvision and for ImageMagick, so no
extra of this package names it. With ImageMagick's MagickWand installed, and a torchvision of the
same build as torch:

    pip install --no-deps medmnistc==0.1.0 wand opencv-python-headless scikit-image torchvision
    python -m tests.data.original_medmnistc    # writes the record anew
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
from PIL import Image

from tinyternary.config import Task
from tinyternary.data import MEDMNIST, MEDMNIST_C, Dataset, phantoms
from tinyternary.data.corruptions.as_grey import as_grey
from tinyternary.data.corruptions.medmnist_c import DRAWN

RECORD = Path(__file__).parent / "medmnistc_recorded.json"
PAIRS = [(name, kind) for name, kinds in MEDMNIST_C.items() for kind in kinds]


class Draws:
    """The random numbers that medmnistc draws: NumPy's old ones, Python's integers, a generator."""

    normal, poisson, uniform = (
        staticmethod(f) for f in (np.random.normal, np.random.poisson, np.random.uniform)
    )

    def __init__(self, seed):
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        self.generator = np.random.default_rng(seed)

    def random(self, shape):
        return self.generator.random(shape)

    @staticmethod
    def integers(low, high):
        return random.randint(int(low), int(high) - 1)


def phantom_set(name, count=1, side=28):
    """Phantoms under the name of a MedMNIST set, in its number of channels."""
    images = phantoms("test", 0, count).images
    if side != 28:
        images = np.stack([np.asarray(Image.fromarray(x).resize((side, side))) for x in images])
    if MEDMNIST[name].channels == 1:
        images = as_grey(images)[..., None]
    return Dataset(images, np.zeros(count, int), Task.BINARY, ("a", "b"), name, "test")


def original(name, kind, severity, image, seed):
    """What the package makes of an image (H, W, C), as its DatasetManager calls it."""
    from medmnistc.corruptions.registry import CORRUPTIONS_DS

    np.fromstring = np.frombuffer  # what it calls has left NumPy
    corruption = CORRUPTIONS_DS[name][kind]
    corruption.rng = Draws(seed).generator
    colored = np.broadcast_to(image, (*image.shape[:2], 3))
    found = np.asarray(
        corruption.apply(Image.fromarray(np.ascontiguousarray(colored)), severity - 1)
    )
    return (
        found if image.shape[2] == 3 else np.asarray(Image.fromarray(found).convert("L"))[..., None]
    )


def works_at_28(name, kind):
    """Whether the package can do it at 28 x 28: marks do not fit, a smeared grey image has no form."""
    return kind not in DRAWN and not (kind == "motion_blur" and MEDMNIST[name].channels == 1)


def figures(image):
    """Mean, deviation, mean steps right and down."""
    x = image.astype(float)
    steps = [np.abs(np.diff(x, axis=axis)).mean() for axis in (1, 0)]
    return [round(float(v), 2) for v in (x.mean(), x.std(), *steps)]


def made():
    """The record: figures by set, corruption and severity, of the first phantom."""
    return {
        name: {
            kind: [
                figures(original(name, kind, severity, phantom_set(name).images[0], severity))
                for severity in range(1, 6)
            ]
            for kind in kinds
            if works_at_28(name, kind)
        }
        for name, kinds in MEDMNIST_C.items()
    }


def write_record():
    lines = [
        f' "{name}": {{\n'
        + ",\n".join(f'  "{kind}": {json.dumps(each)}' for kind, each in kinds.items())
        + "\n }"
        for name, kinds in made().items()
    ]
    RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    write_record()
