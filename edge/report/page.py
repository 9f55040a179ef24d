"""HTML pages that need nothing but a browser: answers with their strips, and the report of a recording."""

from collections.abc import Iterable
from html import escape
from typing import Any

from edge.ask.answer import NOTICE
from edge.ask.spans import duration_text, when_text
from edge.interpret.facts import NO_ECG_HERE
from edge.report.strip import strip_svg
from edge.report.tachogram import around, tachogram_svg
from edge.types import Annotations, Recording, Span

STYLE = """
:root { color-scheme: light; --ink: #1d2733; --soft: #5b6877; --line: #d9dee4; --accent: #b3261e; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0 } h2 { font-size: 1.1rem; margin: 2rem 0 .3rem }
p { margin: .3rem 0 } .soft { color: var(--soft); font-size: .88rem }
.answer { border-left: 3px solid var(--accent); padding-left: .8rem }
table { border-collapse: collapse; font-size: .92rem; margin: .5rem 0 }
td, th { border-bottom: 1px solid var(--line); padding: .2rem .9rem .2rem 0; text-align: left; vertical-align: top }
figure { margin: .6rem 0; overflow-x: auto } figcaption { color: var(--soft); font-size: .85rem }
.strip { background: #fff8f6; max-width: 100%; height: auto; border: 1px solid #eccbc6 }
.strip .fine { fill: none; stroke: #f3d3ce; stroke-width: .08 } .strip .coarse { fill: none; stroke: #e2a9a1; stroke-width: .15 }
.strip .trace { fill: none; stroke: #14213a; stroke-width: .3; stroke-linejoin: round }
.tachogram { max-width: 100%; height: auto; border: 1px solid var(--line) } .tachogram text { font-size: 2.8px; fill: var(--soft) }
.tachogram .scale { stroke: var(--line); stroke-width: .15 } .tachogram .span { fill: #f6c344; opacity: .25 }
.tachogram .rr { fill: none; stroke: #14213a; stroke-width: .3; stroke-linejoin: round; stroke-linecap: round }
.strip .beat { fill: #2b6cb0 } .strip .span { fill: #f6c344; opacity: .25 }
"""
MAX_STRIPS = 3  # per answer; the document lists all places


def page(title: str, body: str) -> str:
    """A whole HTML document."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>{body}'
        f'<p class="soft">{escape(NOTICE)}</p></body></html>\n'
    )


def answers_page(recording: Recording, annotations: Annotations, lead: int, answers: Iterable[dict[str, Any]]) -> str:
    """Questions with their answers and the strips each answer rests on."""
    info = recording.info
    parts = [f"<h1>{escape(info.id)}</h1>", f'<p class="soft">{_facts_line(recording)}</p>']
    for answer in answers:
        parts.append(f"<h2>{escape(answer['question'])}</h2>")
        parts.append(f'<p class="answer">{escape(answer["answer"])}</p>')
        share = 100 * answer["analysable_fraction"]
        parts.append(
            f'<p class="soft">{escape(answer["status"].replace("_", " "))}; {share:.0f} % of the span could be analysed</p>'
        )
        for span in answer["evidence"][:MAX_STRIPS]:
            parts.append(figure(recording, Span(**span), lead, annotations))
    return page(f"Answers about {info.id}", "\n".join(parts))


def report_page(recording: Recording, annotations: Annotations, lead: int, summary: dict[str, Any]) -> str:
    """The report of one recording: figures, episodes, strips, definitions."""
    info = recording.info
    rows = []
    for fact in summary["facts"]:
        value = (
            f"{fact['value']:g} {fact['unit']}" if fact["value"] is not None else f"not measurable: {fact['reason']}"
        )
        rows.append(f"<tr><td>{escape(fact['name'].replace('_', ' '))}</td><td>{escape(value)}</td></tr>")
    strips = [figure(recording, Span(**event), lead, annotations) for event in summary["events"][:8]]
    hours = "".join(
        f"<tr><td>{h['hour']}</td><td>{_cell(h['beats'])}</td><td>{_cell(h['min_bpm'])}</td><td>{_cell(h['mean_bpm'])}</td>"
        f"<td>{_cell(h['max_bpm'])}</td><td>{_cell(h['longest_rr_s'])}</td><td>{h['analysable_min']:g}</td></tr>"
        for h in summary["hourly"]
    )
    settings = ", ".join(f"{k} {v}" for k, v in summary["settings"]["rhythm"].items())
    origin = NO_ECG_HERE if info.rr_only else f"beats from lead {info.leads[lead].name}"
    whole = Span(0.0, info.duration_s, "whole recording")
    course = f"<h2>Intervals</h2><figure>{tachogram_svg(annotations, whole)}</figure>" if info.rr_only else ""
    method = "Beats are found and not labelled"
    if info.rr_only:
        method = "Beats are where the strap's RR intervals put them, and not labelled"
    body = (
        f'<h1>{escape(info.id)}</h1><p class="soft">{_facts_line(recording)}; {escape(origin)}. '
        f"Unreviewed.</p><h2>Figures</h2><table>{''.join(rows)}</table>{course}"
        "<h2>By hour</h2><table><tr><th>hour</th><th>beats</th><th>min bpm</th><th>mean</th><th>max</th><th>longest RR s</th>"
        f"<th>analysable min</th></tr>{hours}</table><h2>{'Places' if info.rr_only else 'Strips'}</h2>{''.join(strips) or '<p>None.</p>'}"
        f"<h2>Method and limits</h2><p>{escape(method)}; rhythm names, ectopic origin, waves and their "
        f'intervals are not assessed by this version.</p><p class="soft">{escape(settings)}</p>'
    )
    return page(f"Report of {info.id}", body)


def figure(recording: Recording, span: Span, lead: int, annotations: Annotations) -> str:
    """One strip with its caption; without an ECG the intervals around the span."""
    if recording.info.rr_only:
        wide = around(span, recording.info.duration_s)
        caption = (
            f"{span.label}, from {when_text(span.start_s, recording.info)}; RR intervals from 30 s before to 30 s after"
        )
        return f"<figure>{tachogram_svg(annotations, wide, span)}<figcaption>{escape(caption)}</figcaption></figure>"
    caption = f"{span.label}, from {when_text(span.start_s, recording.info)}; lead {recording.info.leads[lead].name}, 25 mm/s, 10 mm/mV"
    return f"<figure>{strip_svg(recording, span, lead, annotations.beats)}<figcaption>{escape(caption)}</figcaption></figure>"


def _facts_line(recording: Recording) -> str:
    info = recording.info
    start = f"{info.start:%Y-%m-%d %H:%M}, " if info.start else ""
    if info.rr_only:
        return escape(f"{start}{duration_text(info.duration_s)}, RR intervals in 1/1024 s")
    leads = ", ".join(lead.name for lead in info.leads)
    return escape(f"{start}{duration_text(info.duration_s)}, {leads}, {info.fs_hz:g} Hz")


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"
