"""How often the language model's rewording passes the check, sentence by sentence, and why it fails.

The questions are those of bench.ask and the held-out wordings of the planner, where they are installed.
"""

import csv
from collections import Counter
from pathlib import Path
from typing import Any

from bench.ask import QUESTIONS
from bench.measure import machine
from edge.ask.answer import Source, draft_answer, new_model
from edge.ask.understand import understand
from edge.ask.words import word
from edge.formats.memory import demo_recording
from edge.pipeline import annotate
from edge.settings import Settings

WORDINGS = Path(__file__).parents[1] / "training" / "planner" / "wordings_heldout.csv"


def run(data: Path | None, records: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG001 - needs no recordings
    """Draft and reword; counts of drafts touched by the model and of the reasons for refusing."""
    settings, recording = Settings(), demo_recording()
    source = Source(recording.info, annotate(recording))
    questions = list(QUESTIONS)
    if WORDINGS.is_file():
        with WORDINGS.open(encoding="utf-8") as file:
            questions += [row["question"] for row in csv.DictReader(file)]
    model = new_model(settings)
    tried, passed, reasons = 0, 0, Counter[str]()
    try:
        for question in questions:
            plan = understand(question, source.info, settings.ask)
            draft = draft_answer(question, plan, [source], settings)
            worded = word(draft, question, model, settings.ask)
            if worded.why_not in {"fixed wording", "no model"}:
                continue
            tried += 1
            passed += worded.by_model
            if worded.why_not:
                reasons[worded.why_not.split("'")[0] + ("…" if "'" in worded.why_not else "")] += 1
    finally:
        model.close()
    return {
        "command": "anyecg bench words",
        "machine": machine(),
        "drafts": tried,
        "passed": passed,
        "refused_because": dict(reasons.most_common()),
    }
