"""The pages: self-contained, right in scale, and shown by a real browser."""

import itertools
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from read_tools import read

from edge.ask.answer import Answerer, Source
from edge.formats.memory import ArrayRecording, demo_recording
from edge.pipeline import annotate
from edge.report.page import answers_page
from edge.report.recording_page import report_page
from edge.report.strip import strip_svg
from edge.report.summary import summarise
from edge.settings import RhythmSettings, Settings
from edge.types import Annotations, Span


def pages() -> tuple[str, str]:
    recording = demo_recording()
    found = annotate(recording)
    answers = [
        Answerer().ask(question, [Source(recording.info, found)])
        for question in (
            "What was the highest heart rate?",
            "<script>alert(1)</script> how good is the signal?",
        )
    ]
    summary = summarise(recording.info, found, 0, Settings())
    return answers_page(recording, found, 0, answers), report_page(recording, found, 0, summary)


def test_one_millivolt_is_ten_millimetres_and_one_second_twentyfive() -> None:
    signal_mv = np.zeros(2500)
    signal_mv[1250:] = 1.0  # a step of 1 mV after five of ten seconds at 250 Hz
    svg = strip_svg(ArrayRecording("step", signal_mv, 250.0), Span(4.0, 6.0))
    points = [(x / 100, y / 100) for x, y in drawn(svg)]  # the trace is in hundredths of a millimetre
    heights = sorted({y for _, y in points})
    assert heights[-1] - heights[0] == pytest.approx(10.0)
    rise = next(x for (x, y), (_, y2) in itertools.pairwise(points) if y2 < y)
    assert (rise - 8.0) / 25.0 + 2.0 == pytest.approx(5.0, abs=0.02)


def test_the_calibration_pulse_is_one_millivolt_high() -> None:
    svg = strip_svg(ArrayRecording("flat", np.zeros(2500), 250.0), Span(4.0, 6.0))
    assert re.search(r'<g transform="scale\(0.01\)"><path class="trace" d="M100 2000h100v-1000h400v1000h100"/>', svg)


def drawn(svg: str) -> list[tuple[int, int]]:
    """The points of the trace, from its relative path."""
    points, at = [], (0, 0)
    for how, x, y in re.findall(r"([Ml])(-?\d+) (-?\d+)", svg.split('class="trace"')[2]):
        at = (int(x), int(y)) if how == "M" else (at[0] + int(x), at[1] + int(y))
        points.append(at)
    return points


def test_missing_samples_leave_the_paper_empty() -> None:
    signal_mv = np.zeros(2500)
    signal_mv[1000:1500] = np.nan
    trace = strip_svg(ArrayRecording("gap", signal_mv, 250.0), Span(3.0, 7.0)).split('class="trace"')[2]
    assert trace.count("M") == 2
    assert drawn(strip_svg(ArrayRecording("none", np.full(2500, np.nan), 250.0), Span(3.0, 7.0))) == []


def test_text_from_outside_is_escaped_and_nothing_is_loaded_from_elsewhere() -> None:
    for html in pages():
        assert "<script" not in html
        assert not re.search(r"(src|href)=", html)
        assert "Not a medical device" in html


@pytest.mark.browser
def test_chromium_shows_the_strips(tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on this machine")
    for name, html in zip(("answers", "report"), pages(), strict=True):
        (tmp_path / f"{name}.html").write_text(html, encoding="utf-8")
        subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
             f"--user-data-dir={tmp_path}/profile", "--window-size=900,1400", f"--screenshot={tmp_path}/{name}.png",
             f"file://{tmp_path}/{name}.html"],
            check=True, capture_output=True, timeout=90,
        )  # fmt: skip
        dom = subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
             f"--user-data-dir={tmp_path}/profile", "--dump-dom", f"file://{tmp_path}/{name}.html"],
            check=True, capture_output=True, text=True, timeout=90,
        ).stdout  # fmt: skip
        assert dom.count("<svg") >= 3
        assert (tmp_path / f"{name}.png").stat().st_size > 20_000  # an empty page has a fifth of this


