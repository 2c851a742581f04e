"""The compiled encoder against the plain layers, and against itself on other threads."""

import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc

import numpy as np
import pytest

from tests.deploy.small_models import images_for, make_model
from tests.deploy.test_engine import CASES, POLICIES
from tests.marks import needs_compiled
from tests.patience import PATIENCE
from tinyternary.compiled import threads
from tinyternary.deploy import Engine, pack
from tinyternary.errors import ConfigError


def engines(model, threads=1, **options):
    packed = pack(model, **options).read()
    fused = Engine(packed, threads)
    if fused.plain_because:
        pytest.skip(fused.plain_because)
    return fused, Engine(packed, fused=False)


@pytest.mark.parametrize("policy", [None, "bitmedvit", "all-linear", "everything"])
@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_equals_the_plain_layers(changes, policy):
    model = make_model(policy, **changes)
    fused, plain = engines(model)
    images = images_for(model, 6)
    expected = plain(images)
    # floats differ in their last bits; now and then one tips an int8 code over
    allowed = 0.01 * expected.std() + 1e-5 if policy else 1e-5
    np.testing.assert_allclose(fused(images), expected, rtol=0, atol=allowed)
    np.testing.assert_allclose(fused.features(images), plain.features(images), atol=0.03)


@pytest.mark.parametrize("rest", ["float16", "int8"])
def test_smaller_rest_runs_on_the_encoder(rest):
    model = make_model("bitmedvit", kv_heads=1)
    fused, plain = engines(model, rest=rest)
    images = images_for(model, 6)
    expected = plain(images)
    np.testing.assert_allclose(fused(images), expected, rtol=0, atol=0.01 * expected.std())


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 16, "heads": 2, "mlp_width": 20, "image_size": 4, "depth": 1},  # one token
        {"width": 16, "heads": 1, "mlp_width": 16, "image_size": 8, "pool": "cls"},
        {"width": 72, "heads": 1, "mlp_width": 130, "num_classes": 70},
        {"width": 160, "heads": 2, "mlp_width": 100, "patch_size": 7, "channels": 1},
        {"width": 48, "heads": 4, "kv_heads": 2, "patch_size": 2, "depth": 1},  # 196 tokens
    ],
    ids=str,
)
def test_sizes_at_the_edges(changes):
    for policy in (None, "everything"):
        model = make_model(policy, **changes)
        fused, plain = engines(model)
        images = images_for(model, 3)
        expected = plain(images)
        allowed = 0.03 * expected.std() + 1e-5 if policy else 2e-5
        np.testing.assert_allclose(fused(images), expected, rtol=0, atol=allowed)


@pytest.mark.parametrize("width", [17, 24, 36, 48, 72])
@pytest.mark.parametrize("mean", [30, 1000])
def test_a_large_mean_of_tokens_is_no_part_of_their_variance(width, mean):
    """Whatever fills a row up to whole vectors: in `CASES` tokens have a mean near 0."""
    model = make_model(None, width=width, heads=1, depth=1)
    for name, parameter in model.named_parameters():
        if name == "patch_embed.proj.bias":
            parameter.data += np.float32(mean)
    fused, plain = engines(model)
    images = images_for(model, 6)
    expected = plain(images)
    # a token's deviations of 1 are known to mean * 2^-24
    allowed = expected.std() * mean * 1e-5
    np.testing.assert_allclose(fused(images), expected, rtol=0, atol=allowed)


@pytest.fixture
def shared_always(monkeypatch):
    """Share images whatever their size: those of tests are too small to be worth it."""
    monkeypatch.setattr(threads, "WORTH_SHARING_NETWORK", 0)


@pytest.mark.usefixtures("shared_always")
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("policy", [None, "all-linear"])
def test_threads_and_batches_give_the_same_bits(policy, causal):
    model = make_model(policy, width=48, heads=3, causal=causal)
    packed = pack(model).read()
    images = images_for(model, 7)
    expected = Engine(packed, 1)(images)
    for team in (2, 3):
        engine = Engine(packed, team)
        for count in (1, 2, 3, 5, 7):
            np.testing.assert_array_equal(engine(images[:count]), expected[:count])
    one = Engine(packed, 2)
    for image, row in zip(images, expected):
        np.testing.assert_array_equal(one(image[None])[0], row)


def test_small_calls_stay_on_one_thread(model, monkeypatch):
    packed = pack(model).read()
    invited = []
    share = threads.share
    monkeypatch.setattr(
        threads, "share", lambda *args: (invited.extend(range(args[1])), share(*args))[1]
    )
    engine = Engine(packed, 2)
    if engine.plain_because:
        pytest.skip(engine.plain_because)
    images = images_for(model, 4)
    for worth, expected in ((engine.fused.macs * 4 + 1, 0), (engine.fused.macs * 4, 1)):
        invited.clear()
        monkeypatch.setattr(threads, "WORTH_SHARING_NETWORK", worth)
        engine(images)
        assert len(invited) == expected


