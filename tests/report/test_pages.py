"""The pages: self-contained, right in scale, and shown by a real browser."""

import itertools
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edge.ask.answer import Answerer, Source
from edge.formats.memory import ArrayRecording, demo_recording
from edge.pipeline import annotate
from edge.report.page import answers_page, report_page
from edge.report.strip import strip_svg
from edge.report.summary import summarise
from edge.settings import Settings
from edge.types import Span


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
    points = [tuple(map(float, p)) for p in re.findall(r"[ML]([\d.]+) (-?[\d.]+)", svg.split('class="trace"')[2])]
    heights = sorted({y for _, y in points})
    assert heights[-1] - heights[0] == pytest.approx(10.0)
    rise = next(x for (x, y), (_, y2) in itertools.pairwise(points) if y2 < y)
    assert (rise - 8.0) / 25.0 + 2.0 == pytest.approx(5.0, abs=0.02)


def test_missing_samples_leave_the_paper_empty() -> None:
    signal_mv = np.zeros(2500)
    signal_mv[1000:1500] = np.nan
    trace = strip_svg(ArrayRecording("gap", signal_mv, 250.0), Span(3.0, 7.0)).split('class="trace"')[2]
    assert trace.count("M") == 2
    assert strip_svg(ArrayRecording("none", np.full(2500, np.nan), 250.0), Span(3.0, 7.0)).count("L") == 0


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
