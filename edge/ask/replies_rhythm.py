"""Facts to draft answers about rhythms: found or not, how often, how long, how fast, and which it mostly was.

What is not found is said with how much could be read; nobody is said to have anything.
"""

from dataclasses import replace

from edge.ask.draft import (
    SEEN,
    Asked,
    Draft,
    Phrase,
    Verdict,
    judged,
    missing,
    not_seen,
    plural,
    seen,
    share_text,
)
from edge.ask.findings import FINDINGS
from edge.ask.plan import Plan, Threshold
from edge.ask.replies_signal import found_phrase, spikes
from edge.ask.spans import duration_text, when_text
from edge.ask.trend import finding_course
from edge.interpret.facts import measure
from edge.types import Fact, Span

SHARES = {"sinus": "sinus_share", "paced": "paced_share", "af": "af_burden", "afl": "afl_burden"}
"""Rhythms that last, by their share of the time that could be analysed."""
EVENTS = ("vf", "asystole", "vt", "svt", "idioventricular")
"""Rhythms that come and go, by how often they were found."""
MOSTLY = 90.0  # per cent: from here on "is it sinus rhythm?" is a yes, and below the rest to 100 a no
UNNAMED = 50.0  # per cent of the span with a named rhythm: below, nothing is said to be absent from it
NOTHING = 0.005  # less of a span is shown as none
STILL_S = 15.0  # an episode that ends so near the end of the span goes on
BARE_RATE = 40.0  # "SVT above 150" means a rate, "more than 5 VT" a count
READABLE = "analysable time"
MAIN = {"share": "burden", "longest": "longest", "duration": "total", "max": "max", "rate": "rate", "mean": "rate"}
"""The figure that a question asks for, by its word."""
MAX_LISTED = 5  # episodes whose beginnings are written out; all of those kept are in the answer's places

Facts = dict[str, Fact]


def rhythm(asked: Asked, plan: Plan) -> Draft:
    """The rhythm that is asked for, the choice between two, or what rhythm it is."""
    if plan.form == "trend":
        return finding_course(asked, plan)
    facts = measure(asked.context, "rhythm")
    named = [key for key in plan.findings if FINDINGS[key].target == "rhythm" and FINDINGS[key].facts]
    if plan.form == "choose" and len(named) > 1:
        return _choice(asked, facts, [key for key in named if key != "spikes"])
    if not named:
        return which(asked, plan, facts)
    parts = [_one(asked, plan, facts, key) for key in named]
    first = parts[0]
    if first.status != "answered" or len(parts) == 1:
        return first
    phrases = [*first.phrases, *(part.phrases[0] for part in parts[1:])]
    verdicts = {part.verdict for part in parts}
    return Draft(
        "answered",
        tuple(dict.fromkeys(phrases)),
        tuple(dict.fromkeys(fact for part in parts for fact in part.facts)),
        verdicts.pop() if len(verdicts) == 1 else None,
        locations=first.locations,
    )


def which(asked: Asked, plan: Plan, facts: Facts | None = None) -> Draft:
    """What rhythm it is: the one that lasted longest, then whatever else was found, then what was not."""
    facts = facts or measure(asked.context, "rhythm")
    if facts["sinus_share"].value is None:  # paced rhythm alone may be unknown: it takes a high sampling rate
        return missing(asked, facts["sinus_share"], "the name of the rhythm")
    shares = sorted((key for key in SHARES if _value(facts, SHARES[key])), key=lambda k: -_value(facts, SHARES[k]))
    events = [key for key in EVENTS if _value(facts, f"{key}_count")]
    phrases = [_share_phrase(asked, facts, key, over=k == 0) for k, key in enumerate(shares)]
    if not shares:
        phrases = [Phrase(f"No rhythm that lasts could be named {asked.over}.")]
    phrases += [_found_phrase(facts, key) for key in events]
    phrases += _brief(asked, facts)
    absent = [key for key in ("af", "afl", *EVENTS) if key not in shares and key not in events]
    if absent:
        phrases.append(Phrase(f"Not found: {', '.join(FINDINGS[key].name for key in absent)}."))
    verdict: Verdict | None = None
    if "any" in plan.findings and plan.form == "verify":  # blocks and more are not looked for: never a plain no
        verdict = "yes" if events or {"af", "afl"} & set(shares) else "not sure"
        phrases.append(Phrase(f"{FINDINGS['block'].name.capitalize()} and junctional rhythm are not looked for."))
    names = tuple(FINDINGS[key].name for key in (*shares, *events))
    used = tuple(facts.values())
    where = tuple(span for key in events for span in facts[f"{key}_count"].evidence)
    where += facts["af_count"].evidence + facts["afl_count"].evidence
    return Draft(
        "answered",
        (*phrases, *_unread(asked, facts)),
        used,
        verdict,
        items=names,
        locations=where if plan.form == "locate" else None,
    )


