"""The rhythms that are named: WFDB's label, what it means, how it is told here, and where that comes from."""

from dataclasses import dataclass
from enum import IntEnum


class Rhythm(IntEnum):
    """Codes of the rhythms while they are found; NONE and UNREAD have no name and become no span."""

    NONE = 0  # no definition holds
    UNREAD = 1  # gaps, and unreadable signal too short to be named
    NOISE = 2
    N = 3
    SBR = 4
    STACH = 5
    SARRH = 6
    IRREG = 7
    P = 8
    T = 9
    B = 10
    SVTA = 11
    AFL = 12
    AFIB = 13
    IVR = 14
    VT = 15
    ASYS = 16
    VFL = 17


@dataclass(frozen=True, slots=True)
class RhythmName:
    """One row of the table of rhythms; the numbers are the defaults of `edge.settings.RhythmSettings`."""

    label: str
    """As it stands in WFDB annotation files."""
    meaning: str
    definition: str
    source: str


_MIT_BIH = "label: MIT-BIH Arrhythmia Database"
_VFDB = "label: MIT-BIH Malignant Ventricular Ectopy Database"
_SCP = "no such label in MIT-BIH; the code of SCP-ECG (EN 1064), as in PTB-XL"
_ISHNE = "ISHNE-HRS 2017"
_AF_2017 = "HRS/EHRA/ECAS 2017"

NAMES: dict[Rhythm, RhythmName] = {
    Rhythm.VFL: RhythmName(
        "(VFL",
        "ventricular flutter or fibrillation",
        "probability of the network, mean of 3 s, from 65 % until below 35 %, for at least 3 s; flutter and "
        "fibrillation are not told apart. Also in signal that is unreadable only because it shows no distinct beats",
        _MIT_BIH,
    ),
    Rhythm.ASYS: RhythmName(
        "(ASYS", "asystole", "no beat for at least 3 s of readable signal; from beat to beat", _VFDB
    ),
    Rhythm.VT: RhythmName(
        "(VT",
        "ventricular tachycardia",
        "three or more V beats in succession at more than 100 bpm (mean of up to eight intervals)",
        f"{_ISHNE}; {_MIT_BIH}",
    ),
    Rhythm.IVR: RhythmName(
        "(IVR", "idioventricular rhythm", "three or more V beats in succession, not as fast", f"{_ISHNE}; {_MIT_BIH}"
    ),
    Rhythm.AFIB: RhythmName(
        "(AFIB",
        "atrial fibrillation",
        "probability of the network for fibrillation or flutter, mean of 9 s, from 65 % until below 35 %, for at "
        "least 30 s; unreadable stretches of up to 10 s within count towards the 30 s and are cut out of the span",
        f"{_AF_2017}; {_MIT_BIH}",
    ),
    Rhythm.AFL: RhythmName(
        "(AFL", "atrial flutter", "as fibrillation, where flutter is the likelier of the two", f"{_AF_2017}; {_MIT_BIH}"
    ),
    Rhythm.SVTA: RhythmName(
        "(SVTA",
        "supraventricular tachyarrhythmia",
        "three or more S beats in succession at more than 100 bpm; or more than 220 bpm whatever the beats, for "
        "at least 15 s. A regular tachycardia of N beats below that is not told from sinus tachycardia",
        f"{_ISHNE}; {_MIT_BIH}",
    ),
    Rhythm.B: RhythmName(
        "(B",
        "ventricular bigeminy",
        "three or more V beats, each the second after the last; begins at the first V beat",
        _MIT_BIH,
    ),
    Rhythm.T: RhythmName("(T", "ventricular trigeminy", "the same, each the third after the last", _MIT_BIH),
    Rhythm.P: RhythmName("(P", "paced rhythm", "more than half of the five beats around are paced", _MIT_BIH),
    Rhythm.IRREG: RhythmName(
        "(IRREG",
        "brief irregular rhythm",
        "like atrial fibrillation or flutter, for at least 10 s and less than 30 s",
        f"{_AF_2017}, which calls only longer ones fibrillation; no such label in WFDB files",
    ),
    Rhythm.STACH: RhythmName(
        "(STACH",
        "sinus tachycardia",
        "mean rate of 8 intervals above 100 bpm for at least 15 s, or throughout a stretch of at least 7 s",
        f"{_ISHNE}; {_SCP}",
    ),
    Rhythm.SBR: RhythmName("(SBR", "sinus bradycardia", "the same, below 50 bpm", f"{_ISHNE}; {_MIT_BIH}"),
    Rhythm.SARRH: RhythmName(
        "(SARRH",
        "sinus arrhythmia",
        "no fibrillation, and of 11 intervals, those between N beats differ by more than 120 ms and more than 20 % of "
        "their median, for at least 30 s",
        f"usual definition: 120 ms or 10 %; {_SCP}",
    ),
    Rhythm.N: RhythmName("(N", "normal sinus rhythm", "beats, and none of the above", _MIT_BIH),
    Rhythm.NOISE: RhythmName(
        "(NOISE", "unreadable signal", "at least 3 s in which no beat can be read; never where there is none", _VFDB
    ),
}
"""By priority: where several hold, the first names the rhythm. What is not here (heart block, junctional rhythm,
pre-excitation) is not told."""
