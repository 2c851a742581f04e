import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.deploy.small_models import images_for, make_model
from tests.deploy.test_engine import CASES, POLICIES
from tinyternary.config import vit_matrices
from tinyternary.deploy import Engine, load, pack, to_onnx
from tinyternary.deploy.packed_layers import has_encoder, unknown_to_encoder
from tinyternary.errors import ConfigError
from tinyternary.kernels import dispatch

pytestmark = pytest.mark.parity
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def run(path, images, level=None):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    if level is not None:
        options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    return session.run(["logits"], {"images": images})[0]


def check(model, tmp_path, allowed, **options):
    packed = pack(model, **options)
    path = to_onnx(packed, tmp_path / "model.onnx")
    images = images_for(model, 16)
    engine = Engine(packed.read())
    expected, found = engine(images), run(path, images)
    np.testing.assert_allclose(found, expected, rtol=0, atol=allowed)
    # near ties aside, decisions are equal
    top = np.sort(expected, axis=1)[:, -2:]
    clear = (top[:, -1] - top[:, 0] > 2 * allowed) | (expected.shape[1] == 1)
    np.testing.assert_array_equal(found.argmax(1)[clear], expected.argmax(1)[clear])
    assert run(path, images[:1]).shape == (1, model.config.num_classes)
    proto = onnx.load(path)
    read = {name for node in proto.graph.node for name in node.input}
    assert {stored.name for stored in proto.graph.initializer} <= read  # a runtime warns of others
    return proto


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_float_models(changes, tmp_path):
    proto = check(make_model(None, **changes), tmp_path, 1e-5)
    assert [(o.domain, o.version) for o in proto.opset_import] == [("", 17)]


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_ternary_models(changes, tmp_path):
    check(make_model(**changes), tmp_path, 5e-3)


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_policies(policy, tmp_path):
    proto = check(make_model(policy), tmp_path, 5e-3)
    assert {node.domain for node in proto.graph.node} == {""}


@pytest.mark.parametrize("rest", ["int8", "float16"])
def test_smaller_rest(rest, tmp_path):
    check(make_model("bitmedvit"), tmp_path, 5e-3, rest=rest)


def cpu_flags():
    from llvmlite import binding

    return {name for name, on in binding.get_host_cpu_features().items() if on}


@pytest.fixture(scope="module")
def _fused():
    chosen = dispatch.choose()
    if not has_encoder(chosen) or "fma" not in cpu_flags():
        pytest.skip("no compiled encoder, or no fused multiply-add on this processor")


needs_fma = pytest.mark.usefixtures("_fused")

EDGES = {
    "width not of whole lanes": {"width": 72, "heads": 1, "mlp_width": 130, "num_classes": 70},
    "196 tokens": {"width": 48, "heads": 4, "kv_heads": 2, "patch_size": 2, "depth": 1},
    "196 tokens, causal": {"width": 48, "heads": 4, "patch_size": 2, "depth": 1, "causal": True},
    "one token": {"width": 16, "heads": 2, "mlp_width": 20, "image_size": 4, "depth": 1},
    "324 tokens, 300 terms": {
        "width": 32, "heads": 1, "image_size": 180, "patch_size": 10, "depth": 1
    },
}  # fmt: skip


@needs_fma
@pytest.mark.parametrize("policy", [None, "bitmedvit", "all-linear", "everything"])
@pytest.mark.parametrize("changes", {**CASES, **EDGES}.values(), ids={**CASES, **EDGES})
def test_exact_graphs_give_the_engines_bits(changes, policy, tmp_path):
    model = make_model(policy, **changes)
    packed = pack(model)
    engine = Engine(packed.read())
    if engine.plain_because:
        pytest.skip(engine.plain_because)
    images = images_for(model, 6)
    path = to_onnx(packed, tmp_path / "model.onnx", exact=True)
    np.testing.assert_array_equal(run(path, images), engine(images))


def test_exact_graphs_hold_no_matter_how_the_runtime_rewrites_them(tmp_path):
    model = make_model("all-linear")
    images = images_for(model, 6)
    path = to_onnx(model, tmp_path / "model.onnx", exact=True)
    levels = onnxruntime.GraphOptimizationLevel
    answers = [
        run(path, images, level) for level in (levels.ORT_DISABLE_ALL, levels.ORT_ENABLE_ALL)
    ]
    np.testing.assert_array_equal(*answers)


