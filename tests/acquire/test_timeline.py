"""Packets to places: every sample lies where the device measured it, or the recording says why it is not known."""

import random
from itertools import pairwise

import numpy as np
import pytest

from edge.acquire.device_clock import median_period_ns
from edge.acquire.packets import SamplePacket
from edge.acquire.timeline import LINK_LOST, RESTARTED, Placed, TimelineState, begin_again, lose_link, place, restart

EPOCH_NS = 599_616_000_000_000_000  # 2019-01-01 on a Polar clock
HOST_S = 1_790_000_000.0


def polar(first: int, n: int = 73, rate_hz: float = 130.0, base_ns: int = EPOCH_NS) -> SamplePacket:
    """A packet of the samples first … first+n−1, whose values are their indices."""
    counts = np.arange(first, first + n, dtype=np.int32)[:, None]
    return SamplePacket(counts, device_ns=base_ns + round((first + n - 1) * 1e9 / rate_hz), stamped="last")


def arrives(packet: SamplePacket, rate_hz: float = 130.0, delay_s: float = 0.05) -> float:
    return HOST_S + float(packet.counts[-1, 0] + 1) / rate_hz + delay_s


def assert_exact(placed: list[Placed]) -> None:
    for p in placed:
        assert p.counts[0, 0] == p.first_sample, (p.first_sample, p.counts[0, 0])


def run(
    packets: list[SamplePacket], state: TimelineState, rate_hz: float = 130.0, jitter_s: float = 0.0
) -> list[Placed]:
    chance, out = random.Random(1), []
    for packet in packets:
        placed, _ = place(packet, arrives(packet, rate_hz, 0.05 + chance.uniform(0, jitter_s)), state)
        out += placed
    return out


@pytest.mark.parametrize("rate_hz", [127.4, 130.0, 130.27, 132.6])
@pytest.mark.parametrize("lost", [[], [4], [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]])
def test_lost_polar_frames_become_exact_gaps_at_any_true_rate(rate_hz: float, lost: list[int]) -> None:
    packets = [polar(73 * k, rate_hz=rate_hz) for k in range(200) if k not in lost]
    placed = run(packets, TimelineState(rate_hz, "timestamp"), rate_hz)
    assert len(placed) == len(packets)
    assert_exact(placed)


def test_a_rate_two_percent_off_the_recorded_one_makes_no_gaps() -> None:
    placed = run([polar(73 * k, rate_hz=132.6) for k in range(500)], TimelineState(130.0, "timestamp"), 132.6)
    assert_exact(placed)


def test_frames_of_72_and_73_samples_in_turn_are_contiguous() -> None:
    firsts = np.cumsum([0] + [72 + k % 2 for k in range(100)])
    packets = [polar(int(a), int(b - a)) for a, b in pairwise(firsts)]
    assert_exact(run(packets, TimelineState(130.0, "timestamp")))


def test_a_repeated_frame_gets_the_place_it_had() -> None:
    packets = [polar(73 * k) for k in (0, 1, 2, 2, 3, 4, 3, 5)]
    state = TimelineState(130.0, "timestamp")
    assert_exact(run(packets, state))
    assert state.jumps == 0


@pytest.mark.parametrize("seed", range(20))
def test_repeated_frames_whose_stamps_jitter_get_the_places_they_had(seed: int) -> None:
    chance = random.Random(seed)
    repeated = set(chance.sample(range(5, 95), 20))
    packets = [
        packet for k in range(100) for packet in [movesense(k, chance.randint(-11, 11), 200.0)] * (1 + (k in repeated))
    ]
    state = TimelineState(200.0, "timestamp", 16)
    placed = run(packets, state, 200.0)
    assert_exact(placed)
    assert len(placed) == 120
    assert state.jumps == 0


def test_frames_out_of_order_get_their_places() -> None:
    packets = [polar(73 * k) for k in (0, 1, 2, 4, 3, 5, 7, 6, 8)]
    state = TimelineState(130.0, "timestamp")
    assert_exact(run(packets, state))
    assert state.jumps == 0


@pytest.mark.parametrize("by_s", [-600_000_000.0, -3600.0, -2.0, 7.0, 3600.0, 200_000_000.0])
def test_a_clock_set_mid_stream_costs_no_sample_and_no_gap(by_s: float) -> None:
    state = TimelineState(130.0, "timestamp")
    before = [polar(73 * k) for k in range(20)]
    after = [polar(73 * k, base_ns=EPOCH_NS + round(by_s * 1e9)) for k in range(20, 60)]
    assert_exact(run(before + after, state))
    assert state.jumps == 1


