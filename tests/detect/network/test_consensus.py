"""A P wave keeps its distance from the QRS: other beats speak for a faint one there, and against one elsewhere."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.detect.network.consensus import with_company
from edge.detect.network.prepare import FS_HZ
from edge.settings import NetworkSettings

FloatArray = NDArray[np.float32]
N = 30 * FS_HZ
BEATS = np.arange(200, N - 100, 100).astype(np.float32)
SETTINGS = NetworkSettings()


def bumps(places: dict[int, float]) -> FloatArray:
    """A probability of P with bumps of 10 samples, by where they begin and how high they are."""
    p = np.full(N, 1e-3, np.float32)
    for at, height in places.items():
        p[at : at + 10] = height
    return p


def before(beat: float, samples: int = 22) -> int:
    return int(beat) - samples


def test_a_faint_p_wave_where_every_other_beat_has_one_is_believed() -> None:
    p = bumps({before(beat): 0.9 for beat in BEATS} | {before(BEATS[10]): 0.3})
    at = before(BEATS[10]) + 5
    assert p[at] < 0.5 < with_company(p, BEATS, SETTINGS)[at]


def test_what_one_beat_alone_has_must_be_clear() -> None:
    for height, stays in ((0.7, False), (0.99, True)):
        p = bumps({before(BEATS[10]): height})
        assert (with_company(p, BEATS, SETTINGS)[before(BEATS[10]) + 5] > 0.5) == stays


def test_bumps_at_a_distance_of_their_own_do_not_speak_for_each_other() -> None:
    distances = np.random.default_rng(1).permutation(np.arange(12, 60, 2))[: len(BEATS)]
    p = bumps({before(beat, int(d)): 0.7 for beat, d in zip(BEATS, distances, strict=False)})
    assert with_company(p, BEATS, SETTINGS).max() < 0.5


def test_where_there_is_nothing_nothing_is_made_up() -> None:
    p = bumps({before(beat): 0.99 for beat in BEATS if beat != BEATS[10]})
    assert with_company(p, BEATS, SETTINGS)[before(BEATS[10]) : before(BEATS[10]) + 10].max() < 0.1


@pytest.mark.parametrize("n_beats", [0, 1])
def test_without_other_beats_nothing_changes(n_beats: int) -> None:
    p = bumps({before(BEATS[0]): 0.6})
    np.testing.assert_array_equal(with_company(p, BEATS[:n_beats], SETTINGS), p)


def test_beats_farther_away_than_it_reaches_say_nothing() -> None:
    p, cut = bumps({before(beat): 0.9 for beat in BEATS}), 16 * FS_HZ
    early, late = np.concatenate((p[:cut], bumps({})[cut:])), np.concatenate((bumps({})[:cut], p[cut:]))
    whole, until, since = (with_company(curve, BEATS, SETTINGS) for curve in (p, early, late))
    unlike_until, unlike_since = np.abs(whole - until)[:cut] > 1e-4, np.abs(whole - since)[cut:] > 1e-4
    assert not unlike_until[: 11 * FS_HZ].any()  # 4 s ahead, and half a second of P wave
    assert unlike_until[12 * FS_HZ :].any()
    assert not unlike_since[11 * FS_HZ :].any()  # 10 s back
    assert unlike_since[8 * FS_HZ : 10 * FS_HZ].any()


@pytest.mark.parametrize(("shift", "believed"), [(0, True), (2, True), (5, False), (14, False)])
def test_the_distance_may_differ_by_two_samples(shift: int, believed: bool) -> None:
    faint = before(BEATS[10]) + shift
    p = bumps({before(beat): 0.95 for beat in BEATS if beat != BEATS[10]} | {faint: 0.3})
    assert (with_company(p, BEATS, SETTINGS)[faint + 9] > 0.5) == believed


def test_one_other_beat_says_less_than_many() -> None:
    alone, many = BEATS[:2], BEATS[:8]
    p = bumps({before(beat): 0.9 for beat in many[1:]} | {before(many[0]): 0.3})
    at = before(many[0]) + 5
    assert with_company(p, alone, SETTINGS)[at] < 0.5 < with_company(p, many, SETTINGS)[at]


def test_a_beat_does_not_speak_for_itself() -> None:
    """Of four others two have a P wave there: less than the share from which on it is believed, whatever its own is."""
    beats = BEATS[:5]
    p = bumps({before(beat): 0.99 for beat in beats[:3]})
    at = before(beats[0]) + 5
    assert with_company(p, beats, SETTINGS)[at] < p[at]


def test_what_lies_before_the_beat_before_is_that_beats() -> None:
    """A beat comes 0.2 s after another: where the others have their P wave, it has the other beat's QRS between."""
    soon = BEATS[10] + 25
    p = bumps({before(beat, 44): 0.95 for beat in BEATS if beat != BEATS[10]} | {int(soon) - 44: 0.3})
    beats = np.sort(np.append(BEATS, soon)).astype(np.float32)
    assert with_company(p, beats, SETTINGS)[int(soon) - 40] < 0.3


def test_a_qrs_that_begins_before_the_signal_changes_nothing_at_its_end() -> None:
    p = np.full(N, 1e-3, np.float32)
    p[:20] = 0.9
    found = with_company(p, np.array([-5.0, 45.0, 145.0, 245.0]), SETTINGS)
    np.testing.assert_array_equal(found[-60:], p[-60:])


@pytest.mark.parametrize("cut", [1, 125, 126, 251])
def test_half_samples_are_rounded_alike_wherever_the_buffer_begins(cut: int) -> None:
    p = np.random.default_rng(2).uniform(0.05, 0.95, N).astype(np.float32)
    beats = BEATS + 0.5
    whole, part = with_company(p, beats, SETTINGS), with_company(p[cut:], beats[beats > cut + 100] - cut, SETTINGS)
    settled = 13 * FS_HZ + cut
    np.testing.assert_allclose(whole[settled:], part[settled - cut :], rtol=1e-4)
