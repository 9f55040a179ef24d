"""Facts to draft answers, one function per target. Every number is a fact's, rounded for reading."""

import dataclasses
from collections.abc import Callable

from edge.ask.draft import CUES, Asked, Draft, Phrase, Verdict, missing
from edge.ask.plan import Plan
from edge.ask.spans import duration_text, when_text
from edge.interpret.facts import context_of, measure, pause_name
from edge.types import Fact, Span

SHOWN_PLACES = 5  # places named in words; all of them are in `locations`


def rate(asked: Asked, plan: Plan) -> Draft:
    """Heart rate: mean, lowest, highest, last, or whether it passed a limit."""
    facts = measure(asked.context, "rate")
    mean = facts["heart_rate_mean"]
    if mean.value is None:
        return missing(asked, mean, "the heart rate")
    wanted = plan.quantity if plan.quantity in {"min", "max", "last"} else "mean"
    limit = plan.threshold
    if limit and plan.form in {"verify", "choose", "query"} and 20 <= limit.value <= 350:
        wanted = wanted if wanted == "mean" and plan.quantity == "mean" else ("max" if limit.above else "min")
    main = facts[f"heart_rate_{wanted}"]
    if main.value is None:
        return missing(asked, main, "the heart rate")
    phrases = [_rate_phrase(asked, main, wanted)]
    if wanted == "mean" and plan.quantity != "mean" and facts["heart_rate_min"].value is not None:
        low, high = facts["heart_rate_min"], facts["heart_rate_max"]
        phrases += [_rate_phrase(asked, low, "min"), _rate_phrase(asked, high, "max")]
    verdict: Verdict | None = None
    if limit and plan.form in {"verify", "choose"}:
        beyond = round(main.value) > limit.value if limit.above else round(main.value) < limit.value
        verdict = "yes" if beyond else "no"
        if asked.context.analysable_fraction < 0.9 and verdict == "no":
            verdict = "not sure"  # it may have happened where nothing could be measured
    places = main.evidence if wanted != "mean" else None
    used = (main, *(f for f in facts.values() if f is not main and f.value is not None))
    return Draft(
        "answered", tuple(phrases), used, verdict, locations=places if plan.form == "locate" else None
    )


def _rate_phrase(asked: Asked, fact: Fact, which: str) -> Phrase:
    assert fact.value is not None
    if which == "mean":
        return Phrase(f"The mean heart rate was {fact.value:.0f} bpm {asked.over}.", CUES["mean"])
    word = {"min": "lowest", "max": "highest", "last": "last"}[which]
    at = when_text(fact.evidence[0].start_s, asked.info)
    return Phrase(
        f"The {word} heart rate was {fact.value:.0f} bpm, over {fact.n} beats from {at}.", CUES[which]
    )


def beats(asked: Asked, plan: Plan) -> Draft:
    """Number of beats found."""
    fact = measure(asked.context, "beats")["beat_count"]
    if fact.value is None:
        return missing(asked, fact, "the number of beats")
    text = f"{fact.value:.0f} beats were found {asked.over}"
    if asked.context.analysable_fraction < 0.995:
        text += f"; {100 * asked.context.analysable_fraction:.0f} % of that time was usable"
    verdict = _against_limit(fact.value, plan)
    return Draft("answered", (Phrase(text + ".", CUES["count"]),), (fact,), verdict)


def pauses(asked: Asked, plan: Plan) -> Draft:
    """Pauses of at least the asked or the usual length, and the longest RR interval."""
    limit_s = asked.context.settings.pauses_s[0]
    if plan.threshold and plan.threshold.above and 1.0 <= plan.threshold.value <= 60:
        limit_s = plan.threshold.value
    changed = dataclasses.replace(asked.context.settings, pauses_s=(limit_s,))
    facts = measure(dataclasses.replace(asked.context, settings=changed), "pauses")
    longest, count = facts["longest_rr"], facts[pause_name(limit_s)]
    if longest.value is None or count.value is None:
        return missing(asked, longest, "pauses")
    n = int(count.value)
    if plan.quantity in {"shortest", "min"}:
        shortest = facts["shortest_rr"]
        assert shortest.value is not None
        return Draft(
            "answered", (_rr_phrase(asked, shortest, "shortest"),), (shortest,), locations=shortest.evidence
        )
    told = f"No pause of {limit_s:g} s or longer was found {asked.over}."
    if n:
        told = f"{n} pause{'s' if n > 1 else ''} of {limit_s:g} s or longer {'were' if n > 1 else 'was'} found {asked.over}."
    phrases = [Phrase(told), _rr_phrase(asked, longest, "longest")]
    if plan.quantity in {"longest", "max"}:
        phrases.reverse()
    phrases += _not_seen(asked)
    verdict: Verdict = "yes" if n else ("no" if asked.context.analysable_fraction >= 0.9 else "not sure")
    where = count.evidence if n else longest.evidence
    return Draft(
        "answered", tuple(phrases), (count, longest), verdict if plan.form == "verify" else None,
        locations=where if plan.form == "locate" else None,
    )  # fmt: skip


