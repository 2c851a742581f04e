"""Packed files whose headers lie by rule: types, ranges, hashability, sizes; checksums mended.

Each is read, asked and shown: it answers with finite numbers, or one line says what is wrong.
`tests/deploy/test_fuzz_headers.py` tries 5,000 with a fixed seed; more of them:

    python -m tests.deploy.fuzz_headers --cases 200000 --seed 1
"""

from __future__ import annotations

import argparse
import copy
import json
import tracemalloc
from collections import Counter
from typing import Any

import numpy as np

from tests.deploy.small_models import make_model
from tinyternary.config import LayerQuant, SetLimits
from tinyternary.container import checksum, parse_container, render_container
from tinyternary.deploy import Engine, pack
from tinyternary.deploy.format.header import RULES
from tinyternary.deploy.format.reader import read_packed_bytes
from tinyternary.deploy.inspect import layer_rows
from tinyternary.deploy.model_card import model_card
from tinyternary.errors import TinyTernaryError
from tinyternary.strict_json import parse_object, to_json

MOST_CHARACTERS = 300
"""Longest error."""
MOST_TIMES = 40
"""Memory that reading may take, in sizes of the file (and half a MiB)."""
SMALL = {"width": 16, "depth": 1, "heads": 2, "mlp_width": 20, "image_size": 8}
ODD: list[Any] = [
    None, True, False, 0, 1, -1, 2, 3, 7, 255, 1 << 31, 1 << 63, 10**30, 10**308, 10**400, 0.5, -0.0,
    1e-320, 1e-30, 1e38, 1e308, float("inf"), "", "x", "int8", "float32", "ternary", "cls", "tensor",
    "\ud800", "\x1b[31m", "\n", "a" * 300, "a" * 30_000, [], [0], [1, 2], [[]], [["a"]], {}, {"a": 1},
    [10**400], [float("inf")], ["a", "a", "a"], [0.5], [0.5, 0.5, 0.5], list(range(2000)),
]  # fmt: skip
"""What may stand anywhere. Infinity is written as 1e999."""


SETS = SetLimits((0.5, 0.9), (20, 40, 9), ((0.5, 0.4, 0.25), (0.25, 0.2, 0.0)))


def models() -> list[bytes]:
    """Files with every kind of layer, task and option."""
    cases: list[tuple[dict[str, Any], dict[str, Any]]] = [
        (
            {"policy": "all-linear"},
            {"metrics": {"test": {"acc": 0.5, "intervals": {"acc": [0, 1]}}}},
        ),
        ({"policy": "everything", "pool": "cls"}, {"bits": 1.6, "class_names": ["a", "b", "c"]}),
        ({"policy": "bitmedvit", "kv_heads": 1, "mlp_norm": False}, {"rest": "int8"}),
        ({"policy": {"blocks.*.mlp.fc?": LayerQuant(weight="ttq")}}, {"rest": "float16"}),
        ({"policy": {"*": LayerQuant(weight="int4", granularity="channel")}}, {}),
        (
            {"policy": {"*": LayerQuant(activation="ternary")}, "positions": "sinusoidal"},
            {"task": "multi-label", "threshold": [0.1, 0.5, 0.9], "temperature": 0.7},
        ),
        ({"num_classes": 2, "policy": "all-linear"}, {"threshold": 0.3}),
        ({"policy": "all-linear"}, {"prediction_sets": SETS}),
    ]
    return [pack(make_model(**{**SMALL, **model}), **options).content for model, options in cases]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a JSON value, at all levels."""
    found: list[tuple[Any, Any]] = []
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        found.append((value, key))
        if isinstance(value[key], dict | list):
            found += places(value[key])
    return found


def bend(rng: np.random.Generator, root: Any) -> None:
    """Change one place of a JSON value: each of its entries is as likely, however much it holds."""
    entries = list(root)
    if not entries:
        return
    entry = entries[rng.integers(len(entries))]
    options = [(root, entry)]
    if isinstance(root[entry], dict | list):
        options += places(root[entry])
    inside, key = options[rng.integers(len(options))]
    value = inside[key]
    odd = copy.deepcopy(ODD[rng.integers(len(ODD))])
    kind = rng.integers(9)
    if kind == 0:
        del inside[key]
    elif kind == 1 and isinstance(inside, dict):
        inside[odd if isinstance(odd, str) else str(key) + "x"] = value
    elif kind == 1:
        inside.append(copy.deepcopy(value))
    elif kind == 2:
        inside[key] = [value] if rng.random() < 0.5 else {str(key): value}
    elif kind == 3:
        other, there = options[rng.integers(len(options))]
        inside[key] = copy.deepcopy(other[there]) if there in _keys(other) else odd
    elif kind in (4, 5) and type(value) in (int, float):
        by = [
            value + 1,
            value - 1,
            -value,
            value * 1e3,
            value * 1e30,
            value / 7,
            str(value),
            value * 2,
        ]
        inside[key] = by[rng.integers(len(by))]
    elif kind == 4 and isinstance(value, str):
        inside[key] = [value + "x", value.upper(), value[:-1], value * 99][rng.integers(4)]
    else:
        inside[key] = odd


def _keys(value: Any) -> Any:
    return value if isinstance(value, dict) else range(len(value))


def bent_arrays(rng: np.random.Generator, tensors: dict[str, Any]) -> None:
    """Make an array's numbers extreme: each is finite, what follows from them need not be."""
    name = sorted(tensors)[rng.integers(len(tensors))]
    if tensors[name].dtype.kind == "f":
        info = np.finfo(tensors[name].dtype)
        extreme = [info.max, info.tiny, -info.max, 0, 1e4][rng.integers(5)]
        tensors[name] = np.where(rng.random(tensors[name].shape) < 0.5, extreme, tensors[name])
        tensors[name] = tensors[name].astype(info.dtype)


