import copy
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

from tests.deploy.small_models import images_for, make_model
from tinyternary.config import LayerQuant, Task
from tinyternary.deploy import Engine, agreement, load, pack
from tinyternary.deploy.format.reader import read_packed
from tinyternary.errors import ShapeError

CASES = {
    "all-linear": {},
    "cls, multi-query": {"pool": "cls", "kv_heads": 1},
    "grouped-query, no second norm": {"kv_heads": 2, "mlp_norm": False},
    "no norm before the attention": {"attn_norm": False},
    "causal": {"causal": True, "kv_heads": 2, "pool": "cls"},
    "registers": {"registers": 4, "pool": "cls"},
    "registers beside a mean": {"registers": 2},
    "norms after the embedding and before the mean": {"embed_norm": True, "token_norm": True},
    "registers, norm before the mean": {"registers": 1, "token_norm": True},
    "distillation token": {"pool": "distilled", "registers": 1},
    "sinusoidal": {"positions": "sinusoidal"},
    "sinusoidal, cls": {"positions": "sinusoidal", "pool": "cls"},
    "overlapping patches": {"patch_size": 8, "stride": 4, "channels": 1},
    "gelu_tanh": {"activation": "gelu_tanh"},
    "relu_squared": {"activation": "relu_squared"},
    "no biases": {"attention_bias": False, "mlp_bias": False},
    "odd sizes": {"width": 36, "heads": 3, "mlp_width": 53, "num_classes": 1},
}
POLICIES = {
    "float": None,
    "bitmedvit": "bitmedvit",
    "everything": "everything",
    "channel": {"blocks.*.*.*": LayerQuant(granularity="channel")},
    "groups": {"blocks.*.mlp.fc?": LayerQuant(granularity=16)},
    "twn, no norm": {"blocks.*.mlp.fc?": LayerQuant(weight="twn", norm=False)},
    "ttq": {"blocks.*.mlp.fc?": LayerQuant(weight="ttq")},
    "seq": {"blocks.*.mlp.fc?": LayerQuant(weight="seq", granularity="channel")},
    "int8": {"*": LayerQuant(weight="int8", granularity="channel", norm=False)},
    "int4": {"blocks.*.mlp.fc?": LayerQuant(weight="int4", granularity="channel")},
    "int4 activations": {"blocks.*.mlp.fc?": LayerQuant(activation="int4")},
    "ternary activations": {"blocks.*.mlp.fc?": LayerQuant(activation="ternary")},
    "ternary activations per tensor": {"blocks.*.mlp.fc?": LayerQuant(activation="ternary-tensor")},
    "float activations": {"blocks.*.mlp.fc?": LayerQuant(activation="none")},
}


def check(model, **options):
    packed = pack(model, **options)
    result = agreement(model, Engine(packed.read()), images_for(model, 16))
    # a rounding of 1e-7 may tip an int8 code over: one code is 1 % of a token's largest entry
    assert result.largest_difference < 0.03 * result.logit_spread + 1e-5, result
    assert result.mean_difference < 0.003 * result.logit_spread + 1e-6, result
    return result


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_agrees_with_the_model_whatever_its_shape(changes):
    check(make_model(**changes))


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_agrees_with_the_model_whatever_its_policy(policy):
    check(make_model(policy))


def test_float_model_is_equal_to_rounding():
    assert check(make_model(None)).largest_difference < 1e-5


@pytest.mark.parametrize("bits", [2, 1.6])
def test_bits_on_disk_do_not_change_the_answers(bits, model):
    engine = Engine(pack(model, bits=bits).read())
    reference = Engine(pack(model).read())
    images = images_for(model)
    np.testing.assert_array_equal(engine(images), reference(images))


