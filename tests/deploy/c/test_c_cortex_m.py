"""The same project on emulated microcontrollers: the same bits, and instructions counted."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.deploy.c.building import check_equal, logits_of, pnm
from tests.deploy.small_models import images_for, make_model
from tests.patience import PATIENCE
from tinyternary.deploy import Engine, pack, to_c

HERE = Path(__file__).parent
TOOLS = ("arm-none-eabi-gcc", "qemu-system-arm")
MISSING = [name for name in TOOLS if shutil.which(name) is None]
pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (.ci/run installs them)"
)
MACHINES = {
    "mps2-an385": "-mcpu=cortex-m3",  # no float unit: every float is made of integers
    "mps2-an386": "-mcpu=cortex-m4 -mfpu=fpv4-sp-d16 -mfloat-abi=hard",
    "mps3-an547": "-mcpu=cortex-m55 -mfloat-abi=hard",  # and vectors of 128 bits (Helium)
}
STRICT = (
    "-mthumb -std=c99 -ffp-contract=off -fno-math-errno "
    "-Wall -Wextra -Wconversion -pedantic -Werror"
)


def emulate(folder: Path, machine: str, images, flags="-O2"):
    """Return the logits of each image on a board, and the instructions that each took."""
    (folder / "images.pnm").write_bytes(pnm(images))
    sources = [HERE / "cortex_m.c", "main.c", "model.c", "model_weights.c", "runtime.c"]
    subprocess.run(
        ["arm-none-eabi-gcc", *f"{MACHINES[machine]} {STRICT} {flags}".split(), "-I.",
         "--specs=rdimon.specs", "-T", HERE / "cortex_m.ld", "-Wl,--wrap=tt_classify",
         "-o", "firmware", *sources, "-lm"],
        cwd=folder, check=True,
    )  # fmt: skip
    arguments = ",".join(f"arg={word}" for word in ("classify", "--bits", "images.pnm"))
    done = subprocess.run(
        ["qemu-system-arm", "-machine", machine, "-icount", "shift=0", "-nographic",
         "-monitor", "none", "-serial", "none", "-kernel", "firmware",
         "-semihosting-config", f"enable=on,target=native,{arguments}"],
        cwd=folder, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL,
        timeout=PATIENCE,
    )  # fmt: skip
    counts = [int(found) for found in re.findall(r"instructions: (\d+)", done.stderr)]
    return logits_of(done.stdout), counts


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("policy", "changes", "options"),
    [
        ("everything", {"kv_heads": 1, "patch_size": 7}, {"bits": 1.6}),
        ("bitmedvit", {"image_size": 8, "pool": "cls"}, {"rest": "float16"}),
    ],
    ids=["1.6 bits", "floats in half precision"],
)
def test_a_microcontroller_gives_the_engines_logits(policy, changes, options, machine, tmp_path):
    model = make_model(policy, width=16, heads=2, mlp_width=24, depth=1, **changes)
    packed = pack(model, **options)
    to_c(packed, tmp_path)
    images = images_for(model, 20)
    found, counts = emulate(tmp_path, machine, images)
    check_equal(Engine(packed.read()), found, images)
    assert len(counts) == len(images)
    # at the least, an instruction for each product of a weight
    from tinyternary.config import vit_matrices

    least = sum(matrix.macs for matrix in vit_matrices(model.config))
    assert all(count > least for count in counts)


def test_a_float_unit_saves_instructions(tmp_path):
    model = make_model("everything", width=16, heads=2, mlp_width=24, depth=1, patch_size=7)
    to_c(pack(model), tmp_path)
    images = images_for(model, 1)
    without, *others = (np.mean(emulate(tmp_path, machine, images)[1]) for machine in MACHINES)
    assert max(others) < without
