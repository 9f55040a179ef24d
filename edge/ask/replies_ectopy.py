"""Facts to draft answers about extra beats: how many of which origin, alone, in couplets and runs, and in patterns."""

from edge.ask.draft import (
    SEEN,
    Asked,
    Draft,
    Phrase,
    Verdict,
    judged,
    located,
    missing,
    not_seen,
    plural,
    seen,
    share_text,
)
from edge.ask.findings import FINDINGS
from edge.ask.plan import Plan, Threshold
from edge.ask.spans import duration_text, when_text
from edge.ask.trend import both_origins, finding_course
from edge.interpret.facts import measure
from edge.types import Fact

KINDS = {"ve": "ventricular", "sve": "supraventricular"}
PATTERNS = ("bigeminy", "trigeminy")
GROUPS = {"isolated": "isolated_count", "couplets": "couplet_count", "runs": "run_count"}
HOUR_S = 3600.0  # less that could be analysed gives no rate per hour

Facts = dict[str, Fact]


def ectopy(asked: Asked, plan: Plan) -> Draft:
    """Extra beats by origin, or the groups or patterns of them that are asked for."""
    if plan.form == "trend":
        return finding_course(asked, plan)
    facts = measure(asked.context, "ectopy")
    kinds = [KINDS[key] for key in plan.findings if key in KINDS] or list(KINDS.values())
    obstacle = next((facts[f"{kind}_ectopic_count"] for kind in kinds if _n(facts, f"{kind}_ectopic_count") < 0), None)
    if obstacle:
        return missing(asked, obstacle, "the number of extra beats")
    patterns = [key for key in plan.findings if key in PATTERNS]
    groups = [key for key in plan.findings if key in GROUPS]
    if patterns:
        return _of_patterns(asked, plan, facts, patterns)
    if groups and plan.form != "choose":
        return _of_groups(asked, plan, facts, kinds, groups)
    return _of_kinds(asked, plan, facts, kinds)


def _of_kinds(asked: Asked, plan: Plan, facts: Facts, kinds: list[str]) -> Draft:
    """How many there were, of what origin, and in what company."""
    counts = [facts[f"{kind}_ectopic_count"] for kind in kinds]
    main, shares = counts[0], [facts[f"{kind}_ectopic_share"] for kind in kinds]
    name = f"{kinds[0]} extra beat" if len(kinds) == 1 else "extra beat"
    if len(kinds) > 1:
        main, shares = both_origins(facts, "ectopic_count"), [both_origins(facts, "ectopic_share")]
    n = int(main.value or 0)
    phrases = [Phrase(f"{n or 'No'} {name}{plural(n)} {_were(n)} found {asked.over}.")]
    if n and shares[0].value is not None:
        share = Phrase(f"The share of {name}s among the beats {asked.over} was {share_text(shares[0].value)} %.")
        phrases = [share, *phrases] if plan.quantity == "share" else [*phrases, share]
    if n and len(kinds) > 1:
        phrases += [
            Phrase(f"{_n(facts, f'{kind}_ectopic_count')} of them {_are(facts, kind)} {kind}.") for kind in kinds
        ]
    used = [main, shares[0], *(counts if len(kinds) > 1 else [])]
    for kind in kinds:
        for told, fact in (*_company(facts, kind), _longest(asked, facts, kind), _fastest(asked, facts, kind)):
            phrases += [Phrase(told)] if told else []
            used += [fact] if told else []
    if kinds != ["supraventricular"]:
        for pattern in PATTERNS:
            if _n(facts, f"{pattern}_count") > 0:
                phrases.append(_pattern_phrase(facts, pattern))
                used += [facts[f"{pattern}_count"], facts[f"{pattern}_total"]]
    if n and plan.quantity == "per hour":
        rate = _per_hour(asked, main)
        if rate.value is not None:
            used.append(rate)
            phrases.insert(1, Phrase(f"That is {rate.value:.1f} in each hour that could be analysed, on average."))
    if n and plan.form == "locate":
        phrases.insert(1, _first(asked, counts))
    choice = None
    if plan.form == "choose" and len(kinds) > 1 and n:
        a, b = (count.value or 0.0 for count in counts)
        choice = "equal" if a == b else kinds[a < b]
    verdict = _verdict(asked, plan, n, shares[0].value)
    draft = located(plan, [*phrases, *_unread(asked, n)], tuple(used), verdict, main)
    return Draft("answered", draft.phrases, draft.facts, draft.verdict, choice, locations=draft.locations)


def _of_groups(asked: Asked, plan: Plan, facts: Facts, kinds: list[str], groups: list[str]) -> Draft:
    """Isolated extra beats, couplets or runs of either origin."""
    phrases, used, total = [], list[Fact](), 0
    for group in groups:
        for kind in kinds:
            fact = facts[f"{kind}_{GROUPS[group]}"]
            n = int(fact.value or 0)
            total += n
            used.append(fact)
            phrases.append(Phrase(f"{_capital(_group_text(asked, group, kind, n))} {_were(n)} found {asked.over}."))
    for kind in kinds if "runs" in groups else []:
        for told, fact in (_longest(asked, facts, kind), _fastest(asked, facts, kind)):
            if told:
                first = {"longest": "longest", "max": "fastest"}.get(plan.quantity)
                place = 0 if first and f"The {first}" in told else len(phrases)
                phrases.insert(place, Phrase(told))
                used.append(fact)
    if not total:
        phrases += [Phrase(_origin(facts, kind)) for kind in kinds if _n(facts, f"{kind}_ectopic_count") > 0]
        used += [facts[f"{kind}_ectopic_count"] for kind in kinds]
    where = next((fact for fact in used if fact.evidence and total), used[0])
    verdict = _verdict(asked, plan, total, None)
    return located(plan, [*phrases, *_unread(asked, total)], tuple(used), verdict, where)


