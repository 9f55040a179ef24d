"""What arrives is read without trust, what leaves fits its schema, and the documentation says the same."""

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker, ValidationError

from edge.serve import payloads
from edge.serve.broker import is_id
from edge.serve.payloads import ErrorReply, Event, Payload, State, Status
from edge.serve.questions import parse_question

PUBLISHED = {kind for kind in vars(payloads).values() if isinstance(kind, type) and issubclass(kind, Payload)} - {
    Payload
}
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "mqtt.md"

STATE = State(
    time="2025-01-31T22:00:00+01:00",
    recording="20250131-220000",
    rate_bpm=62.4,
    rate_reason="",
    quality="good",
    beats=4711,
    analysable_fraction=0.98,
    recorded_s=4520.0,
    gaps=2,
    duplicates=0,
    late=1,
    dropped_frames=0,
    rejected=0,
    clock_jumps=0,
    link="streaming",
    protocol="polar-h10",
    device="Polar Electro Oy H10",
    rssi_dbm=-60,
    battery_percent=88,
    contact=None,
    reconnects=0,
    silent_s=0.4,
    rhythm="(SVTA",
    rhythm_name="supraventricular tachyarrhythmia",
    rhythm_reason="",
    rhythm_since="2025-01-31T20:58:30.120+00:00",
    ventricular_ectopic_last_hour=12,
    supraventricular_ectopic_last_hour=None,
)
SAMPLES: dict[str, Payload] = {
    "status": Status(online=True, version="0.1.0", recording=None, since="2025-01-31T21:59:00Z"),
    "state": STATE,
    "event": Event("2025-01-31T22:00:00Z", "gap", "link lost", 12.5),
    "error": ErrorReply("q1", "The question is empty."),
}

ANSWER = {
    "schema": "anyecg.answer/1",
    "question": "Was it over 100?",
    "answer": "No, the highest rate was 93 bpm.",
    "status": "answered",
    "plan": {"intent": "verify"},
    "span": {"start_s": 0.0, "end_s": 60.0, "start": "2025-01-31T22:00:00+01:00", "end": None},
    "facts": [{"name": "max_rate", "value": 93, "unit": "bpm", "start_s": 0, "end_s": 60, "n": 70, "reason": ""}],
    "locations": [{"start_s": 1.5, "end_s": 2.5, "label": "fastest"}],
    "choice": None,
    "items": None,
    "verdict": "no",
    "evidence": [{"start_s": 1.5, "end_s": 2.5, "label": ""}],
    "analysable_fraction": 1.0,
    "source": "measured",
    "model": {"name": "pocket", "sha256": "00"},
    "timing_ms": {"plan": 3.0, "facts": 1.0, "first_token": None, "total": 5.0},
    "notice": "Not a medical device.",
}


def check(name: str, document: object) -> None:
    Draft202012Validator(payloads.SCHEMAS[name], format_checker=FormatChecker()).validate(document)


def test_plain_text_is_a_question_and_gets_an_id() -> None:
    first, second = parse_question("  Wie schnell schlägt es? \n".encode()), parse_question(b"How fast?")
    assert first.question == "Wie schnell schlägt es?"
    assert (first.problem, first.reply_to) == ("", None)
    assert is_id(first.id)
    assert first.id != second.id


def test_a_json_question_keeps_its_members() -> None:
    given = {"question": "How fast?", "id": "q-1", "reply_to": "home/answers", "from": "90s", "to": "22:00"}
    check("question", given)
    question = parse_question(json.dumps(given).encode())
    assert dataclasses.asdict(question) == {
        "question": "How fast?",
        "id": "q-1",
        "reply_to": "home/answers",
        "start": "90s",
        "end": "22:00",
        "problem": "",
    }


@pytest.mark.parametrize("asked", ["", "a/b", "#", "x" * 65, "ü", "a\n", 7, None, ["a"]])
def test_an_id_that_cannot_stand_in_a_topic_is_replaced(asked: object) -> None:
    question = parse_question(json.dumps({"question": "How fast?", "id": asked}).encode())
    assert question.problem == ""
    assert is_id(question.id)
    assert question.id != asked


@pytest.mark.parametrize(
    ("payload", "word"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"\xff\xfe", "UTF-8"),
        (b"x" * (64 * 1024 + 1), "64 KiB"),
        (b"{not json", "JSON"),
        (b'{"question": ' + b"[" * 60_000, "JSON"),
        (b'{"question": ' + b"9" * 5_000 + b"}", "JSON"),
        (b"{}", "question"),
        (b'{"question": 7}', "question"),
        (b'{"question": "  "}', "question"),
        (b'{"question": "\\ud800"}', "question"),
        (b'{"question": "How fast?", "from": 90}', "from"),
        (b'{"question": "How fast?", "to": "' + b"9" * 65 + b'"}', "to"),
        (json.dumps(ANSWER).encode(), "own messages"),
    ],
)
def test_what_is_no_question_comes_back_as_a_problem(payload: bytes, word: str) -> None:
    question = parse_question(payload)
    assert word in question.problem
    assert is_id(question.id)
    check("error", json.loads(ErrorReply(question.id, question.problem).to_json()))


