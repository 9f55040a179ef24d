"""The vocabulary of findings: rhythms, beats and waves that questions and answers name, and which facts speak of them."""

import re
from dataclasses import dataclass

from edge.ask.plan import Target

CONDUCTION = "conduction between atria and ventricles and within them is not judged here"
TWELVE_LEADS = "it takes the twelve standard leads, and is not judged here"
SHAPE = "waves are found and timed here, and their shapes are not judged"
ISCHAEMIA = "one lead, or a few, do not show it reliably, and it is not judged here; ST is told as a trend only"
NOT_APART = "it is not told from other rhythms here"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a question may name."""

    name: str
    """In answers."""
    pattern: str
    """In questions, lower case."""
    target: Target
    facts: str = ""
    """Beginning of its facts' names; empty where it has none."""
    why_not: str = ""
    """Why it has none."""
    decides: bool = True
    """Whether the name alone tells what is asked; "sinus" also stands before pauses and "QRS" before a count."""


_V = r"(?<!supra)(?<!supra-)(?<!supra )ventricular"
_ABOVE_V = r"supra[ -]?ventricular"
_EXTRA = r"(?:premature|ectop\w*|extra\w*|early|beats?|complex\w*|contractions?)"
_COMPANY = r"(?= (?:premature|ectop|extra|early|couplet|run|bigemin|trigemin|salvo|triplet))"
_LEAD = r"(?:leads?|electrodes?|strap|belt|patch|signal|ecg|trace|recording)"
_TURNED = r"(?:inverted|flipped|reversed|swapped)"

