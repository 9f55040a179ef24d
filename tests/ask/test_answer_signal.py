"""Answers about which way round the lead is and about pacing spikes: from the signal, and with the reason where not."""

import dataclasses
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from ask_tools import check_finding
from labelled import FS_HZ, POINTS_MS, labelled

from edge.ask.answer import Answerer, Source
from edge.ask.understand import understand
from edge.formats.memory import ArrayRecording
from edge.settings import AskSettings
from edge.types import Annotations, Point


def drawn(source: Source, sign: float, spikes: bool, fs_hz: float) -> Source:
    """The same beats at another rate, with P waves and QRS that point up or down, and a pulse before each beat."""
    by = round(fs_hz / FS_HZ)
    found = source.annotations
    n = found.n_samples * by
    signal_mv = np.random.default_rng(0).normal(0, 0.004, n)
    p_on, p_off, qrs_on = (round(POINTS_MS[k] * fs_hz / 1000) for k in (Point.P_ON, Point.P_OFF, Point.QRS_ON))
    for beat in (found.beats * by).tolist():
        signal_mv[beat + p_on : beat + p_off] += sign * 0.1 * np.hanning(p_off - p_on)
        signal_mv[beat + qrs_on : beat - qrs_on] += sign * np.hanning(-2 * qrs_on)
        signal_mv[beat + qrs_on - 5] += 0.7 * spikes
    moved = dataclasses.replace(
        found,
        fs_hz=fs_hz,
        n_samples=n,
        beats=found.beats * by,
        waves=np.where(found.waves > -1000, found.waves * by, found.waves).astype(np.int16),
        rhythms=tuple(dataclasses.replace(r, start=r.start * by, stop=r.stop * by) for r in found.rhythms),
    )
    recording = ArrayRecording("drawn", signal_mv, fs_hz, source.info.leads)
    return Source(recording.info, moved, recording)


@lru_cache(maxsize=1)
def sources() -> dict[str, Source]:
    sinus, paced = labelled("sinus", [(1.0, "N")] * 60), labelled("paced", [(0.85, "Q")] * 60, paced=True)
    return {
        "upright": drawn(sinus, 1.0, False, FS_HZ),
        "turned": drawn(sinus, -1.0, False, FS_HZ),
        "paced": drawn(paced, 1.0, True, 2 * FS_HZ),
        "unknown": drawn(sinus, 1.0, True, 2 * FS_HZ),
        "unpaced": drawn(sinus, 1.0, False, 2 * FS_HZ),
        "slow": drawn(paced, 1.0, True, FS_HZ),
    }


def ask(name: str, question: str) -> dict[str, Any]:
    source = sources()[name]
    answer = Answerer().ask(question, [source])
    check_finding(answer, source)
    return answer


@pytest.mark.parametrize(
    ("name", "question", "verdict", "told"),
    [
        ("upright", "Is the lead upside down?", "no", "The lead seems upright over the whole recording"),
        ("upright", "Is the electrode on the right way round?", "yes", "the atrial wave points up"),
        ("turned", "Is the lead upside down?", "yes", "The lead seems upside down over the whole recording"),
        ("turned", "Did I put the strap on the wrong way around?", "yes", "the larger deflection point down"),
        ("turned", "Is the electrode on the right way round?", "no", "In aVR, and often in V1, that is as it should be"),
        ("turned", "What is the polarity of the lead?", None, "The lead seems upside down"),
        ("paced", "Are there pacing spikes?", "yes", "60 pacing spikes were found over the whole recording"),
        ("paced", "How many pacing spikes were there?", None, "60 pacing spikes"),
        ("paced", "Is there a pacemaker?", "yes", "60 pacing spikes were found."),
        ("paced", "More than 100 pacing spikes?", "no", "60 pacing spikes"),
        ("unknown", "Is the patient paced?", "not sure", "60 pacing spikes were found."),
        ("unpaced", "Is the patient paced?", "no", "No pacing spikes were found."),
        ("unpaced", "Are there pacing spikes?", "no", "None found is not none there"),
        ("slow", "Is the patient paced?", "yes", "Paced rhythm was found"),
    ],
)  # fmt: skip
def test_a_plain_question_has_a_plain_answer(name: str, question: str, verdict: str | None, told: str) -> None:
    answer = ask(name, question)
    assert (answer["status"], answer["verdict"]) == ("answered", verdict)
    assert told in answer["answer"]


def test_where_spikes_are_is_shown() -> None:
    answer = ask("paced", "Where are the pacing spikes?")
    assert [place["label"] for place in answer["locations"]] == ["60 pacing spikes"]


@pytest.mark.parametrize(
    ("name", "question", "reason"),
    [
        ("slow", "Are there pacing spikes?", "the recording's 250 Hz cannot show pacing spikes"),
        (
            "upright",
            "Is the patient paced?",
            "the recording's 250 Hz cannot show pacing spikes, and nothing else tells a paced beat from another wide one",
        ),
        ("paced", "Is the lead upside down?", "only 0 normal beats with a P wave in good signal, 5 are needed"),
    ],
)
def test_what_cannot_be_told_has_its_reason(name: str, question: str, reason: str) -> None:
    answer = ask(name, question)
    assert (answer["status"], answer["verdict"]) == ("not_measurable", "not sure")
    assert reason in answer["answer"]
    assert reason in {fact["reason"] for fact in answer["facts"]}


def test_spikes_need_no_labelled_beats_and_polarity_does() -> None:
    source = sources()["paced"]
    found = source.annotations
    bare = Annotations(found.fs_hz, found.n_samples, found.beats, found.quality, found.reasons, ())
    unlabelled = [dataclasses.replace(source, annotations=bare)]
    assert "60 pacing spikes" in Answerer().ask("Are there pacing spikes?", unlabelled)["answer"]
    assert Answerer().ask("Is the lead upside down?", unlabelled)["status"] == "not_measurable"


@pytest.mark.parametrize(
    ("question", "finding"),
    [
        ("Is the lead inverted?", "polarity"),
        ("Are the electrodes swapped?", "polarity"),
        ("Is the ECG upright?", "upright"),
        ("Are the P waves inverted?", "shape"),
        ("Is the pacemaker working?", "capture"),
        ("Any pacemaker spikes?", "spikes"),
    ],
)
def test_the_words_are_told_apart(question: str, finding: str) -> None:
    plan = understand(question, sources()["paced"].info, AskSettings())
    assert plan.findings == (finding,)
    assert plan.target == ("rhythm" if finding in {"spikes", "capture"} else "intervals")
