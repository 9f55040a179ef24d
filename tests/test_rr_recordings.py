"""A recording of RR intervals alone: it is kept, measured, shown and asked about, and nothing of it claims an ECG."""

import json
import re
import shutil
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import wfdb

from bench.rr import notifications
from edge.acquire.packets import RrPacket
from edge.ask.answer import Answerer, Source
from edge.ask.draft import Draft, Phrase
from edge.ask.model_client import LanguageModel
from edge.ask.words import word
from edge.batch import analyse_one
from edge.errors import StorageFull
from edge.formats.memory import demo_recording
from edge.inputs import annotations_of, open_input
from edge.interpret.facts import NO_ECG, context_of, measure
from edge.live_rr import LiveRr
from edge.pipeline import annotate
from edge.recording.store import StoredRecording
from edge.recording.writer import RecordingWriter
from edge.report.page import answers_page
from edge.report.tachogram import MAX_POINTS, tachogram_svg
from edge.settings import AskSettings, Settings, StoreSettings
from edge.types import Annotations, Gap, LinkEvent, RecordingInfo, Span

sys.path.insert(0, str(Path(__file__).parent / "ask"))
from ask_tools import demo, unexplained

START_S = 1_769_853_600.0  # 2026-01-31 10:00 UTC
QUICK = StoreSettings(synchronous="OFF")  # these tests do not cut the power


@lru_cache(maxsize=1)
def demo_rr() -> tuple[int, ...]:
    beats = annotate(demo_recording()).beats
    return tuple(np.diff(np.round(beats / 360 * 1024).astype(np.int64)).tolist())


def new_live(path: Path) -> LiveRr:
    info = RecordingInfo(path.stem, (), 1024.0, 0, datetime.fromtimestamp(START_S, UTC), "store")
    return LiveRr(RecordingWriter(path, info, QUICK))


def recorded(path: Path, rr: tuple[int, ...] = (), lost_share: float = 0.0, lost_link_at_s: float = 0.0) -> Path:
    """The demo's heart, or another, through a strap that is prompt."""
    live = new_live(path)
    sent = notifications(np.array(rr or demo_rr()), 0.2, lost_share, np.random.default_rng(2))
    for n in sent:
        if lost_link_at_s <= n.sent_s < lost_link_at_s + 20 and lost_link_at_s:
            live.lost(START_S + n.received_s, "out of range")
        elif not n.lost:
            live.take(n.packet, START_S + n.received_s)
    live.end()
    return path


def source_of(path: Path) -> Source:
    stored = open_input(str(path), path.parent)
    try:
        info = replace(stored.info, clock=None)  # the tests' reader of answers counts from the start
        return Source(info, annotations_of(stored, Settings()))
    finally:
        stored.close()


