"""Twenty steps of training: the same ViT, weights, batches and AdamW here and in PyTorch."""

import numpy as np
import pytest

from tinyternary.config import Task
from tinyternary.data import Dataset, fit_preprocessing
from tinyternary.models import ViT, preset
from tinyternary.train import Recipe, Schedule
from tinyternary.train._objective import Supervised
from tinyternary.train.fit import training_batches
from tinyternary.train.loop import Loop

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

RECIPE = Recipe(
    epochs=5, batch_size=16, lr=2e-3, min_lr=1e-4, warmup_epochs=1, weight_decay=0.1,
    clip_norm=0.5, label_smoothing=0.1, augment="none",
)  # fmt: skip


class Recorder(Supervised):
    """Supervised loss that remembers its batches and values."""

    def __init__(self, model, data, recipe):
        super().__init__(model, data, recipe)
        self.batches, self.losses = [], []

    def __call__(self, batch):
        loss = super().__call__(batch)
        self.batches.append(batch)
        self.losses.append(float(loss.data))
        return loss


class Block(torch.nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm1, self.norm2 = (torch.nn.LayerNorm(c.width, c.norm_eps) for _ in range(2))
        self.attn = torch.nn.MultiheadAttention(c.width, c.heads, batch_first=True)
        self.mlp = torch.nn.Sequential(
            torch.nn.Linear(c.width, c.mlp_width), torch.nn.GELU(),
            torch.nn.Linear(c.mlp_width, c.width),
        )  # fmt: skip

    def forward(self, x):
        y = self.norm1(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class TorchViT(torch.nn.Module):
    """Written from the definition with PyTorch's own layers, convolution included."""

    def __init__(self, c):
        super().__init__()
        self.embed = torch.nn.Conv2d(c.channels, c.width, c.patch_size, c.patch_size)
        self.pos = torch.nn.Parameter(torch.zeros(1, c.tokens, c.width))
        self.blocks = torch.nn.ModuleList(Block(c) for _ in range(c.depth))
        self.norm = torch.nn.LayerNorm(c.width, c.norm_eps)
        self.head = torch.nn.Linear(c.width, c.num_classes)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2) + self.pos
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x.mean(1)))

    def load(self, state):
        names = {"embed": "patch_embed.proj", "pos": "pos_embed"}
        inner = {"attn.in_proj_": "attn.qkv.", "attn.out_proj": "attn.proj", "mlp.0": "mlp.fc1",
                 "mlp.2": "mlp.fc2"}  # fmt: skip
        for name, parameter in self.named_parameters():
            ours = name
            for theirs, mine in {**names, **inner}.items():
                ours = ours.replace(theirs, mine, 1) if theirs in ours else ours
            array = torch.tensor(state.pop(ours))
            parameter.data = array.reshape(parameter.shape)
        assert not state, f"not used: {list(state)}"


def test_twenty_steps_equal_pytorch(rng):
    config = preset("tiny", num_classes=3, channels=1)
    labels = np.arange(64) % 3
    images = rng.integers(0, 200, (64, 28, 28, 1), dtype=np.uint8)
    images[labels == 1, :14] += 50
    data = Dataset(images, labels, Task.MULTI_CLASS, ("a", "b", "c"))
    prepare = fit_preprocessing(data)
    ours = ViT(config, seed=1)
    theirs = TorchViT(config)
    theirs.load({name: array.copy() for name, array in ours.state_dict().items()})

    objective = Recorder(ours, data, RECIPE)
    loop = Loop(
        ours, objective, training_batches(data, prepare, RECIPE, 0), data.subset(np.arange(0)),
        RECIPE, {},
    )  # fmt: skip
    loop.run(progress=False)
    assert len(objective.losses) == 20

    plain = [p for p in theirs.parameters() if p.ndim < 2 or p is theirs.pos]
    decay = [p for p in theirs.parameters() if p.ndim >= 2 and p is not theirs.pos]
    adamw = torch.optim.AdamW(
        [{"params": decay, "weight_decay": RECIPE.weight_decay},
         {"params": plain, "weight_decay": 0.0}]
    )  # fmt: skip
    schedule = Schedule(20, RECIPE.lr, 4, RECIPE.min_lr)
    losses = []
    for step, batch in enumerate(objective.batches):
        for group in adamw.param_groups:
            group["lr"] = schedule(step)
        logits = theirs(torch.tensor(batch.images))
        loss = torch.nn.functional.cross_entropy(
            logits, torch.tensor(batch.goal), label_smoothing=RECIPE.label_smoothing
        )
        adamw.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), RECIPE.clip_norm)
        adamw.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    np.testing.assert_allclose(objective.losses, losses, rtol=1e-4)
