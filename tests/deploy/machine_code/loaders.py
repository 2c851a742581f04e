"""Our linker beside LLVM's: time to the first answer, memory and bits, in fresh processes.

python tests/deploy/machine_code/loaders.py small 15
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.patience import PATIENCE

FIRST_ANSWER = """
import sys, time
begin = time.perf_counter()
if sys.argv[2] == "llvm":
    import tinyternary.deploy.machine_code.loading as loading
    from tests.deploy.machine_code.loaders import Llvm
    loading.linker = Llvm()
import numpy as np
from tinyternary.deploy import load
engine = load(sys.argv[1], threads=1)
c = engine.header.config
shape = (2, c.image_size, c.image_size, c.channels)
count = shape[0] * shape[1] * shape[2] * shape[3]
images = (np.arange(count, dtype=np.uint64) * 2654435761 >> np.uint64(7)).astype(np.uint8)
logits = engine(images.reshape(shape))
seconds = time.perf_counter() - begin
import json
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({
    "seconds": seconds, "cpu": time.process_time(), "mb": int(peak.split()[1]) / 1024,
    "bits": logits.tobytes().hex(), "because": engine.numba_because,
    "numba": "numba" in sys.modules, "llvm": "llvmlite" in sys.modules,
}))
"""


class Llvm:
    """LLVM's own loader, with the face of `tinyternary.deploy.machine_code.linker`."""

    def load(self, content: bytes, name: str) -> int:
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_default_triple().create_target_machine()
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(content))
        self._engine.finalize_object()
        return self._engine.get_function_address(name)


def first_answer(path: Path, loader: str) -> dict[str, object]:
    """Load a packed model in a new process and return what it says of its first answer."""
    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-c", FIRST_ANSWER, str(path), loader],
        capture_output=True, text=True, timeout=PATIENCE, check=True,
        env={**os.environ, "PYTHONPATH": root},
    )  # fmt: skip
    found: dict[str, object] = json.loads(done.stdout)
    return found


def main(preset: str, runs: int) -> None:
    """Print medians of interleaved runs."""
    import tinyternary as tt

    model = tt.quant.ternarize(tt.models.ViT(tt.models.preset(preset)))
    with tempfile.TemporaryDirectory() as folder:
        path = tt.deploy.pack(model).save(Path(folder, "model.safetensors"))
        tt.deploy.warmup()
        rows = [(first_answer(path, "own"), first_answer(path, "llvm")) for _ in range(runs)]
    assert len({row["bits"] for pair in rows for row in pair}) == 1
    for name, side in zip(("own", "llvm"), zip(*rows)):
        medians = {
            key: statistics.median(row[key] for row in side) for key in ("seconds", "cpu", "mb")
        }
        print(
            f"{name:5} {medians['seconds']:.3f} s to the first answer, {medians['cpu']:.3f} s of a "
            f"processor from Python's start, {medians['mb']:.0f} MB"
        )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
