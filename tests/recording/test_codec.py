"""Blocks come back as they went in, floats bit for bit; damage is told by two exceptions."""

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge.formats.memory import demo_recording
from edge.recording.codec import COUNTS, FLOATS, decode, encode, to_counts, to_mv
from edge.types import Lead

MAX_COUNT = 2**31 - 1  # the least 32-bit number stands for a sample that is missing
COUNT_ARRAYS = hnp.arrays(np.int32, st.integers(0, 300), elements=st.integers(-MAX_COUNT, MAX_COUNT))
FLOAT_BITS = hnp.arrays(np.int32, st.integers(0, 300), elements=st.integers(-(2**31), MAX_COUNT))
COUNT_LEADS = st.builds(
    Lead,
    st.just("ECG"),
    st.one_of(st.sampled_from([200.0, 1000.0, 0.5, -200.0, 13107.2]), st.floats(1e-40, 1e9)),
    st.integers(-(2**31), MAX_COUNT),
)


def round_trip(signal_mv: np.ndarray, lead: Lead) -> tuple[int, np.ndarray]:
    kind, data = encode(signal_mv, lead)
    return kind, decode(kind, data, lead)


@settings(max_examples=100, deadline=None)
@given(counts=COUNT_ARRAYS, lead=COUNT_LEADS, missing=st.sets(st.integers(0, 299)))
def test_any_converter_counts_come_back_as_the_same_millivolts(
    counts: np.ndarray, lead: Lead, missing: set[int]
) -> None:
    signal_mv = to_mv(counts, lead)
    signal_mv[[k for k in missing if k < len(counts)]] = np.nan
    _, back = round_trip(signal_mv, lead)
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, signal_mv)


@settings(max_examples=100, deadline=None)
@given(counts=hnp.arrays(np.int32, st.integers(0, 300), elements=st.integers(-(2**23), 2**23)))
def test_counts_that_float32_tells_apart_come_back_as_the_same_counts(counts: np.ndarray) -> None:
    lead = Lead("ECG", 200.0)
    kind, back = round_trip(to_mv(counts, lead), lead)
    assert kind == COUNTS
    np.testing.assert_array_equal(to_counts(back, lead), counts)


@settings(max_examples=100, deadline=None)
@given(bits=FLOAT_BITS)
def test_floats_come_back_bit_for_bit_with_infinities_and_every_kind_of_nan(bits: np.ndarray) -> None:
    kind, back = round_trip(bits.view(np.float32), Lead("ECG"))
    assert kind == FLOATS
    np.testing.assert_array_equal(back.view(np.int32), bits)


@settings(max_examples=100, deadline=None)
@given(bits=FLOAT_BITS, lead=COUNT_LEADS)
def test_samples_off_the_converter_steps_keep_their_values(bits: np.ndarray, lead: Lead) -> None:
    signal_mv = bits.view(np.float32)
    _, back = round_trip(signal_mv, lead)
    np.testing.assert_array_equal(back, signal_mv)


def test_the_extremes_of_a_converter_are_samples_and_not_gaps() -> None:
    lead = Lead("ECG", 1.0)
    signal_mv = np.array([MAX_COUNT, -MAX_COUNT, 0, MAX_COUNT], np.float32)
    _, back = round_trip(signal_mv, lead)
    np.testing.assert_array_equal(back, signal_mv)


def test_an_ecg_takes_about_one_byte_a_sample() -> None:
    recording = demo_recording()
    signal_mv = np.ascontiguousarray(recording.read_mv(0, 60 * 360)[:, 0])
    kind, data = encode(signal_mv, recording.info.leads[0])
    assert kind == COUNTS
    assert len(data) < 1.4 * len(signal_mv)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=64), kind=st.integers(-1, 3), counts_per_mv=st.sampled_from([None, 200.0]))
def test_garbage_raises_the_two_documented_errors_and_no_other(
    data: bytes, kind: int, counts_per_mv: float | None
) -> None:
    lead = Lead("ECG", counts_per_mv)
    for damaged in (data, zlib.compress(data)):
        try:
            decode(kind, damaged, lead)
        except (ValueError, zlib.error):
            continue
        assert kind in {COUNTS, FLOATS}


def test_counts_without_a_step_size_are_damage() -> None:
    kind, data = encode(np.zeros(10, np.float32), Lead("ECG", 200.0))
    with pytest.raises(ValueError, match="codec"):
        decode(kind, data, Lead("ECG", None))
