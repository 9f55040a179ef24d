"""Facts to draft answers about the waves of the analysis lead: intervals, P waves, and the ST level as a trend."""

from edge.ask.draft import Asked, Draft, Phrase, Verdict, judged, missing, not_seen, seen, share_text
from edge.ask.findings import FINDINGS, POLARITY
from edge.ask.plan import Plan, Threshold
from edge.ask.replies_signal import polarity
from edge.ask.spans import when_text
from edge.ask.trend import finding_course
from edge.interpret.facts import measure
from edge.types import Fact, Span

INTERVALS = {
    "pr": ("the PR interval", ("pr",)),
    "qrs": ("the QRS width", ("qrs",)),
    "qt": ("the QT interval", ("qt",)),
    "qtc": ("QTc", ("qtc_bazett", "qtc_fridericia")),
    "qtcb": ("QTc by Bazett", ("qtc_bazett",)),
    "qtcf": ("QTc by Fridericia", ("qtc_fridericia",)),
}
ALL = ("pr", "qrs", "qt", "qtc")
CORRECTIONS = {"qtc_bazett": "QTc by Bazett", "qtc_fridericia": "QTc by Fridericia"}
MOSTLY = 90.0  # per cent of beats with (or without) a P wave: from here on "are there P waves?" has a plain answer
BARE_MS = 20.0  # "QTc above 450" means milliseconds, "QRS above 0.12" seconds
ST_LIMITS = "The ST level is a trend of one lead; whether it means anything, ischaemia included, is not judged."

Facts = dict[str, Fact]


def intervals(asked: Asked, plan: Plan) -> Draft:
    """The interval or wave that is asked for, or all of them."""
    named = [key for key in plan.findings if FINDINGS[key].target == "intervals" and FINDINGS[key].facts]
    if POLARITY.intersection(named):
        return polarity(asked, plan)
    if plan.form == "trend" or plan.quantity in {"max", "min", "longest", "shortest"} or plan.form == "locate":
        return _over_time(asked, plan, named[:1] == ["st"])
    facts = measure(asked.context, "waves")
    parts = [_one(asked, plan, facts, key) for key in named or ALL]
    answered = [part for part in parts if part.status == "answered"]
    if not answered:
        return parts[0]
    return Draft(
        "answered",
        tuple(phrase for part in (*answered, *(p for p in parts if p not in answered)) for phrase in part.phrases)
        + tuple(not_seen(asked)),
        tuple(fact for part in parts for fact in part.facts),
        answered[0].verdict if len(parts) == 1 else None,
        choice=answered[0].choice,
    )


def _one(asked: Asked, plan: Plan, facts: Facts, key: str) -> Draft:
    if key == "p":
        return _p_waves(asked, plan, facts["p_absent_share"])
    if key == "st":
        return _st(asked, facts)
    name, of = INTERVALS[key]
    used = [facts[fact] for fact in of]
    if any(fact.value is None for fact in used):
        return missing(asked, used[0], name)
    phrases = []
    for k, fact in enumerate(used):
        called = CORRECTIONS.get(fact.name, name)
        over = f" {asked.over}" if k == 0 else ""
        told = f"{called[0].upper()}{called[1:]}{over} was {fact.value:.0f} ms, the median of {fact.n} normal beats."
        phrases.append(Phrase(told))
    verdict, choice = None, None
    if plan.threshold and plan.form in {"verify", "choose"}:
        verdict = _verdict(asked, plan, used)
    if plan.form == "choose":
        verdict, choice = None, _side(plan.threshold, verdict)
    return Draft("answered", tuple(phrases), tuple(used), verdict, choice)


def _verdict(asked: Asked, plan: Plan, used: list[Fact]) -> Verdict | None:
    """Whether the median passes the limit by every formula; single beats may lie on either side of it."""
    limit = plan.threshold
    limit_ms = _limit_ms(limit) if limit else None
    if limit is None or limit_ms is None:
        return None
    passed = {limit.passed_by(round(fact.value or 0.0) * limit.value / limit_ms) for fact in used}
    if len(passed) > 1:
        return "not sure"
    yes = passed.pop()
    if limit.always and yes:
        return "not sure"  # the median does, and not all beats need to
    return judged(yes, sure=seen(asked))


def _limit_ms(limit: Threshold) -> float | None:
    if limit.of == "time":
        return 1000 * limit.value
    if limit.of:
        return None
    return limit.value if limit.value >= BARE_MS else 1000 * limit.value


def _side(limit: Threshold | None, verdict: Verdict | None) -> str | None:
    """Above or below a limit."""
    if limit is None or verdict not in {"yes", "no"}:
        return None
    return "above" if (verdict == "yes") == limit.above else "below"


def _p_waves(asked: Asked, plan: Plan, absent: Fact) -> Draft:
    """The share of beats with a P wave; asked whether they are missing, the verdict is turned."""
    if absent.value is None:
        return missing(asked, absent, "the presence of P waves")
    c = asked.context
    percent = 100 - absent.value
    present = Fact("p_present_share", percent, "%", c.start_s, c.end_s, absent.n, absent.analysable_fraction)
    text = f"P waves were found at {share_text(percent)} % of {absent.n} beats {asked.over}."
    verdict: Verdict | None = None
    if plan.form == "verify" and plan.threshold is None and not 100 - MOSTLY < percent < MOSTLY:
        verdict = judged((percent >= MOSTLY) != (plan.quantity == "absent"), sure=seen(asked))
    return Draft("answered", (Phrase(text),), (present, absent), verdict)


def _st(asked: Asked, facts: Facts) -> Draft:
    level, change = facts["st_level"], facts["st_change"]
    if level.value is None:
        return missing(asked, level, "the ST level")
    side = "above" if level.value > 0 else "below"
    where = f"{abs(level.value):.2f} mV {side} the PR level" if round(level.value, 2) else "at the PR level"
    phrases = [Phrase(f"The ST level was {where} {asked.over}, the median of {level.n} normal beats.")]
    if change.value is not None:
        phrases.append(Phrase(f"The median of a part was at most {change.value:.2f} mV away from that."))
    used = (level, change) if change.value is not None else (level,)
    return Draft("answered", (*phrases, Phrase(ST_LIMITS)), used)


def _over_time(asked: Asked, plan: Plan, st: bool) -> Draft:  # noqa: FBT001 - which of two wordings
    """A figure in equal parts of the span, and the part where it was longest or shortest, if that is asked."""
    draft = finding_course(asked, plan)
    if draft.status != "answered":
        return draft
    phrases, where = draft.phrases, None
    if plan.form != "trend":
        least = plan.quantity in {"min", "shortest"}
        known = [fact for fact in draft.facts if fact.value is not None]
        extreme = (min if least else max)(known, key=lambda fact: fact.value or 0.0)
        word = "lowest" if least else "highest"
        phrases = (*phrases, Phrase(f"It was {word} in the part from {when_text(extreme.start_s, asked.info)}."))
        where = (Span(extreme.start_s, extreme.end_s, word),)
    if st:
        phrases = (*phrases, Phrase(ST_LIMITS))
    return Draft(
        "answered", phrases, draft.facts, items=draft.items, locations=where if plan.form == "locate" else None
    )
