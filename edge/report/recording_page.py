"""The report of one recording as a page: figures with their definitions, episodes, strips, the hours, the method."""

from html import escape
from typing import Any

from edge.ask.spans import duration_text, when_text
from edge.detect.rhythm_names import NAMES
from edge.interpret.facts import NO_ECG_HERE, NOT_LABELLED
from edge.interpret.polarity import polarity_words
from edge.report.definitions import definitions
from edge.report.page import figure, page, recording_line
from edge.report.tachogram import tachogram_svg
from edge.types import Annotations, Recording, RhythmSpan, Span

RATE: tuple[str, ...] = (
    "heart_rate_mean",
    "heart_rate_min",
    "heart_rate_max",
    "beat_count",
    "tachycardia_count",
    "tachycardia_total",
)
RATE += ("bradycardia_count", "bradycardia_total")
RHYTHM: tuple[str, ...] = (
    "sinus_share",
    "af_burden",
    "af_count",
    "af_longest",
    "af_rate_mean",
    "af_rate_max",
    "afl_burden",
    "vt_count",
)
RHYTHM += ("vt_longest", "vt_fastest", "idioventricular_count", "svt_count", "svt_longest", "svt_fastest", "vf_count")
RHYTHM += ("asystole_count", "asystole_longest", "paced_share", "irregular_count", "rhythm_named_share")
ECTOPY = (
    "ectopic_count",
    "ectopic_share",
    "isolated_count",
    "couplet_count",
    "run_count",
    "longest_run",
    "fastest_run",
)
INTERVALS = ("pr", "qrs", "qt", "qtc_bazett", "qtc_fridericia", "p_absent_share", "st_level", "st_change")
SIGNAL: tuple[str, ...] = ("analysable_share", "good_share", "unusable_total", "gap_count", "gap_total", "longest_gap")
SIGNAL += ("polarity", "pacing_spike_count")
WORDS = {
    "pr": "PR", "qrs": "QRS", "qt": "QT",
    "qtc": "QTc", "bazett": "(Bazett)", "fridericia": "(Fridericia)", "st": "ST", "rr": "RR",
    "sdnn": "SDNN", "rmssd": "RMSSD", "pnn50": "pNN50",
}  # fmt: skip
HOURS = {
    "hour": "hour", "beats": "beats", "min_bpm": "min bpm", "mean_bpm": "mean", "max_bpm": "max",
    "longest_rr_s": "longest RR s", "pauses": "pauses", "ve": "VE", "ve_runs": "VE runs", "sve": "SVE",
    "sve_runs": "SVE runs", "af_min": "AF min", "analysable_min": "analysable min",
}  # fmt: skip
TITLES = {
    "heart_rate_mean": "Mean rate", "heart_rate_min": "Lowest rate", "heart_rate_max": "Highest rate",
    "beat_count": "Beats", "af": "Atrial fibrillation", "afl": "Atrial flutter", "vt": "Ventricular tachycardia",
    "svt": "Supraventricular tachycardia", "vf": "Ventricular flutter or fibrillation", "irregular": "Brief irregular rhythm",
    "idioventricular": "Idioventricular rhythm", "sinus_share": "Sinus rhythm", "paced_share": "Paced rhythm",
    "rhythm_named_share": "Time with a named rhythm", "p_absent_share": "Beats without a P wave",
    "ectopic_count": "All", "ectopic_share": "Share of beats", "analysable_share": "Analysable",
    "good_share": "Good enough for waves", "unusable_total": "Unusable", "gap_count": "Gaps", "irregular_share": "Intervals out of step",
    "polarity": "Polarity of the lead", "pacing_spike_count": "Pacing spikes",
}  # fmt: skip
ENDINGS = {
    "_count": "", "_total": ", together", "_longest": ", longest", "_burden": ", burden", "_rate_mean": ", mean rate",
    "_rate_max": ", highest rate", "_fastest": ", fastest",
}  # fmt: skip
KEY = (
    '<p class="soft key">Strips: 25 mm/s, 10 mm/mV; above them the rhythm and each beat\'s label (N normal, S '
    'supraventricular, V ventricular, F fusion, Q not classified); bands <span class="p">P</span>'
    '<span class="qrs">QRS</span><span class="t">T</span></p>'
)