def _one(asked: Asked, plan: Plan, facts: Facts, key: str) -> Draft:
    if key == "spikes":
        return spikes(asked, plan)
    return _lasting(asked, plan, facts, key) if key in {"sinus", "paced"} else _episodes(asked, plan, facts, key)


def _lasting(asked: Asked, plan: Plan, facts: Facts, key: str) -> Draft:
    """Sinus or paced rhythm: its share, and what else there was."""
    share, name = facts[SHARES[key]], FINDINGS[key].name
    pacing = measure(asked.context, "pacing")["pacing_spike_count"] if key == "paced" else None
    if share.value is None:
        draft = missing(asked, share, name)
        return replace(draft, facts=(*draft.facts, pacing)) if pacing else draft  # the reason speaks of spikes
    others = [other for other in SHARES if other != key and _value(facts, SHARES[other])]
    events = [event for event in EVENTS if _value(facts, f"{event}_count")]
    phrases = [_share_phrase(asked, facts, key, over=True)]
    phrases += [_share_phrase(asked, facts, other) for other in others] + [_found_phrase(facts, key) for key in events]
    used = (share, *(facts[SHARES[other]] for other in others), *(facts[f"{event}_count"] for event in events))
    if pacing and pacing.value is not None:
        phrases, used = [*phrases, found_phrase(pacing)], (*used, pacing)
    limit, verdict = plan.threshold, None
    if plan.form == "verify" and limit:
        verdict = _verdict_of(limit.passed_by(round(share.value))) if limit.of == "share" else None
    elif plan.form == "verify" and key == "paced":
        without = _read(asked, facts) and not (pacing and pacing.value)
        verdict = judged(share.value > 0, sure=share.value > 0 or without)
    elif plan.form == "verify" and not 100 - MOSTLY < share.value < MOSTLY:
        verdict = judged(share.value >= MOSTLY, sure=_read(asked, facts))
    where = share.evidence if plan.form == "locate" and (share.evidence or not share.value) else None
    return Draft("answered", (*phrases, *not_seen(asked)), used, verdict, locations=where)


def _episodes(asked: Asked, plan: Plan, facts: Facts, key: str) -> Draft:
    """A rhythm that comes and goes: the figure asked for first, then the rest of what was measured of it."""
    count, name = _readable(asked, facts[f"{key}_count"]), FINDINGS[key].name
    if count.value is None:
        return missing(asked, count, name)
    n = int(count.value)
    verdict = _episode_verdict(asked, plan, facts, key, n)
    if n == 0:
        other = {"af": "afl", "afl": "af"}.get(key, "")  # taken for each other, by people and by devices
        found_instead = [_share_phrase(asked, facts, other)] if other and _value(facts, SHARES[other]) else []
        phrases = [Phrase(f"No {name} was found {asked.over}."), *found_instead]
        phrases += [*_brief(asked, facts, key), *_unread(asked, facts)]
        used = [count, *(facts[extra] for extra in ("irregular_count", "rhythm_named_share") if facts[extra].value)]
        used += [facts[SHARES[other]]] if found_instead else []
        where: tuple[Span, ...] = ()
    else:
        main = MAIN.get(plan.quantity, "count")
        if plan.threshold and _limits(plan, plan.threshold) == "rate" and plan.quantity != "mean":
            main = "max"
        told = _told(asked, facts, key, main)
        if main not in told:
            main = "max" if main == "rate" and "max" in told else "count"
            told = _told(asked, facts, key, main)
        phrases = [told[main], *(phrase for part, phrase in told.items() if part != main)]
        if plan.quantity == "sustained" and not _sustained(asked, count):
            phrases.append(Phrase(f"None of them lasted {asked.context.settings.sustained_s:.0f} s or longer."))
        phrases += [*_beginnings(asked, plan, count), *_brief(asked, facts, key), *not_seen(asked)]
        used = [fact for fact in facts.values() if fact.name.startswith(f"{key}_") and fact.value is not None]
        used += [facts["irregular_count"]] if _value(facts, "irregular_count") else []
        where = count.evidence
    return Draft(
        "answered",
        tuple(phrases),
        tuple(used),
        verdict if plan.form == "verify" else None,
        locations=where if plan.form == "locate" else None,
    )


