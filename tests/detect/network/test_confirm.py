"""The numbers of a peak: what is unlike this patient's beats differs in them, and how the signal came in does not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.detect.network.confirm import (
    BLOCK_S,
    BLOCKS,
    PEAK_NUMBERS,
    ConfirmState,
    company_of,
    look,
    peak_numbers,
    remember,
)
from edge.detect.network.prepare import FS_HZ

FloatArray = NDArray[np.float32]
N = 120 * FS_HZ
RNG = np.random.default_rng(1)


def beats_every(rr: int, n: int = N) -> list[int]:
    return list(range(60, n - 60, rr))


def lead(beats: list[int], bumps: list[int] | None = None, n: int = N) -> tuple[FloatArray, FloatArray, FloatArray]:
    """A signal of narrow beats and broad bumps, the trunk's probabilities, and the logits of its beat curve."""
    t = np.arange(-15, 16)
    signal = RNG.normal(0, 0.002, n).astype(np.float32)
    waves = np.zeros((3, n), np.float32)
    logits = np.full(n, -6, np.float32)
    for at in beats:
        signal[at - 15 : at + 16] += np.exp(-((t / 2) ** 2)) - 0.4 * np.exp(-(((t - 5) / 2) ** 2))
        waves[1, at - 5 : at + 6] = 0.95
        logits[at] = 2.5
    for at in bumps or []:
        signal[at - 15 : at + 16] += 0.8 * np.exp(-((t / 6) ** 2))
        waves[1, at - 3 : at + 4] = 0.4
        logits[at] = 0.5
    return signal, waves, logits


def numbers(of: tuple[FloatArray, FloatArray, FloatArray], cuts: list[int] | None = None) -> dict[str, FloatArray]:
    """Numbers of all peaks by name, taken in up to each of the seconds `cuts` and to the end of each half-minute."""
    signal, waves, logits = of
    state, rows = ConfirmState(), []
    stops = sorted({*(cuts or []), *range(BLOCK_S, len(signal) // FS_HZ + 1, BLOCK_S)})
    noise = np.full(len(signal) // 25, -6, np.float32)
    first = 0
    for stop in stops:
        at = first * FS_HZ + np.flatnonzero(logits[first * FS_HZ : stop * FS_HZ] > -2)
        peaks = look(signal, waves, noise, logits, at, 0)
        rows.append(peak_numbers(company_of(peaks, state), state))
        remember(peaks, logits[at] > 1, stop * FS_HZ, state)
        first = stop
    return dict(zip(PEAK_NUMBERS, np.concatenate(rows).T, strict=True))


def test_an_even_rhythm_has_nothing_apart() -> None:
    told = {name: values[20:] for name, values in numbers(lead(beats_every(100))).items()}
    assert (np.abs(told["logit_more"]) < 0.01).all()
    assert (np.abs(told["rr_local"]) < 0.01).all()
    assert (told["corr_local"] > 0.98).all()
    assert (told["coherence"] > 3.9).all()
    assert (told["weak_share"] == 0).all()


def test_a_bump_is_unlike_the_beats_in_shape_height_time_and_company() -> None:
    beats = beats_every(100)
    bump = beats[60] + 40
    told = numbers(lead(beats, [bump]))
    k = int(np.argmin(told["logit"]))
    assert told["logit_more"][k] == pytest.approx(-2)
    assert told["corr_local"][k] < 0.8
    assert told["corr_usual"][k] < 0.8
    assert told["rr_local"][k] < -0.8
    assert told["qrs_more"][k] < -1
    assert told["before_higher"][k] == pytest.approx(-2)
    assert told["beside_before"][k] < 0


def test_what_was_usual_is_known_after_the_first_half_minute() -> None:
    told = numbers(lead(beats_every(100)))
    known = told["usual_known"] > 0
    assert not known[: BLOCK_S * FS_HZ // 100 - 1].any()
    assert known[BLOCK_S * FS_HZ // 100 :].all()


def test_what_a_first_look_rejected_is_no_measure_of_the_rhythm_any_more() -> None:
    """Peaks half-way between beats look like beats to the trunk; a first look knew better."""
    beats = beats_every(100)
    between = [at + 50 for at in beats[:-1]]
    signal, waves, logits = lead(sorted(beats + between))
    at = np.flatnonzero(logits > -2)
    noise = np.full(N // 25, -6, np.float32)
    state = ConfirmState()
    stop = BLOCK_S * FS_HZ
    peaks = look(signal, waves, noise, logits, at[at < stop], 0)
    chance = np.isin(peaks.at, beats).astype(np.float32)
    company = company_of(peaks, state)
    told = peak_numbers(company, state, chance)[:, PEAK_NUMBERS.index("rr_local")]
    blind = peak_numbers(company, state)[:, PEAK_NUMBERS.index("rr_local")]
    assert np.abs(blind[20:]).max() < 0.01
    assert np.abs(told[20:][chance[20:] > 0]).max() < 0.01
    assert told[20:][chance[20:] == 0].max() < -0.6


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 119), max_size=60), st.integers(50, 160), st.integers(0, 40))
def test_numbers_do_not_depend_on_how_the_signal_came_in(cuts: list[int], rr: int, n_bumps: int) -> None:
    beats = beats_every(rr)
    bumps = [beats[2 * k % (len(beats) - 2)] + rr // 2 for k in range(n_bumps)]
    of = lead(beats, bumps)
    whole, cut = numbers(of), numbers(of, cuts)
    for name in PEAK_NUMBERS:
        np.testing.assert_allclose(cut[name], whole[name], atol=1e-4, err_msg=name)


def test_of_a_slow_uneven_rhythm_second_by_second_tells_the_same() -> None:
    """The earliest beat that counts has an interval before it, which must not be forgotten."""
    beats = np.cumsum(RNG.integers(130, 370, 60))
    of = lead(beats[beats < N - 60].tolist())
    whole, cut = numbers(of), numbers(of, list(range(1, 120)))
    for name in PEAK_NUMBERS:
        np.testing.assert_allclose(cut[name], whole[name], atol=1e-4, err_msg=name)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 80), st.floats(0, 1e4))
def test_numbers_are_finite_and_bounded_whatever_the_signal(seed: int, n_peaks: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    n = 40 * FS_HZ
    logits = np.full(n, -6, np.float32)
    logits[rng.permutation(n)[:n_peaks]] = rng.normal(0, 3, n_peaks)
    signal = (size * rng.standard_normal(n)).astype(np.float32)
    told = numbers((signal, rng.random((3, n), np.float32), logits))
    for values in told.values():
        assert np.isfinite(values).all()
        assert (np.abs(values) <= 4).all()


def test_no_more_is_remembered_than_six_minutes_and_some_peaks() -> None:
    state = ConfirmState()
    signal, waves, logits = lead(beats_every(60, BLOCK_S * FS_HZ), n=BLOCK_S * FS_HZ)
    at = np.flatnonzero(logits > -2)
    noise = np.full(len(signal) // 25, -6, np.float32)
    for k in range(30):
        start = k * BLOCK_S * FS_HZ
        peaks = look(signal, waves, noise, logits, at, start)
        remember(peaks, peaks.logit > 0, start + BLOCK_S * FS_HZ, state)
    assert len(state.blocks) == BLOCKS
    assert len(state.seen.at) < 40
    assert state.beats == []
