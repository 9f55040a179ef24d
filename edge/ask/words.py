"""Plain phrases to friendlier words: the language model proposes, the check decides.

The model rewords the main sentence, the one that answers the question; what follows stays plain. One short sentence
is what an untuned 135 M model does well, and what fits into half a second on two cores.
"""

from collections.abc import Callable
from dataclasses import dataclass

from edge.ask.check import accept, sentences, unfounded
from edge.ask.draft import Draft
from edge.ask.model_client import LanguageModel
from edge.errors import ModelError
from edge.settings import AskSettings

MAX_REWORDED = 5  # a draft with more phrases is a report: a list of figures gains nothing by rewording

# Asked a yes-or-no question, a small model begins with a yes or no of its own; the verdict is for ordinary code.
NEUTRAL = "What was measured?"
# Decoded once and kept in the KV cache; the examples show that numbers are copied and nothing is added.
PREFIX = """<|im_start|>system
Reword the fact as the answer to the question, in one short sentence. Copy every number, unit and time exactly. Add nothing.<|im_end|>
<|im_start|>user
Fact: The mean heart rate was 71 bpm between 0:00 and 10:00.
Question: How fast is my heart going?<|im_end|>
<|im_start|>assistant
Your mean heart rate was 71 bpm between 0:00 and 10:00.<|im_end|>
<|im_start|>user
Fact: No pause of 2 s or longer was found over the whole recording.
Question: Did his heart stop?<|im_end|>
<|im_start|>assistant
His heart made no pause of 2 s or longer over the whole recording.<|im_end|>
<|im_start|>user
Fact: The highest heart rate between 13:00:00 and 15:00:00 was 118 bpm, over 8 beats from 14:02:11.
Question: what was her top pulse<|im_end|>
<|im_start|>assistant
Her highest heart rate between 13:00:00 and 15:00:00 was 118 bpm, over 8 beats from 14:02:11.<|im_end|>
<|im_start|>user
Fact: 5230 beats were found between 1:00:00 and 2:00:00.
Question: Number of beats in the second hour?<|im_end|>
<|im_start|>assistant
There were 5230 beats found between 1:00:00 and 2:00:00.<|im_end|>
"""


@dataclass(frozen=True, slots=True)
class Worded:
    """The words of an answer and where they come from."""

    text: str
    by_model: bool
    why_not: str = ""
    """Why the plain sentences were kept."""


def word(
    draft: Draft,
    question: str,
    model: LanguageModel | None,
    settings: AskSettings,
    on_words: Callable[[str], None] = lambda _: None,
    *,
    rr_only: bool = False,
) -> Worded:
    """Reword a draft's main sentence; the draft's own when the model has none that passes the check in time.

    `on_words` gets the text as it grows; what it got is always the beginning of the text returned, because only
    checked sentences are passed on.
    """
    first, rest = draft.phrases[0], [phrase.text for phrase in draft.phrases[1:]]
    reworded, problem = "", ""
    if model is None:
        problem = "no model"
    elif draft.status != "answered" or len(draft.phrases) > MAX_REWORDED:
        problem = "fixed wording"
    else:
        try:
            reworded = _first_sentence(model, first.text, NEUTRAL if draft.verdict else question, settings)
            problem = accept(reworded, first)
            if not problem and unfounded(reworded, draft.facts):
                problem = "a finding is named that no fact speaks of"
            if rr_only and "ecg" in reworded.lower():  # a harmless word where there is one
                problem = problem or "there is no ECG"
            reworded = reworded.rstrip(" .,;:") + "."
        except ModelError as error:
            problem = str(error)
    text = first.text if problem else reworded
    on_words(text)
    whole = " ".join([text, *rest])
    if rest:
        on_words(whole)
    return Worded(whole, by_model=not problem, why_not=problem)


def _first_sentence(model: LanguageModel, fact: str, question: str, settings: AskSettings) -> str:
    """The model's first sentence about a fact; it is stopped as soon as a second one begins."""
    asked = " ".join(question.split()).replace("<|", "< |")  # no one writes the model's own marks
    prompt = f"<|im_start|>user\nFact: {fact}\nQuestion: {asked}<|im_end|>\n<|im_start|>assistant\n"
    text = model.ask(prompt, lambda so_far: len(sentences(so_far)) < 2, settings.model_answer_s)
    found = sentences(text)
    return found[0] if found else ""
