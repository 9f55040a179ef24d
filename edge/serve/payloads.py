"""Every MQTT payload: how questions are read, how the others are built, and their JSON Schemas.

`python -m edge.serve.payloads` writes docs/mqtt.md from this module; a test fails while the page is stale.
"""

import ast
import dataclasses
import inspect
import json
import re
import secrets
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args, get_type_hints

MAX_QUESTION_BYTES = 64 * 1024  # far above any sentence; bounds what a stranger can make the gateway parse
MAX_REPLY_TO_CHARS = 256  # brokers allow 65535; a real topic is a tenth of this
MAX_OFFSET_CHARS = 64  # an ISO 8601 time with zone and microseconds has 32
MAX_REASON_CHARS = 120  # keeps a state below 2 KiB whatever the reason; Home Assistant's limit is 16 KiB
ROOT = "anyecg"

_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def is_id(text: object) -> bool:
    """Whether `text` may be one level of a topic: Home Assistant's alphabet, 1 to 64 characters."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def topic_problem(topic: object) -> str:
    """Say why `topic` cannot be published to; empty when it can."""
    if not isinstance(topic, str) or not topic:
        return "the topic is empty or no text"
    if any(c in "+#" or c < " " or "\x7f" <= c <= "\x9f" or "\ud800" <= c <= "\udfff" for c in topic):
        return "the topic holds a wildcard or a control character"
    if len(topic.encode()) > 65_535:
        return "the topic is longer than 65535 bytes"
    return ""


def reply_problem(topic: object) -> str:
    """Say why answers may not be sent to `topic`, which a stranger chose; empty when they may.

    Below anyecg/ only answer topics are allowed: an answer sent to `ask` would be asked again, for ever,
    and one sent to `status` would tell everybody something false.
    """
    problem = topic_problem(topic)
    if problem or not isinstance(topic, str):
        return problem
    if len(topic) > MAX_REPLY_TO_CHARS:
        return f"the topic is longer than {MAX_REPLY_TO_CHARS} characters"
    if topic.startswith("$"):
        return "topics below $ belong to the broker"
    if topic.startswith(f"{ROOT}/") and topic.split("/")[3:4] != ["answer"]:
        return f"below {ROOT}/ answers go to an answer topic only"
    return ""


@dataclass(frozen=True, slots=True)
class QuestionIn:
    """A question as it arrived; with a `problem` it gets an error payload for an answer."""

    question: str
    """The text, without surrounding white space; empty only together with a problem."""
    id: str
    """The asker's own id, or a generated one where it gave none that can stand in a topic."""
    reply_to: str | None = None
    """Topic for the answer beside `answer/<id>`, for clients without MQTT 5."""
    start: str | None = None
    """Where to look from ("from"): ISO 8601, a clock time or an offset such as 90s; not parsed here."""
    end: str | None = None
    """Where to look to ("to"), in the same forms."""
    problem: str = ""
    """What is wrong with the message, in one sentence; empty when nothing is."""


def parse_question(payload: bytes) -> QuestionIn:
    """Read a question: plain UTF-8 text, or a JSON object. Never raises; see `QuestionIn.problem`."""
    if len(payload) > MAX_QUESTION_BYTES:
        return _bad(f"The question is larger than {MAX_QUESTION_BYTES // 1024} KiB.")
    try:
        text = payload.decode("utf-8").strip()
    except UnicodeDecodeError:
        return _bad("The question is not UTF-8 text.")
    if not text.startswith("{"):
        return QuestionIn(text, _new_id()) if text else _bad("The question is empty.")
    try:
        given = json.loads(text)
        text.encode("ascii") if "\\u" not in text else json.dumps(given, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        pass
    except RecursionError:
        return _bad("The JSON is nested too deeply.")
    except ValueError:
        return _bad("The question starts with { but is not JSON.")
    return _from_object(given)


def _from_object(given: dict[str, Any]) -> QuestionIn:
    """Check each member; what is usable is kept even beside a problem, so that the asker can be told."""
    problem = ""
    reply_to = given.get("reply_to")
    if reply_to is not None and (why := reply_problem(reply_to)):
        problem, reply_to = f"reply_to cannot be used: {why}.", None
    offsets: dict[str, str | None] = {}
    for name in ("from", "to"):
        offset = given.get(name)
        if offset is not None and not (isinstance(offset, str) and len(offset) <= MAX_OFFSET_CHARS):
            problem, offset = f'"{name}" is not a text of at most {MAX_OFFSET_CHARS} characters.', None
        offsets[name] = offset
    question = given.get("question")
    if not isinstance(question, str) or not question.strip():
        problem, question = 'The JSON has no text under "question".', ""
    elif str(given.get("schema", "")).startswith(f"{ROOT}."):
        problem = "This is one of the gateway's own messages, not a question."
    asked_id = given.get("id")
    return QuestionIn(
        question=question.strip(),
        id=str(asked_id) if is_id(asked_id) else _new_id(),
        reply_to=reply_to,
        start=offsets["from"],
        end=offsets["to"],
        problem=problem,
    )


def _bad(problem: str) -> QuestionIn:
    return QuestionIn("", _new_id(), problem=problem)


def _new_id() -> str:
    return secrets.token_hex(8)