def _rr_phrase(asked: Asked, fact: Fact, word: str) -> Phrase:
    assert fact.value is not None
    at = when_text(fact.evidence[0].start_s, asked.info)
    return Phrase(f"The {word} interval between two beats was {fact.value:.2f} s, at {at}.", CUES[word])


def _episodes(kind: str, word: str, side: str) -> Callable[[Asked, Plan], Draft]:
    def reply(asked: Asked, plan: Plan) -> Draft:
        if (
            plan.form in {"query", "locate"}
            and plan.quantity == ("max" if kind == "tachycardia" else "min")
            and not plan.threshold
        ):
            return rate(asked, plan)  # "how low did it drop?" asks for the value
        settings = asked.context.settings
        if (
            plan.threshold
            and 30 <= plan.threshold.value <= 250
            and plan.threshold.above == (kind == "tachycardia")
        ):
            if kind == "tachycardia":
                settings = dataclasses.replace(settings, tachycardia_bpm=plan.threshold.value)
            else:
                settings = dataclasses.replace(settings, bradycardia_bpm=plan.threshold.value)
        facts = measure(dataclasses.replace(asked.context, settings=settings), "episodes")
        count, total, limit = (
            (facts[f"{kind}_{part}"] for part in ("count", "total", "limit"))
            if (facts[f"{kind}_count"].value is not None)
            else (facts[f"{kind}_count"],) * 3
        )
        if count.value is None or total.value is None or limit.value is None:
            return missing(asked, count, f"{word} episodes")
        n, cue = int(count.value)
        rule = f"{side} {limit.value:.0f} bpm for {settings.episode_min_s:.0f} s or longer"
        brief = None if n else _briefly_beyond(asked, kind, limit.value)
        if n == 0:
            phrases = [Phrase(f"The heart rate was not {rule} {asked.over}.", cue)]
            if brief:
                phrases = [brief, *phrases] if plan.threshold else [*phrases, brief]
        else:
            phrases = [
                Phrase(f"The heart rate was {rule} {n} time{'s' if n > 1 else ''} {asked.over}.", cue),
                Phrase(f"Together {duration_text(total.value)} {side} {limit.value:.0f} bpm.", cue),
                Phrase(
                    f"The longest lasted {duration_text(count.evidence[0].duration_s)}, from {when_text(count.evidence[0].start_s, asked.info)} ({count.evidence[0].label})."
                ),
            ]
        passed = n > 0 or (
            brief is not None and plan.threshold is not None
        )  # a named limit is passed by any beats
        verdict: Verdict = (
            "yes" if passed else ("no" if asked.context.analysable_fraction >= 0.9 else "not sure")
        )
        return Draft(
            "answered", (*phrases, *_not_seen(asked)), (count, total, limit), verdict if plan.form == "verify" else None,
            locations=count.evidence if plan.form == "locate" else None,
        )  # fmt: skip

    reply.__doc__ = f"Episodes of {word} rate."
    return reply


def _briefly_beyond(asked: Asked, kind: str, limit_bpm: float) -> Phrase | None:
    """The extreme rate where it lies beyond the limit, though not long enough for an episode."""
    which = "max" if kind == "tachycardia" else "min"
    fact = measure(asked.context, "rate")[f"heart_rate_{which}"]
    if fact.value is None or (fact.value <= limit_bpm if which == "max" else fact.value >= limit_bpm):
        return None
    return _rate_phrase(asked, fact, which)


def variability(asked: Asked, plan: Plan) -> Draft:
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
    facts = measure(asked.context, "regularity")
    share = facts["irregular_share"]
    if share.value is None:
        return missing(asked, share, "regularity")
    s = asked.context.settings
    told = "mostly regular, with some beats out of step"
    if share.value < 100 * s.regular_share:
        told = "regular"
    elif share.value > 100 * s.irregular_share:
        told = "irregular"
    verdict, choice = _regular_verdict(told, plan)
    text = f"The heartbeat was {told} {asked.over}: {share.value:.0f} % of the intervals between beats were out of step with their neighbours."
    phrases = (Phrase(text), Phrase("What rhythm it is, this version does not judge."))
    return Draft("answered", phrases, (share,), verdict, choice)


