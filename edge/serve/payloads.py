"""Every MQTT payload that the gateway publishes, and the JSON Schemas of these and of questions.

`python -m edge.serve.payloads` writes them into docs/mqtt.md; a test fails while that page is stale.
"""

import ast
import dataclasses
import inspect
import itertools
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args, get_type_hints

from edge.serve.broker import ID, MAX_REPLY_CHARS
from edge.serve.questions import MAX_OFFSET_CHARS

MAX_REASON_CHARS = 120  # with it a state stays below 2 KiB; Home Assistant refuses attributes over 16 KiB


@dataclass(frozen=True, slots=True)
class Payload:
    """What the gateway publishes: one JSON object that begins with the name of its schema."""

    SCHEMA: ClassVar[str]

    def to_json(self) -> str:
        """One line of JSON. NaN is a ValueError: most readers would drop the whole message."""
        members = {"schema": self.SCHEMA, **dataclasses.asdict(self)}
        return json.dumps(members, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Status(Payload):
    """Whether a gateway serves a device; retained, and what the broker says when the gateway is lost."""

    SCHEMA = "anyecg.status/1"
    online: bool
    """False after a clean stop and, as the last will, after a lost connection."""
    version: str = ""
    """Version of anyecg on the gateway."""
    recording: str | None = None
    """Id of the recording being made; null while none is."""
    since: str | None = None
    """When the gateway began to serve; ISO 8601 with time zone."""


@dataclass(frozen=True, slots=True)
class State(Payload):
    """The live state of a recording; retained, at most every few seconds, below 2 KiB."""

    SCHEMA = "anyecg.state/1"
    time: str
    """When this was measured; ISO 8601 with time zone."""
    recording: str | None
    """Id of the recording; null while none is being made."""
    rate_bpm: float | None
    """Current heart rate in beats per minute; null where it cannot be measured."""
    rate_reason: str
    """Why there is no rate; empty when there is one. Cut after 120 characters."""
    quality: Literal["good", "usable", "unusable"]
    """Signal quality of the latest second."""
    beats: int
    """Beats found since the start of the recording."""
    analysable_fraction: float
    """Share of the recorded time in which beats could be found at all, 0 to 1."""
    recorded_s: float
    """Length of the recording in seconds, gaps included."""
    gaps: int
    """Stretches without any sample."""
    duplicates: int
    """Frames that arrived twice; the second one was left out."""
    late: int
    """Frames that arrived too late to be put in their place."""
    dropped_frames: int
    """Frames lost on the gateway because its storage could not keep up."""
    rejected: int
    """Values from the strap that were damaged, cut or of an unknown kind; left out."""
    clock_jumps: int
    """How often the strap's clock was set or began anew."""
    link: Literal["searching", "connecting", "streaming", "silent", "lost", "replaying", "ended"]
    """How the link to the strap stands; silent: connected, but no data for some seconds."""
    protocol: str | None
    """What the strap speaks; null before it has been connected."""
    device: str | None
    """Maker, model and firmware, as the strap names them."""
    rssi_dbm: int | None
    """Strength of its radio signal when it was last found."""
    battery_percent: int | None
    """Its battery; null where it does not tell."""
    contact: bool | None
    """Whether the electrodes have contact; null where the strap does not tell."""
    reconnects: int
    """How often the link was made again."""
    silent_s: float | None
    """For how long no data has come; null where it is not watched."""
    rhythm: str | None
    """The present rhythm by its name in WFDB annotation files, such as (N or (AFIB; null where none can be told."""
    rhythm_name: str | None
    """The same in plain words."""
    rhythm_reason: str
    """Why there is no rhythm; empty when there is one. Cut after 120 characters."""
    rhythm_since: str | None
    """When it began, UTC; null also where the recording has no clock time."""
    ventricular_ectopic_last_hour: int | None
    """Ventricular ectopic beats in the last 60 minutes of the recording; null where no beat of them could be read."""
    supraventricular_ectopic_last_hour: int | None
    """Supraventricular ectopic beats, likewise."""

    def __post_init__(self) -> None:
        for name in ("rate_reason", "rhythm_reason"):
            object.__setattr__(self, name, getattr(self, name)[:MAX_REASON_CHARS])


@dataclass(frozen=True, slots=True)
class Event(Payload):
    """Something that happened at a place in the recording; not retained."""

    SCHEMA = "anyecg.event/1"
    time: str
    """When it was noticed; ISO 8601 with time zone."""
    kind: str
    """What happened, in one word: recording, connected, lost, silent, gap, clock, contact, mark, rhythm_began, rhythm_ended, ended, storage, error, source …"""
    detail: str = ""
    """The same in a few words for people."""
    start_s: float | None = None
    """Where it begins, in seconds from the start of the recording; null where it has no place there."""
    start: str | None = None
    """Clock time of that place, UTC; null where it has none."""
    rhythm: str | None = None
    """Of rhythm_began and rhythm_ended: the rhythm by its name in WFDB annotation files; else null."""


@dataclass(frozen=True, slots=True)
class ErrorReply(Payload):
    """The answer to a question that could not be read; sent where its answer would have gone."""

    SCHEMA = "anyecg.error/1"
    id: str
    """Id of the question, or a generated one where it had none."""
    problem: str
    """What is wrong, in one sentence."""
    advice: str = ""
    """What to do about it; may be empty."""


_JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
_FRACTION: dict[str, Any] = {"minimum": 0, "maximum": 1}
_NOT_NEGATIVE: dict[str, Any] = {"minimum": 0}
_CLOCK_TIME: dict[str, Any] = {"format": "date-time"}
_CUT: dict[str, Any] = {"maxLength": MAX_REASON_CHARS}
_LIMITS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("time", "since", "start", "rhythm_since"), _CLOCK_TIME),
    **dict.fromkeys(("rate_reason", "rhythm_reason"), _CUT),
    "analysable_fraction": _FRACTION,
    "battery_percent": {"minimum": 0, "maximum": 100},
    **dict.fromkeys(("beats", "recorded_s", "gaps", "duplicates", "late", "dropped_frames"), _NOT_NEGATIVE),
    **dict.fromkeys(("rejected", "clock_jumps", "reconnects", "silent_s"), _NOT_NEGATIVE),
    **dict.fromkeys(("ventricular_ectopic_last_hour", "supraventricular_ectopic_last_hour"), _NOT_NEGATIVE),
}
"""What the types of fields do not say, by field name."""


