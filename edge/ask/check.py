"""The check on the words: a rewording leaves the process only when it says what the plain phrase says.

A phrase is made from facts by ordinary code and holds one quantity or finding. Its rewording may add and drop words that
carry no finding, no amount and no judgement; everything else must be there, in the phrase's order, and nothing
else may be. What cannot be shown to be the same is not the same.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

from edge.ask.draft import Phrase
from edge.ask.findings import named_in_answer
from edge.types import Fact


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Numbers and times, words, and every other sign on its own ("%", "<", "?", a dash before a number).
_TOKEN = re.compile(r"\d+(?:[:.,-]\d+)*|[^\W\d_](?:[\w'’-]*\w)?|[^\w\s.,;:()'’\"]|_")
_NEGATIONS = _words("no not never none neither nor without cannot n't nothing")
_ARTICLES = _words("a an the this that these those it its your his her their")
# Words before a number that tell its part: "from 1:00" is not "at 1:00", "for 15 s" not "within 15 s".
_RELATIONS = _words("at in on of for from to by with during between and within into through throughout as")
_SAME_RELATION = {"of": "", "between": "from", "and": "to"}
_HARMLESS = _words(
    """is was were be been being are has have had did do does i you yours he she they we our my me then here
    there while when where which who what how recording recorded ecg measured measurement shows showed show time period
    whole entire full reached found"""
).union(_ARTICLES, _RELATIONS)
# What was found in a signal is not said to be someone's: "found" stays, and nobody comes in to "have" it.
_WHOSE = _words(
    "found i you yours your he she his her they their we our my me have has had do does did are who shows showed"
)
_SUBJECTS = _words("heart rate signal")  # may be dropped or moved, but not brought in
_ENDINGS = ("ing", "ed", "es", "s")
MAX_ADDED = 8  # harmless words beyond the phrase's own length; more is babble


def accept(sentence: str, phrase: Phrase) -> str:
    """Why a sentence must not stand for a phrase; empty when it may.

    Rules: (1) without the harmless words, and with the phrase's cues taken for one word, both have the same
    words, numbers and signs in the same order; (2) each number stands in the same relation ("from", "to", "for");
    (3) both name the same findings, which stay "found" and become nobody's.
    """
    said, meant = _tokens(sentence), _tokens(phrase.text)
    if not said:
        return "nothing was said"
    if len(said) > len(meant) + MAX_ADDED:
        return "too much was said"
    # A lead may be called I or A: such a name is no pronoun and no article.
    harmless = _HARMLESS - {name.lower() for name in re.findall(r"\b[A-Z]\b", phrase.text)}
    harmless |= _SUBJECTS.intersection(meant)
    findings = named_in_answer(phrase.text)
    if named_in_answer(sentence) != findings:
        return "another finding is named"
    if findings:
        harmless -= _WHOSE
    cues = {_stem(cue) for cue in phrase.cues}
    if why := _difference(_content(said, harmless, cues), _content(meant, harmless, cues)):
        return why
    if list(_relations(said)) != list(_relations(meant)):
        return "a number is given another part"
    return ""


def unfounded(text: str, facts: tuple[Fact, ...]) -> list[str]:
    """Findings that a text names and no fact speaks of, by the beginning that such a fact's name would have."""
    return [name for name in named_in_answer(text) if not any(fact.name.startswith(name) for fact in facts)]


def sentences(text: str) -> list[str]:
    """Sentences of a text; a point inside a number ends none."""
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part.strip()]


def _difference(said: list[str], meant: list[str]) -> str:
    """What tells two lists of tokens apart, in words; empty when they are the same."""
    if [token for token in said if token[0].isdigit()] != [token for token in meant if token[0].isdigit()]:
        return "the numbers are not those that were measured"
    if [token for token in said if token in _NEGATIONS] != [token for token in meant if token in _NEGATIONS]:
        return "the sense is turned round"
    for token in said:
        if token not in meant:
            return f"{token!r} was not measured"
    for token in meant:
        if token not in said:
            return f"{token!r} is dropped"
    return "" if said == meant else "the words are in another order"


def _tokens(text: str) -> list[str]:
    """Lower-case words, numbers and signs; n't is a word of its own."""
    tokens: list[str] = []
    for token in _TOKEN.findall(text.lower().replace("’", "'")):
        tokens += [token[:-3], "n't"] if token.endswith("n't") else [token.removesuffix("'s")]
    return [token for token in tokens if token]


def _content(tokens: list[str], harmless: frozenset[str], cues: set[str]) -> list[str]:
    """The tokens that carry something, without endings; all of the phrase's cues are one and the same."""
    stems = [_stem(token) for token in tokens if token not in harmless]
    return ["<cue>" if stem in cues else stem for stem in stems]


def _relations(tokens: list[str]) -> Iterator[str]:
    """The relation in which each number stands, articles aside; empty for none."""
    for before, token in pairwise(["", *(token for token in tokens if token not in _ARTICLES)]):
        if token[0].isdigit():
            yield _SAME_RELATION.get(before, before) if before in _RELATIONS else ""


def _stem(word: str) -> str:
    """A word without its ending; a sign, a number and a short word are their own stem."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)].rstrip("e")
    return word.rstrip("e") if len(word) > 3 else word