def _regular_verdict(told: str, plan: Plan) -> tuple[Verdict | None, str | None]:
    if plan.form == "choose":
        return None, told
    if plan.form != "verify":
        return None, None
    asks_irregular = plan.quantity == "irregular"
    if told.startswith("mostly"):
        return "not sure", None
    return ("yes" if (told == "irregular") == asks_irregular else "no"), None


def ectopy(asked: Asked, plan: Plan) -> Draft:
    """Beats that came early by their timing; which chamber they came from is not judged."""
    facts = measure(asked.context, "regularity")
    early = facts.get("early_beat_count", facts["irregular_share"])
    if early.value is None:
        return missing(asked, early, "early beats")
    n = int(early.value)
    share = f"{100 * (1 - asked.context.settings.early_fraction):.0f} %"
    told = f"{n or 'No'} beat{'' if n == 1 else 's'} came more than {share} early by timing {asked.over}."
    origin = "Whether such beats are ventricular or supraventricular, this version does not judge."
    verdict: Verdict | None = None
    if plan.form == "verify":
        verdict = "not sure" if asked.context.analysable_fraction < 0.9 and not n else ("yes" if n else "no")
    return Draft(
        "answered", (Phrase(told), Phrase(origin)), (early,), verdict,
        locations=early.evidence if plan.form == "locate" else None,
    )  # fmt: skip


def quality(asked: Asked, plan: Plan) -> Draft:
    """Share of usable signal, and where and why it was not."""
    facts = measure(asked.context, "quality")
    share, good = facts["analysable_share"], facts["good_share"]
    if share.value is None or good.value is None:
        return missing(asked, share, "signal quality")
    phrases = [
        Phrase(f"{share.value:.0f} % of the signal was usable {asked.over}.", CUES["usable"]),
        Phrase(f"{good.value:.0f} % was good.", frozenset({"good"})),
    ]
    if share.evidence:
        worst = share.evidence[0]
        phrases.append(
            Phrase(
                f"The longest unusable stretch was {duration_text(worst.duration_s)} from {when_text(worst.start_s, asked.info)}: {worst.label}."
            )
        )
    verdict: Verdict | None = None
    if plan.form == "verify":
        verdict = "yes" if (share.value >= 90 and good.value >= 75) != (plan.quantity == "noisy") else "no"
    return Draft(
        "answered", tuple(phrases), tuple(facts.values()), verdict,
        locations=share.evidence if plan.form == "locate" else None,
    )  # fmt: skip


def coverage(asked: Asked, plan: Plan) -> Draft:
    """Gaps, and how much was recorded."""
    facts = measure(asked.context, "coverage")
    gaps, total = facts["gap_count"], facts["gap_total"]
    assert gaps.value is not None and total.value is not None  # always countable
    n = int(gaps.value)
    if n == 0:
        phrases = [Phrase(f"There is no gap {asked.over}.")]
    else:
        worst = gaps.evidence[0]
        phrases = [
            Phrase(
                f"There {'are' if n > 1 else 'is'} {n} gap{'s' if n > 1 else ''} {asked.over}, together {duration_text(total.value)}."
            ),
            Phrase(
                f"The longest is {duration_text(worst.duration_s)} from {when_text(worst.start_s, asked.info)} ({worst.label})."
            ),
        ]
    verdict: Verdict | None = None
    if plan.quantity == "live":
        newest = when_text(asked.context.end_s, asked.info)
        phrases.append(
            Phrase(
                f"The newest sample analysed is from {newest}; whether more is coming, a stored recording cannot tell."
            )
        )
        verdict = "not sure"
    elif plan.form == "verify":
        verdict = "yes" if (n > 0) != (plan.quantity == "continuous") else "no"
    return Draft(
        "answered",
        tuple(phrases),
        tuple(facts.values()),
        verdict,
        locations=gaps.evidence if plan.form == "locate" else None,
    )


