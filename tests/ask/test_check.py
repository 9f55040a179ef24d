"""The check on rewordings: nothing but the phrase itself gets through, in whatever clothes it comes."""

import re
from functools import lru_cache

import pytest
from ask_tools import demo, hard_recordings
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.ask.answer import draft_answer
from edge.ask.check import accept, sentences, unfounded
from edge.ask.draft import CUES, Phrase
from edge.ask.plan import FORMS, TARGETS, Plan, PlanSpan
from edge.settings import Settings
from edge.types import Fact

MEAN = Phrase("The mean heart rate was 71 bpm between 0:00 and 10:00.", CUES["mean"])
HIGH = Phrase("The highest heart rate was 118 bpm, over 8 beats from 14:02:11.", CUES["max"])
PAUSE = Phrase("No pause of 2 s or longer was found over the whole recording (30 min).")
PAUSES = Phrase("3 pauses of 2 s or longer were found over the whole recording (30 min).")
SLOW = Phrase("The heart rate was not below 50 bpm for 15 s or longer over the whole recording (5 min).")
FAST = Phrase("The heart rate was above 100 bpm for 15 s or longer 2 times over the whole recording (5 min).")
BEATS = Phrase("5230 beats were found over the whole recording (1 h); 99 % of that time was usable.", CUES["count"])
REGULAR = Phrase(
    "The heartbeat was regular over the whole recording (5 min): 3 % of the intervals between beats "
    "were out of step with their neighbours."
)
USABLE = Phrase("99 % of the signal was usable over the whole recording (5 min).", CUES["usable"])
EARLY = Phrase("No beats came more than 20 % early by timing over the whole recording (5 min).")
LONGEST = Phrase("The longest interval between two beats was 1.84 s, at 3:51.")
SDNN = Phrase("SDNN was 49 ms over the whole recording (5 min), from 377 normal-to-normal intervals.")
LEADS = Phrase("The recording has 2 leads: I, II.")
STARTED = Phrase("The recording started at 2026-01-31 22:15:00.")
GAPS = Phrase("There are 2 gaps over the whole recording (5 min), together 40 s.")
AF = Phrase("Atrial fibrillation was found 2 times between 0:00 and 10:00.")
NO_AF = Phrase("No atrial fibrillation was found over the whole recording.")
BURDEN = Phrase("Atrial fibrillation was found for 34 % of the analysable time over the whole recording.")
PVCS = Phrase("12 ventricular extra beats were found over the whole recording.")
NO_RUN = Phrase("No ventricular runs of 3 or more beats were found over the whole recording.")
QTC = Phrase("QTc by Bazett over the whole recording was 447 ms, the median of 261 normal beats.")
P_WAVES = Phrase("P waves were found at 98 % of 261 beats over the whole recording.")
FINDINGS = (AF, NO_AF, BURDEN, PVCS, NO_RUN, QTC, P_WAVES)


@lru_cache(maxsize=1)
def draft_phrases() -> tuple[Phrase, ...]:
    """Every phrase that ordinary code makes about the demo ECG and the hard recordings."""
    found: dict[str, Phrase] = {}
    for source in (demo(), *hard_recordings().values()):
        for target in TARGETS:
            for form in FORMS:
                for quantity in ("", "min", "max", "last", "shortest", "leads", "start", "rate", "live"):
                    plan = Plan(form, target, quantity, PlanSpan(0.0, source.info.duration_s))
                    for phrase in draft_answer("", plan, [source], Settings()).phrases:
                        found[phrase.text] = phrase
    return tuple(found.values())


def test_every_phrase_of_every_draft_passes_its_own_check() -> None:
    assert len(draft_phrases()) > 80
    assert [(p.text, why) for p in draft_phrases() if (why := accept(p.text, p))] == []


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_changed_number_is_refused(data: st.DataObject) -> None:
    phrase = data.draw(st.sampled_from([p for p in draft_phrases() if re.search(r"\d", p.text)]))
    digit = data.draw(st.sampled_from([m.start() for m in re.finditer(r"\d", phrase.text)]))
    put = data.draw(st.sampled_from([*"0123456789", "", "٣", "²", "½", "１", "10", "0.5", "x"]))
    changed = phrase.text[:digit] + put + phrase.text[digit + 1 :]
    if changed != phrase.text:
        assert accept(changed, phrase) != ""


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_dropped_or_repeated_number_or_sign_is_refused(data: st.DataObject) -> None:
    phrase = data.draw(st.sampled_from([p for p in draft_phrases() if re.search(r"\d", p.text)]))
    tokens = list(re.finditer(r"\d+(?:[:.,-]\d+)*|%|\b(?:bpm|ms|s|min)\b", phrase.text))
    token = data.draw(st.sampled_from(tokens))
    dropped = phrase.text[: token.start()] + phrase.text[token.end() :]
    twice = f"{phrase.text[: token.end()]} {phrase.text[token.start() :]}"
    assert accept(dropped, phrase) != ""
    assert accept(twice, phrase) != ""


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_two_numbers_of_a_phrase_cannot_change_places(data: st.DataObject) -> None:
    phrase = data.draw(st.sampled_from([p for p in draft_phrases() if len(re.findall(r"\d", p.text)) > 1]))
    numbers = list(re.finditer(r"\d+(?:[:.,-]\d+)*", phrase.text))
    a, b = sorted(data.draw(st.permutations(range(len(numbers))))[:2]) if len(numbers) > 1 else (0, 0)
    text = phrase.text
    first, second = numbers[a], numbers[b]
    if first.group() != second.group():
        swapped = (text[: first.start()] + second.group() + text[first.end() : second.start()] + first.group()) + text[
            second.end() :
        ]
        assert accept(swapped, phrase) != ""


