"""TINYTERNARY_JIT=0: no Numba at all, and the same results to rounding."""

import json
import os
import subprocess
import sys

import numpy as np

PROGRAM = """
import json, sys
import numpy as np
from tinyternary import compiled, nn

rng = np.random.default_rng(0)
block = nn.EncoderBlock(nn.LayerNorm(32), nn.Attention(32, 2, 1, rng=rng), nn.LayerNorm(32), nn.Mlp(32, 64, rng=rng))
head = nn.Linear(32, 3, rng=rng)
x = rng.standard_normal((4, 20, 32)).astype(np.float32)
losses = []
for step in range(4):
    loss = nn.cross_entropy(head(nn.RMSNorm(32)(block(x)).mean(1)), np.arange(4) % 3)
    loss.backward()
    losses.append(loss.item())
    for module in (block, head):
        for p in module.parameters():
            m, v = np.zeros_like(p.data), np.zeros_like(p.data)
            compiled.adamw_step(p.data, p.grad, m, v, 0.01, 0.9, 0.999, 1e-8, 0.01, 1)
        module.zero_grad()
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
