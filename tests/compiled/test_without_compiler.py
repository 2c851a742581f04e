"""TINYTERNARY_JIT=0: no Numba at all, and the same results to rounding."""

import json
import os
import subprocess
import sys

import numpy as np

from tests.patience import PATIENCE

PROGRAM = """
import json, sys
import numpy as np
from tinyternary import nn
from tinyternary.train.optimizers import AdamW

rng = np.random.default_rng(0)
block = nn.EncoderBlock(nn.LayerNorm(32), nn.Attention(32, 2, 1, rng=rng), nn.LayerNorm(32), nn.Mlp(32, 64, rng=rng))
head = nn.Linear(32, 3, rng=rng)
optimizer = AdamW([*block.parameters(), *head.parameters()], lr=0.01)
x = rng.standard_normal((4, 20, 32)).astype(np.float32)
losses = []
for step in range(4):
    loss = nn.cross_entropy(head(nn.RMSNorm(32)(block(x)).mean(1)), np.arange(4) % 3)
    loss.backward()
    losses.append(loss.item())
    optimizer.step()
    optimizer.zero_grad()
out = block(x).data.ravel()[:200].tolist()
print(json.dumps({"losses": losses, "out": out, "numba": "numba" in sys.modules}))
"""


def run(switch):
    environment = {**os.environ, "TINYTERNARY_JIT": switch}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_both_ways_train_alike_and_only_one_loads_numba():
    compiled, plain = run("1"), run("0")
    assert compiled["numba"]
    assert not plain["numba"]
    np.testing.assert_allclose(compiled["losses"], plain["losses"], rtol=2e-5)
    np.testing.assert_allclose(compiled["out"], plain["out"], rtol=1e-3, atol=1e-4)


def test_a_python_without_numba_needs_no_switch():
    program = (
        "import sys; sys.modules['numba'] = sys.modules['llvmlite'] = None\n"
        "import numpy as np, tinyternary as tt\n"
        "packed = tt.kernels.pack(np.array([[1, 0, -1, 1]], np.int8))\n"
        "print(tt.kernels.matmul(np.array([[10, 20, 30, 40]], np.int8), packed))\n"
        "parts = (tt.data.phantoms(s, count=64, classes=4) for s in ('train', 'val', 'test'))\n"
        "model = tt.quant.ternarize(tt.models.ViT(tt.models.preset('lesson')))\n"
        "run = tt.train.fit(model, tt.data.Splits(*parts), epochs=1, progress=False)\n"
        "print([b.missing for b in tt.kernels.backends()][:1])"
    )
    environment = {k: v for k, v in os.environ.items() if k != "TINYTERNARY_JIT"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["[[20]]", "['Numba is not installed']"]


def test_importing_loads_no_compiler():
    program = (
        "import sys, tinyternary, tinyternary.autograd, tinyternary.nn, tinyternary.quant, "
        "tinyternary.train; tinyternary.Tensor([1.0]).exp(); assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=PATIENCE)
