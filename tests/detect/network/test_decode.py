"""Curves that are drawn by hand: where beats and waves lie on them, and why a wave is absent."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.detect.network.decode import APART, LONGEST_T, find_peaks, find_waves, sigmoid
from edge.settings import NetworkSettings
from edge.types import Absent, Point, Samples, Wave

FloatArray = NDArray[np.float32]
N = 600
USUAL = NetworkSettings()


def bumps(*at: tuple[float, float]) -> FloatArray:
    """A beat curve with a peak of this height at each place."""
    place = np.arange(N)
    return np.max([h * np.exp(-0.5 * ((place - x) / 2.0) ** 2) for x, h in at], axis=0, initial=0).astype(np.float32)


def plateau(on: float, off: float, top: float = 1.0, n: int = N) -> FloatArray:
    """A wave's curve: half as high as can be halfway between the samples outside and inside of its ends."""
    place = np.arange(n)
    rise, fall = place - (on - 0.5), (off + 0.5) - place
    return (top * np.clip(0.5 + np.minimum(rise, fall) / 3.0, 0, 1)).astype(np.float32)


def waves_of(
    p: list[tuple[float, float]], qrs: list[tuple[float, float]], t: list[tuple[float, float]], n: int = N
) -> FloatArray:
    rows = [[plateau(on, off, n=n) for on, off in spans] for spans in (p, qrs, t)]
    return np.stack([np.max(row, axis=0) if row else np.zeros(n, np.float32) for row in rows])


def found(
    waves: FloatArray, beats: list[int], signal: FloatArray | None = None
) -> tuple[FloatArray, NDArray[np.uint8]]:
    flat = np.zeros(waves.shape[1], np.float32) if signal is None else signal
    return find_waves(waves, flat, np.array(beats, np.int64), USUAL)


def peaks(curve: FloatArray, first: int = 0, stop: int = N) -> list[int]:
    return find_peaks(curve, first, stop, 0.35).tolist()


def test_each_peak_that_is_high_enough_is_a_beat() -> None:
    assert peaks(bumps((100, 0.9), (220, 0.36), (340, 0.34), (460, 0.5))) == [100, 220, 460]


@pytest.mark.parametrize(("apart", "n_beats"), [(APART - 2, 1), (APART, 1), (APART + 1, 2), (APART + 8, 2)])
def test_two_peaks_nearer_than_a_tenth_of_a_second_are_one(apart: int, n_beats: int) -> None:
    curve = np.zeros(N, np.float32)
    curve[[200, 200 + apart]] = 0.7, 0.9
    at = peaks(curve)
    assert len(at) == n_beats
    assert at[-1] == 200 + apart


def test_of_equally_high_neighbours_the_first_is_the_beat() -> None:
    curve = np.zeros(N, np.float32)
    curve[200:206] = 0.8
    assert peaks(curve) == [200]


def test_a_level_curve_has_a_beat_for_each_time_that_two_can_be_apart_at_most() -> None:
    assert (np.diff(peaks(np.full(N, 0.9, np.float32))) > APART).all()


def test_a_lower_peak_just_before_the_range_is_not_moved_into_it() -> None:
    curve = bumps((195, 0.9), (203, 0.6))
    assert peaks(curve, 200, 400) == []
    assert peaks(curve, 100, 200) == [195]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 999), st.sets(st.integers(1, N - 1), max_size=8))
def test_peaks_do_not_depend_on_how_the_curve_is_cut(seed: int, cuts: set[int]) -> None:
    curve = np.random.default_rng(seed).random(N).astype(np.float32)
    edges = [0, *sorted(cuts), N]
    joined = [at for a, b in pairwise(edges) for at in peaks(curve, a, b)]
    assert joined == peaks(curve)
    assert (np.diff(joined) > APART).all()