def case(rng: np.random.Generator, content: bytes) -> bytes:
    """One to three changes in the model's header, its arrays or the container's header."""
    container = parse_container(content, RULES, "fuzz")
    metadata, tensors = dict(container.metadata), dict(container.tensors)
    header = json.loads(metadata["header"])
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        if rng.random() < 0.1:
            bent_arrays(rng, tensors)
        else:
            bend(rng, header)
    metadata["header"] = _text(header)
    metadata["checksum"] = checksum(metadata["header"], tensors)
    whole = render_container(tensors, metadata, RULES)
    if rng.random() < 0.9:
        return whole
    length = int.from_bytes(whole[:8], "little")
    outer = json.loads(whole[8 : 8 + length])
    bend(rng, outer)
    text = _text(outer).encode()
    text += b" " * (-(8 + len(text)) % 64)
    return len(text).to_bytes(8, "little") + text + whole[8 + length :]


def _text(value: Any) -> str:
    return json.dumps(value).replace("Infinity", "1e999")


def outcome(content: bytes) -> str:
    """What a file gives: ``"answers"``, or the error's text; anything else is raised."""
    try:
        found = read_packed_bytes(content, "fuzz")
        size, channels = found.header.config.image_size, found.header.config.channels
        if found.header.config.tokens > 1024:
            return "answers, to one who has time"
        if channels in (1, 3):
            kept = found.header.prediction_sets
            answer = Engine(found, 1).predict(
                np.full((1, size, size, channels), 90, np.uint8),
                None if kept is None else kept.coverages[-1],
            )
            assert (answer.sets is None) == (kept is None)
            assert np.isfinite(answer.logits).all()
            assert np.isfinite(answer.probabilities).all()
            assert len(set(found.header.class_names)) == len(found.header.class_names)
    except TinyTernaryError as error:
        return str(error)
    shown = found.header.to_dict() | {"layers": layer_rows(found.header)}
    parse_object(to_json(shown), "shown", ValueError)
    assert all(line.isprintable() for line in model_card(found).split("\n"))
    return "answers"


def run(cases: int, seed: int, *, measured: bool = False) -> Counter[str]:
    """Try so many files; count what came of them: by the field that an error names.

    Raises
    ------
    AssertionError
        If an error is no short line, or (if `measured`) memory grows past what a file is worth.
    """
    rng = np.random.default_rng(seed)
    files = models()
    for content in files:
        assert outcome(content) == "answers"
    counts: Counter[str] = Counter()
    for i in range(cases):
        content = case(rng, files[rng.integers(len(files))])
        if measured:
            tracemalloc.start()
        found = outcome(content)
        if measured:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < MOST_TIMES * len(content) + (1 << 19), (i, peak, len(content))
        if not found.startswith("answers"):
            assert len(found) <= MOST_CHARACTERS, (i, len(found), found[:400])
            assert found.isprintable(), (i, found)
            assert found.startswith("fuzz: "), (i, found)
            found = found.split(": ")[1]
        counts[found] += 1
    return counts


def main() -> None:
    """Try files as the command line says, and print the outcomes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for field, count in run(options.cases, options.seed).most_common():
        print(f"{count:8,}  {field}")


if __name__ == "__main__":
    main()
