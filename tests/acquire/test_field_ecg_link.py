"""What happens to devices that speak the ECG link in the field, over real ATT traffic to the store."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from strap_tools import SPEED, Make, assert_exact, first_seconds, record_strap

from edge.clean.quality import State
from edge.formats.memory import ArrayRecording
from edge.settings import LinkSettings
from edge.types import Lead
from firmware_bridge.air import Air
from firmware_bridge.faults import FaultScript
from firmware_bridge.peripherals.ecg_link import EcgLinkDevice, EcgLinkOptions
from firmware_bridge.peripherals.peripheral import Peripheral


def ecg_link(options: EcgLinkOptions | None = None, **faults: Any) -> Make:
    return lambda air, recording: EcgLinkDevice(
        air, recording, speed=SPEED, options=options, faults=FaultScript(**faults)
    )


@pytest.mark.parametrize(
    "faults", [{"lose": 0.05}, {"corrupt": 0.05}, {"truncate": 0.05}, {"dropouts": ((10.0, 4.0),)}]
)
def test_frames_lost_or_damaged_are_fetched_again(tmp_path: Path, faults: dict[str, Any]) -> None:
    outcome = record_strap(ecg_link(seed=5, **faults), tmp_path)
    same = assert_exact(outcome, 12000)
    # A frame near the end that is lost twice shows only when another one follows.
    assert [gap for gap in outcome.gaps if gap.stop < same.n_samples - 2 * 360] == []
    damaged = outcome.run.peripheral.link_faults.corrupted + outcome.run.peripheral.link_faults.truncated
    assert (outcome.status.rejected, outcome.status.reconnects) == (damaged, 0)


def test_a_link_lost_for_ten_seconds_loses_nothing(tmp_path: Path) -> None:
    outcome = record_strap(ecg_link(disconnects=(12.0,)), tmp_path, settings=LinkSettings(retry_first_s=10.0))
    assert assert_exact(outcome, 12000).missing == 0
    assert outcome.status.reconnects == 1


def test_an_absence_longer_than_the_ring_is_a_gap(tmp_path: Path) -> None:
    make = ecg_link(EcgLinkOptions(ring_frames=20), disconnects=(12.0,))
    outcome = record_strap(make, tmp_path, settings=LinkSettings(retry_first_s=15.0))
    same = assert_exact(outcome, 7000)
    assert 0 < same.missing < 15 * 360
    assert len(outcome.gaps) == 1


def test_after_a_power_loss_the_same_recording_goes_on_behind_a_declared_gap(tmp_path: Path) -> None:
    outcome = record_strap(ecg_link(clock_resets=(15.0,)), tmp_path)
    assert outcome.same is not None
    assert len(outcome.run.paths) == 1
    assert outcome.same.undeclared == 0
    assert (outcome.run.first_sample or 0) + outcome.same.received > 12000
    (gap,) = outcome.gaps
    assert gap.cause.startswith("strap restarted")
    # By the host clock: off by the jitter of arrival (20 ms here, times the speed).
    assert outcome.same.axis_error == pytest.approx(0, abs=0.02 * SPEED * 360)


def test_seconds_that_the_device_calls_lead_off_are_unusable(tmp_path: Path) -> None:
    outcome = record_strap(ecg_link(lead_off=((12.0, 10.0),)), tmp_path)
    assert_exact(outcome, 12000)
    assert outcome.annotations is not None
    first_s = (outcome.run.first_sample or 0) / 360
    assert (outcome.annotations.quality[round(13 - first_s) : round(21 - first_s)] == State.UNUSABLE).all()
    assert (outcome.annotations.quality[round(26 - first_s) :] != State.UNUSABLE).all()


@pytest.mark.parametrize("off", [0, 1])
def test_of_two_leads_only_the_one_that_is_analysed_makes_seconds_unusable(tmp_path: Path, off: int) -> None:
    one = first_seconds(40.0)
    signal_mv = np.repeat(one.read_mv(0, one.info.n_samples), 2, axis=1)
    leads = (Lead("II", one.info.leads[0].counts_per_mv), Lead("V1", one.info.leads[0].counts_per_mv))

    def make(air: Air, _: Any) -> Peripheral:
        device = EcgLinkDevice(air, ArrayRecording("two", signal_mv, one.info.fs_hz, leads), speed=SPEED)
        take = device.link.sample

        def sample(counts: Any, time_ms: int, lead_off: int, battery: int | None) -> None:
            take(counts, time_ms, 1 << off if 12_000 <= time_ms < 20_000 else 0, battery)

        device.link.sample = sample  # type: ignore[method-assign,assignment]  # one electrode is off, not all
        return device

    outcome = record_strap(make, tmp_path)
    assert_exact(outcome, 12000)
    assert outcome.told("contact") == [f"contact lost (lead {off + 1})", f"contact made (lead {off + 1})"]
    assert outcome.annotations is not None
    first_s = (outcome.run.first_sample or 0) / 360
    unusable = outcome.annotations.quality[round(13 - first_s) : round(19 - first_s)] == State.UNUSABLE
    assert unusable.all() if off == 0 else not unusable.any()
