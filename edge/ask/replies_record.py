"""Facts to draft answers about the recording itself: its signal, its gaps, its length, start and leads."""

from edge.ask.draft import CUES, Asked, Draft, Phrase, Verdict, judged, missing
from edge.ask.plan import Plan, Threshold
from edge.ask.spans import duration_text, local_time, when_text
from edge.interpret.facts import NO_ECG_HERE, measure
from edge.types import Fact

GOOD_USABLE = 90.0  # per cent usable, and
GOOD_GOOD = 75.0  # per cent good: then the signal is called good


def quality(asked: Asked, plan: Plan) -> Draft:
    """Share of usable signal, and where and why it was not."""
    facts = measure(asked.context, "quality")
    share, good = facts["analysable_share"], facts["good_share"]
    if share.value is None or good.value is None:
        return missing(asked, share, "signal quality")
    phrases = [
        Phrase(f"{share.value:.0f} % of the signal was usable {asked.over}.", CUES["usable"]),
        Phrase(f"{good.value:.0f} % was good."),
    ]
    if share.evidence:
        worst = share.evidence[0]
        told = f"The longest unusable stretch was {duration_text(worst.duration_s)}"
        phrases.append(Phrase(f"{told} from {when_text(worst.start_s, asked.info)}: {worst.label}."))
    verdict: Verdict | None = None
    noisy, limit = plan.quantity == "noisy", plan.threshold
    if plan.form == "verify" and limit is None:
        verdict = _yes((share.value >= GOOD_USABLE and good.value >= GOOD_GOOD) != noisy)
    elif plan.form == "verify" and limit and limit.of == "share":
        shown = round(share.value)
        verdict = _yes(limit.passed_by(100 - shown if noisy else shown))
    where = share.evidence if plan.form == "locate" else None
    return Draft("answered", tuple(phrases), tuple(facts.values()), verdict, locations=where)


def coverage(asked: Asked, plan: Plan) -> Draft:
    """Gaps, and how much was recorded."""
    facts = measure(asked.context, "coverage")
    gaps, total = facts["gap_count"], facts["gap_total"]
    assert gaps.value is not None
    assert total.value is not None
    n, s = int(gaps.value), "s" if gaps.value > 1 else ""
    if n == 0:
        phrases = [Phrase(f"There is no gap {asked.over}.")]
    else:
        worst = gaps.evidence[0]
        are = "are" if n > 1 else "is"
        longest = f"{duration_text(worst.duration_s)} from {when_text(worst.start_s, asked.info)}"
        phrases = [
            Phrase(f"There {are} {n} gap{s} {asked.over}, together {duration_text(total.value)}."),
            Phrase(f"The longest is {longest} ({worst.label})."),
        ]
    verdict: Verdict | None = None
    if plan.quantity == "live":
        newest = when_text(asked.context.end_s, asked.info)
        told = f"The newest sample analysed is from {newest}; whether more is coming, a stored recording cannot tell."
        phrases.append(Phrase(told))
        verdict = "not sure"
    elif plan.form == "verify" and plan.threshold:
        verdict = _against(plan.threshold, n, facts["longest_gap" if plan.quantity == "longest" else "gap_total"])
    elif plan.form == "verify":
        sure = n > 0 or asked.recorded_share > 0.999  # what lies outside the recording may be missing, too
        verdict = judged((n > 0) != (plan.quantity == "continuous"), sure=sure)
    where = gaps.evidence if plan.form == "locate" else None
    return Draft("answered", tuple(phrases), tuple(facts.values()), verdict, locations=where)


def recording(asked: Asked, plan: Plan) -> Draft:
    """What the recording is: length, start, leads, rate."""
    info = asked.info

    def fact(name: str, value: float | None, unit: str, reason: str = "") -> Fact:
        share = asked.context.analysable_fraction
        return Fact(name, value, unit, 0.0, info.duration_s, 0, share, reason)

    duration = fact("duration", info.duration_s, "s")
    if info.rr_only and plan.quantity in {"rate", "leads"}:
        unit = fact("rr_unit", 1024.0, "per s")
        text = f"{NO_ECG_HERE}: it has no leads. Intervals are told in 1024ths of a second."
        return Draft("answered", (Phrase(text),), (unit, fact("lead_count", 0.0, "leads")), items=())
    leads = ", ".join(lead.name for lead in info.leads)
    fs_text, n = f"{info.fs_hz:g} samples per second", len(info.leads)
    s = "s" if n > 1 else ""
    if plan.quantity in {"start", "end"}:
        moment = local_time(0.0 if plan.quantity == "start" else info.duration_s, info)
        if moment is None:
            reason = "the recording does not say when it was made"
            text = f"When it was made is not known: {reason}. It is {duration_text(info.duration_s)} long."
            unknown = fact("start", None, "", reason)
            return Draft("not_measurable", (Phrase(text),), (unknown, duration), verdict="not sure")
        told = "started" if plan.quantity == "start" else "ended"
        return Draft("answered", (Phrase(f"The recording {told} at {moment:%Y-%m-%d %H:%M:%S}."),), (duration,))
    if plan.quantity == "rate":
        rate = fact("sampling_rate", info.fs_hz, "Hz")
        return Draft("answered", (Phrase(f"It was recorded at {fs_text}."),), (rate,))
    if plan.quantity == "leads":
        count = fact("lead_count", float(n), "leads")
        names = tuple(lead.name for lead in info.leads)
        return Draft("answered", (Phrase(f"The recording has {n} lead{s}: {leads}."),), (count,), items=names)
    start = local_time(0.0, info)
    began = f", started {start:%Y-%m-%d %H:%M}" if start else ""
    length = f"{duration_text(info.duration_s)} long{began}"
    phrase = Phrase(f"The recording is {length}, with lead{s} {leads} at {fs_text}.")
    if info.rr_only:
        phrase = Phrase(f"The recording is {length}; it holds the strap's RR intervals and no ECG.")
    limit, verdict = plan.threshold, None
    if plan.form == "verify" and limit and limit.of == "time":
        verdict = _yes(limit.passed_by(info.duration_s))
    return Draft("answered", (phrase,), (duration, fact("sampling_rate", info.fs_hz, "Hz")), verdict)


def _against(limit: Threshold, n: int, time: Fact) -> Verdict | None:
    value = {"count": float(n), "time": time.value}.get(limit.of)
    return None if value is None else _yes(limit.passed_by(value))


def _yes(yes: bool) -> Verdict:  # noqa: FBT001 - the one thing it is about
    return "yes" if yes else "no"