def _told(asked: Asked, facts: Facts, key: str, main: str) -> dict[str, Phrase]:
    """One sentence per figure of a rhythm that was found; the main one names the span, too."""
    name, n = FINDINGS[key].name, int(_value(facts, f"{key}_count"))
    over = {main: f" {asked.over}"}
    told = {"count": f"{_capital(name)} was found {n} time{plural(n)}{over.get('count', '')}."}
    if total := _value(facts, f"{key}_total"):
        told["total"] = f"The time in {name}{over.get('total', '')} was {duration_text(total)}."
    if burden := _value(facts, f"{key}_burden"):
        told["burden"] = (
            f"{_capital(name)} was found for {share_text(burden)} % of the {READABLE}{over.get('burden', '')}."
        )
    longest = facts.get(f"{key}_longest")
    if longest and longest.value:
        length = f"{longest.value:.0f} beats" if longest.unit == "beats" else duration_text(longest.value)
        told["longest"] = f"The longest {name}{over.get('longest', '')} lasted {length}{_from(asked, longest)}."
    if mean := _value(facts, f"{key}_rate_mean"):
        told["rate"] = f"The mean heart rate in {name}{over.get('rate', '')} was {mean:.0f} bpm."
    fastest = facts.get(f"{key}_rate_max") or facts.get(f"{key}_fastest")
    if fastest and fastest.value:
        most = f"{fastest.value:.0f} bpm{_from(asked, fastest)}"
        told["max"] = f"The highest heart rate in {name}{over.get('max', '')} was {most}."
    return {part: Phrase(text) for part, text in told.items()}


def _beginnings(asked: Asked, plan: Plan, count: Fact) -> list[Phrase]:
    """When the episodes began, where that is asked for, and which one is still going on."""
    spans = sorted(count.evidence, key=lambda span: span.start_s)
    if not spans or (plan.form != "locate" and plan.quantity not in {"last", "duration"}):
        return []
    phrases = []
    if plan.form == "locate":
        listed = [f"{when_text(s.start_s, asked.info)} ({duration_text(s.duration_s)})" for s in spans[:MAX_LISTED]]
        which_ones = "It" if count.value == 1 else "They"
        if count.value != len(listed):
            which_ones = "The earliest of them" if count.value == len(spans) else "The earliest of the longest ones"
        phrases.append(Phrase(f"{which_ones} began at {', '.join(listed)}."))
    last = max(spans, key=lambda span: span.end_s)
    if last.end_s >= asked.context.end_s - STILL_S:
        began = when_text(last.start_s, asked.info)
        phrases.append(Phrase(f"The last one began at {began} and had not ended at the end of that time."))
    return phrases


def _brief(asked: Asked, facts: Facts, key: str = "af") -> list[Phrase]:
    """Irregular stretches that are too short to be called fibrillation or flutter."""
    n = int(_value(facts, "irregular_count"))
    if not n or key not in {"af", "afl"}:
        return []
    s = asked.context.settings
    stretches = f"{n} irregular stretch{'es' if n > 1 else ''} of {s.af_brief_s:.0f} to {s.af_min_s:.0f} s"
    return [
        Phrase(f"{stretches} {'were' if n > 1 else 'was'} found; so short, that is not called {FINDINGS[key].name}.")
    ]


def _unread(asked: Asked, facts: Facts) -> list[Phrase]:
    """Where little could be read, what was not found may have been missed, and this says so."""
    share = 100 * asked.context.analysable_fraction
    named = _value(facts, "rhythm_named_share")
    if share >= 100 * SEEN and named < UNNAMED:
        return [Phrase(f"A rhythm could be named for only {named:.0f} % of that time, so it may have been missed.")]
    if share >= 100 * SEEN:
        return not_seen(asked)
    return [Phrase(f"Only {share:.0f} % of that time could be analysed, so it may have been missed.")]


def _read(asked: Asked, facts: Facts) -> bool:
    return seen(asked) and _value(facts, "rhythm_named_share") >= UNNAMED