def report_page(recording: Recording, annotations: Annotations, lead: int, summary: dict[str, Any]) -> str:
    """The report of one recording, from its summary (`anyecg.summary/1`)."""
    info, told = recording.info, summary["settings"]["rhythm"]
    facts = {fact["name"]: fact for fact in summary["facts"]}
    text = definitions(told)
    read = annotations.read

    def strips(*kinds: str) -> str:
        chosen = [event for event in summary["events"] if event["kind"] in kinds]
        return "".join(figure(recording, Span(e["start_s"], e["end_s"], e["label"]), lead, annotations) for e in chosen)

    origin = NO_ECG_HERE if info.rr_only else f"beats from lead {info.leads[lead].name}"
    whole = Span(0.0, info.duration_s, "whole recording")
    parts = [
        f'<h1>{escape(info.id)}</h1><p class="soft">{recording_line(recording)}; {escape(origin)}. Unreviewed.</p>',
        f"<p>{escape(_statement(summary, facts))}</p>",
        "" if info.rr_only else KEY,
        _section("Rate", _table(facts, RATE), text["rate"], strips("rate")),
        _section(
            "Rhythm",
            _rhythms(recording, annotations) + _table(facts, RHYTHM),
            text["rhythm"] if read else "",
            strips("rhythm"),
        ),
        _section("Extra beats", _ectopy(facts), text["ectopy"], strips("ectopy")),
        _section(
            "Pauses",
            _table(facts, [n for n in facts if n.startswith(("longest_rr", "shortest_rr", "pauses_"))]),
            text["pauses"],
            strips("pauses"),
        ),
        _section("Waves", _table(facts, INTERVALS), text["waves"] if read else "", ""),
        _section("Variability", _table(facts, ("sdnn", "rmssd", "pnn50")), text["variability"], ""),
        f"<h2>Intervals</h2><figure>{tachogram_svg(annotations, whole)}</figure>" if info.rr_only else "",
        _section("By hour", _hours(summary["hourly"]), text["hours"], ""),
        _section("Signal", _table(facts, SIGNAL), "" if info.rr_only else text["signal"], ""),
        _section("Method and limits", f"<p>{escape(_method(rr_only=info.rr_only, read=read))}</p>", "", ""),
        f'<details><summary class="soft">All settings in force</summary><p class="soft">{escape(", ".join(f"{k} {v}" for k, v in told.items()))}</p></details>',
    ]
    return page(f"Report of {info.id}", "".join(parts))


def _section(title: str, body: str, definition: str, strips: str) -> str:
    soft = f'<p class="soft">{escape(definition)}</p>' if definition else ""
    return f"<h2>{escape(title)}</h2>{body}{soft}{strips}"


def _statement(summary: dict[str, Any], facts: dict[str, dict[str, Any]]) -> str:
    """The main figures in a paragraph."""
    recording, rhythm = summary["recording"], summary["rhythm"]
    length = duration_text(recording["duration_s"])
    parts = [f"{duration_text(recording['analysable_s'])} of {length} could be analysed"]
    if facts["heart_rate_mean"]["value"] is not None:
        parts.append(f"mean rate {facts['heart_rate_mean']['value']:.0f} bpm")
    if rhythm["label"]:
        share = 100 * rhythm["shares"][rhythm["label"]]
        parts.append(f"mostly {rhythm['name']} ({share:.0f} % of the time that has a name)")
    if facts["af_burden"]["value"]:
        parts.append(f"atrial fibrillation {facts['af_burden']['value']:.1f} % of the analysable time")
    for kind in ("ventricular", "supraventricular"):
        count = facts[f"{kind}_ectopic_count"]["value"]
        if count is not None:
            share = facts[f"{kind}_ectopic_share"]["value"]
            parts.append(f"{count:.0f} {kind} ectopic beats ({share:.2f} % of beats)")
    return "; ".join(parts) + "."


def _title(name: str) -> str:
    if name in TITLES:
        return TITLES[name]
    for ending, told in ENDINGS.items():
        if name.endswith(ending):
            return f"{_title(name.removesuffix(ending))}{told}"
    words = " ".join(WORDS.get(word, word) for word in name.split("_"))
    return words[0].upper() + words[1:]


def _value(fact: dict[str, Any]) -> str:
    if fact["value"] is None:
        return f"– ({fact['reason']})"
    if fact["name"] == "polarity":
        return polarity_words(fact["value"]) or ""
    if fact["unit"] == "s" and fact["value"] >= 60:
        return duration_text(fact["value"])
    number = f"{fact['value']:,.0f}" if fact["value"] == round(fact["value"]) else f"{fact['value']:.4g}"
    unit = fact["unit"].removesuffix("s") if fact["value"] == 1 and len(fact["unit"]) > 2 else fact["unit"]
    return f"{number} {unit}"


