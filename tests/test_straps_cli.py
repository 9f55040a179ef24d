"""`anyecg simulate`, `scan` and `run` as processes: a virtual strap is found, pinned, recorded and stopped."""

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.formats.memory import demo_recording
from edge.recording.library import recordings
from edge.recording.store import StoredRecording
from edge.serve.broker import Broker, Topics
from edge.serve.mqtt import ask_over_mqtt
from edge.types import Gap, RecordingInfo

ADDRESS = "F1:00:00:00:00:60"
POLAR = "F1:00:00:00:00:10"


@contextmanager
def started(*args: str) -> Iterator[subprocess.Popen[str]]:
    """The command as a process, which is ended with SIGTERM unless it has ended; both leave a clean stderr."""
    command = [sys.executable, "-m", "edge", *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=30)
            assert (errors, process.returncode) == ("Stopped\n", 130)
        finally:
            process.kill()


def anyecg(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "edge", *args], capture_output=True, text=True, timeout=60)


def line_with(process: subprocess.Popen[str], text: str) -> str:
    """The next line of output that has this text; the ones before it are passed over."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        if text in line:
            return line
        seen.append(line)
    raise AssertionError(f"no {text!r} in {seen}: {process.stderr.read() if process.stderr else ''}")


@contextmanager
def simulated(device: str, where: str = "127.0.0.1:0") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A virtual wearable in a process of its own, and the radio that reaches it."""
    with started("simulate", device, "--record", "demo", "--hci", f"tcp-server:{where}") as process:
        found = re.search(r"tcp-client:\S+", line_with(process, "Reach it with"))
        assert found
        yield process, found[0]


@pytest.fixture
def short(tmp_path: Path) -> str:
    """Path of a file with the first 40 s of the demo ECG."""
    demo = demo_recording()
    path = tmp_path / "short.csv"
    values = demo.read_mv(0, round(40 * demo.info.fs_hz))[:, 0]
    path.write_text(f"# fs_hz: {demo.info.fs_hz:g}\nII_mV\n" + "\n".join(f"{value:.4f}" for value in values) + "\n")
    return str(path)


def ended_recordings(home: Path) -> list[tuple[RecordingInfo, tuple[Gap, ...]]]:
    """The stored recordings, each closed properly and analysed to its end, with their gaps."""
    found = []
    for path in recordings(home):
        stored = StoredRecording(path)
        info, annotations = stored.info, stored.annotations()
        assert stored.link_events()[-1].kind == "ended"
        assert annotations.n_samples == info.n_samples
        assert stored.facts()
        stored.close()
        found.append((info, annotations.gaps))
    return found


def test_a_simulated_strap_is_found_pinned_recorded_and_forgotten(anyecg_home: Path) -> None:
    with simulated("ecg-link") as (_, radio):
        listed = anyecg("scan", "--radio", radio, "--seconds", "0.5")
        assert (listed.returncode, listed.stderr) == (0, "")
        assert re.fullmatch(rf"{ADDRESS} +-\d+ dBm +ecg-link +not pinned +ECG link 0001\n", listed.stdout)

        pinned = anyecg("scan", "--radio", radio, "--seconds", "0.5", "--pin", ADDRESS, "--name", "chest", "--json")
        assert (pinned.returncode, pinned.stderr) == (0, "")
        (sighting,) = json.loads(pinned.stdout)
        assert (sighting["address"], sighting["protocol"], sighting["pinned"]) == (ADDRESS, "ecg-link", "chest")
        (pin,) = json.loads((anyecg_home / "straps.json").read_text())["straps"]
        assert (pin["address"], pin["name"], pin["protocol"]) == (ADDRESS, "chest", "ecg-link")

        with started("run", "--radio", radio, "--no-model") as gateway:
            assert "anyecg/home/chest/ask" in line_with(gateway, "broker")
            line_with(gateway, "recording")
            with pytest.raises(subprocess.TimeoutExpired):
                gateway.wait(4)
        ((info, gaps),) = ended_recordings(anyecg_home)
        assert info.id.startswith("chest-")
        assert 2 < info.duration_s < 10
        assert not gaps

        forgotten = anyecg("scan", "--unpin", ADDRESS)
        assert (forgotten.returncode, forgotten.stderr) == (0, "")
        assert json.loads((anyecg_home / "straps.json").read_text())["straps"] == []
        assert anyecg("run", "--radio", radio, "--no-model").returncode == 2


def test_a_strap_that_is_not_near_is_not_pinned(anyecg_home: Path) -> None:
    with simulated("heart-rate") as (_, radio):
        refused = anyecg("scan", "--radio", radio, "--seconds", "0.5", "--pin", "F1:00:00:00:00:99")
        assert refused.returncode == 3
        assert re.fullmatch(r"F1:00:00:00:00:99 was not heard\..*\n", refused.stderr)
        assert not (anyecg_home / "straps.json").exists()


