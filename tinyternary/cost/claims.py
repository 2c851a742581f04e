"""Published figures of ternary networks, worked out again from first principles (lesson 09).

Each claim says what was published, what follows from the shapes, and what has to be
assumed for the two to agree. What a claim's code allocates but does not use is counted
apart, because published totals differ in whether they count it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tinyternary.config import ViTConfig, preset
from tinyternary.cost.analyze import analyze
from tinyternary.cost.energy import energy_table

MIB = 2**20
BITMEDVIT = "BitMedViT, arXiv 2510.13760 and its README"
BITNET = "BitNet b1.58, arXiv 2402.17764"
FTERVIT = "FTerViT, arXiv 2605.21171"

DEIT3_SMALL_384 = ViTConfig(
    image_size=384, patch_size=16, width=384, depth=12, heads=6, mlp_width=1536,
    num_classes=1000, pool="cls",
)  # fmt: skip
"""DeiT-III-S at 384 pixels (arXiv 2204.07118), its LayerScale apart."""

MEDVITV2_L_MIB = 451.0
"""Float32 size of MedViTv2-L, the teacher (MiB)."""


@dataclass(frozen=True)
class Claim:
    """A published number beside the one that follows from the shapes.

    Attributes
    ----------
    source, what, unit : str
    published : float
    derived : float
        Worked out here.
    tolerance : float
        What the rounding of the published figures allows, or what `how` says.
    how : str
        What was counted, or what it takes for the claim to hold.
    """

    source: str
    what: str
    unit: str
    published: float
    derived: float
    tolerance: float
    how: str

    @property
    def follows(self) -> bool:
        """Whether the derived value agrees with the published one within the tolerance."""
        return abs(self.derived - self.published) <= self.tolerance * (1 + 1e-9)

    def to_dict(self) -> dict[str, Any]:
        """Return the claim and what follows from the shapes as plain JSON types."""
        return {
            "source": self.source, "what": self.what, "unit": self.unit,
            "published": self.published, "derived": self.derived,
            "tolerance": self.tolerance, "follows": self.follows, "how": self.how,
        }  # fmt: skip


@dataclass(frozen=True)
class Allocated:
    """Parameters that BitMedViT's code allocates, by what becomes of them.

    Attributes
    ----------
    used : int
        In the forward pass of inference.
    idle_biases : int
        Biases of its BitLinear layers, which the forward pass never adds.
    matcher : int
        LayerNorm and Linear from the tokens to the 7 x 7 = 49 positions of the teacher's
        last feature map: used by the distillation loss, and run by its Jetson code too.
    """

    used: int
    idle_biases: int
    matcher: int

    @property
    def total(self) -> int:
        """What ``sum(p.numel() for p in model.parameters())`` gives in its code."""
        return self.used + self.idle_biases + self.matcher


TEACHER_POSITIONS = 49


def bitmedvit_parameters(channels: int = 1, classes: int = 2) -> Allocated:
    """Count what BitMedViT's code allocates for a number of input channels and classes."""
    config = preset("bitmedvit", channels=channels, num_classes=classes)
    used = analyze(config, "bitmedvit").parameters
    idle = config.depth * (config.mlp_width + config.width)
    matcher = 2 * config.width + (config.width + 1) * TEACHER_POSITIONS
    return Allocated(used, idle, matcher)


