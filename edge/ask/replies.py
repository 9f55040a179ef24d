"""Facts to draft answers about the heartbeat, one function per target. Every number is a fact's, rounded for reading."""

import dataclasses
from collections.abc import Callable

from edge.ask.draft import (
    CUES,
    Asked,
    Draft,
    Phrase,
    Verdict,
    count_verdict,
    judged,
    located,
    missing,
    not_seen,
    plural,
    seen,
)
from edge.ask.plan import Plan, Threshold
from edge.ask.replies_ectopy import ectopy as labelled_ectopy
from edge.ask.replies_record import coverage, quality, recording
from edge.ask.replies_rhythm import rhythm, which
from edge.ask.replies_waves import intervals
from edge.ask.spans import duration_text, when_text
from edge.interpret.facts import NO_ECG_HERE, measure, pause_name
from edge.types import Fact

MAX_BARE_PAUSE_S = 20.0  # "pauses over 3" means seconds; a larger number without a unit is not taken for any
MIN_BARE_RATE_BPM = 20.0  # "above 120" means a rate; a smaller number without a unit is not taken for one


def rate(asked: Asked, plan: Plan) -> Draft:
    """Heart rate: mean, lowest, highest, last, or whether it passed a limit."""
    facts = measure(asked.context, "rate")
    mean = facts["heart_rate_mean"]
    if mean.value is None:
        return missing(asked, mean, "the heart rate")
    wanted = plan.quantity if plan.quantity in {"min", "max", "last"} else "mean"
    limit = _limit_of(plan, "rate", "beats")
    if limit and not plan.quantity and plan.form in {"verify", "choose", "query"}:
        wanted = "max" if limit.above != limit.always else "min"  # above all the time: the lowest must be
    main = facts[f"heart_rate_{wanted}"]
    if main.value is None:
        return missing(asked, main, "the heart rate")
    phrases = [_rate_phrase(asked, main, wanted, over=f" {asked.over}")]
    if wanted == "mean" and plan.quantity != "mean" and facts["heart_rate_min"].value is not None:
        low, high = facts["heart_rate_min"], facts["heart_rate_max"]
        phrases += [_rate_phrase(asked, low, "min"), _rate_phrase(asked, high, "max")]
    verdict: Verdict | None = None
    if limit and plan.form in {"verify", "choose"}:
        yes = limit.passed_by(round(main.value))
        # What was not seen can raise the highest and lower the lowest, and nothing else.
        settled = {"max": yes == limit.above, "min": yes != limit.above}.get(wanted, True)
        verdict = judged(yes, sure=settled or seen(asked))
    places = main.evidence if wanted != "mean" else None
    used = (main, *(f for f in facts.values() if f is not main and f.value is not None))
    return Draft("answered", tuple(phrases), used, verdict, locations=places if plan.form == "locate" else None)


def _rate_phrase(asked: Asked, fact: Fact, which: str, over: str = "") -> Phrase:
    """A rate in words; `over` names the span in the sentence that answers, and is not repeated after it."""
    assert fact.value is not None
    if which == "mean":
        return Phrase(f"The mean heart rate was {fact.value:.0f} bpm {asked.over}.", CUES["mean"])
    word = {"min": "lowest", "max": "highest", "last": "last"}[which]
    at = when_text(fact.evidence[0].start_s, asked.info)
    text = f"The {word} heart rate{over} was {fact.value:.0f} bpm, over {fact.n} beats from {at}."
    return Phrase(text, CUES[which])


def beats(asked: Asked, plan: Plan) -> Draft:
    """Number of beats found."""
    fact = measure(asked.context, "beats")["beat_count"]
    if fact.value is None:
        return missing(asked, fact, "the number of beats")
    complete = asked.context.analysable_fraction >= 0.995
    told = "were reported by the strap" if asked.context.rr_only else "were found"
    text = f"{fact.value:.0f} beats {told} {asked.over}"
    if not complete:
        share = f"{100 * asked.context.analysable_fraction:.0f} % of that time"
        text += f"; RR intervals cover {share}" if asked.context.rr_only else f"; {share} was usable"
    verdict: Verdict | None = None
    limit = _limit_of(plan, "beats", "count")
    if limit and plan.form == "verify":
        yes = limit.passed_by(fact.value)
        all_seen = complete and asked.recorded_share > 0.995
        verdict = judged(yes, sure=all_seen or yes == limit.above)  # there may be more, and not fewer
    return Draft("answered", (Phrase(text + ".", CUES["count"]),), (fact,), verdict)


