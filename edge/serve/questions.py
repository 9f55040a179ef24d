"""Questions over MQTT, read without trust in whoever sent them."""

import json
import re
import secrets
from dataclasses import dataclass
from typing import Any, TypeGuard

from edge.serve.broker import MAX_REPLY_CHARS, ROOT, is_id, reply_problem

MAX_QUESTION_BYTES = 64 * 1024  # far above any sentence; bounds what a stranger can make the gateway parse
MAX_OFFSET_CHARS = 64  # an ISO 8601 time with zone and microseconds has 32


@dataclass(frozen=True, slots=True)
class QuestionIn:
    """A question as it arrived; one with a `problem` is answered by an error payload."""

    question: str
    """The text without surrounding white space; empty only together with a problem."""
    id: str
    """The asker's id, or a generated one where it gave none that can stand in a topic."""
    reply_to: str | None = None
    """Topic for the answer instead of `answer/<id>`, for clients without MQTT 5."""
    start: str | None = None
    """Where to look from ("from"): ISO 8601, a clock time or an offset such as 90s; not parsed here."""
    end: str | None = None
    """Where to look to ("to"), in the same forms."""
    problem: str = ""
    """What is wrong with the message, in one sentence; empty when nothing is."""


def parse_question(payload: bytes) -> QuestionIn:
    """Read a question: plain UTF-8 text or a JSON object. Never raises; see `QuestionIn.problem`."""
    if len(payload) > MAX_QUESTION_BYTES:
        return _bad(f"The question is larger than {MAX_QUESTION_BYTES // 1024} KiB.")
    try:
        text = payload.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return _bad("The question is not UTF-8 text.")
    if not text.startswith("{"):
        return QuestionIn(text, _new_id()) if text else _bad("The question is empty.")
    try:
        return _from_object(json.loads(text))
    except RecursionError:
        return _bad("The question is JSON nested too deeply.")
    except ValueError:
        return _bad("The question starts with { but is not JSON.")


def _from_object(given: dict[str, Any]) -> QuestionIn:
    """Check each member; what is usable is kept beside a problem, so that the asker can be told of it."""
    problem = ""
    texts: dict[str, str | None] = {}
    for name, limit in (
        ("from", MAX_OFFSET_CHARS),
        ("to", MAX_OFFSET_CHARS),
        ("reply_to", MAX_REPLY_CHARS),
    ):
        value = given.get(name)
        if value is not None and not (_is_text(value) and len(value) <= limit):
            problem, value = f'"{name}" must be a text of at most {limit} characters.', None
        texts[name] = value
    if (reply_to := texts["reply_to"]) is not None and (why := reply_problem(reply_to)):
        problem, texts["reply_to"] = f'"reply_to" cannot be used: {why}.', None
    question = given.get("question")
    question = question.strip() if _is_text(question) else ""
    if not question:
        problem = 'The JSON has no text under "question".'
    elif str(given.get("schema", "")).startswith(f"{ROOT}."):
        problem = "This is one of the gateway's own messages and no question."
    asked = given.get("id")
    return QuestionIn(
        question,
        asked if is_id(asked) else _new_id(),
        texts["reply_to"],
        texts["from"],
        texts["to"],
        problem,
    )


def _is_text(value: object) -> TypeGuard[str]:
    """JSON can spell half a surrogate pair, which no UTF-8 can carry back."""
    return isinstance(value, str) and re.search(r"[\ud800-\udfff]", value) is None


def _bad(problem: str) -> QuestionIn:
    return QuestionIn("", _new_id(), problem=problem)


def _new_id() -> str:
    return secrets.token_hex(8)