@pytest.fixture(scope="module")
def strap(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Five minutes of a real heart, told by a strap whose link was lost for twenty seconds."""
    return source_of(recorded(tmp_path_factory.mktemp("rr") / "strap.ecgdb", lost_link_at_s=100.0))


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Even beats, one pause of three seconds and one early beat."""
    rr = (800,) * 100 + (3072,) + (800,) * 100 + (500, 1100) + (800,) * 100
    return source_of(recorded(tmp_path_factory.mktemp("rr") / "steady.ecgdb", rr))


def ask(question: str, *sources: Source) -> dict[str, Any]:
    return Answerer().ask(question, list(sources))


def test_a_recording_holds_every_interval_the_gap_and_its_facts(tmp_path: Path) -> None:
    path = recorded(tmp_path / "strap.ecgdb", lost_link_at_s=100.0)
    stored = StoredRecording(path)
    info, found = stored.info, stored.annotations()
    assert info.rr_only
    assert info.leads == ()
    assert info.duration_s == pytest.approx(sum(demo_rr()) / 1024, abs=2)
    assert [gap.cause for gap in found.gaps] == ["out of range"]
    assert (found.gaps[0].stop - found.gaps[0].start) / 1024 == pytest.approx(20, abs=2)
    context = context_of(found, 0.0, info.duration_s, Settings().rhythm, rr_only=True)
    assert stored.facts() == list(measure(context).values())
    valid = context.intervals.valid
    told = iter(demo_rr())
    assert all(round(ms * 1.024) in told for ms in context.intervals.rr_ms[valid])
    assert valid.sum() == len(found.beats) - 2  # all but the one over the gap
    assert {event.kind for event in stored.link_events()} == {"gap", "ended"}
    assert stored.read_mv(0, 5000).shape == (5000, 0)
    stored.close()


def test_the_clock_time_of_a_beat_follows_the_notifications(tmp_path: Path) -> None:
    path = recorded(tmp_path / "strap.ecgdb")
    stored = StoredRecording(path)
    end = stored.info.time_of(stored.info.duration_s)
    assert end is not None
    assert end.timestamp() == pytest.approx(START_S + sum(demo_rr()) / 1024 + 1, abs=1.5)
    stored.close()


def test_a_killed_recording_opens_and_lacks_the_last_seconds_only(tmp_path: Path) -> None:
    live = new_live(tmp_path / "strap.ecgdb")
    for k in range(100):
        live.take(RrPacket((1024,), 60), START_S + k)
        if k == 50:
            live.lost(START_S + 50.5, "out of range")
    (tmp_path / "killed").mkdir()
    for file in tmp_path.glob("strap.ecgdb*"):  # what a kill leaves: nothing is closed
        shutil.copy(file, tmp_path / "killed" / file.name)
    live.end()
    source = source_of(tmp_path / "killed" / "strap.ecgdb")
    assert source.info.duration_s > 100 - 15
    assert source.annotations.n_samples == source.info.n_samples
    assert len(source.annotations.gaps) == 1
    assert ask("How fast is my heart?", source)["status"] == "answered"


def test_a_full_disk_costs_nothing_that_comes_after_there_is_space_again(tmp_path: Path) -> None:
    live = new_live(tmp_path / "strap.ecgdb")
    used = live.writer._db.execute("PRAGMA page_count").fetchone()[0]
    live.writer._db.execute(f"PRAGMA max_page_count = {used}")
    refused = 0
    for k in range(1200):
        if k == 1000:
            assert refused > 0
            live.writer._db.execute("PRAGMA max_page_count = 1000000")
        try:
            live.take(RrPacket((512, 512), 120), START_S + k)
        except StorageFull:
            refused += 1
    live.note(LinkEvent(live.next_sample, "contact", "contact lost"))
    live.end()
    source = source_of(tmp_path / "strap.ecgdb")
    assert len(source.annotations.beats) == 2401
    assert source.annotations.gaps == ()
    assert source.info.duration_s == pytest.approx(1200, abs=1.1)


def test_a_short_gap_ends_intervals_and_spares_those_beside_it() -> None:
    beats = np.array([0, 1024, 2048, 2500, 3524, 4548], np.int64)
    usable, reasons = np.ones(5, np.uint8), np.zeros(5, np.uint8)
    found = Annotations(1024.0, 4549, beats, usable, reasons, (Gap(2049, 2500, "RR intervals were lost on the way"),))
    context = context_of(found, 0.0, 9.0, Settings().rhythm, rr_only=True)
    assert context.intervals.valid.tolist() == [True, True, False, True, True]
    assert context.analysable_fraction == pytest.approx(1 - 451 / 4549)
    facts = measure(context, "coverage", "quality")
    assert facts["gap_total"].value == pytest.approx(451 / 1024)
    assert (facts["good_share"].value, facts["good_share"].reason) == (None, NO_ECG)


def test_those_who_watch_see_no_interval_over_a_gap(tmp_path: Path) -> None:
    live = new_live(tmp_path / "strap.ecgdb")
    shown = []
    for k in range(40):
        shown += live.take(RrPacket((1024,), 60), START_S + k)[0]
        if k == 20:
            shown += live.lost(START_S + 20.1, "out of range")[0]
    shown += live.end()[0]
    found = Annotations(
        1024.0, shown[-1].stop,
        np.concatenate([d.beats for d in shown]), np.concatenate([d.quality for d in shown]),
        np.concatenate([d.reasons for d in shown]), (),
    )  # fmt: skip
    rr = context_of(found, 0.0, 60.0, Settings().rhythm).intervals
    assert set(np.round(rr.rr_ms[rr.valid])) == {1000.0}


def test_analyze_writes_every_kind_of_file(tmp_path: Path) -> None:
    path = recorded(tmp_path / "strap.ecgdb", lost_share=0.02)
    result = analyse_one(str(path), tmp_path, ("html", "json", "csv", "wfdb"), tmp_path, Settings(), None)
    assert result.problem is None
    document = json.loads((tmp_path / "strap.json").read_text(encoding="utf-8"))
    assert document["recording"]["leads"] == []
    assert document["recording"]["rr_only"] is True
    assert any(NO_ECG[1:] in note for note in document["recording"]["notes"])
    assert document["intervals"]["reason"] == NO_ECG
    assert document["quality"]["good_share"]["value"] is None
    assert document["hourly"][0]["mean_bpm"] == round(document["rate"]["heart_rate_mean"]["value"])
    source = source_of(path)
    annotation = wfdb.rdann(str(tmp_path / "strap"), "anyecg")
    assert annotation.fs == 1024
    beats = [s for s, symbol in zip(annotation.sample, annotation.symbol, strict=True) if symbol == "Q"]
    assert beats == source.annotations.beats.tolist()
    assert len((tmp_path / "strap.beats.csv").read_text(encoding="utf-8").splitlines()) == len(beats) + 1
    html = (tmp_path / "strap.html").read_text(encoding="utf-8")
    assert html.count('class="tachogram"') >= 3
    assert 'class="strip"' not in html
    assert "and no ECG" in html


def test_answers_are_shown_with_their_intervals(strap: Source, tmp_path: Path) -> None:
    stored = StoredRecording(recorded(tmp_path / "strap.ecgdb"))
    html = answers_page(stored, strap.annotations, 0, [ask("What was the highest heart rate?", strap)])
    stored.close()
    assert html.count('class="tachogram"') >= 1
    assert "mm/mV" not in html


def test_a_tachogram_is_empty_in_gaps_and_stays_small_for_a_day() -> None:
    beats = np.concatenate((np.arange(0, 100), np.arange(200, 300))) * 1024
    states = np.ones(300, np.uint8)
    states[101:199] = 2
    found = Annotations(
        1024.0, 300 * 1024, beats, states, np.zeros(300, np.uint8), (Gap(99 * 1024 + 1, 200 * 1024, "x"),)
    )
    path = tachogram_svg(found, Span(0.0, 300.0)).split('class="rr"')[1]
    assert path.count("M") == 2
    assert path.count("L") == 99 + 99 - 2
    day = np.arange(100_000, dtype=np.int64) * 880
    n = int(day[-1] / 1024) + 1
    whole = Annotations(1024.0, int(day[-1]) + 1, day, np.ones(n, np.uint8), np.zeros(n, np.uint8), ())
    svg = tachogram_svg(whole, Span(0.0, n))
    assert svg.split('class="rr"')[1].count("M") <= MAX_POINTS + 1
    assert len(svg) < 60_000
    nothing = Annotations(1024.0, 0, day[:0], states[:0], states[:0], ())
    assert "<svg" in tachogram_svg(nothing, Span(0.0, 0.0))


MEASURED = [
    ("How fast is my heart?", "rate", r"mean heart rate was \d+ bpm"),
    ("What was the lowest heart rate?", "rate", r"lowest heart rate"),
    ("How many beats were there?", "beats", r"beats were reported by the strap"),
    ("Were there any pauses?", "pauses", r"as the strap reported them"),
    ("Is my heartbeat irregular?", "regularity", r"out of step"),
    ("Any extra beats?", "ectopy", r"early by timing"),
    ("What is my heart rate variability?", "variability", r"RMSSD"),
    ("Was my heart racing?", "tachycardia", r"above 100 bpm"),
    ("Are there gaps in the recording?", "coverage", r"out of range"),
    ("How did my heart rate change over time?", "rate", r"6 equal parts"),
    ("Compare the first minute with the last minute", "rate", r"in the second"),
    ("How long is the recording?", "recording", r"RR intervals and no ECG"),
    ("How many leads are there?", "recording", r"no ECG: it has no leads"),
    ("Give me a summary.", "summary", r"RR intervals and no ECG"),
    ("What was my heart rate in this ECG?", "rate", r"mean heart rate was \d+ bpm"),
]


@pytest.mark.parametrize(("question", "target", "words"), MEASURED)
def test_what_intervals_tell_is_answered(strap: Source, question: str, target: str, words: str) -> None:
    answer = ask(question, strap)
    assert (answer["status"], answer["plan"]["target"]) == ("answered", target)
    assert re.search(words, answer["answer"])
    assert claims_no_ecg(answer["answer"])
    assert unexplained(answer, strap.info) == [], answer["answer"]


UNMEASURED = [
    "Is the signal good?",
    "How noisy is the ECG?",
    "Is lead II clean?",
    "What is the QT?",
    "Is the ST segment elevated?",
    "Show me the ECG at 1:00",
    "Show me the strip of the longest pause",
    "What does my ECG look like?",
    "Any PVCs?",
    "Do I have atrial fibrillation?",
    "Was the signal better in the first minute than in the last?",
]


@pytest.mark.parametrize("question", UNMEASURED)
def test_what_needs_an_ecg_is_said_to_be_missing(strap: Source, question: str) -> None:
    answer = ask(question, strap)
    assert answer["status"] == "not_measurable"
    assert "RR intervals and no ECG" in answer["answer"]
    assert answer["verdict"] in {None, "not sure"}
    assert claims_no_ecg(answer["answer"])
    assert unexplained(answer, strap.info) == [], answer["answer"]


def claims_no_ecg(text: str) -> bool:
    """Whether every ECG, signal and lead of an answer is one that there is not."""
    denied = re.sub(
        r"RR intervals and no ECG|there is no signal[\w ]*|it has no leads|(?:ST segment|QT interval): not", "", text
    )
    return not re.search(r"\b(?:ECG|signal|lead|mV|strip)\b", denied, re.IGNORECASE)


def test_a_pause_and_an_early_beat_are_found_where_they_are(steady: Source) -> None:
    pauses = ask("Where were the pauses?", steady)
    assert pauses["answer"].startswith("1 pause of 2 s or longer was found")
    assert pauses["locations"][0]["end_s"] - pauses["locations"][0]["start_s"] == pytest.approx(3.0)
    assert "100 % " not in pauses["answer"]
    assert ask("Any early beats?", steady)["answer"].startswith("Yes. 1 beat came")
    assert "regular" in ask("Is it regular?", steady)["answer"]


def test_missing_intervals_are_told_beside_a_no(strap: Source) -> None:
    answer = ask("Did my heart rate go above 200?", strap)
    assert answer["verdict"] == "no"
    assert "RR intervals are missing for" in answer["answer"]


def test_a_span_within_the_gap_was_not_recorded(strap: Source) -> None:
    start_s = strap.annotations.gaps[0].start / 1024
    answer = Answerer().ask("How fast is my heart?", [strap], from_s=start_s + 3, to_s=start_s + 15)
    assert answer["status"] == "not_recorded"
    assert "no RR intervals for most of that time" in answer["answer"]


def test_a_strap_is_compared_with_an_ecg_where_both_can_be_measured(strap: Source) -> None:
    rates = ask("Which recording has the higher heart rate?", strap, demo())
    assert rates["status"] == "answered"
    quality = ask("Which recording has the better signal?", demo(), strap)
    assert quality["status"] == "not_measurable"
    assert "no ECG" in quality["answer"]


def test_a_rewording_that_brings_in_an_ecg_is_not_used() -> None:
    class Reworder:
        def ask(self, prompt: str, go_on: Callable[[str], bool], limit_s: float) -> str:
            return "Your ECG shows that the mean heart rate was 71 bpm."

    draft = Draft("answered", (Phrase("The mean heart rate was 71 bpm."),))
    model = cast(LanguageModel, Reworder())
    assert word(draft, "How fast?", model, AskSettings()).by_model
    kept = word(draft, "How fast?", model, AskSettings(), rr_only=True)
    assert (kept.text, kept.by_model, kept.why_not) == (draft.text, False, "there is no ECG")


def test_a_store_that_names_no_leads_is_one_of_intervals_only_at_their_rate(tmp_path: Path) -> None:
    path = recorded(tmp_path / "strap.ecgdb")
    assert source_of(path).info.rr_only
    with sqlite3.connect(path) as db:
        db.execute("UPDATE meta SET value = '250.0' WHERE key = 'fs_hz'")
    db.close()
    with pytest.raises(Exception, match="no leads"):
        StoredRecording(path)
