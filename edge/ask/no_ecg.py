"""What a recording of RR intervals is asked in vain: its signal, leads and waves."""

import re

from edge.ask.draft import Asked, Draft, Phrase
from edge.ask.plan import Plan
from edge.interpret.facts import NO_ECG, NO_ECG_HERE, measure
from edge.types import Fact

_SIGNAL = (
    r"(?:ecgs?|ekgs?|signals?|strips?|traces?|tracings?|curves?|waveforms?|waves?|morpholog\w*|amplitudes?|voltages?)"
)
# "The rate in this ECG" asks for the rate; these ask for what is drawn.
_WANTS_SIGNAL = re.compile(
    rf"\b(?:show|see|seen|display|plot|draw|print|export|zoom|view|look)\b.*\b{_SIGNAL}\b|\b{_SIGNAL}\b.*\blook"
    rf"|^\W*(?:the )?{_SIGNAL}\b|\bis there (?:an? )?(?:\w+ )?{_SIGNAL}\b"
)


def without_ecg(question: str, plan: Plan, sides: list[Asked]) -> Draft | None:
    """The answer where a question needs a signal that one of the recordings does not have; else None."""
    asked = next((asked for asked in sides if asked.info.rr_only), None)
    if asked is None:
        return None
    if plan.target == "quality":
        facts = measure(asked.context, "quality")
        covered, good = facts["analysable_share"], facts["good_share"]
        phrases = [Phrase(f"{NO_ECG_HERE}: there is no signal whose quality could be measured.")]
        if covered.value is not None:
            phrases.append(Phrase(f"RR intervals cover {covered.value:.0f} % of the time {asked.over}."))
        return Draft("not_measurable", tuple(phrases), (good, covered), verdict="not sure")
    shown = plan.target not in {"advice", "intervals", "rhythm"} and _WANTS_SIGNAL.search(question.lower())
    if plan.lead or shown:
        c = asked.context
        fact = Fact("signal", None, "mV", c.start_s, c.end_s, 0, c.analysable_fraction, NO_ECG)
        text = f"{NO_ECG_HERE}: there is no signal to show or to measure."
        return Draft("not_measurable", (Phrase(text),), (fact,), verdict="not sure")
    return None
