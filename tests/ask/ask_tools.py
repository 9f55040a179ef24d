"""Recordings that are hard to answer about, and a reader of answers that knows nothing of how they are made."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import jsonschema
import numpy as np

from edge.ask.answer import EMERGENCY, Answerer, Source
from edge.ask.check import unfounded
from edge.formats.memory import ArrayRecording, demo_recording
from edge.pipeline import annotate
from edge.serve.payloads import SCHEMAS
from edge.settings import Settings
from edge.types import Annotations, Fact, Lead, RecordingInfo

MORNING = datetime(2026, 1, 31, 10, 0)  # noqa: DTZ001 - a recording that names no zone
FS_HZ = 250.0
SCHEMA = jsonschema.Draft202012Validator(SCHEMAS["answer"])


def recording_info(
    start: datetime | None = None, duration_s: float = 300.0, leads: tuple[str, ...] = ("II",)
) -> RecordingInfo:
    named = tuple(Lead(name) for name in leads)
    return RecordingInfo("r", named, FS_HZ, round(duration_s * FS_HZ), start, "array")


def pulses(
    rr_s: list[float], fs_hz: float = FS_HZ, start: datetime | None = None, name: str = "pulses"
) -> ArrayRecording:
    """Narrow QRS-like waves at given intervals, with a little noise: a heart whose every beat is known."""
    at_s = 1.0 + np.concatenate(([0.0], np.cumsum(rr_s)))
    t = np.arange(round((at_s[-1] + 1.5) * fs_hz)) / fs_hz
    signal_mv = np.random.default_rng(0).normal(0, 0.004, len(t))
    for beat_s in at_s:
        signal_mv += 1.2 * np.exp(-0.5 * ((t - beat_s) / 0.012) ** 2)
        signal_mv += 0.2 * np.exp(-0.5 * ((t - beat_s - 0.25) / 0.04) ** 2)
    return ArrayRecording(name, signal_mv, fs_hz, (Lead("II"),), start)


def source_of(recording: ArrayRecording) -> Source:
    """A recording whose beats were found and, whatever the pipeline can do, not labelled."""
    return Source(recording.info, unlabelled(annotate(recording)))


def unlabelled(found: Annotations) -> Annotations:
    return Annotations(found.fs_hz, found.n_samples, found.beats, found.quality, found.reasons, found.gaps)


@lru_cache(maxsize=1)
def demo() -> Source:
    return source_of(demo_recording())


@lru_cache(maxsize=1)
def hard_recordings() -> dict[str, Source]:
    """Signals in which little or nothing can be measured."""
    rng = np.random.default_rng(1)
    demo_mv = demo_recording().read_mv(0, 108_000)[:, 0]
    gap = np.concatenate((demo_mv[:36_000], np.full(72_000, np.nan, np.float32), demo_mv[36_000:54_000]))
    two_leads = np.column_stack((demo_mv[:21_600], demo_mv[:21_600]))
    leads = (Lead("V5"), Lead("MLII"))
    made = (
        ArrayRecording("flat", np.zeros(15_000), 250.0),
        ArrayRecording("noise", rng.normal(0, 0.5, 15_000), 250.0, start=MORNING),
        ArrayRecording("short", demo_mv[:720], 360.0),
        ArrayRecording("gap", gap, 360.0, start=datetime(2026, 1, 31, 22, 58, tzinfo=UTC)),
        ArrayRecording("nothing", np.full(7_500, np.nan), 250.0, start=MORNING),
        ArrayRecording("leads", two_leads, 360.0, leads),
        pulses([0.8] * 8 + [3.6] + [1.6] * 20 + [0.45] * 60, start=MORNING),
    )
    return {recording.info.id: source_of(recording) for recording in made}


def ask(question: str, source: Source | None = None, **options: Any) -> dict[str, Any]:
    return Answerer().ask(question, [source or demo()], **options)


def unexplained(answer: dict[str, Any], info: RecordingInfo) -> list[str]:
    """Numbers and times of an answer's text that stand in none of its facts, places, spans or thresholds.

    Words in double quotes are the asker's own or examples and are left out.
    """
    text = re.sub(r'"[^"]*"', " ", answer["answer"])
    known = [float(number) for number in _numbers_of(answer, info)]
    moments = list(_moments_of(answer, info))
    lengths = known + [b - a for a, b in _spans_of(answer)]
    left = []
    for token, kind, value in _tokens(text, info):
        if kind == "moment":
            explained = any(abs(value - at) <= 0.51 for at in moments)
        elif kind == "length":
            explained = any(abs(value - length) <= (30.01 if " h" in token else 0.51) for length in lengths)
        else:
            decimals = len(token.partition(".")[2])
            explained = any(abs(value - number) <= 0.5000001 * 10**-decimals for number in known)
        if not explained:
            left.append(token)
    return left


def _tokens(text: str, info: RecordingInfo) -> Iterator[tuple[str, str, float]]:
    pattern = (
        r"(?P<date>\d{4}-\d\d-\d\d(?: \d\d:\d\d(?::\d\d)?)?)|(?P<clock>\d+:\d\d(?::\d\d)?)"
        r"|(?P<length>\d+ h(?: \d+ min)?\b|\d+ min(?: \d+ s)?\b)|(?<![A-Za-z\d.])(?P<number>\d+(?:\.\d+)?)"
    )
    for match in re.finditer(pattern, text):
        token = match.group()
        if match["date"] or (match["clock"] and info.start is not None):
            yield token, "moment", _clock_offset(token, info)
        elif match["clock"]:
            parts = [float(part) for part in token.split(":")]
            yield token, "moment", sum(part * 60**k for k, part in enumerate(reversed(parts)))
        elif match["length"]:
            factor = {"h": 3600.0, "min": 60.0, "s": 1.0}
            yield (
                token,
                "length",
                sum(float(n) * factor[unit] for n, unit in re.findall(r"(\d+) (h|min|s)", token)),
            )
        else:
            yield token, "number", float(token)


def _clock_offset(token: str, info: RecordingInfo) -> float:
    assert info.start is not None
    start = (info.start.astimezone() if info.start.tzinfo else info.start).replace(tzinfo=None)
    if "-" in token:
        at = datetime.fromisoformat(token)
        at += timedelta(seconds=start.second if token.count(":") == 1 else 0)
        return (at - start).total_seconds()
    hour, minute, second = (int(part) for part in token.split(":"))
    offset_s = (hour - start.hour) * 3600 + (minute - start.minute) * 60 + second - start.second
    return offset_s + 86400.0 if offset_s < -1 else float(offset_s)


def _numbers_of(answer: dict[str, Any], info: RecordingInfo) -> Iterator[float]:
    for fact in answer["facts"]:
        if fact["value"] is not None:
            yield abs(fact["value"])
        yield fact["n"]
        yield from (float(n) for n in re.findall(r"\d+(?:\.\d+)?", fact["name"] + fact["reason"]))
    yield 100 * answer["analysable_fraction"]
    yield 100 - 100 * answer["analysable_fraction"]
    for place in [*answer["evidence"], *(answer["locations"] or [])]:
        yield place["end_s"] - place["start_s"]
        yield from (float(n) for n in re.findall(r"\d+(?:\.\d+)?", place["label"]))
    if answer["plan"]["threshold"]:
        yield answer["plan"]["threshold"]["value"]
    s = Settings().rhythm
    yield from (
        s.tachycardia_bpm,
        s.bradycardia_bpm,
        s.episode_min_s,
        100 - 100 * s.early_fraction,
        *s.pauses_s,
        *(s.af_brief_s, s.af_min_s, s.run_beats, s.pattern_cycles, s.sustained_s),
    )
    yield from (info.fs_hz, info.duration_s, len(info.leads))
    if answer["items"]:
        yield len(answer["facts"])


def _spans_of(answer: dict[str, Any]) -> Iterator[tuple[float, float]]:
    for place in [*answer["facts"], *answer["evidence"], *(answer["locations"] or []), answer["span"]]:
        yield place["start_s"], place["end_s"]
    for name in ("span", "other_span"):
        if (span := answer["plan"][name]) is not None:
            yield span["start_s"], span["end_s"]


def _moments_of(answer: dict[str, Any], info: RecordingInfo) -> Iterator[float]:
    yield from (0.0, info.duration_s)
    for start_s, end_s in _spans_of(answer):
        yield from (start_s, end_s)


def check_finding(answer: dict[str, Any], source: Source) -> None:
    """What holds for every answer about a labelled recording."""
    SCHEMA.validate(json.loads(json.dumps(answer, allow_nan=False)))
    assert unexplained(answer, source.info) == [], answer["answer"]
    text = answer["answer"].removeprefix(f"{EMERGENCY} ")
    if answer["status"] == "answered":
        assert not_founded(answer) == [], text
    else:
        assert answer["verdict"] in {None, "not sure"}
    assert text.startswith("Yes.") == (answer["verdict"] == "yes" and answer["status"] == "answered")
    assert text.startswith("No. ") == (answer["verdict"] == "no")
    for place in [*answer["evidence"], *(answer["locations"] or [])]:
        assert 0 <= place["start_s"] <= place["end_s"] <= source.info.duration_s + 1


def not_founded(answer: dict[str, Any]) -> list[str]:
    """Findings named in an answer, what is said to be unmeasured aside, that none of its facts speaks of."""
    facts = tuple(Fact(f["name"], f["value"], f["unit"], f["start_s"], f["end_s"]) for f in answer["facts"])
    told = re.sub(
        r'"[^"]*"|[^.]*not measurable, because[^.]*\.|[^.]* cannot be measured [^.]*\.', " ", answer["answer"]
    )
    return unfounded(told, facts)


# Recording, question, verdict, and what the answer must hold.