def labelled(n_beats: int = 40) -> tuple[ArrayRecording, Annotations]:
    """Beats N, V and S, fibrillation in the second half."""
    letters = ("NNNNVNNNVVNNVVVNNSN" * n_beats)[:n_beats]
    half_s = 0.4 * n_beats
    found = read(letters, rhythms=[(0, half_s, "(N"), (half_s, 2 * half_s, "(AFIB")])
    signal_mv = np.zeros(found.n_samples)
    signal_mv[found.beats] = 1.0
    return ArrayRecording("labelled", signal_mv, found.fs_hz), found


def test_a_strip_names_rhythms_and_beats_and_shows_the_limits_of_waves() -> None:
    recording, found = labelled()
    svg = strip_svg(recording, Span(12.0, 20.0), 0, found)
    assert "normal sinus rhythm" in svg
    assert "atrial fibrillation" in svg
    i, j = np.searchsorted(found.beats, (11 * 250, 21 * 250))
    letters = re.findall(r'class="beat (.)" x="([\d.]+)"', svg)
    assert "".join(letter for letter, _ in letters) == found.labels[i:j].tobytes().decode()
    assert float(letters[0][1]) == pytest.approx(8 + (found.beats[i] / 250 - 11) * 25, abs=0.01)
    for wave in ("p", "qrs", "t"):
        assert j - i - 2 <= svg.count(f'<rect class="{wave}"') <= j - i
    width = float(re.search(r'<rect class="qrs" x="[\d.]+" width="([\d.]+)"', svg)[1])  # type: ignore[index]
    assert width == pytest.approx(22 / 250 * 25)


def test_a_reference_is_told_below_the_paper() -> None:
    recording, found = labelled()
    reference = read("F" * 40, rhythms=[(0, 40, "(AFL")])
    svg = strip_svg(recording, Span(12.0, 20.0), 0, found, reference)
    assert "atrial flutter" in svg
    below = [float(y) for y in re.findall(r'class="beat F" x="[\d.]+" y="([\d.]+)"', svg)]
    assert below
    assert min(below) > 40
    assert 'viewBox="0 -8 258.0 56.0"' in svg


def test_a_report_of_labelled_beats_has_every_section_its_definitions_and_stays_small() -> None:
    recording, found = labelled(4000)
    summary = summarise(recording.info, found, 0, Settings(), recording)
    html = report_page(recording, found, 0, summary)
    for title in ("Rate", "Rhythm", "Extra beats", "Pauses", "Waves", "Variability", "By hour", "Method and limits"):
        assert f"<h2>{title}</h2>" in html
    assert "Couplet: two ectopic beats in succession" in html
    assert "an episode of at least 30 s" in html
    assert "atrial fibrillation begins" in html
    assert "ventricular run of 3 beats" in html
    assert "no finding of ischaemia" in html
    assert html.count('class="strip"') >= 8
    assert len(html.encode()) < 3_000_000


def test_the_definitions_tell_the_settings_in_force() -> None:
    recording, found = labelled(200)
    settings = Settings(rhythm=RhythmSettings(run_beats=5, af_min_s=60.0, pauses_s=(4.0,)))
    html = report_page(recording, found, 0, summarise(recording.info, found, 0, settings))
    assert "run: 5 or more" in html
    assert "an episode of at least 60 s" in html
    assert "at least 4 s, counted for each limit" in html


def test_a_report_of_beats_without_labels_says_what_is_not_measured() -> None:
    recording, found = labelled(200)
    bare = Annotations(found.fs_hz, found.n_samples, found.beats, found.quality, found.reasons, ())
    html = report_page(recording, bare, 0, summarise(recording.info, bare, 0, Settings()))
    assert html.count("Not measured: beats were found and not labelled.") == 3
    assert "Here beats were found and not labelled" in html
