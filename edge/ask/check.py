"""The check on the words: a rewording leaves the process only when it says what the plain phrase says.

A phrase is made from facts by ordinary code and holds one quantity, so everything its rewording may contain is in
it: each number, each time, each finding. What cannot be shown to be the same is not the same.
"""

import re

from edge.ask.draft import Phrase

_TOKEN = re.compile(r"\d+(?:[:.,-]\d+)*|[^\W\d_](?:[\w'’-]*\w)?|%")
_NEGATIONS = frozenset("no not never none neither nor without cannot n't nothing hardly barely absent free".split())
# Words of a phrase that a rewording may not drop: without them the same number says something else.
_QUALIFIERS = frozenset(
    "more less than longer shorter above below least most mostly about over under early out cannot could would "
    "unusable usable good gap gaps regular irregular together lowest highest longest shortest last mean".split()
)
# Words that carry no finding, no amount and no judgement: a rewording may use them though the phrase does not.
_HARMLESS = frozenset(
    "a an the this that these those it its is was were be been being are has have had did do does "
    "i you your yours he she his her their they we our my me at in on of for from to by with during between and "
    "as then there here while when where which who what how into within through throughout "
    "recording recorded ecg heart heart's rate measured measurement shows showed show "
    "time times period whole entire full reached around".split()
)
_ENDINGS = ("ing", "ed", "es", "s")


def accept(sentence: str, phrase: Phrase) -> str:
    """Why a sentence must not stand for a phrase; empty when it may.

    Rules: (1) its numbers and times are the phrase's, all of them, in the phrase's order, each before the same word;
    (2) it keeps a word that names the quantity; (3) it drops no qualifier; (4) it is negative exactly when the phrase
    is; (5) every other word is the phrase's or carries no finding, amount or judgement.
    """
    said, meant = _tokens(sentence), _tokens(phrase.text)
    if not said:
        return "nothing was said"
    if _numbers(said) != _numbers(meant):
        return "the numbers are not those that were measured"
    words, known = set(said), set(meant)
    if phrase.cues and not words & phrase.cues:
        return "the quantity is not named"
    cues_kept = bool(phrase.cues & known)
    dropped = (known & _QUALIFIERS) - words - (phrase.cues if cues_kept else frozenset())
    if dropped:
        return f"{min(dropped)!r} is dropped"
    if bool(words & _NEGATIONS) != bool(known & _NEGATIONS):
        return "the sense is turned round"
    allowed = {_stem(word) for word in known | phrase.cues}
    for word in said:
        if not word[0].isdigit() and word not in _HARMLESS and _stem(word) not in allowed:
            return f"{word!r} was not measured"
    return ""


def sentences(text: str) -> list[str]:
    """Sentences of a text; a point inside a number ends none."""
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part.strip()]


def _tokens(text: str) -> list[str]:
    """Lower-case words and numbers; n't is a word of its own."""
    tokens: list[str] = []
    for token in _TOKEN.findall(text.lower().replace("’", "'")):
        tokens += [token[:-3], "n't"] if token.endswith("n't") else [token.removesuffix("'s")]
    return tokens


def _numbers(tokens: list[str]) -> list[tuple[str, str]]:
    """Numbers with the unit or noun behind them, in order; a number at the end, or before another, stands alone."""
    found = []
    for token, following in zip(tokens, [*tokens[1:], ""], strict=True):
        if token[0].isdigit():
            unit = "" if not following or following[0].isdigit() or following in _HARMLESS else following
            found.append((token, unit))
    return found


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)].rstrip("e")
    return word.rstrip("e")
