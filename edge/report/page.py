"""HTML pages that need nothing but a browser: their frame, strips with captions, and answers with their strips."""

from collections.abc import Iterable
from html import escape
from typing import Any

from edge.ask.answer import NOTICE
from edge.ask.spans import duration_text, when_text
from edge.report.strip import STRIP_STYLE, strip_svg
from edge.report.tachogram import around, tachogram_svg
from edge.types import Annotations, Recording, Span

STYLE = """
:root { color-scheme: light; --ink: #1d2733; --soft: #5b6877; --line: #d9dee4; --accent: #b3261e; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0 } h2 { font-size: 1.1rem; margin: 2rem 0 .3rem }
p { margin: .3rem 0 } .soft { color: var(--soft); font-size: .88rem }
.answer { border-left: 3px solid var(--accent); padding-left: .8rem }
table { border-collapse: collapse; font-size: .92rem; margin: .5rem 0 }
td, th { border-bottom: 1px solid var(--line); padding: .2rem .9rem .2rem 0; text-align: left; vertical-align: top }
figure { margin: .6rem 0; overflow-x: auto } figcaption { color: var(--soft); font-size: .85rem }
.tachogram { max-width: 100%; height: auto; border: 1px solid var(--line) } .tachogram text { font-size: 2.8px; fill: var(--soft) }
.tachogram .scale { stroke: var(--line); stroke-width: .15 } .tachogram .span { fill: #f6c344; opacity: .25 }
.tachogram .rr { fill: none; stroke: #14213a; stroke-width: .3; stroke-linejoin: round; stroke-linecap: round }
td.n, th.n { text-align: right } .key span { padding: 0 .5rem; margin-right: .4rem } .key .p { background: #2e8b5729 }
.key .qrs { background: #2b6cb029 } .key .t { background: #8a2be221 } details { margin: .4rem 0 }
@media print { figure { break-inside: avoid } }
"""
MAX_STRIPS = 3  # per answer; the document lists all places


def page(title: str, body: str) -> str:
    """A whole HTML document."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}{STRIP_STYLE}</style></head><body>{body}'
        f'<p class="soft">{escape(NOTICE)}</p></body></html>\n'
    )


def answers_page(recording: Recording, annotations: Annotations, lead: int, answers: Iterable[dict[str, Any]]) -> str:
    """Questions with their answers and the strips each answer rests on."""
    info = recording.info
    parts = [f"<h1>{escape(info.id)}</h1>", f'<p class="soft">{recording_line(recording)}</p>']
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


def figure(
    recording: Recording, span: Span, lead: int, annotations: Annotations, reference: Annotations | None = None
) -> str:
    """One strip with its caption; without an ECG the intervals around the span. `reference` is told below the paper."""
    when = when_text(span.start_s, recording.info)
    if recording.info.rr_only:
        wide = around(span, recording.info.duration_s)
        caption = f"{span.label}, from {when}; RR intervals from 30 s before to 30 s after"
        return f"<figure>{tachogram_svg(annotations, wide, span)}<figcaption>{escape(caption)}</figcaption></figure>"
    caption = f"{span.label}, from {when}; lead {recording.info.leads[lead].name}, 25 mm/s, 10 mm/mV"
    strip = strip_svg(recording, span, lead, annotations, reference)
    return f"<figure>{strip}<figcaption>{escape(caption)}</figcaption></figure>"


def recording_line(recording: Recording) -> str:
    """When it was made, how long it is, which leads and rate; escaped."""
    info = recording.info
    start = f"{info.start:%Y-%m-%d %H:%M}, " if info.start else ""
    if info.rr_only:
        return escape(f"{start}{duration_text(info.duration_s)}, RR intervals in 1/1024 s")
    leads = ", ".join(lead.name for lead in info.leads)
    return escape(f"{start}{duration_text(info.duration_s)}, {leads}, {info.fs_hz:g} Hz")
