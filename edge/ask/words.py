"""Plain phrases to friendlier words: the language model proposes, the check decides."""

from collections.abc import Callable
from dataclasses import dataclass

from edge.ask.check import accept, sentences
from edge.ask.draft import Draft
from edge.ask.model_client import LanguageModel
from edge.errors import ModelError
from edge.settings import AskSettings

MAX_REWORDED = 4  # longer drafts are lists of figures: nothing to gain in rewording them, and seconds to lose
# Decoded once and kept in the KV cache; the examples show that numbers are copied and nothing is added.
PREFIX = """<|im_start|>system
You answer a question about a heart recording by rewording the measured facts. Copy every number and unit exactly. Add nothing.<|im_end|>
<|im_start|>user
Facts: The mean heart rate was 71 bpm between 0:00 and 10:00.
Question: How fast is my heart going?<|im_end|>
<|im_start|>assistant
Your mean heart rate was 71 bpm between 0:00 and 10:00.<|im_end|>
<|im_start|>user
Facts: No pause of 2 s or longer was found over the whole recording (30 min). The longest interval between two beats was 1.31 s, at 4:15.
Question: Did his heart stop?<|im_end|>
<|im_start|>assistant
No pause of 2 s or longer was found over the whole recording (30 min). The longest interval between two beats was 1.31 s, at 4:15.<|im_end|>
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
) -> Worded:
    """Reword a draft; the draft's own sentences when the model has none that pass the check.

    `on_words` gets every further sentence as soon as it may leave: sentences that pass are final, so what was
    streamed is always the beginning of the text returned.
    """
    if model is None or draft.status != "answered" or len(draft.phrases) > MAX_REWORDED:
        on_words(draft.text)
        return Worded(draft.text, by_model=False, why_not="no model" if model is None else "fixed wording")
    kept: list[str] = []
    problem = ""

    def take(text: str, *, last: bool = False) -> bool:
        """Check complete sentences one by one against the phrase each stands for."""
        nonlocal problem
        complete = sentences(text) if last else sentences(text)[:-1]
        for sentence in complete[len(kept) :]:
            if len(kept) >= len(draft.phrases):
                return False
            problem = accept(sentence, draft.phrases[len(kept)])
            if problem:
                return False
            kept.append(sentence)
            on_words(" ".join(kept))
        return len(kept) < len(draft.phrases)

    facts = draft.text
    asked = " ".join(question.split()).replace("<|", "< |")
    prompt = f"<|im_start|>user\nFacts: {facts}\nQuestion: {asked}<|im_end|>\n<|im_start|>assistant\n"
    try:
        text = model.ask(prompt, take, settings.model_answer_s)
        if not problem and len(kept) < len(draft.phrases):
            take(text, last=True)
    except ModelError as error:
        problem = str(error)
    n_by_model = len(kept)
    # What the model left out, or said wrongly, is said plainly: the answer is never shorter than the facts.
    rest = [phrase.text for phrase in draft.phrases[n_by_model:]]
    whole = " ".join([*kept, *rest])
    on_words(whole)
    return Worded(whole, by_model=n_by_model > 0, why_not=problem)