@settings(max_examples=200, deadline=None)
@given(
    st.data(),
    st.sampled_from(["not", "no", "never", "less", "under", "over", "about", "zero", "twice", "normal", "AF", ">"]),
)
def test_a_word_with_a_meaning_cannot_be_put_anywhere(data: st.DataObject, word: str) -> None:
    phrase = data.draw(st.sampled_from(draft_phrases()))
    words = phrase.text.split()
    at = data.draw(st.integers(0, len(words)))
    assert accept(" ".join([*words[:at], word, *words[at:]]), phrase) != ""


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([MEAN, PAUSE, REGULAR]), st.text(max_size=80))
def test_arbitrary_text_is_refused_and_never_an_error(phrase: Phrase, text: str) -> None:
    assert accept(text, phrase) != ""


ACCEPTED = [
    (MEAN, "Your average heart rate was 71 bpm between 0:00 and 10:00."),
    (MEAN, "The mean rate was 71 bpm from 0:00 to 10:00"),
    (MEAN, "You had a mean heart rate of 71 bpm between 0:00 and 10:00."),
    (HIGH, "Her fastest heart rate was 118 bpm, over 8 beats from 14:02:11."),
    (PAUSE, "There was no pause of 2 s or longer over the whole recording (30 min)."),
    (BEATS, "There were 5230 heartbeats found over the whole recording (1 h); 99 % of the time was usable."),
    (USABLE, "The signal was 99 % usable over the whole recording (5 min)."),
    (GAPS, "Your ECG has 2 gaps over the entire recording (5 min), together 40 s."),
]


@pytest.mark.parametrize(("phrase", "sentence"), ACCEPTED)
def test_a_true_rewording_passes(phrase: Phrase, sentence: str) -> None:
    assert accept(sentence, phrase) == ""


