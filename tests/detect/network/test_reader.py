"""The network over leads that come in pieces: the same beats and labels, bounded memory, a second lead that helps."""

from itertools import pairwise

import numpy as np
import pytest
from ecg_tools import FloatArray, even_ecg
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.detect.network.prepare import FS_HZ, SETTLE, resample
from edge.detect.network.reader import (
    AHEAD_S,
    CONTEXT_BACK_S,
    NAMED_AHEAD_S,
    STEP_S,
    LeadBuffer,
    ReaderState,
    pooled,
    read_seconds,
)
from edge.detect.network.session import PARTS, Network, shipped_network
from edge.formats.memory import demo_recording
from edge.settings import NetworkSettings
from edge.types import Point

Arrays = dict[str, NDArray[np.generic]]
FOUND, NAMED = ("beats", "place", "noise"), ("labels", "features", "points", "absent", "likely", "classes")


def network() -> Network:
    loaded = shipped_network()
    assert loaded is not None
    return loaded


def demo(first_s: int = 0, stop_s: int = 300) -> NDArray[np.float32]:
    """Seconds of the demo ECG at 125 Hz, (n,)."""
    recording = demo_recording()
    signal_mv = recording.read_mv(0, recording.info.n_samples)[:, 0]
    return resample(signal_mv, 0, recording.info.fs_hz, first_s * FS_HZ, stop_s * FS_HZ)


def state_of(n_leads: int) -> ReaderState:
    return ReaderState(network(), NetworkSettings(), [LeadBuffer() for _ in range(n_leads)])