def _schema(payload: type[Payload]) -> dict[str, Any]:
    """JSON Schema from the fields' types: plain ones, `X | None`, and a Literal of texts."""
    properties: dict[str, Any] = {"schema": {"const": payload.SCHEMA}}
    for name, hint in get_type_hints(payload).items():
        args = get_args(hint)
        if hint in _JSON_TYPES:
            properties[name] = {"type": _JSON_TYPES[hint], **_LIMITS.get(name, {})}
        elif args and isinstance(args[0], str):
            properties[name] = {"enum": list(args)}
        elif args and name != "SCHEMA":
            properties[name] = {"type": [_JSON_TYPES[arg] for arg in args], **_LIMITS.get(name, {})}
    return _object(properties, title=payload.SCHEMA)


def _object(
    properties: dict[str, Any],
    *,
    title: str = "",
    required: str = "",
    nullable: bool = False,
    about: str = "",
) -> dict[str, Any]:
    """An object whose `required` members (all by default) must be there, and that may gain more later."""
    return {
        **({"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title} if title else {}),
        **({"description": about} if about else {}),
        "type": ["object", "null"] if nullable else "object",
        "required": required.split() or list(properties),
        "properties": properties,
    }


def _value(kind: str, about: str = "", **limits: Any) -> dict[str, Any]:
    """A plain value; a question mark after its kind means "or null"."""
    kinds = [kind[:-1], "null"] if kind.endswith("?") else kind
    return {"type": kinds, **limits, **({"description": about} if about else {})}


def _list(items: dict[str, Any], about: str) -> dict[str, Any]:
    return {"type": ["array", "null"], "items": items, "description": about}


_START_END = {
    "start_s": _value("number", "Seconds from the start of the recording."),
    "end_s": _value("number"),
}
_CLOCK = {"start": _value("string?", "Clock time, where the recording has one."), "end": _value("string?")}
_FACT = {
    "name": _value("string"),
    "value": _value("number?"),
    "unit": _value("string"),
    **_START_END,
    "n": _value("integer", "Beats, intervals or seconds the value rests on."),
    "reason": _value("string", "Why `value` is null; empty when it is not."),
}
_STEPS_MS = dict.fromkeys(("plan", "facts", "first_token", "total"), _value("number?", **_NOT_NEGATIVE))
_MODEL = {"name": _value("string"), "sha256": _value("string")}

_ANSWER = _object(
    {
        "schema": {"const": "anyecg.answer/1"},
        "question": _value("string"),
        "answer": _value("string", "Plain sentences; every number in them is one of `facts`."),
        "status": {"enum": ["answered", "not_measurable", "not_recorded", "out_of_scope"]},
        "plan": _value("object?", "How the question was understood."),
        "span": _object({**_START_END, **_CLOCK}, nullable=True, about="What was looked at."),
        "facts": {"type": "array", "items": _object(_FACT)},
        "locations": _list(_object({**_START_END, "label": _value("string")}), "For where-questions."),
        "choice": _value("string?", "For questions that offer a choice."),
        "items": _list(_value("string"), "For which-questions."),
        "verdict": {"enum": ["yes", "no", "not sure", None], "description": "For yes-or-no questions."},
        "evidence": _list(_object(_START_END), "Where the answer can be seen."),
        "analysable_fraction": _value("number?", **_FRACTION),
        "source": {"enum": ["measured", "model"], "description": "model: no measurement supports it."},
        "model": _object(_MODEL, nullable=True, about="What worded the answer."),
        "timing_ms": _object(_STEPS_MS, required="total"),
        "notice": _value("string", "Not a medical device; where to turn in an emergency."),
    },
    title="anyecg.answer/1",
    required="schema question answer status facts source notice",
)

_QUESTION = _object(
    {
        "question": _value("string", minLength=1),
        "id": _value("string", pattern=f"^{ID.pattern}$"),
        "reply_to": _value("string", "Topic for the answer instead of `answer/<id>`.", maxLength=MAX_REPLY_CHARS),
        "from": _value("string", "2025-01-31T22:00+01:00, 22:00 or 90s.", maxLength=MAX_OFFSET_CHARS),
        "to": _value("string", maxLength=MAX_OFFSET_CHARS),
    },
    title="A question",
    required="question",
)

_PUBLISHED: dict[str, type[Payload]] = {"status": Status, "state": State, "event": Event, "error": ErrorReply}

SCHEMAS: dict[str, dict[str, Any]] = {
    "question": _QUESTION,
    "answer": _ANSWER,
    **{name: _schema(payload) for name, payload in _PUBLISHED.items()},
}
"""JSON Schema (draft 2020-12) of every payload, by name."""

MARK = "<!-- Everything below is written by python -m edge.serve.payloads -->"

TOPICS = """
## Topics

All begin with `anyecg/<gateway>/<device>/`; ids are 1 to 64 of the letters, digits, `_` and `-`.

| topic | from | retained | payload |
| --- | --- | --- | --- |
| `status` | gateway | yes | [status](#status); also the last will |
| `state` | gateway | yes | [state](#state) |
| `event` | gateway | no | [event](#event) |
| `alert/<id>` | gateway | until acknowledged | reserved |
| `ask` | asker | no | [question](#question), or plain text |
| `answer/<id>` | gateway | no | [answer](#answer) or [error](#error) |
| `answer/<id>/partial` | gateway | no | words of an answer in the making, plain text |
| `command` | asker | no | reserved |

## Payloads

JSON Schema, draft 2020-12. Later versions may add members; ignore those you do not know.
"""


def document(page: str) -> str:
    """`page` up to the mark, then the topics and the schemas with each field's docstring."""
    blocks = [page.split(MARK)[0] + MARK, TOPICS]
    for name, schema in SCHEMAS.items():
        about, fields = "", schema["properties"]
        if payload := _PUBLISHED.get(name):
            about, notes = f"{inspect.getdoc(payload)}\n\n", field_notes(payload)
            fields = {f: v | ({"description": notes[f]} if f in notes else {}) for f, v in fields.items()}
        text = json.dumps(schema | {"properties": fields}, indent=2, ensure_ascii=False)
        text = re.sub(r"[\[{][^\[\]{}]*[\]}]", lambda inner: " ".join(inner[0].split()), text)  # innermost on one line
        blocks.append(f"### {name}\n\n{about}```json\n{text}\n```\n")
    return "\n".join(blocks)


def field_notes(payload: type) -> dict[str, str]:
    """The docstring under each field. Needs the source text, so only the documentation asks for it."""
    body = ast.parse(inspect.getsource(payload)).body[0]
    assert isinstance(body, ast.ClassDef)
    return {
        ast.unparse(field.target): str(note.value.value)
        for field, note in itertools.pairwise(body.body)
        if isinstance(field, ast.AnnAssign) and isinstance(note, ast.Expr) and isinstance(note.value, ast.Constant)
    }


if __name__ == "__main__":
    mqtt_md = Path(__file__).parents[2] / "docs" / "mqtt.md"
    mqtt_md.write_text(document(mqtt_md.read_text(encoding="utf-8")), encoding="utf-8")
