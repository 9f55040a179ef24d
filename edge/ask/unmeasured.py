"""What is named and cannot be measured: said to be so, with the reason and the nearest thing that is measured."""

from dataclasses import replace

from edge.ask.draft import Asked, Draft, Phrase
from edge.ask.findings import FINDINGS, JUDGED
from edge.ask.plan import Plan
from edge.ask.replies import REPLIES
from edge.ask.replies_rhythm import which
from edge.types import Fact

_NAMELESS = {
    "rhythm": "the name of the rhythm",
    "intervals": "waves and their intervals",
    "ectopy": "the origin of beats",
}


def not_measured(plan: Plan, sides: list[Asked]) -> Draft | None:
    """The answer where beats were not labelled, or where nothing that is named can be measured; else None."""
    if plan.target not in JUDGED:
        return None
    keys = [key for key in plan.findings if key in FINDINGS]
    if keys == ["spikes"]:
        return None  # they are seen in the signal itself
    unread = next((asked for asked in sides if not asked.context.annotations.read), None)
    if unread:
        if plan.target == "ectopy" and not any(FINDINGS[key].target == "ectopy" for key in keys):
            return None  # early beats are told by their timing
        reason = unread.context.unread
        return _draft(plan, unread, dict.fromkeys(keys, reason), reason)
    if not keys or any(FINDINGS[key].facts or not FINDINGS[key].why_not for key in keys):
        return None
    return _draft(plan, sides[0], {key: FINDINGS[key].why_not for key in keys}, "")


def with_unmeasured(draft: Draft, plan: Plan) -> Draft:
    """An answer about what can be measured, and a word about what else was named."""
    if plan.target not in JUDGED or draft.status != "answered":
        return draft
    more = [
        Phrase(_sentence([FINDINGS[key].name], FINDINGS[key].why_not)) for key in plan.findings if FINDINGS[key].why_not
    ]
    return replace(draft, phrases=(*draft.phrases, *more))


def _draft(plan: Plan, asked: Asked, why: dict[str, str], otherwise: str) -> Draft:
    c = asked.context
    by_reason: dict[str, list[str]] = {}
    for key, reason in why.items():
        by_reason.setdefault(reason, []).append(FINDINGS[key].name)
    by_reason = by_reason or {otherwise: [_NAMELESS[plan.target]]}
    phrases = [Phrase(_sentence(names, reason)) for reason, names in by_reason.items()]
    facts = [Fact(plan.target, None, "", c.start_s, c.end_s, 0, c.analysable_fraction, reason) for reason in by_reason]
    near = _nearest(plan, asked)
    if near and near.status == "answered":
        phrases += [Phrase("What was measured:"), near.phrases[0]]
        facts += near.facts
    return Draft("not_measurable", tuple(phrases), tuple(facts), verdict="not sure")


def _nearest(plan: Plan, asked: Asked) -> Draft | None:
    """The closest thing that is measured, as plain figures."""
    plan = replace(plan, form="query", quantity="", findings=("st",) if "ischaemia" in plan.findings else ())
    if not asked.context.annotations.read:
        near = {"rhythm": "regularity", "ectopy": "ectopy"}.get(plan.target)
        return REPLIES[near](asked, plan) if near else None
    if plan.target == "rhythm":
        return which(asked, plan)
    return REPLIES[plan.target](asked, plan) if plan.target == "ectopy" or plan.findings else None


def _sentence(names: list[str], reason: str) -> str:
    what = ", ".join(dict.fromkeys(names))
    return f"{what[0].upper()}{what[1:]}: not measurable, because {reason}."