def pauses(asked: Asked, plan: Plan) -> Draft:
    """Pauses of at least the asked or the usual length, and the longest RR interval."""
    limit = _limit_of(plan, "time")
    if limit and not (limit.of or limit.value <= MAX_BARE_PAUSE_S):
        limit = None
    limit_s = limit.value if limit and limit.above else asked.context.settings.pauses_s[0]
    changed = dataclasses.replace(asked.context.settings, pauses_s=(limit_s,))
    facts = measure(dataclasses.replace(asked.context, settings=changed), "pauses")
    longest, shortest, count = facts["longest_rr"], facts["shortest_rr"], facts[pause_name(limit_s)]
    if longest.value is None or shortest.value is None or count.value is None:
        return missing(asked, longest, "pauses")
    n = int(count.value)
    if plan.quantity in {"shortest", "min"}:
        phrases = [_rr_phrase(asked, shortest, "shortest", over=f" {asked.over}")]
        verdict = _extreme_verdict(asked, limit, shortest.value, least=True) if limit else None
        return located(plan, phrases, (shortest,), verdict, shortest)
    told = f"No pause of {limit_s:g} s or longer was found {asked.over}."
    if n:
        told = f"{n} pause{plural(n)} of {limit_s:g} s or longer {'were' if n > 1 else 'was'} found {asked.over}."
    phrases = [Phrase(told), _rr_phrase(asked, longest, "longest")]
    if plan.quantity in {"longest", "max"}:
        phrases = [_rr_phrase(asked, longest, "longest", over=f" {asked.over}"), Phrase(told)]
    if asked.context.rr_only:
        phrases.append(Phrase("Intervals are as the strap reported them; a beat that it missed looks like a pause."))
    phrases += not_seen(asked)
    verdict = judged(n > 0, sure=n > 0 or seen(asked))
    if plan.threshold and not limit:
        verdict = count_verdict(asked, plan, n)
    elif limit and not limit.above:  # "did the longest stay under 3 s?"
        about_longest = limit.always or plan.quantity in {"longest", "max"}
        verdict = _extreme_verdict(asked, limit, longest.value) if about_longest else None
    return located(plan, phrases, (count, longest), verdict, count if n else longest)


def _rr_phrase(asked: Asked, fact: Fact, word: str, over: str = "") -> Phrase:
    assert fact.value is not None
    at = when_text(fact.evidence[0].start_s, asked.info)
    return Phrase(f"The {word} interval between two beats{over} was {fact.value:.2f} s, at {at}.")


def _extreme_verdict(asked: Asked, limit: Threshold, value: float, *, least: bool = False) -> Verdict:
    """Whether the longest (or shortest) interval passes a limit; what was not seen may hold one beyond it."""
    yes = limit.passed_by(round(value, 2))
    return judged(yes, sure=seen(asked) or yes == (limit.above != least))


