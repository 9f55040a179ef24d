"""Fault scripts, and what they do to notifications."""

from pathlib import Path

import pytest

from edge.errors import UsageError
from edge.formats.memory import demo_recording
from firmware_bridge.faults import FaultScript, LinkFaults, during, random_faults, read_fault_script, unsupported
from firmware_bridge.virtual import frames, with_faults
from firmware_bridge.virtual import read_fault_script as read_replay_script

EVERYTHING = """
dropouts = [[60, 5]]
lose = 0.01
duplicate = 0.02
reorder = 0.03
corrupt = 0.04
truncate = 0.05
drift_ppm = -20
rate_percent = 1.5
seed = 7
stalls = [[10, 2.5]]
disconnects = [20, 40]
clock_resets = [50]
clock_jumps = [[30, -3600]]
lead_off = [[70, 8]]
max_mtu = 23
interval_ms = [7.5, 250]
first_frame_s = 25
device_stops = [90]
pairing = true
two_clients = true
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "faults.toml"
    path.write_text(text)
    return path


def test_every_fault_reads_as_written(tmp_path: Path) -> None:
    script = read_fault_script(written(tmp_path, EVERYTHING))
    assert script == FaultScript(
        dropouts=((60.0, 5.0),),
        lose=0.01,
        duplicate=0.02,
        reorder=0.03,
        corrupt=0.04,
        truncate=0.05,
        drift_ppm=-20.0,
        rate_percent=1.5,
        seed=7,
        stalls=((10.0, 2.5),),
        disconnects=(20.0, 40.0),
        clock_resets=(50.0,),
        clock_jumps=((30.0, -3600.0),),
        lead_off=((70.0, 8.0),),
        max_mtu=23,
        interval_ms=(7.5, 250.0),
        first_frame_s=25.0,
        device_stops=(90.0,),
        pairing=True,
        two_clients=True,
    )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("lose = 2", "lose"),
        ("lose = 'often'", "lose"),
        ("lose = nan", "lose"),
        ("dropouts = [[1]]", "dropouts"),
        ("dropouts = [[-1, 2]]", "dropouts"),
        ("disconnects = 5", "disconnects"),
        ("disconnects = [inf]", "disconnects"),
        ("max_mtu = 22", "max_mtu"),
        ("max_mtu = 23.5", "max_mtu"),
        ("interval_ms = [9, 1]", "interval_ms"),
        ("interval_ms = 9", "interval_ms"),
        ("pairing = 1", "pairing"),
        ("seed = 1.5", "seed"),
        ("clock_jumps = [[1, nan]]", "clock_jumps"),
        ("drift_ppm = [1]", "drift_ppm"),
        ("drops = 1", "drops"),
    ],
)
def test_a_wrong_fault_is_one_line_that_names_it(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(UsageError, match=named) as caught:
        read_fault_script(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_replay_refuses_the_faults_of_a_device_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, "lose = 0.1\ndisconnects = [5]\npairing = true\n")
    with pytest.raises(UsageError, match="disconnects, pairing"):
        read_replay_script(path)
    with pytest.raises(UsageError, match="stalls"):
        with_faults(frames(demo_recording()), 360.0, FaultScript(stalls=((1.0, 1.0),)))


def test_unsupported_names_only_what_the_script_asks_for() -> None:
    assert unsupported(FaultScript(), ()) == ()
    assert unsupported(FaultScript(lose=0.1, max_mtu=23), ("lose",)) == ("max_mtu",)


def test_random_faults_are_repeatable_and_lie_within_the_duration() -> None:
    kinds = ("dropouts", "disconnects", "clock_jumps")
    script = random_faults(30, 600.0, kinds, seed=5)
    assert script == random_faults(30, 600.0, kinds, seed=5)
    assert script != random_faults(30, 600.0, kinds, seed=6)
    times = [*script.disconnects, *(at for at, _ in script.dropouts), *(at for at, _ in script.clock_jumps)]
    assert len(times) == 30
    assert all(0 <= at <= 600 for at in times)
    with pytest.raises(ValueError, match="kinds"):
        random_faults(1, 1.0, ("lose",), 0)


def test_a_dropout_loses_and_nothing_else_changes() -> None:
    link = LinkFaults(FaultScript(dropouts=((10.0, 5.0),)))
    arrived = [bytes([k]) for k in range(20) if link.arriving(1, bytes([k]), float(k))]
    assert arrived == [bytes([k]) for k in range(20) if not 10 <= k < 15]
    assert link.lost == 5
    assert during(((10.0, 5.0),), 14.99)


def test_reordering_swaps_neighbours_and_loses_nothing() -> None:
    link = LinkFaults(FaultScript(reorder=0.5, seed=3))
    arrived = [v for k in range(200) for v in link.arriving(1, bytes([k]), 0.0)]
    expected = [bytes([k]) for k in range(200)]
    assert arrived != expected
    assert link.reordered > 20
    assert sorted(arrived) == expected[: len(arrived)]
    assert all(abs(arrived.index(v) - k) <= 1 for k, v in enumerate(expected[: len(arrived)]))
    link.link_lost()
    assert len(arrived) + link.lost == 200


def test_a_corrupted_value_keeps_its_length_and_a_truncated_one_does_not() -> None:
    value = bytes(range(50))
    corrupting = LinkFaults(FaultScript(corrupt=1.0))
    (corrupted,) = corrupting.arriving(1, value, 0.0)
    assert sum(a != b for a, b in zip(corrupted, value, strict=True)) == 1
    (truncated,) = LinkFaults(FaultScript(truncate=1.0)).arriving(1, value, 0.0)
    assert value.startswith(truncated)
    assert len(truncated) < 50


def test_duplicates_follow_their_original() -> None:
    link = LinkFaults(FaultScript(duplicate=1.0))
    assert [v for k in (1, 2) for v in link.arriving(1, bytes([k]), 0.0)] == [b"\1", b"\1", b"\2", b"\2"]
    assert link.duplicated == 2
