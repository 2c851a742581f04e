"""Bytes and trits: exact both ways, and nothing else accepted."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests.kernels.cases import sizes, trits
from tinyternary.errors import ConfigError, PackedFileError, ShapeError
from tinyternary.kernels import PackedTernary, pack, packing

BITS = (2, 1.6)


@given(n=sizes, k=sizes, seed=st.integers(0, 2**32 - 1), bits=st.sampled_from(BITS))
def test_trits_come_back_exactly(n, k, seed, bits):
    w = trits(np.random.default_rng(seed), n, k)
    packed = pack(w, bits)
    assert np.array_equal(packed.unpack(), w)
    assert packed.unpack().dtype == np.int8
    again = PackedTernary.from_bytes(packed.tobytes(), packed.shape, bits)
    assert again == packed
    assert np.array_equal(again.unpack(), w)


@given(n=sizes, k=sizes)
def test_size_is_what_the_bits_say(n, k):
    w = np.zeros((n, k), np.int8)
    assert pack(w, 2).nbytes == n * ((k + 3) // 4)
    assert pack(w, 1.6).nbytes == n * ((k + 4) // 5)


def test_two_bit_order_is_the_documented_one():
    # codes 00 -1, 01 0, 10 +1; trit i of a byte in bits 2i and 2i + 1
    packed = pack(np.array([[-1, 0, 1, 1, 1]], np.int8))
    assert packed.data.tolist() == [[0b10_10_01_00, 0b01_01_01_10]]


def test_base3_order_is_the_documented_one():
    for digits in itertools.product((-1, 0, 1), repeat=5):
        value = sum((digit + 1) * 3 ** (4 - i) for i, digit in enumerate(digits))
        packed = pack(np.array([digits], np.int8), 1.6)
        assert packed.data.tolist() == [[-(-256 * value // 243)]]


def test_base3_decodes_by_multiplication():
    for q in range(243):
        stored = -(-256 * q // 243)
        decoded = [(((stored * 3**i) % 256) * 3) >> 8 for i in range(5)]
        assert decoded == [q // 3 ** (4 - i) % 3 for i in range(5)]


@given(n=st.integers(1, 9), k=st.integers(1, 40), data=st.data())
def test_code_11_is_rejected_wherever_it_stands(n, k, data):
    raw = bytearray(pack(np.zeros((n, k), np.int8)).tobytes())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] |= 3 << 2 * data.draw(st.integers(0, 3))
    with pytest.raises(PackedFileError, match="code 11"):
        PackedTernary.from_bytes(raw, (n, k))


def test_base3_bytes_that_no_trits_make_are_rejected():
    known = {-(-256 * q // 243) for q in range(243)}
    for byte in range(256):
        raw = bytes([byte])
        if byte in known:
            assert PackedTernary.from_bytes(raw, (1, 5), 1.6).tobytes() == raw
        else:
            with pytest.raises(PackedFileError, match="no five trits"):
                PackedTernary.from_bytes(raw, (1, 5), 1.6)


@pytest.mark.parametrize(("bits", "raw"), [(2, b"\x95"), (1.6, b"\xff")])
def test_padding_must_be_the_zero_trit(bits, raw):
    with pytest.raises(PackedFileError, match="padding"):
        PackedTernary.from_bytes(raw, (1, 3), bits)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("length", [0, 1, 5, 7])
def test_wrong_number_of_bytes_is_rejected(bits, length):
    with pytest.raises(PackedFileError, match=f"{length} bytes for shape"):
        PackedTernary.from_bytes(bytes(length), (3, 10), bits)


@pytest.mark.parametrize(
    ("trits_", "bits", "error"),
    [
        (np.array([[2]], np.int8), 2, ShapeError),
        (np.array([[-2]], np.int8), 1.6, ShapeError),
        (np.array([[0.5]]), 2, ShapeError),
        (np.array([[257]]), 2, ShapeError),
        (np.array([1, 0], np.int8), 2, ShapeError),
        (np.array([[1]], np.int8), 3, ConfigError),
        (np.array([[1]], np.int8), "2", ConfigError),
    ],
)
def test_what_cannot_be_packed_is_said_in_one_line(trits_, bits, error):
    with pytest.raises(error) as caught:
        pack(trits_, bits)
    assert "\n" not in str(caught.value)


@given(n=sizes, k=sizes, seed=st.integers(0, 2**32 - 1))
def test_bit_planes_round_trip_and_never_overlap(n, k, seed):
    w = trits(np.random.default_rng(seed), n, k)
    plus, minus = packing.to_planes(w)
    assert not (plus & minus).any()
    assert np.array_equal(packing.from_planes(plus, minus, k), w)
    assert sum(int(word).bit_count() for word in plus.ravel()) == int((w == 1).sum())


def test_overlapping_planes_are_rejected():
    one = np.ones((1, 1), np.uint64)
    with pytest.raises(PackedFileError, match="both"):
        packing.from_planes(one, one, 1)


def test_stored_bytes_cannot_be_changed_by_accident(rng):
    raw = np.frombuffer(pack(trits(rng, 4, 8)).tobytes(), np.uint8).copy()
    packed = PackedTernary.from_bytes(raw, (4, 8))
    raw[:] = 0
    assert packed.data.any()
    with pytest.raises(ValueError, match="read-only"):
        packed.data[0] = 1


def test_it_prints_shape_bits_and_bytes_and_survives_pickling(rng):
    packed = pack(trits(rng, 6, 10), 1.6)
    assert "6 x 10" in repr(packed)
    assert "1.6 bits" in repr(packed)
    assert "12 bytes" in repr(packed)
    assert pickle.loads(pickle.dumps(packed)) == packed