@settings(max_examples=80, deadline=None)
@given(
    st.floats(240, 250), st.floats(8, 14), st.floats(-12, -3), st.floats(4, 14), st.floats(26, 45), st.floats(20, 32)
)
def test_limits_lie_between_samples_where_the_curve_crosses(
    p_on: float, p_length: float, qrs_on: float, qrs_off: float, t_on: float, t_length: float
) -> None:
    beat = 280
    drawn = [
        (p_on, p_on + p_length),
        (beat + qrs_on, beat + qrs_off),
        (beat + t_on, beat + t_on + t_length),
    ]
    points, absent = found(waves_of(*([span] for span in drawn)), [beat])
    assert (absent == Absent.PRESENT).all()
    limits = points[0, [Point.P_ON, Point.P_OFF, Point.QRS_ON, Point.QRS_OFF, Point.T_ON, Point.T_OFF]]
    np.testing.assert_allclose(limits + beat, np.ravel(drawn), atol=0.1)


def test_peaks_lie_where_the_signal_is_farthest_from_the_line_between_the_limits() -> None:
    place = np.arange(N)
    signal = 0.002 * place + 0.2 * np.exp(-0.5 * ((place - 247) / 3) ** 2)
    signal -= 0.4 * np.exp(-0.5 * ((place - 331) / 8) ** 2)
    points, _ = found(waves_of([(240, 254)], [(274, 286)], [(312, 350)]), [280], signal.astype(np.float32))
    assert points[0, Point.P_PEAK] + 280 == 247
    assert points[0, Point.QRS_PEAK] == 0
    assert points[0, Point.T_PEAK] + 280 == 331


def complexes(beats: list[int], n: int = N) -> FloatArray:
    return waves_of(
        [(b - 28, b - 17) for b in beats], [(b - 5, b + 6) for b in beats], [(b + 30, b + 55) for b in beats], n
    )


def test_each_beat_has_its_own_waves() -> None:
    points, absent = found(complexes([100, 210, 330]), [100, 210, 330])
    assert (absent == Absent.PRESENT).all()
    np.testing.assert_allclose(points, points[[0, 0, 0]], atol=0.01)
    ordered = points[:, [Point.P_ON, Point.P_OFF, Point.QRS_ON, Point.QRS_OFF, Point.T_ON, Point.T_OFF]]
    assert (np.diff(ordered, axis=1) > 0).all()


def test_a_t_wave_belongs_to_the_beat_before_it_only() -> None:
    waves = waves_of([], [(95, 106), (205, 216)], [(240, 265)])
    _, absent = found(waves, [100, 210])
    assert absent[:, Wave.T].tolist() == [Absent.NOT_SEEN, Absent.PRESENT]


def test_a_p_wave_belongs_to_the_beat_after_it_only() -> None:
    waves = waves_of([(182, 193)], [(95, 106), (205, 216), (315, 326)], [])
    _, absent = found(waves, [100, 210, 320])
    assert absent[:, Wave.P].tolist() == [Absent.NOT_SEEN, Absent.PRESENT, Absent.NOT_SEEN]


def test_of_two_p_like_waves_before_a_beat_the_later_counts_unless_it_is_much_fainter() -> None:
    qrs = [(275, 286)]
    later, _ = found(waves_of([(232, 242), (252, 262)], qrs, []), [280])
    assert later[0, Point.P_ON] + 280 == pytest.approx(252, abs=0.1)
    fainter, _ = found(waves_of([(225, 242), (258, 262)], qrs, []), [280])
    assert fainter[0, Point.P_ON] + 280 == pytest.approx(225, abs=0.1)


def test_what_is_too_short_to_be_a_wave_is_none() -> None:
    _, absent = found(waves_of([(255, 256)], [(275, 286)], [(320, 321)]), [280])
    assert absent[0].tolist() == [Absent.NOT_SEEN, Absent.PRESENT, Absent.NOT_SEEN]


def test_a_curve_that_is_never_high_enough_is_no_wave() -> None:
    points, absent = found(0.14 * complexes([200, 320]), [200, 320])
    assert (absent == Absent.NOT_SEEN).all()
    assert np.isnan(points).all()