@pytest.mark.parametrize(
    "topic",
    ["", "a/+", "a/#", "a\x00b", "x" * 257, 5, "$SYS/x", "anyecg/home/strap/ask", "anyecg/home/strap/status"],
)
def test_an_answer_is_not_sent_where_it_could_do_harm(topic: object) -> None:
    question = parse_question(json.dumps({"question": "How fast?", "id": "q1", "reply_to": topic}).encode())
    assert "reply_to" in question.problem
    assert question.reply_to is None
    assert question.id == "q1"


def test_an_answer_may_go_to_an_answer_topic() -> None:
    question = parse_question(b'{"question": "How fast?", "reply_to": "anyecg/home/strap/answer/mine"}')
    assert question.reply_to == "anyecg/home/strap/answer/mine"
    assert question.problem == ""


@given(st.binary())
def test_no_bytes_make_the_reader_raise(payload: bytes) -> None:
    question = parse_question(payload)
    assert bool(question.question) != bool(question.problem)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2),
)
MEMBERS = st.sampled_from(["question", "id", "reply_to", "from", "to", "schema", "other"])


@given(st.dictionaries(MEMBERS, JSON_VALUES))
def test_no_json_object_makes_the_reader_raise(given: dict[str, object]) -> None:
    question = parse_question(json.dumps(given).encode())
    assert question.question or question.problem
    assert is_id(question.id)
    question.question.encode()
    (question.reply_to or "").encode()


def test_every_payload_has_a_sample_and_fits_its_schema() -> None:
    assert {type(sample) for sample in SAMPLES.values()} == PUBLISHED
    for name, sample in SAMPLES.items():
        document = json.loads(sample.to_json())
        check(name, document)
        assert list(document) == list(payloads.SCHEMAS[name]["properties"])


def test_an_answer_fits_its_schema() -> None:
    check("answer", ANSWER)


@pytest.mark.parametrize(
    ("name", "document", "wrong"),
    [
        ("answer", ANSWER, {"status": "maybe"}),
        ("answer", ANSWER, {"verdict": True}),
        ("answer", ANSWER, {"facts": [{"name": "rate"}]}),
        ("answer", ANSWER, {"schema": "anyecg.answer/2"}),
        ("state", json.loads(STATE.to_json()), {"quality": "fair"}),
        ("state", json.loads(STATE.to_json()), {"beats": -1}),
        ("state", json.loads(STATE.to_json()), {"beats": 1.5}),
        ("state", json.loads(STATE.to_json()), {"analysable_fraction": 98}),
        ("state", json.loads(STATE.to_json()), {"rate_bpm": "62"}),
        ("state", json.loads(STATE.to_json()), {"ventricular_ectopic_last_hour": -1}),
        ("status", json.loads(SAMPLES["status"].to_json()), {"online": None}),
    ],
)
def test_a_schema_refuses_what_it_should(name: str, document: dict[str, object], wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        check(name, document | wrong)


@pytest.mark.parametrize("name", payloads.SCHEMAS)
def test_a_schema_is_one_and_lets_payloads_grow(name: str) -> None:
    Draft202012Validator.check_schema(payloads.SCHEMAS[name])
    assert "additionalProperties" not in json.dumps(payloads.SCHEMAS[name])


@given(recording=st.text(max_size=64), reason=st.text())
def test_a_state_stays_below_2_kib(recording: str, reason: str) -> None:
    counts = ("beats", "gaps", "duplicates", "late", "dropped_frames")
    ectopic = ("ventricular_ectopic_last_hour", "supraventricular_ectopic_last_hour")
    numbers = dict.fromkeys((*counts, *ectopic), 2**63)
    widest = dataclasses.replace(
        STATE, recording=recording, rate_reason=reason, rate_bpm=-1 / 3e100, recorded_s=1 / 3e-100, **numbers
    )
    assert len(widest.to_json().encode("utf-8", "surrogatepass")) < 2048


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        dataclasses.replace(STATE, rate_bpm=float("nan")).to_json()


def test_the_documentation_is_fresh() -> None:
    page = DOCUMENTATION.read_text(encoding="utf-8")
    assert page == payloads.document(page), "run: python -m edge.serve.payloads"


def test_each_field_and_each_payload_is_documented() -> None:
    page = DOCUMENTATION.read_text(encoding="utf-8")
    for payload in PUBLISHED:
        assert set(payloads.field_notes(payload)) == {field.name for field in dataclasses.fields(payload)}
        assert all(note in page for note in payloads.field_notes(payload).values())
    for name in payloads.SCHEMAS:
        assert f"### {name}" in page
