"""MACs against PyTorch's FlopCounterMode / 2 and fvcore, on a plain ViT written from the config."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tinyternary import cost
from tinyternary.config import PRESETS, ViTConfig

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

CONFIGS = {
    "tiny": PRESETS["tiny"],
    "overlap": replace(PRESETS["tiny"], patch_size=8, stride=4, channels=1),
    "deit-tiny": PRESETS["deit-tiny"],
    "bitmedvit": PRESETS["bitmedvit"],
    "grouped": ViTConfig(image_size=12, width=24, depth=2, heads=6, kv_heads=2, mlp_width=50,
                         pool="cls", num_classes=5),
}  # fmt: skip


class Block(torch.nn.Module):
    def __init__(self, c: ViTConfig) -> None:
        super().__init__()
        self.c = c
        self.norm1 = torch.nn.LayerNorm(c.width) if c.attn_norm else torch.nn.Identity()
        self.qkv = torch.nn.Linear(c.width, c.qkv_width, c.attention_bias)
        self.proj = torch.nn.Linear(c.width, c.width, c.attention_bias)
        self.norm2 = torch.nn.LayerNorm(c.width) if c.mlp_norm else torch.nn.Identity()
        self.fc1 = torch.nn.Linear(c.width, c.mlp_width, c.mlp_bias)
        self.fc2 = torch.nn.Linear(c.mlp_width, c.width, c.mlp_bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = self.c
        b, t, _ = x.shape
        sizes = [c.width] + [c.key_value_heads * c.head_dim] * 2
        q, k, v = (
            part.reshape(b, t, -1, c.head_dim).transpose(1, 2)
            for part in self.qkv(self.norm1(x)).split(sizes, 2)
        )
        k, v = (part.repeat_interleave(c.heads // c.key_value_heads, 1) for part in (k, v))
        weights = (q @ k.transpose(2, 3) * c.head_dim**-0.5).softmax(3)
        x = x + self.proj((weights @ v).transpose(1, 2).reshape(b, t, c.width))
        return x + self.fc2(torch.nn.functional.gelu(self.fc1(self.norm2(x))))


class PlainViT(torch.nn.Module):
    def __init__(self, c: ViTConfig) -> None:
        super().__init__()
        self.c = c
        self.patch = torch.nn.Conv2d(c.channels, c.width, c.patch_size, c.step, c.padding)
        self.token = torch.nn.Parameter(torch.zeros(1, 1, c.width)) if c.pool == "cls" else None
        self.positions = torch.nn.Parameter(torch.zeros(1, c.tokens, c.width))
        self.blocks = torch.nn.ModuleList(Block(c) for _ in range(c.depth))
        self.norm = torch.nn.LayerNorm(c.width)
        self.head = torch.nn.Linear(c.width, c.num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        if self.token is not None:
            x = torch.cat([self.token.expand(len(x), -1, -1), x], 1)
        x = x + self.positions
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x.mean(1) if self.c.pool == "mean" else x[:, 0]))


def _on_meta(name: str, batch: int = 1):
    config = CONFIGS[name]
    with torch.device("meta"):
        model = PlainViT(config)
        image = torch.zeros(batch, config.channels, config.image_size, config.image_size)
    return config, model, image


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("batch", [1, 3])
def test_macs_equal_half_of_the_flop_counter(name: str, batch: int) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    config, model, image = _on_meta(name, batch)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(image)
    flops = counter.get_total_flops()
    assert flops % 2 == 0
    assert batch * cost.analyze(config, batch=batch).macs == flops // 2


@pytest.mark.parametrize("name", ["tiny", "overlap", "grouped"])
def test_macs_equal_the_count_of_fvcore(name: str) -> None:
    fvcore = pytest.importorskip("fvcore.nn")
    config = CONFIGS[name]
    model = PlainViT(config).eval()
    image = torch.zeros(1, config.channels, config.image_size, config.image_size)
    analysis = fvcore.FlopCountAnalysis(model, image)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    counts = analysis.by_operator()
    # what fvcore calls a flop is a MAC; its norm and pooling counts are not products
    products = sum(counts[op] for op in ("conv", "linear", "matmul", "addmm", "bmm"))
    assert cost.analyze(config).macs == products


@pytest.mark.parametrize("name", CONFIGS)
def test_parameters_equal_those_of_the_plain_vit(name: str) -> None:
    config, model, _ = _on_meta(name)
    assert cost.analyze(config).parameters == sum(p.numel() for p in model.parameters())