@pytest.mark.parametrize("repeated", range(18, 28))
def test_a_frame_repeated_while_a_set_clock_is_placed_costs_nothing(repeated: int) -> None:
    state = TimelineState(130.0, "timestamp")
    order = sorted([*range(60), repeated])
    packets = [polar(73 * k, base_ns=EPOCH_NS - (7 * 10**9 if k >= 20 else 0)) for k in order]
    assert_exact(run(packets, state))
    assert state.jumps == 1


def test_after_a_reconnection_with_the_clock_kept_the_gap_is_exact() -> None:
    state = TimelineState(130.0, "timestamp")
    placed = run([polar(73 * k) for k in range(20)], state)
    lose_link(state)
    placed += run([polar(73 * 20 + 401 + 73 * k) for k in range(20)], state)
    assert_exact(placed)
    assert placed[20].after == LINK_LOST


def test_after_a_power_loss_the_gap_has_the_length_that_the_host_saw() -> None:
    state = TimelineState(130.0, "timestamp")
    run([polar(73 * k) for k in range(100)], state)
    lose_link(state)
    later_s = 20.0  # the device is off for so long, then counts from its epoch again
    off_s = 73 * 100 / 130 + later_s
    first_delay_s = 0.4  # the first packet after a reconnection is late; those that follow tell
    placed = [
        place(polar(73 * k), HOST_S + off_s + 73 * (k + 1) / 130 + 0.05 + (first_delay_s if k == 0 else 0), state)
        for k in range(6)
    ]
    frames = [p for frames, _ in placed for p in frames]
    assert frames[0].first_sample == pytest.approx(7300 + later_s * 130, abs=1)
    assert [p.first_sample - frames[0].first_sample for p in frames] == [73 * k for k in range(6)]
    assert frames[0].after == RESTARTED
    assert [event.kind for _, events in placed for event in events] == ["clock"]


def test_a_reset_clock_that_already_shows_more_than_before_is_noticed() -> None:
    """Ten seconds recorded, a power loss of a minute, and the new clock is thirty seconds old: no gap of twenty."""
    state = TimelineState(130.0, "timestamp")
    run([polar(73 * k) for k in range(18)], state)
    lose_link(state)
    frames = [place(polar(130 * 30 + 73 * k), HOST_S + 70.0 + 73 * k / 130, state)[0] for k in range(6)]
    (first, *_) = [p for some in frames for p in some]
    assert first.first_sample == pytest.approx((70.0 - 73 / 130 - 0.05) * 130, abs=1)


def test_a_device_that_sends_old_samples_first_after_a_power_loss_is_placed_by_its_newest() -> None:
    """Its ring holds ten seconds; they come at once, then the stream is live."""
    state = TimelineState(250.0, "counter")
    for k in range(40):
        place(SamplePacket(np.zeros((125, 1), np.int32), counter=125 * k), HOST_S + 125 * (k + 1) / 250 + 0.02, state)
    lose_link(state)
    restart(state)
    power_up = 5000 + 30 * 250  # half a minute without power
    placed = []
    for k in range(40):
        taken_s = HOST_S + (power_up + 125 * (k + 1)) / 250
        arrived_s = max(taken_s + 0.02, HOST_S + power_up / 250 + 10.0 + 0.005 * k)
        placed += place(SamplePacket(np.zeros((125, 1), np.int32), counter=125 * k), arrived_s, state)[0]
    assert placed[0].first_sample == pytest.approx(power_up, abs=2)


def test_a_backlog_that_drains_is_contiguous() -> None:
    state, placed = TimelineState(130.0, "timestamp"), []
    for k in range(300):
        packet = polar(73 * k)
        delay_s = 0.05 if k < 100 else max(0.05, (200 - k) * 0.5)
        placed += place(packet, arrives(packet, delay_s=delay_s), state)[0]
    assert_exact(placed)
    assert state.jumps == 0


def test_one_damaged_stamp_costs_no_sample() -> None:
    state = TimelineState(130.0, "timestamp")
    packets = [polar(73 * k) for k in range(40)]
    packets[20] = polar(73 * 20, base_ns=EPOCH_NS ^ (1 << 50))
    assert_exact(run(packets, state))


def test_a_crystal_100_ppm_off_makes_no_gaps_in_a_day() -> None:
    state = TimelineState(130.0, "timestamp")
    first = 0
    for _ in range(24 * 60):
        packet = polar(first, 130 * 60)
        placed, events = place(packet, HOST_S + float(first + 7800) / 130 * (1 + 100e-6), state)
        assert placed[0].first_sample == first
        assert not events
        first += 7800


def movesense(k: int, jitter_ms: int = 0, rate_hz: float = 128.0) -> SamplePacket:
    counts = np.arange(16 * k, 16 * k + 16, dtype=np.int32)[:, None]
    return SamplePacket(counts, device_ns=(round(16_000 * k / rate_hz) + jitter_ms) * 1_000_000)


