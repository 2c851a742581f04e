"""Published test results on MedMNIST at 28 x 28 pixels, to hold one's own against (lesson 12).

AUC and ACC of the official baselines are those of medmnist.com (Yang et al., "MedMNIST v2",
Scientific Data 2023, table 3). BitMedViT's are the accuracies of its README, table 1
(arXiv 2510.13760); it sees 224 x 224 pixels and learns from a pretrained MedViTv2 teacher.
"""

from __future__ import annotations

from tinyternary.errors import unknown_name

BASELINES = (
    "ResNet-18 (28)", "ResNet-50 (28)", "auto-sklearn", "AutoKeras", "Google AutoML",
)  # fmt: skip

_AUC_ACC: dict[str, tuple[tuple[float, float], ...]] = {
    "pathmnist": ((0.983, 0.907), (0.990, 0.911), (0.934, 0.716), (0.959, 0.834), (0.944, 0.728)),
    "chestmnist": ((0.768, 0.947), (0.769, 0.947), (0.649, 0.779), (0.742, 0.937), (0.778, 0.948)),
    "dermamnist": ((0.917, 0.735), (0.913, 0.735), (0.902, 0.719), (0.915, 0.749), (0.914, 0.768)),
    "octmnist": ((0.943, 0.743), (0.952, 0.762), (0.887, 0.601), (0.955, 0.763), (0.963, 0.771)),
    "pneumoniamnist": (
        (0.944, 0.854), (0.948, 0.854), (0.942, 0.855), (0.947, 0.878), (0.991, 0.946),
    ),
    "retinamnist": ((0.717, 0.524), (0.726, 0.528), (0.690, 0.515), (0.719, 0.503), (0.750, 0.531)),
    "breastmnist": ((0.901, 0.863), (0.857, 0.812), (0.836, 0.803), (0.871, 0.831), (0.919, 0.861)),
    "bloodmnist": ((0.998, 0.958), (0.997, 0.956), (0.984, 0.878), (0.998, 0.961), (0.998, 0.966)),
    "tissuemnist": ((0.930, 0.676), (0.931, 0.680), (0.828, 0.532), (0.941, 0.703), (0.924, 0.673)),
    "organamnist": ((0.997, 0.935), (0.997, 0.935), (0.963, 0.762), (0.994, 0.905), (0.990, 0.886)),
    "organcmnist": ((0.992, 0.900), (0.992, 0.905), (0.976, 0.829), (0.990, 0.879), (0.988, 0.877)),
    "organsmnist": ((0.972, 0.782), (0.972, 0.770), (0.945, 0.672), (0.974, 0.813), (0.964, 0.749)),
}  # fmt: skip

_BITMEDVIT_ACC = {
    "pathmnist": 0.821, "chestmnist": 0.937, "dermamnist": 0.762, "octmnist": 0.857,
    "pneumoniamnist": 0.880, "retinamnist": 0.513, "breastmnist": 0.821, "bloodmnist": 0.975,
    "tissuemnist": 0.638, "organamnist": 0.902, "organcmnist": 0.884, "organsmnist": 0.741,
}  # fmt: skip


def published(dataset: str) -> dict[str, dict[str, float]]:
    """Give published test ``acc`` and ``auc`` (as far as reported) by method.

    Parameters
    ----------
    dataset : str
        A MedMNIST 2D flag.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    if dataset not in _AUC_ACC:
        raise unknown_name("data set with published results", dataset, _AUC_ACC)
    found = {
        name: {"acc": acc, "auc": auc} for name, (auc, acc) in zip(BASELINES, _AUC_ACC[dataset])
    }
    return {**found, "BitMedViT (224)": {"acc": _BITMEDVIT_ACC[dataset]}}