def _table(facts: dict[str, dict[str, Any]], names: Any) -> str:
    """Name and value of each fact; one line where all lack a value for the same reason."""
    chosen = [facts[name] for name in names if name in facts]
    reasons = {fact["reason"] for fact in chosen}
    chosen = [fact for fact in chosen if not fact["reason"].endswith("was found")]  # the count says so
    if len(reasons) == 1 and "" not in reasons:
        return f"<p>Not measured: {escape(reasons.pop())}.</p>"
    rows = "".join(
        f"<tr><td>{escape(_title(fact['name']))}</td><td>{escape(_value(fact))}</td>"
        f'<td class="soft n">{_rests_on(fact)}</td></tr>'
        for fact in chosen
    )
    return f"<table>{rows}</table>"


def _rests_on(fact: dict[str, Any]) -> str:
    return f"n = {fact['n']:,}" if fact["unit"] in ("ms", "mV", "bpm") and fact["n"] else ""


def _ectopy(facts: dict[str, dict[str, Any]]) -> str:
    """Ventricular and supraventricular beside each other; where beats have no labels, what their timing says."""
    if facts["ventricular_ectopic_count"]["reason"]:
        return _table(facts, [f"ventricular_{what}" for what in ECTOPY]) + _table(
            facts, ("early_beat_count", "irregular_share")
        )
    rows = "".join(
        f"<tr><td>{escape(_title(what))}</td>"
        + "".join(f"<td>{escape(_value(facts[f'{kind}_{what}']))}</td>" for kind in ("ventricular", "supraventricular"))
        + "</tr>"
        for what in ECTOPY
    )
    head = "<tr><th></th><th>ventricular</th><th>supraventricular</th></tr>"
    patterns = ("bigeminy_count", "bigeminy_total", "trigeminy_count", "trigeminy_total")
    return f"<table>{head}{rows}</table>{_table(facts, patterns)}"


def _rhythms(recording: Recording, annotations: Annotations) -> str:
    """One row per rhythm that was found: how often, how long together, the longest and when."""
    by_label: dict[str, list[RhythmSpan]] = {}
    for span in annotations.rhythms:
        by_label.setdefault(span.label, []).append(span)
    if not by_label:
        return ""
    fs_hz, rows = annotations.fs_hz, []
    for name in NAMES.values():
        spans = by_label.get(name.label, [])
        if spans:
            longest = max(spans, key=lambda span: span.stop - span.start)
            total_s = sum(span.stop - span.start for span in spans) / fs_hz
            cells = (
                name.meaning, name.label, f"{len(spans):,}", duration_text(total_s),
                duration_text((longest.stop - longest.start) / fs_hz), when_text(longest.start / fs_hz, recording.info),
            )  # fmt: skip
            rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th>{text}</th>" for text in ("rhythm", "WFDB", "spans", "together", "longest", "from"))
    told = "".join(
        f"<li>{escape(name.meaning)} · {escape(name.label)}: {escape(name.definition)}</li>"
        for name in NAMES.values()
        if name.label in by_label
    )
    return (
        f"<table><tr>{head}</tr>{''.join(rows)}</table>"
        f'<details open><summary class="soft">What these names mean here</summary><ul class="soft">{told}</ul></details>'
    )


def _hours(rows: list[dict[str, Any]]) -> str:
    head = "".join(f'<th class="n">{text}</th>' for text in HOURS.values())
    body = "".join(
        "<tr>" + "".join(f'<td class="n">{_cell(row[name])}</td>' for name in HOURS) + "</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _method(*, rr_only: bool, read: bool) -> str:
    if rr_only:
        return (
            "Beats are where the strap's RR intervals put them, and not labelled; rhythms, the origin of extra beats "
            "and waves are not assessed."
        )
    if not read:
        return f"Here {NOT_LABELLED}: rhythms, the origin of extra beats and waves are not assessed."
    return (
        "Beats, their labels, waves and rhythms were read by software from one lead. Heart block, ischaemia, axis and "
        "chamber size are not assessed; the ST level is a trend of one lead and no finding. Nothing is counted across "
        "a gap or an unreadable second."
    )


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"