@pytest.mark.parametrize("rate_hz", [128.0, 256.0, 512.0])
def test_movesense_stamps_that_jitter_and_jump_back_make_no_gaps(rate_hz: float) -> None:
    chance = random.Random(2)
    spread = round(16_000 / rate_hz / 4)
    packets = [movesense(k, chance.randint(-spread, spread), rate_hz) for k in range(2000)]
    assert_exact(run(packets, TimelineState(rate_hz, "timestamp", 16), rate_hz))


def test_lost_movesense_packets_are_whole_packets_in_spite_of_jitter() -> None:
    chance = random.Random(3)
    lost = {30, 31, 100, 555, 556, 557, 558, 559, 560}
    packets = [movesense(k, chance.randint(-30, 30)) for k in range(1000) if k not in lost]
    assert_exact(run(packets, TimelineState(128.0, "timestamp", 16), 128.0))


@pytest.mark.parametrize("seed", range(100))
def test_the_first_stamps_of_a_stream_may_jitter_like_any_other(seed: int) -> None:
    chance = random.Random(seed)
    packets = [movesense(k, chance.randint(-24, 24), 200.0) for k in range(100)]
    state = TimelineState(200.0, "timestamp", 16)
    assert_exact(run(packets, state, 200.0))
    assert state.jumps == 0


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("lost", [{1}, {2}, {1, 2}, {3, 5}])
def test_packets_lost_at_the_very_start_are_whole_packets(lost: set[int], seed: int) -> None:
    chance = random.Random(seed)
    packets = [movesense(k, chance.randint(-11, 11), 200.0) for k in range(100) if k not in lost]
    assert_exact(run(packets, TimelineState(200.0, "timestamp", 16), 200.0))


@pytest.mark.parametrize("seed", range(20))
def test_packets_after_a_clock_was_set_lie_whole_packets_apart(seed: int) -> None:
    """Stamps that jittered little before do so more while the packets wait for the host's clock."""
    chance, state, placed = random.Random(seed), TimelineState(200.0, "timestamp", 16), []
    for k in range(130):
        jitter_ms = chance.choice((-10, 10)) - 700 if k >= 100 else chance.randint(-4, 4)
        arrived_s = HOST_S + (16 * k + 16) / 200.0 + chance.uniform(0, 0.02)
        placed += place(movesense(k, jitter_ms, 200.0), arrived_s, state)[0]
    assert all((b.first_sample - a.first_sample) % 16 == 0 for a, b in pairwise(placed))


def test_a_sample_counter_places_packets_and_its_restart_is_placed_by_the_host() -> None:
    state = TimelineState(250.0, "counter")
    counted = [SamplePacket(np.zeros((25, 1), np.int32), counter=1000 + 25 * k) for k in (0, 1, 2, 5)]
    placed = [place(p, HOST_S + (p.counter or 0) / 250, state)[0][0].first_sample for p in counted]
    assert placed == [0, 25, 50, 125]
    restart(state)
    again = [SamplePacket(np.zeros((25, 1), np.int32), counter=25 * k) for k in range(6)]
    news = [place(p, HOST_S + (1150 + (p.counter or 0)) / 250 + 10.0, state) for p in again]
    frames = [p for some, _ in news for p in some]
    assert frames[0].first_sample == pytest.approx(150 + 10 * 250, abs=1)
    assert [event.kind for _, events in news for event in events] == ["clock"]


def healthypi(ks: list[int], delays_s: dict[int, float], rate_hz: float = 128.0) -> list[Placed]:
    state, placed, before_s = TimelineState(128.0, "arrival"), [], 0.0
    for k in ks:
        packet = SamplePacket(np.arange(16 * k, 16 * k + 16, dtype=np.int32)[:, None])
        before_s = max(before_s, HOST_S + (16 * k + 16) / rate_hz + delays_s.get(k, 0.01))
        placed += place(packet, before_s, state)[0]
    return placed + lose_link(state)[0]


def test_packets_without_any_time_are_contiguous_while_none_is_lost() -> None:
    chance = random.Random(4)
    placed = healthypi(list(range(3000)), {k: chance.uniform(0.0075, 0.25) for k in range(3000)})
    assert_exact(placed)
    assert len(placed) == 3000


def test_a_stalled_link_that_catches_up_is_no_loss() -> None:
    assert_exact(healthypi(list(range(400)), {200: 3.0}))


def test_lost_packets_without_any_time_are_found_from_their_arrival() -> None:
    ks = [k for k in range(3000) if k not in {500, 900, 901, 902, 2000}]
    placed = healthypi(ks, {k: 0.01 + 0.03 * (k % 7 == 0) for k in ks})
    assert_exact(placed)


@pytest.mark.parametrize("rate_hz", [126.7, 129.3])
def test_a_rate_one_percent_off_is_no_loss(rate_hz: float) -> None:
    assert_exact(healthypi(list(range(3000)), {}, rate_hz))


