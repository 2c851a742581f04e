"""TINYTERNARY_JIT=0: no Numba at all, and the same results to rounding."""

import json
import os
import subprocess
import sys

import numpy as np

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
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_both_ways_train_alike_and_only_one_loads_numba():
    compiled, plain = run("1"), run("0")
    assert compiled["numba"]
    assert not plain["numba"]
    np.testing.assert_allclose(compiled["losses"], plain["losses"], rtol=2e-5)
    np.testing.assert_allclose(compiled["out"], plain["out"], rtol=1e-3, atol=1e-4)


def test_importing_loads_no_compiler():
    program = (
        "import sys, tinyternary, tinyternary.autograd, tinyternary.nn, tinyternary.quant, "
        "tinyternary.train; tinyternary.Tensor([1.0]).exp(); assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