def test_a_wave_too_far_from_its_beat_is_none() -> None:
    _, absent = found(waves_of([(140, 152)], [(275, 286)], [(280 + LONGEST_T, 280 + LONGEST_T + 25)]), [280])
    assert absent[0, [Wave.P, Wave.T]].tolist() == [Absent.NOT_SEEN, Absent.NOT_SEEN]


def test_where_the_signal_ends_before_a_wave_it_is_cut_off_and_not_unseen() -> None:
    _, absent = found(waves_of([], [(5, 16), (295, 306), (570, 581)], []), [10, 300, 575])
    assert absent[:, Wave.P].tolist() == [Absent.CUT_OFF, Absent.NOT_SEEN, Absent.NOT_SEEN]
    assert absent[:, Wave.T].tolist() == [Absent.NOT_SEEN, Absent.NOT_SEEN, Absent.CUT_OFF]


def test_no_beats_have_no_waves() -> None:
    points, absent = found(complexes([100]), [])
    assert points.shape == (0, len(Point))
    assert absent.shape == (0, len(Wave))


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 9999), st.lists(st.integers(13, 200), min_size=1, max_size=8), st.sampled_from([2, 5, 12, 25]))
def test_waves_of_any_curves_are_in_order_and_of_one_beat_only(seed: int, steps: list[int], smooth: int) -> None:
    rng = np.random.default_rng(seed)
    beats: Samples = np.cumsum(steps).astype(np.int64)
    beats = beats[beats < N]
    raw = rng.standard_normal((3, N + smooth - 1))
    waves = sigmoid(
        np.stack([3 * np.sqrt(smooth) * np.convolve(row, np.ones(smooth) / smooth, "valid") for row in raw]).astype(
            np.float32
        )
    )
    points, absent = find_waves(waves, rng.standard_normal(N).astype(np.float32), beats, USUAL)
    for wave in Wave:
        on, peak, off = (points[:, 3 * wave + k] for k in range(3))
        has = absent[:, wave] == Absent.PRESENT
        assert np.isfinite(points[has, 3 * wave : 3 * wave + 3]).all()
        assert np.isnan(points[~has, 3 * wave : 3 * wave + 3]).all()
        assert (on[has] <= off[has]).all()
        if wave != Wave.QRS:
            assert ((peak >= on) & (peak <= off + 1))[has].all()
        places = (on + beats)[has]
        assert len(np.unique(places)) == len(places)  # none is given to two beats
    middle = {w: (points[:, 3 * w] + points[:, 3 * w + 2]) / 2 + beats for w in Wave}
    with np.errstate(invalid="ignore"):
        assert not (middle[Wave.P] >= beats + points[:, Point.QRS_ON]).any()
        assert not (middle[Wave.T] <= beats + points[:, Point.QRS_OFF]).any()
        assert not (middle[Wave.T][:-1] >= beats[1:]).any()
        assert not (middle[Wave.P][1:] <= beats[:-1]).any()


def test_probabilities_of_extreme_logits_are_finite() -> None:
    extremes = np.array([-np.inf, -1e30, 0, 1e30, np.inf], np.float32)
    np.testing.assert_allclose(sigmoid(extremes), [0, 0, 0.5, 1, 1], atol=1e-6)


def test_the_limits_of_a_qrs_that_the_curve_hesitates_over_lie_where_it_is_half_as_high() -> None:
    waves = np.zeros((3, N), np.float32)
    waves[1, 195:206] = 0.4
    waves[1, [194, 206]] = 0.1
    points, absent = found(waves, [200])
    assert points[0, Point.QRS_ON : Point.QRS_OFF + 1].tolist() == [-5.5, 0, 5.5]
    assert absent[0, Wave.QRS] == Absent.PRESENT


def test_a_curve_that_says_nothing_of_a_qrs_gives_it_no_limits() -> None:
    waves = np.zeros((3, N), np.float32)
    waves[1, 195:206] = 0.1
    points, absent = found(waves, [200])
    assert np.isnan(points[0, Point.QRS_ON])
    assert absent[0, Wave.QRS] == Absent.NOT_SEEN