REFUSED = [
    # numbers and times
    (MEAN, "The mean heart rate was 72 bpm between 0:00 and 10:00."),
    (MEAN, "The mean heart rate was seventy-one bpm between 0:00 and 10:00."),
    (MEAN, "The mean heart rate was 71.0 bpm between 0:00 and 10:00."),
    (MEAN, "The mean heart rate was 7 1 bpm between 0:00 and 10:00."),
    (MEAN, "The mean heart rate was -71 bpm between 0:00 and 10:00."),
    (MEAN, "The mean heart rate was 71² bpm between 0:00 and 10:00."),
    (MEAN, "The mean heart rate was ٧١ bpm between 0:00 and 10:00."),
    (MEAN, "The mean heart rate was 7\u200b1 bpm between 0:00 and 10:00."),
    (MEAN, "The mean heart rate was 71\u0336 bpm between 0:00 and 10:00."),
    (MEAN, "The mean heart rate was 71 bpm between 10:00 and 0:00."),
    (MEAN, "The mean heart rate was 71 bpm at 0:00 and 10:00."),
    (MEAN, "The mean heart rate was 71 bpm."),
    (MEAN, "The mean heart rate was 71 bpm between 0:00 and 10:00, with 12 pauses."),
    (LONGEST, "The longest interval between two beats was 1,84 s, at 3:51."),
    (LONGEST, "The longest interval between three beats was 1.84 s, at 3:51."),
    (LONGEST, "The longest interval between two beats was twice 1.84 s, at 3:51."),
    (HIGH, "The highest heart rate was 118 bpm, over 8 beats to 14:02:11."),
    (STARTED, "The recording started at 2026-01-31 22:51:00."),
    (STARTED, "The recording started at 2026-31-01 22:15:00."),
    # units
    (MEAN, "The mean heart rate was 71 % between 0:00 and 10:00."),
    (MEAN, "The mean heart rate was 71 beats between 0:00 and 10:00."),
    (USABLE, "99 bpm of the signal was usable over the whole recording (5 min)."),
    (USABLE, "99 of the signal was usable over the whole recording (5 min)."),
    (SDNN, "SDNN was 49 s over the whole recording (5 min), from 377 normal-to-normal intervals."),
    (SDNN, "RMSSD was 49 ms over the whole recording (5 min), from 377 normal-to-normal intervals."),
    (FAST, "The heart rate was above 100 bpm for 15 min or longer 2 times over the whole recording (5 min)."),
    # more, less, about
    (MEAN, "The mean heart rate was over 71 bpm between 0:00 and 10:00."),
    (MEAN, "The mean heart rate was about 71 bpm between 0:00 and 10:00."),
    (MEAN, "The mean heart rate was at least 71 bpm between 0:00 and 10:00."),
    (MEAN, "The mean heart rate was > 71 bpm between 0:00 and 10:00."),
    (MEAN, "The mean heart rate was ≥71 bpm between 0:00 and 10:00."),
    (USABLE, "Over 99 % of the signal was usable the whole recording (5 min)."),
    (HIGH, "The highest heart rate was over 118 bpm, 8 beats from 14:02:11."),
    (FAST, "The heart rate was above 100 bpm for less than 15 s 2 times over the whole recording (5 min)."),
    (FAST, "The heart rate was 100 bpm for 15 s or longer 2 times over the whole recording (5 min)."),
    (FAST, "The heart rate was below 100 bpm for 15 s or longer 2 times over the whole recording (5 min)."),
    (FAST, "The heart rate was above 100 bpm for 15 s 2 times over the whole recording (5 min)."),
    (
        FAST,
        "The heart rate was above 100 bpm within 15 s or longer 2 times over the whole recording (5 min).",
    ),
    (PAUSES, "3 pauses of more than 2 s were found over the whole recording (30 min)."),
    (EARLY, "No beats came early by timing over the whole recording (5 min)."),
    # negation
    (PAUSE, "A pause of 2 s or longer was found over the whole recording (30 min)."),
    (PAUSES, "No 3 pauses of 2 s or longer were found over the whole recording (30 min)."),
    (SLOW, "The heart rate was below 50 bpm for 15 s or longer over the whole recording (5 min)."),
    (SLOW, "The heart rate was below 50 bpm for 15 s or longer, not over the whole recording (5 min)."),
    (SLOW, "The heart rate was not not below 50 bpm for 15 s or longer over the whole recording (5 min)."),
    (
        SLOW,
        "It isn't that the heart rate was not below 50 bpm for 15 s or longer over the recording (5 min).",
    ),
    (SLOW, "The heart rate was hardly below 50 bpm for 15 s or longer over the whole recording (5 min)."),
    (USABLE, "99 % of the signal was unusable over the whole recording (5 min)."),
    (USABLE, "99 % of the signal was non-usable over the whole recording (5 min)."),
    (REGULAR, REGULAR.text.replace("regular", "irregular")),
    (REGULAR, REGULAR.text.replace("regular", "mostly regular")),
    (REGULAR, REGULAR.text.replace("out of step", "in step")),
    # other quantities and invented findings
    (MEAN, "The highest heart rate was 71 bpm between 0:00 and 10:00."),
    (MEAN, "The heart rate was 71 bpm between 0:00 and 10:00."),
    (HIGH, "The lowest heart rate was 118 bpm, over 8 beats from 14:02:11."),
    (MEAN, "The mean heart rate was a normal 71 bpm between 0:00 and 10:00."),
    (MEAN, "The mean heart rate was 71 bpm between 0:00 and 10:00, which is healthy."),
    (MEAN, "The mean heart rate was 71 bpm between 0:00 and 10:00 in atrial fibrillation."),
    (MEAN, "The mean heart rate was 71 bpm between 0:00 and 10:00. All is well."),
    (MEAN, "The mean heart rate was 71 bpm between 0:00 and 10:00 💔"),
    (MEAN, "Was the mean heart rate 71 bpm between 0:00 and 10:00?"),
    (MEAN, "The mean heart rate would be 71 bpm between 0:00 and 10:00."),
    (MEAN, "The mean heаrt rate was 71 bpm between 0:00 and 10:00."),  # a Cyrillic letter
    (MEAN, "Средний пульс 71 bpm 0:00 10:00."),
    (USABLE, "99 % of the heart was usable over the whole recording (5 min)."),
    (REGULAR, REGULAR.text.replace("regular", "normal")),
    (LEADS, "The recording has 2 leads: II."),
    (LEADS, "The recording has 2 leads: II, I."),
    (LEADS, "I have 2 leads: II."),
    (MEAN, ""),
    (MEAN, "..."),
    (MEAN, "It is as it was when you were there, and there you were when it was as it is, " + MEAN.text),
]


@pytest.mark.parametrize(("phrase", "sentence"), REFUSED)
def test_a_sentence_that_says_anything_else_is_refused(phrase: Phrase, sentence: str) -> None:
    assert accept(sentence, phrase) != ""