def bitmedvit_claims() -> list[Claim]:
    """BitMedViT's parameters, size, operations, speed and efficiency."""
    report = analyze("bitmedvit", "bitmedvit")
    config = report.config
    count = bitmedvit_parameters()
    kept = count.used + count.matcher
    trits = report.parameters_by_storage["ternary"]
    stored = (trits / 4 + 4 * (kept - trits)) / MIB
    float_size = 4 * kept / MIB
    matcher_macs = config.tokens * config.width * TEACHER_POSITIONS
    gmacs = (report.macs + matcher_macs) / 1e9
    # what the rounding of the published 16.9 ms and 3.7 W allows
    rate, bare = gmacs / 16.9e-3, report.macs / 1e9 / 16.9e-3
    rate_slack = rate * 0.05 / 16.9
    efficiency = rate / 3.7
    efficiency_slack = efficiency * (0.05 / 16.9 + 0.05 / 3.7)
    all_linear = analyze("bitmedvit", "everything").bytes_stored / MIB

    def claim(what: str, unit: str, published: float, derived: float, tolerance: float,
              how: str) -> Claim:  # fmt: skip
        return Claim(BITMEDVIT, what, unit, published, derived, tolerance, how)

    return [
        claim("parameters as allocated", "", 8_660_915, count.total, 0,
              f"{count.used:,} used + {count.idle_biases:,} biases never added + "
              f"{count.matcher:,} of the feature matcher"),
        claim("parameters", "M", 8.65, kept / 1e6, 0.005,
              f"{kept:,}: with the feature matcher, without the biases that are never added "
              f"(inference alone needs {count.used / 1e6:.2f} M)"),
        claim("model size", "MiB", 10.5, stored, 0.05,
              "those parameters, the FFN at 2 bits and all the rest in float32 (MiB, not MB)"),
        claim("operations", "GMAC", 11.5, report.macs / 1e9, 0.05,
              "multiply-accumulates with the attention products: 23.0 GOP if an op is an "
              "addition or a multiplication"),
        claim("rate", "GMAC/s", 683.1, rate, rate_slack,
              f"{gmacs:.3f} GMAC in 16.9 ms (+-0.05): the matcher's are counted; without them "
              f"{bare:.1f} +- {rate_slack:.1f} misses it"),
        claim("efficiency", "GMAC/J", 183.6, efficiency, efficiency_slack,
              "that rate at 3.7 W (+-0.05): from measured time and power, "
              f"{3.7 * 16.9:.1f} mJ an image; no energy of operations is in it"),
        claim("ternarising alone shrinks it", "times", 3.1, float_size / stored, 0.05,
              f"{float_size:.1f} MiB in float32 to {stored:.1f} MiB"),
        claim("size reduction claimed", "times", 43, float_size / stored, 0.5,
              f"needs another network: {MEDVITV2_L_MIB:.0f} MiB of the float32 teacher over "
              f"{stored:.1f} MiB is {MEDVITV2_L_MIB / stored:.1f}"),
        claim("all matrices at 2 bits", "MiB", 4.0, all_linear, 0.05,
              "the policy 'everything': the position embedding is then half of the file"),
    ]  # fmt: skip


def bitnet_claims() -> list[Claim]:
    """BitNet's energy ratio of arithmetic, with and without the accumulation."""
    table = energy_table("7nm")
    price = {op: table.op(op).middle for op in ("fp16_add", "fp16_mul", "int8_add", "int32_add")}
    half = price["fp16_add"] + price["fp16_mul"]

    def claim(what: str, published: float, derived: float, tolerance: float, how: str) -> Claim:
        return Claim(BITNET, what, "times", published, derived, tolerance, how)

    return [
        claim("arithmetic energy, fp16 over ternary", 71.4, half / price["int8_add"], 0.05,
              "(0.16 + 0.34) pJ over one int8 addition of 0.007 pJ at 7 nm: nothing "
              "accumulates, and nothing is read"),
        claim("the same with accumulation", 16.7, half / price["int32_add"], 0.05,
              "over one int32 addition of 0.03 pJ: sums of 8-bit products do not fit 8 bits"),
    ]  # fmt: skip


def ftervit_claims() -> list[Claim]:
    """FTerViT's sizes at two resolutions and its compression."""

    def megabytes(config: ViTConfig) -> float:
        report = analyze(config, "everything")
        positions = config.tokens * config.width
        layer_scale = 4 * 2 * config.depth * config.width
        return (report.bytes_stored - 2 * positions + layer_scale) / MIB

    small = replace(DEIT3_SMALL_384, image_size=224)
    at_384, at_224 = megabytes(DEIT3_SMALL_384), megabytes(small)
    parameters = analyze(DEIT3_SMALL_384).parameters + 2 * 12 * 384
    how = ("every matrix at 2 bits, positions in float16, vectors and LayerScale in float32; "
           "within 1 %: what else its file holds is not published")  # fmt: skip
    return [
        Claim(FTERVIT, "DeiT-III-S at 384 pixels", "MiB", 6.09, at_384, 0.061, how),
        Claim(FTERVIT, "DeiT-III-S at 224 pixels", "MiB", 5.81, at_224, 0.058, how),
        Claim(FTERVIT, "between the two", "MiB", 0.28, at_384 - at_224, 0.005,
              "380 x 384 positions of 2 bytes: float16 positions, and MB means MiB"),
        Claim(FTERVIT, "compression", "times", 15, 4 * parameters / MIB / 6.09, 0.5,
              f"{4 * parameters / 1e6:.1f} decimal MB over 6.09 binary ones is "
              f"{4 * parameters / 1e6 / 6.09:.1f}; in one unit it is 14"),
    ]  # fmt: skip


def claims() -> list[Claim]:
    """All published figures that are reproduced here."""
    return [*bitmedvit_claims(), *bitnet_claims(), *ftervit_claims()]
