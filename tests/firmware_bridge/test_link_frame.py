"""Frames of the ECG link: what goes in comes out, and bytes that are no frame are told apart."""

import json
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from link_tools import HALF, VECTORS, damaged, document, frames, infos, wave

from firmware_bridge.link import rice
from firmware_bridge.link.frame import OVERHEAD, LinkFrame, crc, decode_frame, encode_frame
from firmware_bridge.link.info import LinkInfo, decode_info, smallest_mtu

any_counts = arrays(
    np.int32, array_shapes(min_dims=2, max_dims=2, max_side=24), elements=st.integers(-HALF, HALF - 1)
).filter(lambda counts: counts.shape[1] <= 16)


def same(a: LinkFrame, b: LinkFrame) -> bool:
    head = ("boot", "sequence", "counter", "time_ms", "lead_off", "battery", "marked")
    return np.array_equal(a.counts, b.counts) and all(getattr(a, name) == getattr(b, name) for name in head)


@given(any_counts)
def test_any_samples_come_back_unchanged(counts: np.ndarray) -> None:
    decoded = rice.decode(rice.encode(counts), *counts.shape)
    assert decoded is not None
    assert np.array_equal(decoded, counts)


@given(any_counts, st.integers(0, 300))
def test_the_number_that_fits_is_the_largest_whose_code_fits(counts: np.ndarray, n_bytes: int) -> None:
    n = rice.n_that_fit(counts, n_bytes)
    assert n == 0 or len(rice.encode(counts[:n])) <= n_bytes
    assert n == len(counts) or len(rice.encode(counts[: n + 1])) > n_bytes


@given(any_counts)
def test_no_sample_costs_more_than_two_bits_beyond_its_own(counts: np.ndarray) -> None:
    assert len(rice.encode(counts)) <= -(-counts.size * 26 // 8) + counts.shape[1]


@pytest.mark.parametrize("name", frames())
def test_a_frame_comes_back_with_all_its_fields(name: str) -> None:
    frame = frames()[name]
    decoded = decode_frame(encode_frame(frame))
    assert isinstance(decoded, LinkFrame)
    assert same(decoded, frame)


@pytest.mark.parametrize("name", damaged())
def test_bytes_that_are_no_frame_are_rejected_with_their_reason(name: str) -> None:
    value, reason = damaged()[name]
    assert decode_frame(value) == reason


@given(st.binary(max_size=600))
def test_no_bytes_make_the_frame_decoder_raise(value: bytes) -> None:
    decode_frame(value)
    head = b"\x13\0\x05" + value[:507]
    decode_frame(head + crc(head).to_bytes(2, "little"))


@given(st.integers(0, 8 * 175 - 1))
def test_every_flipped_bit_is_noticed(bit: int) -> None:
    value = bytearray(encode_frame(frames()["rough and even"]))
    value[bit // 8] ^= 1 << bit % 8
    assert decode_frame(bytes(value)) in {"crc", "version"}


def test_the_crc_is_the_one_with_the_known_check_value() -> None:
    assert crc(b"123456789") == 0x29B1


@pytest.mark.parametrize(
    "wrong",
    [
        {"counts": np.zeros((0, 1), np.int32)},
        {"counts": np.zeros((256, 1), np.int32)},
        {"counts": np.zeros((1, 17), np.int32)},
        {"counts": np.full((1, 1), HALF, np.int32)},
        {"counts": np.where(np.arange(255) % 2, HALF - 1, -HALF).astype(np.int32)[:, np.newaxis]},
        {"boot": 65536},
        {"sequence": -1},
    ],
)
def test_a_frame_with_a_field_out_of_range_is_not_encoded(wrong: dict[str, object]) -> None:
    fields = {"boot": 0, "sequence": 0, "counter": 0, "time_ms": 0, "counts": np.zeros((1, 1), np.int32)}
    with pytest.raises(ValueError, match=r"samples|bits|range"):
        encode_frame(LinkFrame(**{**fields, **wrong}))


@pytest.mark.parametrize("name", infos())
def test_an_info_comes_back_with_all_its_fields(name: str) -> None:
    assert decode_info(infos()[name].to_bytes()) == infos()[name]


@given(st.binary(max_size=600))
def test_no_bytes_make_the_info_decoder_raise(value: bytes) -> None:
    decode_info(value)
    info = decode_info(b"\x01" + value)
    assert not isinstance(info, LinkInfo) or decode_info(info.to_bytes()) == info


def test_an_info_tells_why_it_is_none() -> None:
    good = infos()["example"].to_bytes()
    assert decode_info(good[:-1]) == "length"
    assert decode_info(good[:10]) == "length"
    assert decode_info(b"\x02" + good[1:]) == "version"
    assert decode_info(good[:10] + bytes(4) + good[14:]) == "contents"  # a rate of 0
    assert decode_info(good + b"more, of a later version") == infos()["example"]


def test_a_lead_code_of_a_later_version_is_read_as_a_lead_without_a_standard_name() -> None:
    info = decode_info(infos()["one lead"].to_bytes()[:22] + b"\xc8\x01\0\0\0")
    assert isinstance(info, LinkInfo)
    assert info.leads[0].name == "ECG"


@pytest.mark.parametrize("n_leads", range(1, 17))
def test_at_the_smallest_mtu_a_frame_holds_one_sample_of_every_lead(n_leads: int) -> None:
    worst = np.full((1, n_leads), -HALF, np.int32)
    assert rice.n_that_fit(worst, smallest_mtu(n_leads) - 3 - OVERHEAD) == 1
    assert smallest_mtu(10) == 64


def test_the_shared_vectors_are_those_of_the_code() -> None:
    # Renew them with: python tests/firmware_bridge/link_tools.py
    assert json.loads(VECTORS.read_text(encoding="utf-8")) == document()


def test_decoding_keeps_up_with_a_hundred_thousand_samples_a_second() -> None:
    value = encode_frame(LinkFrame(1, 2, 3, 4, wave(125, 2)))
    began = time.process_time()
    for _ in range(100):
        decode_frame(value)
    assert 100 * 250 / (time.process_time() - began) > 100_000