def _of_patterns(asked: Asked, plan: Plan, facts: Facts, patterns: list[str]) -> Draft:
    """Bigeminy and trigeminy."""
    phrases, used, total = [], list[Fact](), 0
    for pattern in patterns:
        count = facts[f"{pattern}_count"]
        if count.value is None:
            return missing(asked, count, pattern)
        total += int(count.value)
        used += [count, facts[f"{pattern}_total"]]
        if count.value:
            phrases.append(_pattern_phrase(facts, pattern, f" {asked.over}"))
        else:
            phrases.append(Phrase(f"No {pattern} was found {asked.over}."))
    if not total:
        cycles = asked.context.settings.pattern_cycles
        phrases.append(Phrase(f"It takes {cycles} cycles of the pattern; {_origin(facts, 'ventricular').lower()}"))
        used.append(facts["ventricular_ectopic_count"])
    where = next((fact for fact in used if fact.evidence and total), used[0])
    verdict = _verdict(asked, plan, total, None)
    return located(plan, [*phrases, *_unread(asked, total)], tuple(used), verdict, where)


def _company(facts: Facts, kind: str) -> list[tuple[str, Fact]]:
    """Couplets and runs, where there are any."""
    told = []
    for group, of in (("couplets", "couplet"), ("runs", "run")):
        fact = facts[f"{kind}_{GROUPS[group]}"]
        if n := int(fact.value or 0):
            told.append((f"{n} {kind} {of}{plural(n)} {_were(n)} found.", fact))
    return told


def _longest(asked: Asked, facts: Facts, kind: str) -> tuple[str, Fact]:
    fact = facts[f"{kind}_longest_run"]
    if not fact.value:
        return "", fact
    return f"The longest {kind} run had {fact.value:.0f} beats{_at(asked, fact)}.", fact


def _fastest(asked: Asked, facts: Facts, kind: str) -> tuple[str, Fact]:
    fact = facts[f"{kind}_fastest_run"]
    return (f"The fastest {kind} run had {fact.value:.0f} bpm{_at(asked, fact)}." if fact.value else ""), fact


def _group_text(asked: Asked, group: str, kind: str, n: int) -> str:
    counted = n or "no"
    if group == "isolated":
        return f"{counted} isolated {kind} extra beat{plural(n)}"
    if group == "couplets":
        return f"{counted} {kind} couplet{plural(n)}"
    return f"{counted} {kind} run{plural(n)} of {asked.context.settings.run_beats} or more beats"


def _pattern_phrase(facts: Facts, pattern: str, over: str = "") -> Phrase:
    n, total = _n(facts, f"{pattern}_count"), facts[f"{pattern}_total"].value or 0.0
    return Phrase(f"{_capital(pattern)} was found {n} time{plural(n)}{over}, together {duration_text(total)}.")


def _origin(facts: Facts, kind: str) -> str:
    n = _n(facts, f"{kind}_ectopic_count")
    return f"{n or 'No'} {FINDINGS['ve' if kind == 'ventricular' else 'sve'].name.removesuffix('s')}{plural(n)} {_were(n)} found."


def _first(asked: Asked, counts: list[Fact]) -> Phrase:
    """Where to look: of the places that are kept, the earliest."""
    start_s = min(span.start_s for count in counts for span in count.evidence)
    return Phrase(f"The earliest of the places shown is at {when_text(start_s, asked.info)}.")


def _per_hour(asked: Asked, count: Fact) -> Fact:
    c = asked.context
    value = (count.value or 0.0) * HOUR_S / c.analysable_s if c.analysable_s >= HOUR_S else None
    reason = "" if value is not None else "less than an hour could be analysed"
    return Fact("ectopic_per_hour", value, "per hour", c.start_s, c.end_s, count.n, c.analysable_fraction, reason)


def _verdict(asked: Asked, plan: Plan, n: int, share: float | None) -> Verdict | None:
    """Whether any was found, or more or fewer than a limit; what could not be analysed may hold more, and not fewer."""
    limit: Threshold | None = plan.threshold
    if limit is None:
        return judged(n > 0, sure=n > 0 or seen(asked))
    if limit.of == "share" or (not limit.of and plan.quantity == "share"):
        return None if share is None else judged(limit.passed_by(share), sure=seen(asked))
    if limit.of not in {"", "count", "beats"} or plan.quantity in {"rate", "max", "per hour", "longest"}:
        return None
    yes = limit.passed_by(n)
    return judged(yes, sure=seen(asked) or yes == limit.above)


def _unread(asked: Asked, n: int) -> list[Phrase]:
    """Where little could be analysed, what was not found may have been missed, and this says so."""
    share = asked.context.analysable_fraction
    if n or share >= SEEN:
        return not_seen(asked)
    return [Phrase(f"Only {100 * share:.0f} % of that time could be analysed, so they may have been missed.")]


def _at(asked: Asked, fact: Fact) -> str:
    return f", at {when_text(fact.evidence[0].start_s, asked.info)}" if fact.evidence else ""


def _n(facts: Facts, name: str) -> int:
    """A count; -1 where it could not be measured."""
    value = facts[name].value
    return -1 if value is None else int(value)


def _are(facts: Facts, kind: str) -> str:
    return "is" if _n(facts, f"{kind}_ectopic_count") == 1 else "are"


def _were(n: int) -> str:
    return "was" if n == 1 else "were"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