# The order decides: what an earlier one has taken out of the words, a later one does not see.
FINDINGS: dict[str, Finding] = {
    # named, and not measured
    "block": Finding(
        "heart block",
        r"(?:av|a-v|heart|degree|sinus|sa|sinoatrial|conduction|complete)[ -]blocks?|blocked p|wenckebach|mobitz"
        r"|(?:av|a-v) dissociation|(?:kind|type) of (?:heart )?block|(?:second|third|2nd|3rd)[- ]degree",
        "rhythm",
        why_not=CONDUCTION,
    ),
    "bundle_branch": Finding(
        "bundle branch block",
        r"[lr]bbb|bundle[ -]branch(?: blocks?)?|(?:left|right) bundle|fascicular blocks?",
        "intervals",
        why_not=CONDUCTION,
    ),
    "preexcitation": Finding("pre-excitation", r"wpw|delta waves?|pre-?excit\w*", "intervals", why_not=CONDUCTION),
    "reentry": Finding(
        "the kind of a supraventricular tachycardia",
        r"av(?:n|j)?rt|re-?entr\w*|(?:multifocal|ectopic) atrial (?:tach\w*|rhythm)",
        "rhythm",
        why_not=NOT_APART,
    ),
    "torsades": Finding(
        "torsades de pointes", r"torsades?(?: de pointes)?|polymorphic \w+", "rhythm", why_not=NOT_APART
    ),
    "junctional": Finding(
        "junctional or escape rhythm",
        r"(?:junctional|nodal)(?: escape)?(?: rhythm| beats?)?|escape (?:rhythm|beats?)|wandering(?: atrial)? pacemaker",
        "rhythm",
        why_not=NOT_APART,
    ),
    "sinus_arrhythmia": Finding(
        "sinus arrhythmia",
        r"sinus arr?h?ythmias?",
        "rhythm",
        why_not="it is counted with sinus rhythm",
        decides=False,
    ),
    "capture": Finding(
        "the work of a pacemaker",
        r"pacemaker (?:\w+ )?(?:captur\w*|sens\w*|work\w*|fail\w*|function\w*)|(?:failure to |loss of )captur\w*",
        "rhythm",
        why_not="paced beats are found here, and whether each impulse should come is not judged",
    ),
    "ischaemia": Finding(
        "ischaemia",
        r"isch\w*mi?\w*|(?:myocardial |old |acute )*infarct\w*|n?stemi|q[- ]waves?",
        "intervals",
        why_not=ISCHAEMIA,
    ),
    "hypertrophy": Finding(
        "hypertrophy", r"[lr]vh|hypertroph\w*|sokolow\w*|strain pattern", "intervals", why_not=TWELVE_LEADS
    ),
    "axis": Finding("the electrical axis", r"(?:electrical |cardiac )?axis", "intervals", why_not=TWELVE_LEADS),
    "electrolytes": Finding(
        "electrolytes",
        r"hyper-?k\w*mi\w*|hypo-?k\w*mi\w*|hyper-?calc\w*|hypo-?calc\w*|electrolytes?|potassium|magnesium level",
        "intervals",
        why_not="they are not measured by an ECG, and the shapes of waves are not judged here",
        decides=False,
    ),
    "shape": Finding(
        "the shape of waves",
        r"brugada\w*|early repol\w*|epsilon waves?|low voltage|r[- ](?:wave )?progression|u[- ]waves?|j[- ]?(?:points?|waves?)"
        r"|osborn\w*|[rs] waves?|t[- ]?waves?|t's|(?:notched|peaked|tall|broad|biphasic|inverted|upright) [pt]\b"
        r"|p[- ]waves? (?:\w+ )?(?:upright|inverted|notched|peaked|tall|broad|morpholog\w*|shape\w*|duration|amplitude|height)"
        r"|(?:morpholog\w*|shape|look) (?:\w+ )*?(?:p[- ]waves?|qrs|beats?|complex\w*)|qrs morpholog\w*|fragmented qrs"
        r"|what does the p[- ]?wave look|p[- ]waves? look\w*|qt dispersion|[prt] amplitudes?|(?:height|amplitude) of the \w+",
        "intervals",
        why_not=SHAPE,
    ),
    "beat_details": Finding(
        "fused, interpolated or many-shaped extra beats",
        r"fusion|interpolated|r[- ]on[- ]t|(?:uni|multi)focal|lown\w*|coupling intervals?|aberran\w*|quadri-?gemin\w*|rvot\w*",
        "ectopy",
        why_not="extra beats are counted here, and their shapes and coupling are not compared",
    ),
    # measured
    "upright": Finding(
        "the polarity of the lead",
        rf"(?:right|correct|proper) way (?:round|around|up)|{_LEAD} (?:\w+ ){{0,2}}?upright|upright {_LEAD}",
        "intervals",
        "polarity",
    ),
    "polarity": Finding(
        "the polarity of the lead",
        rf"upside[- ]down|wrong way (?:round|around|up)|polarity|(?:lead|electrode|cable) reversals?"
        rf"|{_LEAD} (?:\w+ ){{0,2}}?{_TURNED}|{_TURNED} {_LEAD}",
        "intervals",
        "polarity",
    ),
    "spikes": Finding(
        "pacing spikes",
        r"(?:pac(?:ing|emaker|er)[- ])(?:spikes?|pulses?|impulses?|stimul\w+|art[ei]facts?)",
        "rhythm",
        "pacing_spike",
    ),
    "vf": Finding("ventricular flutter or fibrillation", rf"vf|v-?fib\w*|{_V} (?:flutter|fib\w*)", "rhythm", "vf_"),
    "af": Finding(
        "atrial fibrillation",
        r"p?af|a\.?[ -]?fib\w*|(?:paroxysmal )?(?:a ?trial|auricular) fib\w*|fibrill?at\w*|fib",
        "rhythm",
        "af_",
    ),
    "afl": Finding("atrial flutter", r"afl|(?:atrial )?flutters?(?!-)", "rhythm", "afl_"),
    "idioventricular": Finding(
        "idioventricular rhythm", r"(?:accelerated )?idio-?ventricular(?: rhythm)?|ai?vr", "rhythm", "idioventricular_"
    ),
    "svt": Finding("supraventricular tachycardia", rf"p?svts?|{_ABOVE_V} tach\w*|atrial tach\w*", "rhythm", "svt_"),
    "vt": Finding(
        "ventricular tachycardia", rf"(?:ns)?vts?|v[ -]?tach\w*|(?:non-?sustained )?{_V} tach\w*", "rhythm", "vt_"
    ),
    "asystole": Finding(
        "asystole", r"asystol\w*|(?:ventricular )?stand ?stills?|flat-?line\w*", "rhythm", "asystole_", decides=False
    ),
    "paced": Finding(
        "paced rhythm", r"(?:ventricular |atrial )?(?:paced|pacing)(?: rhythm| beats?)?", "rhythm", "paced_"
    ),
    "pacemaker": Finding("paced rhythm", r"pacemaker", "rhythm", "paced_", decides=False),
    "sinus": Finding("sinus rhythm", r"normal sinus(?: rhythm)?|nsr|sinus rhythm|in (?:sinus|sr)", "rhythm", "sinus_"),
    "sinus_word": Finding("sinus rhythm", r"sinus", "rhythm", "sinus_", decides=False),
    "any": Finding(
        "an arrhythmia",
        r"(?:arr?h?ythmi|dysrhythmi)\w*|(?:rhythm|heart) (?:disturbance|disorder|abnormalit)\w*|abnormal rhythms?",
        "rhythm",
    ),
    "sve": Finding(
        "supraventricular extra beats",
        rf"pacs?|apcs?|apbs?|sves?|svebs?|svpbs?|{_ABOVE_V}{_COMPANY}|atrial{_COMPANY}",
        "ectopy",
        "supraventricular_",
    ),
    "ve": Finding("ventricular extra beats", rf"pvcs?|vpcs?|vpbs?|ves?|vebs?|{_V}{_COMPANY}", "ectopy", "ventricular_"),
    "sve_word": Finding(
        "supraventricular extra beats",
        rf"{_ABOVE_V}(?: {_EXTRA})?|atria|atrial",
        "ectopy",
        "supraventricular_",
        decides=False,
    ),
    "ve_word": Finding(
        "ventricular extra beats",
        rf"{_V}(?! (?:rate|frequency|response|activation))(?: {_EXTRA})?|ventricles?",
        "ectopy",
        "ventricular_",
        decides=False,
    ),
    "bigeminy": Finding("bigeminy", r"bi-?gemin\w*|every (?:second|other) beat", "ectopy", "bigeminy_"),
    "trigeminy": Finding("trigeminy", r"tri-?gemin\w*|every third beat", "ectopy", "trigeminy_"),
    "couplets": Finding("couplets", r"couplets?|doublets?", "ectopy", "couplet"),
    "runs": Finding("runs", r"triplets?|salvos?", "ectopy", "run"),
    "pairs_word": Finding("couplets", r"in pairs|paired|pairs", "ectopy", "couplet", decides=False),
    "runs_word": Finding("runs", r"runs?|in a row|consecutive", "ectopy", "run", decides=False),
    "isolated": Finding("isolated extra beats", r"isolated|singles?", "ectopy", "isolated", decides=False),
    "qtcb": Finding("QTc by Bazett", r"(?:qtc?[ -]?)?bazett|qtcb", "intervals", "qtc_bazett"),
    "qtcf": Finding("QTc by Fridericia", r"(?:qtc?[ -]?)?fridericia|qtcf", "intervals", "qtc_fridericia"),
    "qtc": Finding("QTc", r"qtc|corrected qt", "intervals", "qtc_"),
    "qt": Finding("the QT interval", r"qt", "intervals", "qt"),
    "pr": Finding("the PR interval", r"pr|pq|av conduction|p to r", "intervals", "pr"),
    "st": Finding("the ST level", r"st|ste", "intervals", "st_"),
    "st_word": Finding("the ST level", r"depression|elevation", "intervals", "st_", decides=False),
    "p": Finding("P waves", r"p[- ]?waves?|p's", "intervals", "p_"),
    "qrs": Finding(
        "the QRS width", r"qrs|(?:wide|narrow|broad)(?:r|er)?[ -]complex\w*|how wide", "intervals", "qrs", decides=False
    ),
}
_SAME = {
    "pacemaker": "paced", "sinus_word": "sinus", "sve_word": "sve", "ve_word": "ve", "pairs_word": "couplets",
    "runs_word": "runs", "st_word": "st",
}  # fmt: skip
_FOUND = {key: re.compile(rf"(?<![\w'])(?:{finding.pattern})(?!\w)") for key, finding in FINDINGS.items()}
_DECIDING: tuple[Target, ...] = ("rhythm", "ectopy", "intervals")
POLARITY = frozenset({"polarity", "upright"})
"""Findings about which way round the lead is."""
JUDGED: frozenset[str] = frozenset(_DECIDING)
"""Targets that need labelled beats, named rhythms or measured waves."""

