"""One image under every corruption of its set, at every severity."""

from __future__ import annotations

from matplotlib.figure import Figure

from tinyternary.data import MEDMNIST_C, Dataset, medmnist_c
from tinyternary.data.corruptions.medmnist_c import SEVERITIES
from tinyternary.report.predictions import show_image
from tinyternary.report.style import CLINICAL_NOTE, MUTED, SYNTHETIC_NOTE, new_figure, styled


def corruption_sheet(
    data: Dataset, index: int = 0, seed: int = 0, *, amounts_of: str | None = None
) -> Figure:
    """Draw one image as it is, and under MedMNIST-C's corruptions: a row each, worse to the right.

    Parameters
    ----------
    data : Dataset
    index : int
        Which image.
    seed, amounts_of
        As in `tinyternary.data.medmnist_c`.

    Raises
    ------
    ConfigError
        If there is no such image, or the set has no corruptions.
    """
    one = data.subset([index])
    kinds = MEDMNIST_C.get(amounts_of or data.name, {})
    damaged = {
        kind: [
            medmnist_c(one, kind, severity, seed, amounts_of=amounts_of).images[0]
            for severity in SEVERITIES
        ]
        for kind in kinds or [""]  # a set without corruptions is refused there
    }
    with styled():
        columns = 1 + len(SEVERITIES)
        figure, axes = new_figure(
            1.6 + 0.9 * columns, 0.6 + 0.9 * len(damaged), len(damaged), columns, squeeze=False
        )
        for row, (kind, images) in zip(axes, damaged.items()):
            for ax, image in zip(row, [one.images[0], *images]):
                show_image(ax, image)
            row[0].set_ylabel(
                kind.replace("_", " "), rotation=0, ha="right", va="center", fontsize=9
            )
        for ax, title in zip(axes[0], ("as it is", *map(str, SEVERITIES))):
            ax.set_title(title, fontsize=9, loc="center")
        note = f"{SYNTHETIC_NOTE} · {CLINICAL_NOTE}" if data.synthetic else CLINICAL_NOTE
        figure.supxlabel(f"severity · {note}", fontsize=8, color=MUTED)
    return figure