def read(seconds_mv: NDArray[np.float32], cuts: list[int] | None = None) -> Arrays:
    """Everything that is found and named, joined, of a signal that is cut at these seconds."""
    state = state_of(len(seconds_mv))
    found, named = [], []
    edges = [0, *(cuts or []), seconds_mv.shape[1] // FS_HZ]
    for a, b in pairwise(edges):
        news, names = read_seconds(seconds_mv[:, a * FS_HZ : b * FS_HZ], state, final=b == edges[-1])
        found += news
        named += names
    for parts in (found, named):
        ends = [(part.first_second, part.stop_second) for part in parts]
        assert [a for a, _ in ends] == [0, *(b for _, b in ends[:-1])]
        assert ends[-1][1] == edges[-1]
    np.testing.assert_array_equal(np.concatenate([f.beats for f in found]), np.concatenate([n.beats for n in named]))
    return {name: np.concatenate([getattr(f, name) for f in found]) for name in FOUND} | {
        name: np.concatenate([getattr(n, name) for n in named]) for name in NAMED
    }


def assert_same(parts: Arrays, whole: Arrays) -> None:
    for name in ("beats", "absent"):
        np.testing.assert_array_equal(parts[name], whole[name], err_msg=name)
    for name in ("noise", "labels", "likely"):
        np.testing.assert_allclose(parts[name], whole[name], atol=1e-5, err_msg=name)
    peaks = [Point.P_PEAK, Point.T_PEAK]
    assert (np.nan_to_num(parts["points"] - whole["points"])[:, peaks] == 0).mean() > 0.97  # of a tie rounding decides
    for found in (parts, whole):
        found["limits"] = np.delete(found["points"], peaks, axis=1)
    for name in ("place", "limits", "features", "classes"):
        np.testing.assert_allclose(parts[name], whole[name], atol=2e-3, err_msg=name)


@settings(max_examples=6, deadline=None)
@given(st.sets(st.integers(1, 89), max_size=12), st.integers(0, 200))
def test_beats_and_labels_are_the_same_however_the_demo_is_cut(cuts: set[int], first_s: int) -> None:
    seconds_mv = demo(first_s, first_s + 90)[None]
    assert_same(read(seconds_mv, sorted(cuts)), read(seconds_mv))


@settings(max_examples=6, deadline=None)
@given(
    st.sets(st.integers(1, 99), max_size=12),
    st.lists(st.tuples(st.integers(0, 12_000), st.integers(1, 3000), st.sampled_from([0, 1, 2])), max_size=4),
    st.integers(0, 99),
)
def test_beats_and_labels_are_the_same_however_two_leads_with_gaps_are_cut(
    cuts: set[int], gaps: list[tuple[int, int, int]], seed: int
) -> None:
    first = demo(20, 120)
    noise = np.random.default_rng(seed).standard_normal(len(first))
    leads = np.stack((first, -0.5 * first + 0.02 * noise)).astype(np.float32)
    leads[0, 30 * FS_HZ : 45 * FS_HZ] += noise[: 15 * FS_HZ]
    for at, length, which in gaps:
        leads[[[0], [1], [0, 1]][which], at : at + length] = np.nan
    assert_same(read(leads, sorted(cuts)), read(leads))


def test_second_by_second_gives_what_the_whole_gives() -> None:
    seconds_mv = demo(100, 250)[None]
    assert_same(read(seconds_mv, list(range(1, 150))), read(seconds_mv))


def test_a_lead_that_drowns_in_noise_hands_over_to_the_second() -> None:
    clean = even_ecg(72, FS_HZ, 60).astype(np.float32)
    drowned = clean.copy()
    drowned[20 * FS_HZ : 40 * FS_HZ] += 3 * np.random.default_rng(2).standard_normal(20 * FS_HZ)
    alone, both, usual = read(drowned[None]), read(np.stack((drowned, clean))), read(clean[None])

    def in_noise(found: Arrays) -> NDArray[np.int64]:
        beats = found["beats"].astype(np.int64)
        return beats[(beats > 23 * FS_HZ) & (beats < 38 * FS_HZ)]

    def agreeing(found: Arrays) -> int:
        return int((np.abs(in_noise(found)[:, None] - in_noise(usual)).min(axis=0, initial=FS_HZ) <= 3).sum())

    assert len(in_noise(usual)) == agreeing(usual) == 18
    assert agreeing(alone) <= 9
    assert agreeing(both) >= 14
    assert len(in_noise(both)) <= 19
    assert float(np.median(alone["noise"][23:38])) > 0.3
    assert float(np.median(both["noise"][23:38])) < 0.2


def test_a_clean_first_lead_is_hardly_moved_by_noise_in_the_second() -> None:
    clean = even_ecg(72, FS_HZ, 40).astype(np.float32)
    noise = np.random.default_rng(2).standard_normal(len(clean)).astype(np.float32)
    both, alone = read(np.stack((clean, noise))), read(clean[None])
    assert len(both["beats"]) == len(alone["beats"])
    assert np.abs(both["beats"].astype(np.int64) - alone["beats"].astype(np.int64)).max() <= 1


def test_seconds_that_were_not_recorded_give_nothing() -> None:
    seconds_mv = demo(0, 120)
    seconds_mv[30 * FS_HZ : 70 * FS_HZ] = np.nan
    found = read(seconds_mv[None])
    second = found["beats"].astype(np.int64) // FS_HZ
    assert not ((second >= 30) & (second < 70)).any()
    assert (second < 30).any()
    assert (second >= 70).any()
    assert (found["noise"][30:70] == 1).all()
    assert (found["likely"][30:70] == 0).all()


def test_nothing_at_all_gives_nothing_at_all() -> None:
    found = read(np.full((2, 50 * FS_HZ), np.nan, np.float32), [7, 30])
    assert len(found["beats"]) == 0
    assert (found["likely"] == 0).all()


@pytest.mark.parametrize("n_seconds", [0, 1, 2, 3, 4, 5, 6, 7])
def test_a_recording_of_any_few_seconds_is_read_to_its_end(n_seconds: int) -> None:
    state = state_of(1)
    found, named = read_seconds(demo(0, 8)[None, : n_seconds * FS_HZ], state, final=True)
    assert sum(f.stop_second - f.first_second for f in found) == n_seconds
    assert sum(n.stop_second - n.first_second for n in named) == n_seconds


def test_beats_wait_for_one_second_and_names_for_seven() -> None:
    state, seconds_mv = state_of(1), demo(0, 30)[None]
    for k in range(30):
        read_seconds(seconds_mv[:, k * FS_HZ : (k + 1) * FS_HZ], state)
        if k + 1 >= SETTLE:
            assert state.found == k + 1 - AHEAD_S
            assert state.named == max(0, k + 1 - AHEAD_S - NAMED_AHEAD_S)


NO_PARTS = (None,) * len(PARTS)


class Counted(Network):
    """A network of the same shapes that finds a beat a second and costs nothing."""

    @property
    def n_coarse(self) -> int:
        return 4

    def run_trunk(
        self, signal: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        n = signal.shape[1]
        logits = np.full((4, n), -9, np.float32)
        logits[3, FS_HZ // 2 :: FS_HZ] = 9
        return logits, np.zeros((4, n // 25), np.float32), np.full(n // 25, -9, np.float32)

    def run_context(
        self, coarse: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        n = coarse.shape[1] // 5
        return np.full((3, n), -9, np.float32), np.zeros((8, n), np.float32), coarse

    def run_first_look(self, numbers: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.full(len(numbers), 0.9, np.float32)

    def run_beats(self, numbers: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.full(len(numbers), 0.9, np.float32)

    def run_labels(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.tile(np.array([1, 0, 0, 0, 0], np.float32), (len(features), 1))


def held(state: ReaderState) -> int:
    """Bytes of the arrays that a state holds, without the network."""
    arrays = [state.beats, state.place]
    for lead in state.leads:
        arrays += [lead.signal, *lead.coarse, lead.waves, lead.clear, lead.prepare.ranges, lead.prepare.waiting]
        for peaks in (lead.past.seen, *lead.past.beats):
            arrays += [peaks.at, peaks.logit, peaks.chance, peaks.shapes, peaks.size, peaks.own]
        arrays += [part for block in lead.past.blocks for part in (block.medians, block.shape)]
        arrays += [part for _, block in lead.usual.blocks for part in (block.medians, block.shape)]
    return sum(array.nbytes for array in arrays)


@pytest.mark.parametrize("n_leads", [1, 2])
def test_an_hour_second_by_second_holds_less_than_two_minutes(n_leads: int) -> None:
    state = ReaderState(Counted("counted", *NO_PARTS), NetworkSettings(), [LeadBuffer() for _ in range(n_leads)])
    second_mv = np.tile(even_ecg(60, FS_HZ, 1).astype(np.float32), (n_leads, 1))
    most, n_beats = 0, 0
    for k in range(3600):
        found, _ = read_seconds(second_mv, state)
        n_beats += sum(len(f.beats) for f in found)
        assert len(state.beats) <= CONTEXT_BACK_S + STEP_S
        if k % 50 == 0:
            most = max(most, held(state))
    assert n_beats == 3600 - AHEAD_S
    assert state.first >= 3600 - CONTEXT_BACK_S - NAMED_AHEAD_S - STEP_S
    assert most < n_leads * 600_000


def test_an_hour_at_once_is_taken_in_steps() -> None:
    longest = 0

    class Watched(Counted):
        def run_trunk(
            self, signal: NDArray[np.float32]
        ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
            nonlocal longest
            longest = max(longest, signal.shape[1] // FS_HZ)
            return super().run_trunk(signal)

    state = ReaderState(Watched("watched", *NO_PARTS), NetworkSettings(), [LeadBuffer()])
    read_seconds(np.tile(even_ecg(60, FS_HZ, 60).astype(np.float32), 60)[None], state, final=True)
    assert state.named == 3600
    assert STEP_S < longest < STEP_S + 20


def test_the_class_of_a_stretch_weighs_its_seconds_by_their_attention() -> None:
    classes = np.zeros((10, 8), np.float32)
    classes[:, 5] = -4
    classes[3, 1], classes[3, 5] = 12, 9  # one second that is looked at for A
    assert pooled(classes).argmax() == 1
    assert pooled(classes).sum() == pytest.approx(1)
    classes[3, 1] = -12
    assert pooled(classes).argmax() != 1


def test_far_logits_of_a_class_stay_a_probability() -> None:
    values: FloatArray = np.array([[1e4, -1e4, 30, -30, 1e4, -1e4, 0, 1]])
    chances = pooled(np.repeat(values, 3, axis=0).astype(np.float32))
    assert np.isfinite(chances).all()
    assert chances.sum() == pytest.approx(1)
