"""Facts to draft answers about what the signal itself shows: which way round the lead is, and pacing spikes."""

from dataclasses import replace

from edge.ask.draft import Asked, Draft, Phrase, Verdict, count_verdict, judged, missing, not_seen, plural, seen
from edge.ask.plan import Plan
from edge.interpret.facts import measure
from edge.interpret.polarity import INVERTED
from edge.types import Fact

FILTERED = "None found is not none there: a recorder's filter may take them out."


def polarity(asked: Asked, plan: Plan) -> Draft:
    """Whether the lead seems upside down, and on how many beats that rests."""
    fact = measure(asked.context, "polarity")["polarity"]
    if fact.value is None:
        return missing(asked, fact, "the polarity of the lead")
    inverted = fact.value == INVERTED
    of = f"in most of the {fact.n} normal beats that were looked at"
    phrases = [Phrase(f"The lead seems upright {asked.over}: {of}, the atrial wave points up.")]
    if inverted:
        waves = "the atrial wave and the larger deflection point down"
        phrases = [
            Phrase(f"The lead seems upside down {asked.over}: {of}, {waves}."),
            Phrase("In aVR, and often in V1, that is as it should be."),
        ]
    verdict: Verdict | None = None
    if plan.form == "verify":
        verdict = judged(inverted != ("upright" in plan.findings), sure=True)
    return Draft(
        "answered", tuple(phrases), (fact,), verdict, locations=fact.evidence if plan.form == "locate" else None
    )


def spikes(asked: Asked, plan: Plan) -> Draft:
    """How many pacing spikes were found, and where."""
    fact = measure(asked.context, "pacing")["pacing_spike_count"]
    if fact.value is None:
        return missing(asked, fact, "the number of pacing spikes")
    n, limit, verdict = int(fact.value), plan.threshold, None
    if plan.form == "verify" and limit:
        of_count = replace(plan, threshold=replace(limit, of=limit.of or "count"))  # "more than 100 pacing spikes"
        verdict = count_verdict(asked, of_count, n)
    elif plan.form == "verify":
        verdict = judged(n > 0, sure=n > 0 or seen(asked))
    caveat = () if n else (Phrase(FILTERED),)
    phrases = (found_phrase(fact, f" {asked.over}"), *caveat, *not_seen(asked))
    return Draft("answered", phrases, (fact,), verdict, locations=fact.evidence if plan.form == "locate" else None)


def found_phrase(fact: Fact, over: str = "") -> Phrase:
    """The number of pacing spikes in words; the fact has a value."""
    n = int(fact.value or 0)
    if n == 0:
        return Phrase(f"No pacing spikes were found{over}.")
    return Phrase(f"{n} pacing spike{plural(n)} {'was' if n == 1 else 'were'} found{over}.")