def test_a_strap_that_is_not_near_is_waited_for_and_that_is_told(tmp_path: Path, anyecg_home: Path) -> None:
    (tmp_path / "c.toml").write_text("[link]\nscan_s = 0.5\n")
    with simulated("heart-rate") as (_, radio):
        address = "ble:F1:00:00:00:00:99"
        with started(
            "run", "--radio", radio, "--source", address, "--config", str(tmp_path / "c.toml"), "--no-model"
        ) as gateway:
            assert "has not been heard for 0.5 s and is waited for" in line_with(gateway, "lost")
    assert not recordings(anyecg_home)


def test_a_strap_whose_radio_was_away_is_found_again_and_the_same_recording_goes_on(anyecg_home: Path) -> None:
    strap_command = ("simulate", "polar-h10", "--hci")
    with subprocess.Popen(
        [sys.executable, "-m", "edge", *strap_command, "tcp-server:127.0.0.1:0"], stdout=subprocess.PIPE, text=True
    ) as strap:
        found = re.search(r"127\.0\.0\.1:\d+", line_with(strap, "Reach it with"))
        assert found
        where = found[0]
        with started("run", "--radio", f"tcp-client:{where}", "--source", f"ble:{POLAR}", "--no-model") as gateway:
            line_with(gateway, "recording")
            strap.kill()
            strap.wait()
            line_with(gateway, "link lost")
            with simulated("polar-h10", where):
                line_with(gateway, "again")
                with pytest.raises(subprocess.TimeoutExpired):
                    gateway.wait(3)
    ((_, gaps),) = ended_recordings(anyecg_home)
    assert gaps


def test_several_sources_are_recorded_each_under_its_own_topics(anyecg_home: Path, short: str) -> None:
    both = ("--source", f"virtual:polar-h10:{short}", "--source", f"replay:{short}")
    with started("run", *both, "--speed", "20", "--no-model") as gateway:
        port = re.search(r"127\.0\.0\.1:(\d+)", line_with(gateway, "anyecg/home/polar-h10/ask"))
        line_with(gateway, "anyecg/home/strap/ask")
        ended = {line_with(gateway, "ended at").split(":")[0] for _ in range(2)}
        assert ended == {"polar-h10", "strap"}
        assert port
        broker = Broker("127.0.0.1", int(port[1]))
        for device in ("polar-h10", "strap"):
            question = ask_over_mqtt(broker, Topics("home", device), "How many beats?", timeout_s=20)
            answer = asyncio.run(question)
            assert 60 < answer["facts"][0]["value"] < 85
    durations_s = sorted(info.duration_s for info, _ in ended_recordings(anyecg_home))
    assert durations_s[0] > 30
    assert durations_s[1] == pytest.approx(40, abs=0.1)


@pytest.mark.parametrize("device", ["polar-h10", "heart-rate", "ecg-link"])
def test_a_gateway_ends_with_a_virtual_straps_recording_when_told_to(
    anyecg_home: Path, short: str, device: str
) -> None:
    ran = anyecg("run", "--source", f"virtual:{device}:{short}", "--speed", "20", "--no-model", "--exit-at-end")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "silent" not in ran.stdout
    ((info, _),) = ended_recordings(anyecg_home)
    assert 30 < info.duration_s < 43


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("run",), "nothing to run"),
        (("run", "--source", "polar"), "is no source"),
        (("run", "--source", "ble:"), "is no source"),
        (("run", "--source", "ble:my strap"), "is no Bluetooth address"),
        (("run", "--source", "virtual:toaster"), "Unknown virtual wearable"),
        (("run", "--source", "virtual:polar-h10", "--speed", "0"), "needs a speed above 0"),
        (("run", "--source", "replay:demo", "--source", "replay:demo", "--device", "a"), "One device name"),
        (("run", "--source", f"ble:{ADDRESS}", "--radio", "usb"), "Write tcp-client:HOST:PORT"),
        (("scan", "--radio", "usb"), "Write tcp-client:HOST:PORT"),
        (("scan", "--name", "chest"), "--pin"),
        (("scan", "--unpin", ADDRESS), "is not pinned"),
        (("simulate", "toaster"), "Unknown virtual wearable"),
        (("simulate", "polar-h10", "--hci", "9000"), "Write tcp-server:HOST:PORT"),
    ],
)
def test_a_call_that_cannot_be_is_refused_with_one_line(args: tuple[str, ...], says: str) -> None:
    refused = anyecg(*args)
    assert refused.returncode == 2
    assert says in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert refused.stdout == ""