@pytest.mark.usefixtures("shared_always")
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_thread_that_comes_late_is_not_waited_for(model, count):
    packed = pack(model).read()
    images = images_for(model, 5)
    expected = Engine(packed, 1)(images)
    engine = Engine(packed, 2)
    if engine.plain_because:
        pytest.skip(engine.plain_because)
    engine(images)
    gate = threading.Event()
    call = threads.invite(lambda member: gate.wait(60), 1)  # its only other thread is busy
    try:
        for first in range(5 - count + 1):
            part = slice(first, first + count)
            np.testing.assert_array_equal(engine(images[part]), expected[part])
    finally:
        gate.set()
        call.wait()
    # now it finds a queue of calls that have been answered, and must leave all arrays alone
    for _ in range(20):
        np.testing.assert_array_equal(engine(images), expected)


@pytest.mark.usefixtures("shared_always")
def test_calls_from_many_threads_at_once(model):
    engine = Engine(pack(model).read(), 2)
    batches = [images_for(model, 1 + i % 4, seed=i) for i in range(12)]
    expected = [engine(batch) for batch in batches]
    wrong = []

    def work(i):
        for _ in range(10):
            if not np.array_equal(engine(batches[i]), expected[i]):
                wrong.append(i)

    callers = [threading.Thread(target=work, args=(i,)) for i in range(12)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


class Left(Exception):
    """What a signal raises in the test below."""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer that sends signals here")
@pytest.mark.usefixtures("shared_always")
@pytest.mark.parametrize("count", [1, 2, 48])
def test_a_call_that_a_signal_ends_leaves_the_next_answer_right(count):
    model = make_model("all-linear", width=64, mlp_width=128, depth=4)
    engine, _ = engines(model, 2)
    images = images_for(model, count)
    expected = engine(images)
    begin = time.perf_counter()
    engine(images)
    once = time.perf_counter() - begin
    left, draw = [], np.random.default_rng(0)

    def leave(*_):
        if armed:
            armed.clear()
            raise Left

    armed = []
    before = signal.signal(signal.SIGALRM, leave)
    try:
        for _ in range(40):
            armed.append(True)
            try:
                signal.setitimer(signal.ITIMER_REAL, draw.uniform(1e-5, 1.2 * once))
                while armed:
                    engine(images)
            except Left:
                left.append(True)
            np.testing.assert_array_equal(engine(images[: count // 2 + 1]),
                                          expected[: count // 2 + 1])  # fmt: skip
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert left
    # nobody of those calls is left at work, nor waits for somebody who went
    came = threading.Event()
    threads.invite(lambda member: came.set(), 1)
    assert came.wait(PATIENCE)


def test_memory_does_not_grow_with_calls_or_batch(model):
    engine, _ = engines(model)
    images = images_for(model, 64)
    engine(images)
    tracemalloc.start()
    engine(images[:8])
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(20):
        engine(images)
    grown = tracemalloc.get_traced_memory()[0] - before
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert grown < 4096
    assert peak - before < 64 * (model.config.width + model.config.num_classes) * 4 + 16384


def test_read_only_and_strided_images(model):
    engine = Engine(pack(model).read(), 1)
    images = images_for(model, 6)
    expected = engine(images)
    frozen = images.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(engine(frozen), expected)
    np.testing.assert_array_equal(engine(images[::2]), expected[::2])
    np.testing.assert_array_equal(engine(np.asfortranarray(images)), expected)


@needs_compiled
def test_what_the_encoder_does_not_know_runs_plainly():
    assert "no norm" in Engine(pack(make_model(attn_norm=False)).read()).plain_because
    engine = Engine(pack(make_model(POLICIES["groups"])).read())
    assert "blocks.0.mlp.fc1" in engine.plain_because
    assert Engine(pack(make_model()).read(), fused=False).plain_because


def test_threads_must_be_positive(packed):
    with pytest.raises(ConfigError, match="threads"):
        Engine(packed.read(), 0)


COUNT = """
import sys, threading
import numpy as np, tinyternary as tt
asked, said = (int(word) if word else None for word in sys.argv[2:])
engine = tt.deploy.load(sys.argv[1], threads=asked)
size, channels = engine.header.config.image_size, engine.header.config.channels
if said:
    tt.set_threads(said)
engine(np.zeros((64, size, size, channels), np.uint8))
names = [thread.name for thread in threading.enumerate()]
print(sum(name.startswith("tinyternary") for name in names))
"""


@pytest.mark.parametrize("jit", ["1", "0"])
@pytest.mark.parametrize(
    ("environment", "asked", "said", "helpers"),
    [("1", "", "", 0), ("3", "", "", 2), ("3", "", "1", 0), ("1", "2", "", 1), ("1", "2", "1", 1)],
)
def test_the_number_of_threads_is_obeyed(packed, tmp_path, jit, environment, asked, said, helpers):
    """The environment, `set_threads` after loading, and ``threads=``, which comes first."""
    path = tmp_path / "model.safetensors"
    packed.save(path)
    done = subprocess.run(
        [sys.executable, "-c", COUNT, path, asked, said], capture_output=True, text=True,
        env={**os.environ, "TINYTERNARY_THREADS": environment, "TINYTERNARY_JIT": jit}, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == (helpers if jit == "1" else 0)