def _episodes(kind: str, word: str, side: str) -> Callable[[Asked, Plan], Draft]:
    fast = kind == "tachycardia"

    def reply(asked: Asked, plan: Plan) -> Draft:
        if plan.quantity == "last" or (
            plan.form in {"query", "locate"} and plan.quantity == ("max" if fast else "min") and not plan.threshold
        ):
            return rate(asked, plan)  # "how low did it drop?" asks for the value
        asked_bpm = _limit_of(plan, "rate", "beats")
        if asked_bpm and not (asked_bpm.of or asked_bpm.value >= MIN_BARE_RATE_BPM):
            asked_bpm = None
        if asked_bpm and (asked_bpm.above != fast or asked_bpm.always):
            return rate(asked, plan)  # "did it stay below 100?" asks for the value, too
        settings = asked.context.settings
        if asked_bpm and fast:
            settings = dataclasses.replace(settings, tachycardia_bpm=asked_bpm.value)
        elif asked_bpm:
            settings = dataclasses.replace(settings, bradycardia_bpm=asked_bpm.value)
        facts = measure(dataclasses.replace(asked.context, settings=settings), "episodes")
        count = facts[f"{kind}_count"]
        if count.value is None:
            return missing(asked, count, f"{word} episodes")
        total, limit = facts[f"{kind}_total"], facts[f"{kind}_limit"]
        assert total.value is not None
        assert limit.value is not None
        n = int(count.value)
        rule = f"{side} {limit.value:g} bpm for {settings.episode_min_s:.0f} s or longer"
        brief = None if n else _briefly_beyond(asked, asked_bpm or Threshold(fast, limit.value, ""))
        if n == 0:
            phrases = [Phrase(f"The heart rate was not {rule} {asked.over}.")]
            if brief:
                told = _rate_phrase(asked, brief, "max" if fast else "min")
                phrases = [told, *phrases] if asked_bpm else [*phrases, told]
        else:
            longest = count.evidence[0]
            phrases = [
                Phrase(f"The heart rate was {rule} {n} time{plural(n)} {asked.over}."),
                Phrase(f"Together {duration_text(total.value)} {side} {limit.value:g} bpm."),
                Phrase(
                    f"The longest lasted {duration_text(longest.duration_s)}, "
                    f"from {when_text(longest.start_s, asked.info)} ({longest.label})."
                ),
            ]
        passed = n > 0 or (brief is not None and asked_bpm is not None)  # a named limit is passed by any beats
        verdict: Verdict | None = judged(passed, sure=passed or seen(asked))
        if plan.threshold and not asked_bpm:
            lasting = plan.threshold.of == "time"
            verdict = _lasting_verdict(asked, plan, count, total) if lasting else count_verdict(asked, plan, n)
        used = (count, total, limit, *([brief] if brief else []))
        return located(plan, [*phrases, *not_seen(asked)], used, verdict, count if n or not brief else brief)

    reply.__doc__ = f"Episodes of {word} rate."
    return reply


def _briefly_beyond(asked: Asked, limit: Threshold) -> Fact | None:
    """The extreme rate where it passes the limit, as printed, though not long enough for an episode."""
    fact = measure(asked.context, "rate")["heart_rate_max" if limit.above else "heart_rate_min"]
    return fact if fact.value is not None and limit.passed_by(round(fact.value)) else None


def _lasting_verdict(asked: Asked, plan: Plan, count: Fact, total: Fact) -> Verdict | None:
    """Whether one episode lasted longer than a limit; open where only all of them together did."""
    limit = plan.threshold
    if limit is None or not limit.above or total.value is None:
        return None
    if count.evidence and limit.passed_by(count.evidence[0].duration_s):
        return "yes"
    return judged(False, sure=seen(asked) and not limit.passed_by(total.value))


def variability(asked: Asked, plan: Plan) -> Draft:  # noqa: ARG001 - one of REPLIES
    """SDNN, RMSSD and pNN50."""
    facts = measure(asked.context, "variability")
    sdnn, rmssd, pnn50 = facts["sdnn"], facts["rmssd"], facts["pnn50"]
    if sdnn.value is None or rmssd.value is None or pnn50.value is None:
        return missing(asked, sdnn, "heart rate variability")
    phrases = (
        Phrase(f"SDNN was {sdnn.value:.0f} ms {asked.over}, from {sdnn.n} normal-to-normal intervals."),
        Phrase(f"RMSSD was {rmssd.value:.0f} ms."),
        Phrase(f"pNN50 was {pnn50.value:.0f} %."),
    )
    return Draft("answered", phrases, (sdnn, rmssd, pnn50))


