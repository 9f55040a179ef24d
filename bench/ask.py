"""Time of an answer when everything is warm: to the first checked words, and to the whole text."""

import statistics
import time
from pathlib import Path
from typing import Any

from bench.measure import machine
from edge.ask.answer import Answerer, Source, new_model
from edge.formats.memory import demo_recording
from edge.pipeline import annotate
from edge.settings import Settings

QUESTIONS = (
    "What was the average heart rate?",
    "What was the highest heart rate?",
    "How low did the pulse drop?",
    "Were there any pauses?",
    "How long was the longest pause?",
    "How many heartbeats in the first minute?",
    "Was the heart racing?",
    "Was the rate ever below 50?",
    "Is the rhythm regular?",
    "Were there any extra beats?",
    "How good is the signal?",
    "Was any data lost?",
    "How long is the recording?",
    "What is the heart rate variability?",
    "What was the mean heart rate between 60s and 120s?",
    "When was the heart rate highest?",
    "How many pauses longer than 3 seconds?",
    "What is the shortest RR interval?",
    "Was the pulse over 120 at any time?",
    "How fast is the heart beating now?",
)


def run(data: Path | None, records: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG001 - needs no recordings
    """Ask twenty questions with a warm model; medians in milliseconds."""
    recording = demo_recording()
    source = Source(recording.info, annotate(recording))
    settings = Settings()
    model = new_model(settings)
    answerer = Answerer(settings, model)
    rows = []
    try:
        began = time.perf_counter()
        model.start()
        start_s = time.perf_counter() - began
        answerer.ask(QUESTIONS[0], [source])
        for question in QUESTIONS:
            answer = answerer.ask(question, [source])
            timing = answer["timing_ms"]
            rows.append(
                {
                    "question": question,
                    "first_words_ms": timing["first_token"],
                    "total_ms": timing["total"],
                    "by_model": answer["model"] is not None,
                    "answer": answer["answer"],
                }
            )
    finally:
        model.close()
    return {
        "command": "anyecg bench ask",
        "machine": machine(),
        "model": {"name": model.name, "sha256": model.sha256},
        "start_s": round(start_s, 2),
        "median_first_words_ms": statistics.median(row["first_words_ms"] for row in rows),
        "median_total_ms": statistics.median(row["total_ms"] for row in rows),
        "slowest_total_ms": max(row["total_ms"] for row in rows),
        "worded_by_model": sum(row["by_model"] for row in rows),
        "rows": rows,
    }
