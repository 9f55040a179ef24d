"""Which signals of a file are ECG leads, and how their unit becomes millivolts."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import InputUnsupported, UsageError

_MV_PER_UNIT = {"v": 1e3, "mv": 1.0, "uv": 1e-3, "nv": 1e-6}
_UNIT_WORDS = {"volt": "v", "millivolt": "mv", "microvolt": "uv", "nanovolt": "nv"}

# Limb, chest, Frank, EASI and Holter leads as PhysioNet, the EDF+ label list and European carts write them.
_ECG_LEAD = re.compile(
    r"-?(i{1,3}|d(i{1,3}|[1-4])|av[rlf]|v|v\d{1,2}r?|v[xyz]|ml(i{1,3}|\d)|m(od\.?)?[ _]?v\d?|mx|mcl\d"
    r"|c[cmrs]\d|ll-?ra|ra-?ll|la-?ra|ra-?la|ll-?la|la-?ll|e-?s|a-?s|a-?i)",
    re.IGNORECASE,
)
_SAYS_ECG = re.compile(r"^(ecg|ekg)|(^|[^a-z])(ecg|ekg)([^a-z]|$)", re.IGNORECASE)
_SAYS_LEAD = re.compile(r"lead[ _-]*(.+)", re.IGNORECASE)
_OTHER_WORD = re.compile(
    r"(resp\w*|breath\w*|airflow|flow|nasal|snor\w*|thor\w*|abd\w*|effort"
    r"|abp\w?|art|n?i?bp|pressure|cvp|pap|icp|lap|rap|pleth\w*|ppg|bvp|[sp]po2|sao2|osat|o2|(et)?co2"
    r"|eeg|eog|loc|roc|emg|chin|leg|eda|gsr|scr|temp\w*|acc\w*|gyro\w*|mag\w*|hr|rr|pulse|heartrate"
    r"|position|body|light|mic|sound|pcg|phono|bcg|scg|icg|z0|imp\w*"
    r"|marker|event|trig\w*|status|battery|annotations?|index|counter)\d*"
)
# 10-20 electrode names: sleep recordings often drop the word EEG. C1 to C6 alone may be chest leads.
_EEG_ELECTRODE = re.compile(r"((fp|af|fc|ft|cp|tp|po|f|t|p|o)(z|\d{1,2})|cz|c\d(?=-))(-.+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Signal:
    """What a file says about one of its signals."""

    name: str
    unit: str
    fs_hz: float


@dataclass(frozen=True, slots=True)
class Chosen:
    """The leads that are read, in the file's order."""

    indices: tuple[int, ...]
    """Positions among the signals that were offered."""
    names: tuple[str, ...]
    """Names as in the file; a repeated or missing one gets a number."""
    mv_per_unit: tuple[float, ...]
    """Millivolts per unit of the file."""
    fs_hz: float
    """The rate that all of them share."""
    notes: tuple[str, ...]
    """What was assumed and what was left out, one sentence each."""


def mv_per_unit(unit: str) -> float | None:
    """Millivolts per unit (V, mV, µV, nV in any spelling), or None for what is not a voltage."""
    plain = unit.strip().lower().replace("µ", "u").replace("μ", "u")
    plain = _UNIT_WORDS.get(plain.removesuffix("s"), plain)
    return _MV_PER_UNIT.get(plain)


def looks_like_ecg(name: str) -> bool:
    """Whether a signal's name is that of an ECG lead, whatever its letters' case."""
    plain = name.strip()
    if _SAYS_ECG.search(plain) or _ECG_LEAD.fullmatch(plain):
        return True
    named = _SAYS_LEAD.fullmatch(plain)
    return bool(named and (_ECG_LEAD.fullmatch(named[1]) or named[1].isdigit()))


def is_known_other(name: str) -> bool:
    """Whether a signal's name says that it is something else than ECG."""
    if looks_like_ecg(name):
        return False
    plain = name.strip().lower()
    words = re.findall(r"[a-z]+\d*", plain)
    return bool(_EEG_ELECTRODE.fullmatch(plain)) or any(_OTHER_WORD.fullmatch(word) for word in words)


def choose(signals: Sequence[Signal], lead: str | None, path: Path) -> Chosen:
    """Choose the ECG leads among a file's signals, or the one that is asked for by name.

    Signals that are labelled as ECG win; only where none is, every voltage that is not known to be something
    else is taken, with a note. All chosen leads have the rate of the first one.

    Raises InputUnsupported when there is no ECG lead, UsageError when `lead` is not among them.
    """
    names = _unique_names([signal.name for signal in signals])
    scales = [mv_per_unit(signal.unit) for signal in signals]
    possible = [i for i, scale in enumerate(scales) if scale is not None and not is_known_other(signals[i].name)]
    labelled = [i for i in possible if looks_like_ecg(signals[i].name)]
    if not possible:
        found = ", ".join(f"{n} ({s.unit or 'no unit'})" for n, s in zip(names, signals, strict=True))
        raise InputUnsupported(
            f"{path} holds no ECG lead; its signals are: {found or 'none'}",
            "Give a recording that has an ECG signal in V, mV, µV or nV",
        )
    notes = []
    if lead is not None:
        taken = [i for i in possible if names[i].lower() == lead.strip().lower()][:1]
        if not taken:
            raise UsageError(f"{path} has no lead {lead!r}", f"Its leads: {_listed(names, possible)}")
    else:
        taken = labelled or possible
        if not labelled:
            were_taken = "was taken as one" if len(taken) == 1 else "were taken as such"
            notes.append(f"No signal is labelled ECG; {_listed(names, taken)} {were_taken}.")
    fs_hz = signals[taken[0]].fs_hz
    other_rate = [i for i in taken if signals[i].fs_hz != fs_hz]
    taken = [i for i in taken if signals[i].fs_hz == fs_hz]
    rest = [i for i in range(len(signals)) if i not in taken]
    if lead is not None and rest:
        notes.append(f"Only {names[taken[0]]} was asked for; left out: {_listed(names, rest)}.")
    elif rest:
        unscaled = [i for i in rest if looks_like_ecg(signals[i].name) and scales[i] is None]
        no_ecg = [i for i in rest if i not in other_rate and i not in unscaled]
        reasons = [f"{_listed(names, no_ecg)} (not ECG)"] if no_ecg else []
        reasons += [f"{names[i]} (unit {signals[i].unit or 'missing'} is no voltage)" for i in unscaled]
        reasons += [f"{names[i]} ({signals[i].fs_hz:g} Hz, not {fs_hz:g} Hz)" for i in other_rate]
        notes.append(f"Left out: {'; '.join(reasons)}.")
    return Chosen(
        indices=tuple(taken),
        names=tuple(names[i] for i in taken),
        mv_per_unit=tuple(scale for i in taken if (scale := scales[i]) is not None),
        fs_hz=fs_hz,
        notes=tuple(notes),
    )


def _unique_names(names: Sequence[str]) -> list[str]:
    stripped = [name.strip() or f"signal {i + 1}" for i, name in enumerate(names)]
    used: Counter[str] = Counter()
    unique = []
    for name in stripped:
        used[name.lower()] += 1
        unique.append(name if used[name.lower()] == 1 else f"{name} {used[name.lower()]}")
    return unique


def _listed(names: Sequence[str], indices: Sequence[int]) -> str:
    return ", ".join(names[i] for i in indices)