# The names as answers write them. "Found" is what was measured; whose it is, and whether someone has it, is not said.
_IN_ANSWERS = {
    "vf_": r"ventricular (?:flutter|fibrillation)|flutter or fibrillation",
    "af_": r"(?<!ventricular )(?<!flutter or )fibrillation",
    "afl_": r"(?<!ventricular )flutter(?! or fib)",
    "idioventricular_": r"idioventricular",
    "svt_": r"supraventricular tachycardias?",
    "vt_": r"(?<!supra)ventricular tachycardias?",
    "asystole_": r"asystole",
    "paced_": r"paced|pacemaker",
    "sinus_": r"sinus",
    "supraventricular_": r"supraventricular (?!tachy)\w+",
    "ventricular_": r"(?<!supra)ventricular (?!tachy|flutter|fib)\w+",
    "ectopic_": r"(?<!ventricular )extra beats?",
    "irregular_": r"irregular stretch(?:es)?",
    "bigeminy_": r"bigeminy",
    "trigeminy_": r"trigeminy",
    "qtc_": r"qtc",
    "qt": r"qt interval",
    "pr": r"pr interval",
    "qrs": r"qrs",
    "st_": r"st level",
    "p_": r"p waves?",
    "polarity": r"upside down|upright",
    "pacing_spike": r"pacing spikes?",
}
_ANSWERED = {facts: re.compile(rf"\b(?:{pattern})\b") for facts, pattern in _IN_ANSWERS.items()}


def findings_in(text: str) -> tuple[list[str], list[str]]:
    """Keys of what a text (lower case) names, in its order, and those among them that tell what is asked."""
    found: list[tuple[int, str]] = []
    for key, pattern in _FOUND.items():
        found += [(match.start(), key) for match in pattern.finditer(text)]
        text = pattern.sub(lambda match: "\0" * len(match.group()), text)
    keys = [key for _, key in sorted(found)]
    deciding = dict.fromkeys(_SAME.get(key, key) for key in keys if FINDINGS[key].decides)
    return list(dict.fromkeys(_SAME.get(key, key) for key in keys)), list(deciding)


def target_of(deciding: list[str]) -> Target | None:
    """What a question that names these is about: a rhythm before beats, beats before waves."""
    targets = {FINDINGS[key].target for key in deciding}
    return next((target for target in _DECIDING if target in targets), None)


def named_in_answer(text: str) -> list[str]:
    """Beginnings of the names of the facts behind each finding that an answer names, in the answer's order."""
    text = text.lower()
    found = [(match.start(), facts) for facts, pattern in _ANSWERED.items() for match in pattern.finditer(text)]
    return [facts for _, facts in sorted(found)]