def recording(asked: Asked, plan: Plan) -> Draft:
    """What the recording is: length, start, leads, rate."""
    info = asked.info
    fact = Fact("duration", info.duration_s, "s", 0.0, info.duration_s, 0, asked.context.analysable_fraction)
    leads = ", ".join(lead.name for lead in info.leads)
    fs_text = f"{info.fs_hz:g} samples per second"
    start = info.start
    if plan.quantity in {"start", "end"}:
        if start is None:
            reason = "the recording does not say when it was made"
            unknown = Fact("start", None, "", 0.0, info.duration_s, reason=reason)
            return Draft(
                "not_measurable",
                (
                    Phrase(
                        f"When it was made is not known: {reason}. It is {duration_text(info.duration_s)} long."
                    ),
                ),
                (unknown, fact),
                verdict="not sure",
            )
        at = 0.0 if plan.quantity == "start" else info.duration_s
        moment = info.time_of(at)
        assert moment is not None
        told = "started" if plan.quantity == "start" else "ended"
        return Draft("answered", (Phrase(f"The recording {told} at {moment:%Y-%m-%d %H:%M:%S}."),), (fact,))
    if plan.quantity == "rate":
        return Draft(
            "answered",
            (Phrase(f"It was recorded at {fs_text}."),),
            (Fact("sampling_rate", info.fs_hz, "Hz", 0.0, info.duration_s),),
        )
    if plan.quantity == "leads":
        n = len(info.leads)
        count = Fact("lead_count", float(n), "leads", 0.0, info.duration_s)
        return Draft(
            "answered",
            (Phrase(f"The recording has {n} lead{'s' if n > 1 else ''}: {leads}."),),
            (count,),
            items=tuple(lead.name for lead in info.leads),
        )
    began = f", started {start:%Y-%m-%d %H:%M}" if start else ""
    text = f"The recording is {duration_text(info.duration_s)} long{began}, with lead{'s' if len(info.leads) > 1 else ''} {leads} at {fs_text}."
    return Draft("answered", (Phrase(text),), (fact,))


def summary(asked: Asked, plan: Plan) -> Draft:
    """The main figures one after another; what is missing says why."""
    parts = [reply(asked, plan) for reply in (rate, pauses, TACHYCARDIA, BRADYCARDIA, regularity, quality)]
    phrases = [p for part in parts for p in part.phrases[:3] if "does not judge" not in p.text]
    phrases.append(Phrase("Rhythm names, beat types and waves are not judged by this version."))
    answered = any(part.status == "answered" for part in parts[:-1])
    facts = tuple(fact for part in parts for fact in part.facts)
    return Draft("answered" if answered else "not_measurable", tuple(phrases), facts)


def trend(asked: Asked, plan: Plan) -> Draft:
    """Mean heart rate of equal parts of the span, in order."""
    c, n_parts = asked.context, 6
    step_s = (c.end_s - c.start_s) / n_parts
    facts, items = [], []
    for k in range(n_parts):
        part = context_of(c.annotations, c.start_s + k * step_s, c.start_s + (k + 1) * step_s, c.settings)
        fact = measure(part, "rate")["heart_rate_mean"]
        facts.append(fact)
        told = f"{fact.value:.0f} bpm" if fact.value is not None else f"not measurable ({fact.reason})"
        items.append(f"{when_text(part.start_s, asked.info)}: {told}")
    known = [fact for fact in facts if fact.value is not None]
    if len(known) < 2:
        return missing(asked, facts[0], "the course of the heart rate")
    listed = "; ".join(items)
    text = f"Mean heart rate in {n_parts} equal parts {asked.over}, each from the time named: {listed}."
    return Draft("answered", (Phrase(text),), tuple(facts), items=tuple(items))


def _against_limit(value: float, plan: Plan) -> Verdict | None:
    if plan.form != "verify" or plan.threshold is None:
        return None
    return "yes" if (value > plan.threshold.value) == plan.threshold.above else "no"


def _not_seen(asked: Asked) -> list[Phrase]:
    """How much of the span the answer does not cover, where that matters."""
    unseen = 1 - asked.context.analysable_fraction
    if unseen < 0.005:
        return []
    return [Phrase(f"{100 * unseen:.0f} % of that time could not be analysed.", CUES["usable"])]


def locations_text(spans: tuple[Span, ...], asked: Asked) -> str:
    """The first places in words."""
    shown = ", ".join(
        f"{when_text(s.start_s, asked.info)} to {when_text(s.end_s, asked.info)}"
        for s in spans[:SHOWN_PLACES]
    )
    more = len(spans) - SHOWN_PLACES
    return shown + (f" and {more} more" if more > 0 else "")


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
}


def span_words(start_s: float, end_s: float, asked_info_duration_s: float, begin: str, end: str) -> str:
    """The span of an answer in words."""
    if start_s <= 0 and end_s >= asked_info_duration_s - 0.5:
        return "over the whole recording"
    return f"between {begin} and {end}"
