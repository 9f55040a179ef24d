"""`anyecg run`: options, and a process that is stopped in the middle of a recording."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge.errors import UsageError
from edge.recording.library import recordings
from edge.recording.store import StoredRecording
from edge.serve.service import RunOptions, options_from


def test_options_given_on_the_command_line_win_over_the_config() -> None:
    config = {"run": {"source": "replay:a", "speed": 5.0, "device": "left"}, "rhythm": {"bradycardia_bpm": 40}}
    options, settings = options_from(config, {"source": ("replay:b",), "speed": 1.0, "device": None}, RunOptions())
    assert (options.source, options.speed, options.device) == (("replay:b",), 5.0, "left")
    assert settings.rhythm.bradycardia_bpm == 40.0


def test_an_unknown_option_in_the_config_is_named() -> None:
    with pytest.raises(UsageError, match=r"run\.sauce"):
        options_from({"run": {"sauce": 1}}, {}, RunOptions())


def test_a_gateway_that_is_told_to_stop_closes_its_recording_properly(anyecg_home: Path) -> None:
    command = [sys.executable, "-m", "edge", "run", "--source", "replay:demo", "--speed", "30", "--no-model"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("broker 127.0.0.1:")
        time.sleep(3)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert errors == "Stopped\n"
    assert process.returncode == 130
    (path,) = recordings(anyecg_home)
    stored = StoredRecording(path)
    assert 20 < stored.info.duration_s < 299
    assert stored.annotations().n_samples == stored.info.n_samples
    assert stored.link_events()[-1].kind == "ended"
    assert stored.facts()
    stored.close()


def test_ctrl_c_twice_still_closes_the_recording_properly(anyecg_home: Path) -> None:
    command = [sys.executable, "-m", "edge", "run", "--source", "virtual:polar-h10", "--speed", "30", "--no-model"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("virtual polar-h10")
        time.sleep(4)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert set(errors.splitlines()) <= {"Still closing the recording, a moment", "Stopped"}
    assert process.returncode == 130
    (path,) = recordings(anyecg_home)
    stored = StoredRecording(path)
    assert stored.link_events()[-1].kind == "ended"
    stored.close()
