"""Write this folder's files: those of `CASES` that are not there yet.

Nothing is overwritten: a file that an older version wrote must load for ever, with the same
answers. Its name begins with its format version.
"""

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2]))

from tests.deploy.small_models import images_for, make_model  # noqa: E402
from tinyternary.config import LayerQuant  # noqa: E402
from tinyternary.deploy import Engine, pack  # noqa: E402

SMALL = {"width": 24, "depth": 1, "heads": 2, "mlp_width": 36, "image_size": 8, "num_classes": 3}
CASES = {
    "all-linear-2bit": ("all-linear", {}, {}),
    "everything-1.6bit": ("everything", {"pool": "cls"}, {"bits": 1.6}),
    "bitmedvit-int8": ("bitmedvit", {"kv_heads": 1, "mlp_norm": False}, {"rest": "int8"}),
    "float16": (None, {"positions": "sinusoidal", "activation": "gelu_tanh"}, {"rest": "float16"}),
    "two-scales": ({"blocks.*.mlp.fc?": LayerQuant(weight="ttq")}, {"channels": 1}, {}),
    "int4": (
        {"*": LayerQuant(weight="int4", granularity="channel")},
        {"activation": "relu_squared"},
        {},
    ),
    "groups-ternary-inputs": (
        {"blocks.*.mlp.fc?": LayerQuant(granularity=12, activation="ternary")},
        {"patch_size": 4, "stride": 2},
        {},
    ),
    "thresholds": ("all-linear", {}, {"task": "multi-label", "threshold": [0.25, 0.5, 0.75]}),
    "temperature": ("all-linear", {}, {"temperature": 0.625}),
}


def main() -> None:
    """Write the missing files, and what the engine answers."""
    written = set()
    for name, (policy, changes, options) in CASES.items():
        if list(HERE.glob(f"v?-{name}.safetensors")):
            continue
        model = make_model(policy, **{**SMALL, **changes})
        packed = pack(
            model,
            class_names=["round", "lobed", "grainy"],
            metrics={"acc": {"value": 0.5, "low": 0.4, "high": 0.6}},
            dataset="phantoms",
            **options,
        )
        version = packed.header.to_dict()["format_version"]
        path = packed.save(HERE / f"v{version}-{name}.safetensors")
        images = images_for(model, 2)
        answer = Engine(packed.read(), fused=False).predict(images)
        known = HERE / f"v{version}-answers.json"
        answers = json.loads(known.read_text()) if known.exists() else {}
        answers[path.name] = {
            "images": images.tolist(),
            "logits": answer.logits.astype(np.float64).tolist(),
            "probabilities": answer.probabilities.tolist(),
        }
        known.write_text(json.dumps(answers))
        written.add(path.name)
    print("written:", ", ".join(sorted(written)) or "nothing, all are there")


if __name__ == "__main__":
    main()