@pytest.mark.parametrize("rest", ["float16", "int8"])
def test_a_smaller_rest_stays_close(rest):
    model = make_model("bitmedvit")
    engine = Engine(pack(model, rest=rest).read())
    result = agreement(model, engine, images_for(model, 32))
    assert 0 < result.largest_difference < 0.1 * result.logit_spread
    assert result.equal_predictions > 0.9


def test_an_image_alone_and_in_a_batch_give_the_same_bits(model):
    engine = Engine(pack(model).read())
    images = images_for(model, 70)
    together = engine(images)
    alone = np.concatenate([engine(image[None]) for image in images])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together[3:20], engine(images[3:20]))


@pytest.mark.parametrize(
    ("changes", "policy"),
    [(changes, policy) for changes in CASES.values() for policy in (None, "all-linear")]
    + [({}, policy) for policy in POLICIES.values()],
    ids=str,
)
def test_an_image_alone_and_in_a_batch_give_the_same_bits_layer_by_layer(changes, policy):
    model = make_model(policy, **changes)
    engine = Engine(pack(model).read(), fused=False)
    images = images_for(model, 13)
    together = engine(images)
    alone = np.concatenate([engine(image[None]) for image in images])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together[3:10], engine(images[3:10]))


@pytest.mark.parametrize("fused", [True, False])
def test_empty_batch(model, fused):
    engine = Engine(pack(model).read(), fused=fused)
    assert engine(images_for(model, 0)).shape == (0, 3)
    assert engine.predict(images_for(model, 0)).labels.shape == (0,)


def test_predict_features_and_attention(model, packed_path):
    engine = load(packed_path)
    images = images_for(model, 4)
    answer = engine.predict(images)
    assert answer.class_names == ("a", "b", "c")
    np.testing.assert_array_equal(answer.labels, answer.logits.argmax(1))
    np.testing.assert_allclose(answer.probabilities.sum(1), 1, rtol=1e-6)
    assert answer.names == ["abc"[i] for i in answer.labels]
    record = {}
    from tinyternary.autograd import no_grad

    with no_grad():
        model(engine.header.preprocessing(images), record=record)
    # a rounding of 1e-7 may tip a code of the int8 inputs
    np.testing.assert_allclose(engine.features(images), record["features"].data, atol=0.05)
    maps = engine.attention(images)
    assert maps.shape == (4, 2, 4, 49, 49)
    np.testing.assert_allclose(maps.sum(-1), 1, rtol=1e-5)
    np.testing.assert_allclose(maps[:, 1], record["blocks.1.attn"], atol=0.01)


def test_thresholds():
    binary = make_model(num_classes=2)
    engine = Engine(pack(binary, task=Task.BINARY, threshold=0.9).read())
    logits = np.array([[0, 1], [0, 5]], np.float32)
    assert engine.decide(logits).labels.tolist() == [0, 1]
    multi = make_model(num_classes=3)
    engine = Engine(pack(multi, task="multi-label", threshold=[0.5, 0.9, 0.1]).read())
    answer = engine.decide(np.array([[1, 1, -1]], np.float32))
    assert answer.labels.tolist() == [[1, 0, 1]]
    assert answer.names == ["class 0, class 2"]
    plain = Engine(pack(multi, task="multi-label").read())
    assert plain.decide(np.array([[1, -1, 200], [0, -200, 1]], np.float32)).labels.tolist() == [
        [1, 0, 1],
        [0, 0, 1],  # one half is not above one half
    ]


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(
    ("policy", "changes"),
    [
        *((POLICIES[name], {}) for name in POLICIES),
        *(("all-linear", CASES[name]) for name in CASES),
    ],
)
def test_no_images_give_no_answers_on_every_path(policy, changes, fused):
    model = make_model(policy, **changes)
    c = model.config
    engine = Engine(pack(model).read(), fused=fused)
    images = images_for(model, 0)
    assert engine(images).shape == (0, c.num_classes)
    assert engine.features(images).shape == (0, c.head_inputs)
    assert engine.attention(images).shape == (0, c.depth, c.heads, c.tokens, c.tokens)
    answer = engine.predict(images)
    assert answer.labels.shape == (0,)
    assert answer.probabilities.shape == (0, c.num_classes)
    assert answer.names == []
    with pytest.warns(UserWarning, match="resized"):
        assert engine(np.zeros((0, 9, 7, c.channels), np.uint8)).shape == (0, c.num_classes)