def regularity(asked: Asked, plan: Plan) -> Draft:
    """Regular or not, by the share of intervals out of step with their neighbours."""
    share = measure(asked.context, "regularity")["irregular_share"]
    if share.value is None:
        return missing(asked, share, "regularity")
    s = asked.context.settings
    told = "mostly regular, with some beats out of step"
    if share.value < 100 * s.regular_share:
        told = "regular"
    elif share.value > 100 * s.irregular_share:
        told = "irregular"
    verdict, choice = _regular_verdict(told, plan)
    name = _rhythm_name(asked, plan)
    text = (
        f"The heartbeat was {told} {asked.over}: {share.value:.0f} % of the intervals between beats "
        "were out of step with their neighbours."
    )
    return Draft("answered", (Phrase(text), name.phrases[0]), (share, *name.facts), verdict, choice)


def _rhythm_name(asked: Asked, plan: Plan) -> Draft:
    """What rhythm it is, or why that was not told."""
    if asked.context.unread:
        text = f"What rhythm it is was not told: {asked.context.unread}."
        return Draft("not_measurable", (Phrase(text),))
    return which(asked, dataclasses.replace(plan, form="query", findings=()))


def _regular_verdict(told: str, plan: Plan) -> tuple[Verdict | None, str | None]:
    if plan.form == "choose":
        return None, told
    if plan.form != "verify" or plan.threshold:
        return None, None
    if told.startswith("mostly"):
        return "not sure", None
    return ("yes" if (told == "irregular") == (plan.quantity == "irregular") else "no"), None


def ectopy(asked: Asked, plan: Plan) -> Draft:
    """Extra beats by their labels; where there are none, beats that came early by their timing."""
    if asked.context.annotations.read:
        return labelled_ectopy(asked, plan)
    facts = measure(asked.context, "regularity")
    early = facts.get("early_beat_count", facts["irregular_share"])
    if early.value is None:
        return missing(asked, early, "early beats")
    n = int(early.value)
    share = f"{100 * (1 - asked.context.settings.early_fraction):.0f} %"
    told = f"{n or 'No'} beat{plural(n)} came more than {share} early by timing {asked.over}."
    origin = f"Whether such beats are ventricular or supraventricular was not told: {asked.context.unread}."
    verdict: Verdict | None = judged(n > 0, sure=n > 0 or seen(asked))
    if plan.threshold:
        verdict = count_verdict(asked, plan, n)
    return located(plan, [Phrase(told), Phrase(origin)], (early,), verdict, early)


def summary(asked: Asked, plan: Plan) -> Draft:
    """The main figures one after another; what is missing says why."""
    plain = dataclasses.replace(plan, form="query", quantity="", findings=(), threshold=None)
    read = asked.context.annotations.read
    parts = [reply(asked, plan) for reply in (rate, pauses, TACHYCARDIA, BRADYCARDIA, regularity)]
    parts += [reply(asked, plain) for reply in (which, labelled_ectopy)] if read else []
    parts.append((coverage if asked.context.rr_only else quality)(asked, plan))
    phrases = [p for k, part in enumerate(parts) for p in part.phrases[: 1 if k == 4 else 3]]
    if read:
        parts.insert(-1, intervals(asked, plain))
        phrases += parts[-2].phrases
    if asked.context.rr_only:
        phrases.append(Phrase(f"{NO_ECG_HERE}."))
    if not read:
        phrases.append(Phrase("Rhythm names, beat types and waves were not told from each other."))
    answered = next((part for part in parts[:-1] if part.status == "answered"), parts[0])
    facts = tuple(fact for part in parts for fact in part.facts)
    return Draft(answered.status, tuple(phrases), facts)


def _limit_of(plan: Plan, *kinds: str) -> Threshold | None:
    """The question's limit where it is one of such a quantity, or names no unit."""
    limit = plan.threshold
    return limit if limit and limit.of in {"", *kinds} else None


TACHYCARDIA = _episodes("tachycardia", "fast", "above")
BRADYCARDIA = _episodes("bradycardia", "slow", "below")
REPLIES: dict[str, Callable[[Asked, Plan], Draft]] = {
    "rate": rate,
    "beats": beats,
    "pauses": pauses,
    "tachycardia": TACHYCARDIA,
    "bradycardia": BRADYCARDIA,
    "variability": variability,
    "regularity": regularity,
    "ectopy": ectopy,
    "quality": quality,
    "coverage": coverage,
    "recording": recording,
    "summary": summary,
    "rhythm": rhythm,
    "intervals": intervals,
}