FINDINGS_ACCEPTED = [
    (AF, "Atrial fibrillation was found 2 times from 0:00 to 10:00."),
    (NO_AF, "There was no atrial fibrillation found over the whole recording."),
    (NO_AF, "No atrial fibrillation was found over the entire recording."),
    (PVCS, "There were 12 ventricular extra beats found over the whole recording."),
]


@pytest.mark.parametrize(("phrase", "sentence"), FINDINGS_ACCEPTED)
def test_a_finding_may_be_reworded_as_found(phrase: Phrase, sentence: str) -> None:
    assert accept(sentence, phrase) == ""


FINDINGS_REFUSED = [
    # somebody's
    (AF, "You have atrial fibrillation 2 times between 0:00 and 10:00."),
    (AF, "Your atrial fibrillation was found 2 times between 0:00 and 10:00."),
    (AF, "She had atrial fibrillation 2 times between 0:00 and 10:00."),
    (AF, "Atrial fibrillation was 2 times between 0:00 and 10:00."),
    (NO_AF, "You do not have atrial fibrillation over the whole recording."),
    (NO_AF, "You have no atrial fibrillation over the whole recording."),
    (NO_AF, "No atrial fibrillation over the whole recording."),
    (PVCS, "He has 12 ventricular extra beats over the whole recording."),
    # another one
    (AF, "Atrial flutter was found 2 times between 0:00 and 10:00."),
    (AF, "Ventricular fibrillation was found 2 times between 0:00 and 10:00."),
    (AF, "Fibrillation was found 2 times between 0:00 and 10:00."),
    (AF, "AF was found 2 times between 0:00 and 10:00."),
    (AF, "Atrial fibrillation was found 2 times between 0:00 and 10:00 in sinus rhythm."),
    (AF, "Atrial fibrillation and flutter was found 2 times between 0:00 and 10:00."),
    (AF, "Atrial fibrillation was found 2 times between 0:00 and 10:00, a stroke risk."),
    (NO_AF, "Atrial fibrillation was found over the whole recording."),
    (NO_AF, "No fibrillation was found over the whole recording."),
    (NO_AF, "No atrial fibrillation or flutter was found over the whole recording."),
    (BURDEN, "Sinus rhythm was found for 34 % of the analysable time over the whole recording."),
    (PVCS, "12 supraventricular extra beats were found over the whole recording."),
    (PVCS, "12 extra beats were found over the whole recording."),
    (PVCS, "12 ventricular beats were found over the whole recording."),
    (NO_RUN, "No runs of 3 or more beats were found over the whole recording."),
    (NO_RUN, "No ventricular tachycardia of 3 or more beats was found over the whole recording."),
    (QTC, "QT by Bazett over the whole recording was 447 ms, the median of 261 normal beats."),
    (QTC, "QTc by Fridericia over the whole recording was 447 ms, the median of 261 normal beats."),
    (QTC, "QTc by Bazett over the whole recording was a long 447 ms, the median of 261 normal beats."),
    (P_WAVES, "T waves were found at 98 % of 261 beats over the whole recording."),
]


@pytest.mark.parametrize(("phrase", "sentence"), FINDINGS_REFUSED)
def test_a_finding_cannot_be_swapped_added_dropped_or_made_somebodys(phrase: Phrase, sentence: str) -> None:
    assert accept(sentence, phrase) != ""


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(FINDINGS),
    st.sampled_from(["atrial", "ventricular", "sinus", "flutter", "AF", "your", "you", "have", "paced", "early"]),
    st.integers(0, 20),
)
def test_no_word_about_findings_or_people_can_be_put_into_a_finding(phrase: Phrase, word: str, at: int) -> None:
    words = phrase.text.split()
    assert accept(" ".join([*words[:at], word, *words[at:]]), phrase) != ""


def test_a_finding_that_no_fact_speaks_of_is_noticed() -> None:
    af, extra = Fact("af_count", 2.0, "episodes", 0, 600), Fact("ventricular_ectopic_count", 12.0, "beats", 0, 600)
    assert unfounded(AF.text, (af,)) == []
    assert unfounded(AF.text, (extra,)) == ["af_"]
    assert unfounded(f"{AF.text} {PVCS.text}", (af,)) == ["ventricular_"]
    assert unfounded(PVCS.text.replace("ventricular", "supraventricular"), (extra,)) == ["supraventricular_"]
    assert unfounded("Ventricular flutter or fibrillation was found 1 time.", (af, extra)) == ["vf_"]
    assert unfounded(MEAN.text, ()) == []


def test_a_point_inside_a_number_ends_no_sentence() -> None:
    assert sentences("It was 1.84 s. At 3:51.\nYes") == ["It was 1.84 s.", "At 3:51.", "Yes"]
