"""Instructions of the preset micro on emulated boards and on this machine: ``python -m`` this module.

On this machine valgrind counts: of a whole image, and a weight of the ternary products alone.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from tests.deploy.c.building import COMPILERS, build, pnm
from tests.deploy.c.test_c_cortex_m import MACHINES, emulate
from tests.deploy.small_models import images_for, make_model
from tinyternary import cost
from tinyternary.deploy import pack, to_c
from tinyternary.models import preset

PRODUCTS = """
#include "runtime.h"
#include "products.h"
#include <stdio.h>
static uint8_t weights[MANY * MANY];
static int8_t codes[MANY];
int main(void)
{
    const tt_layer layer = {.outputs = MANY, .inputs = MANY, .storage = STORAGE, .weights = weights};
    tt_codes input = {.codes = codes};
    int32_t sum = 0, negative;
    for (int i = 0; i < MANY * MANY; i++) /* a mixture of all trits, in either storage */
        weights[i] = (uint8_t)(i % 3 | i / 3 % 3 << 2 | i / 9 % 3 << 4 | i / 27 % 3 << 6);
    for (int token = 0; token < 49; token++) {
        arrange(&input, codes, &layer);
        for (int row = 0; row < MANY; row++, sum += negative)
            sum += ternary_product(&layer, row, 0, MANY, &input, &negative);
    }
    printf("%ld", (long)sum);
    return 0;
}
"""
MANY = 256
HOST = ("-O2", "-O3 -mavx2 -mfma")
KERNELS = {"vectors": "", "additions": "-DTT_ADD_ONLY"}


def counted(folder: Path, *command: str) -> int:
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command],
        cwd=folder, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return int(re.search(r"Collected : (\d+)", done.stderr)[1])


def on_this_machine(folder: Path, bits: float, images) -> None:
    (folder / "images.pnm").write_bytes(pnm(images))
    (folder / "products.c").write_text(PRODUCTS)
    storage = "TT_TRITS_2" if bits == 2 else "TT_TRITS_1_6"
    for flags in HOST:
        for kernel, choice in KERNELS.items():
            build(folder, COMPILERS[0], f"{flags} {choice}")
            image = counted(folder, "./classify", "images.pnm") / len(images)
            subprocess.run(
                [COMPILERS[0], "-std=c99", *flags.split(), *choice.split(), f"-DMANY={MANY}",
                 f"-DSTORAGE={storage}", "products.c", "-o", "products"],
                cwd=folder, check=True,
            )  # fmt: skip
            weight = counted(folder, "./products") / (49 * MANY**2)
            print(
                f"{flags}, {bits} bits, {kernel}: {image:,.0f} instructions, {weight:.2f} a weight"
            )


def main() -> None:
    config = preset("micro", channels=1, num_classes=2)
    model = make_model("everything", **config.to_dict())
    report = cost.analyze(config, "everything")
    operations = sum(count for kind, count in report.ops.items() if kind != "skip")
    print(f"{report.macs:,} MACs and {operations:,} operations by the cost model")
    images = images_for(model, 2)
    for bits in (2, 1.6):
        for integer in (False, True):
            with tempfile.TemporaryDirectory() as name:
                folder = to_c(pack(model, bits=bits), name, integer=integer)
                kind = "integers" if integer else "floats"
                for machine, flags in MACHINES.items():
                    _, counts = emulate(folder, machine, images)
                    core = flags.split()[0][6:]
                    print(f"{core}, {bits} bits, {kind}: {np.mean(counts):,.0f} instructions")
                if not integer:
                    on_this_machine(folder, bits, images)


if __name__ == "__main__":
    main()
