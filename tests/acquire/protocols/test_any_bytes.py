"""Whatever bytes come over the air, in whatever order, a decoder gives items and keeps its state bounded."""

import importlib.util

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.fuzz import run
from edge.errors import UsageError
from fuzz.decoders import TARGETS, check_items, split
from fuzz.seeds import SEEDS, joined


def values_like(seeds: list[bytes]) -> st.SearchStrategy[list[bytes]]:
    """Noise, valid values, valid values cut or with noise at their end, in any order."""
    valid = st.sampled_from(seeds)
    damaged = st.builds(lambda seed, n, tail: seed[: n % (len(seed) + 1)] + tail, valid, st.integers(0), st.binary())
    return st.lists(st.one_of(st.binary(max_size=600), valid, damaged), max_size=30)


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.data())
def test_any_values_give_items_and_a_bounded_state(name: str, data: st.DataObject) -> None:
    TARGETS[name](data.draw(values_like(SEEDS[name])))


def test_a_decoder_that_breaks_its_promise_is_noticed() -> None:
    with pytest.raises(AssertionError):
        check_items([None])
    with pytest.raises(AssertionError):
        check_items(None)


@given(st.lists(st.binary(max_size=255), max_size=10))
def test_an_input_of_the_fuzzer_is_split_into_values(values: list[bytes]) -> None:
    assert list(split(joined(values))) == values


def test_bench_without_the_fuzzer_or_with_an_unknown_decoder_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    with pytest.raises(UsageError, match="Decoders: polar-ecg, "):
        run(None, ("no-such-decoder",))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="pip install atheris"):
        run(None, ())