@pytest.mark.parametrize("by_s", [-14.6, -3.0])
def test_a_clock_set_back_by_less_than_a_silence_does_not_shorten_the_gap(by_s: float) -> None:
    state = TimelineState(130.0, "timestamp")
    placed = run([polar(73 * k) for k in range(40)], state)
    later = [polar(73 * k, base_ns=EPOCH_NS + round(by_s * 1e9)) for k in range(80, 100)]
    placed += run(later, state)
    assert_exact(placed)
    assert len(placed) == 60


def test_a_backlog_after_a_loss_is_placed_where_it_was_measured() -> None:
    """The device kept the last ten seconds of a long stall; they come at once."""
    state, placed = TimelineState(130.0, "timestamp"), []
    for k in [*range(40), *range(80, 140)]:
        packet = polar(73 * k)
        at_s = arrives(packet)
        if 80 <= k < 98:
            at_s = arrives(polar(73 * 98)) - 0.01 * (98 - k)
        placed += place(packet, at_s, state)[0]
    placed += lose_link(state)[0]
    assert_exact(placed)
    assert len(placed) == 100


@pytest.mark.parametrize("ring_s", [60, 480, 1800])
def test_a_long_ring_that_drains_slowly_after_a_battery_change_is_placed_right(ring_s: int) -> None:
    state = TimelineState(250.0, "counter")
    for k in range(40):
        place(SamplePacket(np.zeros((125, 1), np.int32), counter=125 * k), HOST_S + 125 * (k + 1) / 250 + 0.02, state)
    lose_link(state)
    restart(state)
    power_up, found_s, placed = 5000 + 10 * 250, 30.0 + ring_s, []
    for k in range(round(2.2 * ring_s) + 40):
        taken_s = HOST_S + (power_up + 125 * (k + 1)) / 250
        arrived_s = max(taken_s + 0.02, HOST_S + found_s + 0.02 * k)  # 50 frames a second
        placed += place(SamplePacket(np.zeros((125, 1), np.int32), counter=125 * k), arrived_s, state)[0]
    assert placed[0].first_sample == pytest.approx(power_up, abs=2)


def test_a_gap_over_a_lost_clock_is_counted_in_the_true_rate() -> None:
    """130.06 Hz recorded as 130: an hour without power is 216 samples more than nominal."""
    state, rate_hz = TimelineState(130.0, "timestamp"), 130.06
    run([polar(73 * k, rate_hz=rate_hz) for k in range(400)], state, rate_hz)
    lose_link(state)
    off_s = 73 * 400 / rate_hz + 3600.0
    frames = [
        place(polar(73 * k, rate_hz=rate_hz), HOST_S + off_s + 73 * (k + 1) / rate_hz + 0.05, state)[0]
        for k in range(6)
    ]
    (first, *_) = [p for some in frames for p in some]
    assert first.first_sample == pytest.approx(29_200 + 3600 * rate_hz, abs=2)


def test_a_counter_that_jumps_far_ahead_of_the_time_that_passed_is_no_gap() -> None:
    state = TimelineState(250.0, "counter")
    packets = [SamplePacket(np.zeros((25, 1), np.int32), counter=25 * k + (10**8 if k >= 40 else 0)) for k in range(60)]
    placed = [p for k, x in enumerate(packets) for p in place(x, HOST_S + 25 * (k + 1) / 250 + 0.02, state)[0]]
    placed += lose_link(state, ended=True)[0]
    assert [p.first_sample for p in placed] == [25 * k for k in range(60)]


@pytest.mark.parametrize("lost", [[1, 3, 5, 7], [2], []])
def test_the_rate_is_measured_in_spite_of_lost_and_swapped_packets(lost: list[int]) -> None:
    stamps = [(73, round(73 * k * 1e9 / 131.7)) for k in range(12) if k not in lost]
    stamps[1], stamps[2] = stamps[2], stamps[1]
    period_ns = median_period_ns(stamps, 1e9 / 130)
    assert period_ns is not None
    assert 1e9 / period_ns == pytest.approx(131.7, abs=0.01)


def test_what_waits_when_a_silent_stream_is_started_again_came_before() -> None:
    """The end of a HealthyPi's recording: arrival jitters, the stream falls silent and is started again."""
    chance, state, placed = random.Random(5), TimelineState(128.0, "arrival"), []
    for k in range(100):
        packet = SamplePacket(np.arange(16 * k, 16 * k + 16, dtype=np.int32)[:, None])
        placed += place(packet, HOST_S + (16 * k + 16) / 128 + chance.uniform(0, 0.06), state)[0]
    placed += begin_again(state)
    assert_exact(placed)
    assert len(placed) == 100