@pytest.mark.parametrize("policy", [None, "all-linear", POLICIES["groups"]])
@pytest.mark.parametrize("fused", [True, False])
def test_a_pickled_engine_gives_the_same_answers_elsewhere(policy, fused, tmp_path):
    model = make_model(policy)
    path = pack(model).save(tmp_path / "model.safetensors")
    engine = Engine(read_packed(path), 2, fused=fused)
    images = images_for(model, 3)
    np.save(tmp_path / "images.npy", images)
    expected = engine(images)
    (tmp_path / "engine.pickle").write_bytes(pickle.dumps(engine))
    path.unlink()  # the file need not be there
    code = (
        "import pickle, sys, numpy as np\n"
        "engine = pickle.load(open('engine.pickle', 'rb'))\n"
        "np.save('answers.npy', engine(np.load('images.npy')))\n"
        "print(engine.threads, engine.plain_because)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == f"2 {engine.plain_because}".strip()
    np.testing.assert_array_equal(np.load(tmp_path / "answers.npy"), expected)
    np.testing.assert_array_equal(copy.deepcopy(engine)(images), expected)


def test_images_of_other_sizes_and_colours(model, packed_path, rng):
    engine = load(packed_path)
    with pytest.warns(UserWarning, match="resized to 28 x 28"):
        engine(rng.integers(0, 256, (2, 40, 30, 3), dtype=np.uint8))
    gray = rng.integers(0, 256, (2, 28, 28), dtype=np.uint8)
    with pytest.warns(UserWarning, match="grey images turned into RGB"):
        logits = engine(gray)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(logits, engine(np.repeat(gray[..., None], 3, axis=3)))
    mono = Engine(pack(make_model(channels=1)).read())
    color = rng.integers(0, 256, (2, 28, 28, 3), dtype=np.uint8)
    with pytest.warns(UserWarning, match="RGB images turned into grey"):
        logits = mono(color)
    from PIL import Image

    luma = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in color])
    np.testing.assert_array_equal(logits, mono(luma))


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 28, 28, 3), np.float32),
        np.zeros((3, 28, 28), np.uint8),
        np.zeros((28, 28, 4), np.uint8),
        np.zeros((2, 28, 28, 4), np.uint8),
        np.zeros((1, 1, 28, 28, 3), np.uint8),
        np.zeros((2, 0, 28, 3), np.uint8),
        [[1, 2]],
    ],
)
def test_what_is_no_batch_of_images_is_refused(images, packed_path):
    with pytest.raises(ShapeError, match="images"):
        load(packed_path)(images)


def test_the_engine_imports_neither_autograd_nor_anything_heavy(packed_path):
    code = (
        "import sys, numpy as np\n"
        "from tinyternary.compiled.switch import jit_enabled\n"
        "from tinyternary.deploy import load\n"
        "engine = load(sys.argv[1])\n"
        "engine.predict(np.zeros((2, 28, 28, 3), np.uint8))\n"
        "heavy = ['autograd', 'nn', 'models', 'quant', 'train', 'data', 'report', 'cost']\n"
        "names = [f'tinyternary.{n}' for n in heavy]\n"
        # Numba itself loads scipy.linalg, for the addresses of BLAS
        "names += ['matplotlib', 'sklearn', 'scipy.stats', 'torch', 'PIL']\n"
        # where nothing is compiled, GELU takes its erf from SciPy
        "names += ['scipy.special'] if jit_enabled() else []\n"
        "print([n for n in names if n in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(packed_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