def _episode_verdict(asked: Asked, plan: Plan, facts: Facts, key: str, n: int) -> Verdict | None:
    """Whether it was found, or passed the limit named; what could not be read may hold more, and not less."""
    limit, read = plan.threshold, _read(asked, facts)
    if limit is None:
        yes = n > 0 if plan.quantity != "sustained" else _sustained(asked, facts[f"{key}_count"])
        return judged(yes, sure=yes or read)
    of = _limits(plan, limit)
    if of == "rate" and not limit.above and not limit.always:
        return None  # the lowest rate in it is not measured
    longest = facts.get(f"{key}_longest")
    values: dict[str, float | None] = {"count": float(n)}
    of_rate = [f"{key}_rate_mean"] if plan.quantity == "mean" else [f"{key}_rate_max", f"{key}_fastest"]
    values["rate"] = next((facts[name].value for name in of_rate if name in facts), None)
    values["share"] = facts[f"{key}_burden"].value if f"{key}_burden" in facts else None
    values["beats"] = longest.value if longest and longest.unit == "beats" else None
    values["time"] = longest.value if longest and longest.unit == "s" else _value(facts, f"{key}_total")
    value = values[of] if n else 0.0
    if value is None:
        return None
    yes = limit.passed_by(value if of == "time" else round(value))
    total = facts.get(f"{key}_total")
    if of == "time" and not yes and total and total.value and limit.passed_by(total.value):
        return None  # no episode alone, and all of them together
    return judged(yes, sure=read or yes == limit.above)


def _limits(plan: Plan, limit: Threshold) -> str:
    """What a limit is of; without a unit, what its size and the rest of the question tell."""
    return limit.of or ("share" if plan.quantity == "share" else "rate" if limit.value >= BARE_RATE else "count")


def _sustained(asked: Asked, count: Fact) -> bool:
    """Whether the longest place, the first, lasts so long."""
    return any(span.duration_s >= asked.context.settings.sustained_s for span in count.evidence)


def _choice(asked: Asked, facts: Facts, named: list[str]) -> Draft:
    """Which of several rhythms it was: the only one found, or of those that last the one that lasted longest."""
    figures = {key: _readable(asked, facts.get(SHARES.get(key, "")) or facts[f"{key}_count"]) for key in named}
    for key, fact in figures.items():
        if fact.value is None:
            return missing(asked, fact, FINDINGS[key].name)
    found = [key for key, fact in figures.items() if fact.value]
    choice: str | None = None
    if len(found) == 1:
        choice = found[0]
    elif found and all(key in SHARES for key in found):
        choice = max(found, key=lambda key: figures[key].value or 0.0)
    ordered = sorted(found, key=lambda key: key != choice)
    phrases = [
        _share_phrase(asked, facts, key, over=True) if key in SHARES else _found_phrase(facts, key, f" {asked.over}")
        for key in ordered
    ]
    absent = " and no ".join(FINDINGS[key].name for key in named if key not in found)
    if absent:
        phrases.append(Phrase(f"No {absent} was found {asked.over}."))
        phrases += _brief(asked, facts) if "af" not in found and "af" in named else []
        phrases += _unread(asked, facts)
    else:
        phrases += not_seen(asked)
    used = [*figures.values(), facts["irregular_count"], facts["rhythm_named_share"]]
    sure = found or _read(asked, facts)
    name = FINDINGS[choice].name if choice else None if found or not sure else "neither"
    verdict: Verdict | None = None if sure else "not sure"
    return Draft("answered", tuple(phrases), tuple(used), verdict, choice=name)


def _share_phrase(asked: Asked, facts: Facts, key: str, *, over: bool = False) -> Phrase:
    value, where = _value(facts, SHARES[key]), f" {asked.over}" if over else ""
    if not value:
        return Phrase(f"No {FINDINGS[key].name} was found{where}.")
    return Phrase(f"{_capital(FINDINGS[key].name)} was found for {share_text(value)} % of the {READABLE}{where}.")


def _found_phrase(facts: Facts, key: str, over: str = "") -> Phrase:
    n = int(_value(facts, f"{key}_count"))
    return Phrase(f"{_capital(FINDINGS[key].name)} was found {n} time{plural(n)}{over}.")


def _from(asked: Asked, fact: Fact) -> str:
    return f", from {when_text(fact.evidence[0].start_s, asked.info)}" if fact.evidence else ""


def _readable(asked: Asked, fact: Fact) -> Fact:
    """The fact without its value where nothing could be analysed: then nothing was looked for."""
    if asked.context.analysable_fraction >= NOTHING:
        return fact
    return replace(fact, value=None, reason=asked.context.obstacle or "nothing could be analysed")


def _value(facts: Facts, name: str) -> float:
    """A fact's value; nothing where there is no such fact or no value."""
    fact = facts.get(name)
    return fact.value or 0.0 if fact else 0.0


def _capital(name: str) -> str:
    return name[0].upper() + name[1:]


def _verdict_of(yes: bool) -> Verdict:  # noqa: FBT001 - the one thing it is about
    return "yes" if yes else "no"
