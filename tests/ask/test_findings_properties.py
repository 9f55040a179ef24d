"""Whatever is asked about findings, in whatever words: a valid answer that rests on facts."""

import re
from typing import Any

from ask_tools import ask, check_finding
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from labelled import known_hearts

from edge.ask.answer import draft_answer
from edge.ask.check import accept, unfounded
from edge.ask.plan import FORMS, Plan, PlanSpan, Threshold
from edge.ask.trend import OF_FINDING
from edge.errors import UsageError
from edge.settings import Settings

# Nobody is said to have anything; a run may have beats, and a rate.
HAS = re.compile(
    r"\b(?:you|your|patient|she|he|have|has|had(?! not ended)|diagnos\w*|suffers?)\b(?! \d+ b)", re.IGNORECASE
)


def phrases_of_findings() -> list[tuple[Any, tuple[Any, ...]]]:
    """Every phrase about every finding of every known heart, with the facts of its answer."""
    found = {}
    for name in (
        "sinus",
        "paroxysmal",
        "brief",
        "flutter",
        "ventricular",
        "tachycardia",
        "bigeminy",
        "asystole",
        "noisy",
    ):
        source = known_hearts()[name]
        span = PlanSpan(0.0, source.info.duration_s)
        for target in ("rhythm", "ectopy", "intervals"):
            for key in ("", *OF_FINDING):
                for form in ("verify", "locate", "query"):
                    for quantity in ("", "share", "longest", "rate"):
                        plan = Plan(form, target, quantity, span, findings=(key,) if key else ())
                        draft = draft_answer("", plan, [source], Settings())
                        if draft.status == "answered":
                            found.update(dict.fromkeys(draft.phrases, draft.facts))
    return list(found.items())


def test_every_phrase_about_a_finding_passes_its_own_check_and_rests_on_a_fact() -> None:
    phrases = phrases_of_findings()
    assert len(phrases) > 150
    assert [(p.text, why) for p, _ in phrases if (why := accept(p.text, p))] == []
    assert [(p.text, names) for p, facts in phrases if (names := unfounded(p.text, facts))] == []
    assert [p.text for p, _ in phrases if HAS.search(p.text.replace("may have been missed", ""))] == []


LIMITS = st.sampled_from(
    [None, Threshold(True, 5, "over 5"), Threshold(False, 60.0, "under 1 minute", "time", always=True),
     Threshold(True, 10, "over 10 %", "share"), Threshold(True, 150, "over 150 bpm", "rate")]
)  # fmt: skip


@hypothesis_settings(max_examples=400, deadline=None)
@example("rhythm", "verify", "", ["af", "paced"], None, "asystole", 0)  # the second's reason names what it takes
@given(
    st.sampled_from(["rhythm", "ectopy", "intervals", "pauses", "regularity", "summary"]),
    st.sampled_from(FORMS),
    st.sampled_from(
        ["", "share", "max", "min", "longest", "shortest", "rate", "per hour", "count", "duration", "last"]
    ),
    st.lists(st.sampled_from([*OF_FINDING, "any", "couplets", "runs", "isolated", "block", "asystole"]), max_size=3),
    LIMITS,
    st.sampled_from(sorted(known_hearts())),
    st.integers(0, 200),
)
def test_every_plan_about_findings_gets_a_valid_answer(
    target: Any, form: Any, quantity: str, findings: list[str], limit: Threshold | None, name: str, start_s: int
) -> None:
    source = known_hearts()[name]
    span = PlanSpan(start_s, start_s + 60.0, "then") if start_s % 2 else PlanSpan(0.0, source.info.duration_s)
    plan = Plan(form, target, quantity, span, threshold=limit, findings=tuple(dict.fromkeys(findings)))
    draft = draft_answer("Is it so?", plan, [source], Settings())
    assert draft.phrases
    assert all((fact.value is None) == bool(fact.reason) for fact in draft.facts)
    if draft.status == "answered":
        told = " ".join(p.text for p in draft.phrases if "not measurable" not in p.text)
        assert unfounded(told, draft.facts) == [], told
    else:
        assert draft.verdict in {None, "not sure"}


PIECES = st.sampled_from(
    "AF flutter fibrillation sinus rhythm VT SVT PVC PVCs couplets bigeminy extra beats runs longest fastest how many "  # noqa: SIM905
    "when where was were there any is it or not no QTc PR QRS P waves ST above below 450 100 ms bpm 10 % more than in "
    "the first minute last now burden per hour paced asystole block ischaemia regular trend over time compare".split()
)


@hypothesis_settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=12), st.sampled_from(["paroxysmal", "ventricular", "noisy", "vf", "svt"]))
def test_any_jumble_of_words_about_findings_gets_a_valid_answer(words: list[str], name: str) -> None:
    question = " ".join(words)
    source = known_hearts()[name]
    if any(ch.isalnum() for ch in question):
        try:
            check_finding(ask(question, source), source)
        except UsageError:
            return
