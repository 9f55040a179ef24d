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
    assert with_company(p, BEATS, SETTINGS).max() < 0.7


def test_where_there_is_nothing_nothing_is_made_up() -> None:
    p = bumps({before(beat): 0.99 for beat in BEATS if beat != BEATS[10]})
    assert with_company(p, BEATS, SETTINGS)[before(BEATS[10]) : before(BEATS[10]) + 10].max() < 0.1


@pytest.mark.parametrize("n_beats", [0, 1])
def test_without_other_beats_nothing_changes(n_beats: int) -> None:
    p = bumps({before(BEATS[0]): 0.6})
    np.testing.assert_array_equal(with_company(p, BEATS[:n_beats], SETTINGS), p)


def test_beats_farther_away_than_it_reaches_say_nothing() -> None:
    p = bumps({before(beat): 0.9 for beat in BEATS})
    cut = 16 * FS_HZ
    other = np.concatenate((p[:cut], bumps({})[cut:]))
    asked = 11 * FS_HZ  # 4 s ahead, and half a second of P wave
    np.testing.assert_array_equal(
        with_company(p, BEATS, SETTINGS)[:asked], with_company(other, BEATS, SETTINGS)[:asked]
    )