@st.composite
def networks(draw):
    """A policy and a small network: with widths, tokens and sums at the edges of what is exact."""
    heads = draw(st.sampled_from([1, 2, 3, 4]))
    patch = draw(st.sampled_from([2, 4, 7, 14, 20]))
    changes = {
        "width": heads * draw(st.sampled_from([1, 2, 3, 5, 8, 16, 17, 40, 130])),
        "heads": heads,
        "kv_heads": draw(st.sampled_from([h for h in (1, 2, 3, 4) if heads % h == 0])),
        "depth": draw(st.integers(1, 2)),
        "mlp_width": draw(st.sampled_from([1, 3, 16, 33, 130, 300, 900, 1023, 1024])),
        "activation": draw(st.sampled_from(["gelu", "gelu_tanh", "relu_squared"])),
        "patch_size": patch,
        "image_size": patch * draw(st.sampled_from([1, 2, 3, 5])),
        "channels": draw(st.sampled_from([1, 3])),
        "num_classes": draw(st.sampled_from([1, 2, 3, 10])),
        "pool": draw(st.sampled_from(["mean", "cls"])),
        "causal": draw(st.booleans()),
        "mlp_norm": draw(st.booleans()),
        "mlp_bias": draw(st.booleans()),
        "attention_bias": draw(st.booleans()),
    }
    if draw(st.booleans()):
        changes["stride"] = patch // 2
        padding = (patch - patch // 2) // 2
        changes["image_size"] = patch - 2 * padding + patch // 2 * draw(st.integers(0, 6))
    return draw(
        st.sampled_from([None, "bitmedvit", "bit-attention", "all-linear", "everything"])
    ), changes


@needs_fma
@pytest.mark.parametrize("count", [1, 3])
@given(network=networks())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_drawn_network_gives_the_engines_bits_or_is_refused(count, network, tmp_path):
    policy, changes = network
    model = make_model(policy, **changes)
    packed = pack(model)
    engine = Engine(packed.read(), 1)
    c = model.config
    floats = [
        matrix.inputs + 1 for matrix in vit_matrices(c)
        if packed.header.layers[matrix.name].activation == "none"
    ]  # fmt: skip
    path = tmp_path / "model.onnx"
    if max(*floats, c.head_dim, c.tokens) > 1024:
        with pytest.raises(ConfigError, match="expected at most 1024"):
            to_onnx(packed, path, exact=True)
        return
    images = images_for(model, count)
    to_onnx(packed, path, exact=True)
    np.testing.assert_array_equal(run(path, images), engine(images))


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_exact_graphs_of_what_the_encoder_does_not_know_are_refused(policy, tmp_path):
    packed = pack(make_model(policy))
    reason = unknown_to_encoder(packed.read())
    if not reason:
        to_onnx(packed, tmp_path / "model.onnx", exact=True)
        return
    with pytest.raises(ConfigError, match="the compiled encoder cannot run this network") as caught:
        to_onnx(packed, tmp_path / "model.onnx", exact=True)
    assert reason in str(caught.value)
    assert not (tmp_path / "model.onnx").exists()


def test_trits_are_int8_initialisers(tmp_path):
    model = make_model("bitmedvit")
    path = to_onnx(model, tmp_path / "model.onnx")
    proto = onnx.load(path)
    stored = {i.name: onnx.numpy_helper.to_array(i) for i in proto.graph.initializer}
    trits = stored["blocks.0.mlp.fc1.trits_0"]
    assert trits.dtype == np.int8
    module = dict(model.named_modules())["blocks.0.mlp.fc1"]
    np.testing.assert_array_equal(trits, module.quantized().trits.T)
    assert sum(node.op_type == "MatMulInteger" for node in proto.graph.node) == 4


def test_every_way_to_name_a_model(model, packed, packed_path, tmp_path):
    expected = to_onnx(packed, tmp_path / "a.onnx").read_bytes()
    assert to_onnx(str(packed_path), tmp_path / "b.onnx").read_bytes() == expected
    assert to_onnx(load(packed_path), tmp_path / "c.onnx").read_bytes() == expected
    with pytest.raises(ConfigError, match="bits: only for a model"):
        to_onnx(packed, tmp_path / "d.onnx", bits=2)
