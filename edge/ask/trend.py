"""The course of a figure over a span: the figure of each of its equal parts, in order."""

from dataclasses import replace

from edge.ask.draft import Asked, Draft, Phrase, missing
from edge.ask.findings import FINDINGS
from edge.ask.plan import Plan
from edge.ask.spans import when_text
from edge.interpret.facts import Context, context_of, measure
from edge.types import Fact

N_PARTS = 6
Figure = tuple[str, str, str]
"""A group of facts, the fact of it, and its name."""

OF_FINDING: dict[str, Figure] = {
    "af": ("rhythm", "af_burden", "share of atrial fibrillation"),
    "afl": ("rhythm", "afl_burden", "share of atrial flutter"),
    "sinus": ("rhythm", "sinus_share", "share of sinus rhythm"),
    "paced": ("rhythm", "paced_share", "share of paced rhythm"),
    "spikes": ("pacing", "pacing_spike_count", "number of pacing spikes"),
    "vf": ("rhythm", "vf_count", "number of stretches of ventricular flutter or fibrillation"),
    "vt": ("rhythm", "vt_count", "number of ventricular tachycardias"),
    "svt": ("rhythm", "svt_count", "number of supraventricular tachycardias"),
    "asystole": ("rhythm", "asystole_count", "number of times of asystole"),
    "idioventricular": ("rhythm", "idioventricular_count", "number of stretches of idioventricular rhythm"),
    "ve": ("ectopy", "ventricular_ectopic_count", "number of ventricular extra beats"),
    "sve": ("ectopy", "supraventricular_ectopic_count", "number of supraventricular extra beats"),
    "bigeminy": ("ectopy", "bigeminy_count", "number of stretches of bigeminy"),
    "trigeminy": ("ectopy", "trigeminy_count", "number of stretches of trigeminy"),
    "pr": ("waves", "pr", "PR interval"),
    "qrs": ("waves", "qrs", "QRS width"),
    "qt": ("waves", "qt", "QT interval"),
    "qtc": ("waves", "qtc_bazett", "QTc by Bazett"),
    "qtcb": ("waves", "qtc_bazett", "QTc by Bazett"),
    "qtcf": ("waves", "qtc_fridericia", "QTc by Fridericia"),
    "p": ("waves", "p_absent_share", "share of beats without a P wave"),
    "st": ("waves", "st_level", "ST level"),
}
"""Per finding: the one figure that tells most of it."""
USUAL: dict[str, Figure] = {
    "rhythm": OF_FINDING["af"],
    "ectopy": ("ectopy", "ectopic_count", "number of extra beats"),
    "intervals": OF_FINDING["qtc"],
}
"""What is told of a target where the question names nothing closer."""


def figure_of(plan: Plan) -> Figure:
    """The figure of the finding that is named, or the usual one of the target."""
    keys = (key for key in plan.findings if key in OF_FINDING and FINDINGS[key].target == plan.target)
    key = next(keys, "")
    return OF_FINDING[key] if key else USUAL[plan.target]


def measured(context: Context, group: str, name: str) -> Fact | None:
    """One fact of a span; "ectopic_count" is of ventricular and supraventricular extra beats together."""
    facts = measure(context, group)
    return both_origins(facts, "ectopic_count") if name == "ectopic_count" else facts.get(name)


def both_origins(facts: dict[str, Fact], what: str) -> Fact:
    """The sum of a quantity of ventricular and supraventricular extra beats."""
    ventricular, other = facts[f"ventricular_{what}"], facts[f"supraventricular_{what}"]
    value = None if ventricular.value is None or other.value is None else ventricular.value + other.value
    return replace(ventricular, name=what, value=value, evidence=(*ventricular.evidence, *other.evidence))


def course(asked: Asked, figure: Figure) -> Draft:
    """A fact of equal parts of the span, in order."""
    group, name, called = figure
    c = asked.context
    step_s = (c.end_s - c.start_s) / N_PARTS
    facts, items = [], []
    for k in range(N_PARTS):
        start_s, end_s = c.start_s + k * step_s, c.start_s + (k + 1) * step_s
        part = context_of(
            c.annotations, start_s, end_s, c.settings, rr_only=c.rr_only, recording=c.recording, lead=c.lead
        )
        fact = measured(part, group, name) or part.fact(name, None, "")
        facts.append(fact)
        told = f"not measurable ({fact.reason})"
        if fact.value is not None:
            told = f"{fact.value:.{2 if fact.unit == 'mV' else 0}f} {fact.unit}"
        items.append(f"{when_text(part.start_s, asked.info)}: {told}")
    known = [fact for fact in facts if fact.value is not None]
    if len(known) < 2:
        return missing(asked, facts[0], f"the course of the {called}")
    text = f"{called[0].upper()}{called[1:]} in {N_PARTS} equal parts {asked.over}, each from the time named: {'; '.join(items)}."
    return Draft("answered", (Phrase(text),), tuple(facts), items=tuple(items))


def rate_course(asked: Asked) -> Draft:
    """The mean heart rate of equal parts of the span."""
    return course(asked, ("rate", "heart_rate_mean", "mean heart rate"))


def finding_course(asked: Asked, plan: Plan) -> Draft:
    """The course of the finding that is named, or of the usual one of the target."""
    return course(asked, figure_of(plan))
