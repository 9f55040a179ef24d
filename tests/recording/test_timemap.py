"""The time map: delayed packets and drifting crystals do not move the clock times of a recording."""

import random

import numpy as np

from edge.recording.timemap import fit

START_S = 1_790_000_000.0


def test_no_anchor_gives_no_map() -> None:
    assert fit([], 130.0) is None


def test_one_anchor_takes_the_nominal_rate() -> None:
    fitted = fit([(130, START_S)], 130.0)
    assert fitted is not None
    assert fitted.utc_at(260) == START_S + 1.0
    assert fitted.sample_at(START_S - 1.0) == 0.0


def test_a_day_with_drift_and_delays_is_mapped_within_20_ms() -> None:
    """A crystal 80 ppm off that wanders by 5 ppm, delays of 10 to 250 ms, and ten minutes of growing backlog."""
    chance = random.Random(0)
    anchors, truth = [], []
    for minute in range(24 * 60):
        sample = minute * 7800
        true_s = START_S + sample / 130 * (1 + 80e-6) + 0.05 * np.sin(minute / 200)
        backlog_s = (minute - 600) * 3.0 if 600 <= minute < 610 else 0.0
        least_s = min(chance.uniform(0.01, 0.25) for _ in range(100))
        anchors.append((sample, true_s + least_s + backlog_s))
        truth.append(true_s + 0.01)
    fitted = fit(anchors, 130.0)
    assert fitted is not None
    error_s = [fitted.utc_at(a[0]) - t for a, t in zip(anchors, truth, strict=True)]
    assert max(map(abs, error_s)) < 0.020
    assert abs(fitted.sample_at(fitted.utc_at(1234567)) - 1234567) < 1e-3


def test_a_rate_two_percent_off_is_found() -> None:
    fitted = fit([(k * 7800, START_S + k * 7800 / 132.6) for k in range(30)], 130.0)
    assert fitted is not None
    assert abs(1 / fitted.period_s - 132.6) < 1e-3
