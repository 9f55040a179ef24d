"""Other open-source QRS detectors beside the subject: the same records in the same process, accuracy and CPU time.

Each runs as its documentation says, at its defaults, on one lead in millivolts. NaN is given to them as 0 mV. What a
detector needs once (imports, tables) is done on ten seconds before the clock starts. `gqrs` and `xqrs` are the Python
ports inside the package wfdb; the C program gqrs is not run.
"""

import contextlib
import importlib.metadata
import io
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.ec57 import Reference, Scores, Side, average, gross, percentages
from bench.ec57_beats import qrs_scores, score_beats
from edge.types import Samples

Signal = NDArray[np.float64]
Detect = Callable[[Signal, float], ArrayLike]
WARM_UP_S = 10.0
DAY_S = 86_400.0
SUBJECT = "anyecg"


def _sleepecg() -> Detect:
    from sleepecg import detect_heartbeats

    return detect_heartbeats


def _neurokit2() -> Detect:
    import neurokit2

    def detect(signal_mv: Signal, fs_hz: float) -> ArrayLike:
        cleaned = neurokit2.ecg_clean(signal_mv, sampling_rate=fs_hz)
        beats: ArrayLike = neurokit2.ecg_peaks(cleaned, sampling_rate=fs_hz)[1]["ECG_R_Peaks"]
        return beats

    return detect


def _gqrs() -> Detect:
    from wfdb.processing import gqrs_detect

    return lambda signal_mv, fs_hz: gqrs_detect(sig=signal_mv, fs=fs_hz)


def _xqrs() -> Detect:
    from wfdb.processing import xqrs_detect

    return lambda signal_mv, fs_hz: xqrs_detect(signal_mv, fs_hz, verbose=False)


def _pan_tompkins() -> Detect:
    from ecgdetectors import Detectors

    return lambda signal_mv, fs_hz: Detectors(fs_hz).pan_tompkins_detector(signal_mv)


def _biosppy() -> Detect:
    from biosppy.signals.ecg import ecg

    return lambda signal_mv, fs_hz: ecg(signal_mv, fs_hz, show=False)["rpeaks"]


@dataclass(frozen=True, slots=True)
class Peer:
    """A detector and the package that has it."""

    name: str
    package: str
    load: Callable[[], Detect]
    """Raises ImportError where it is not installed."""
    also: tuple[str, ...] = ()
    """Packages that it needs and does not ask pip for."""


PEERS = (
    Peer("sleepecg", "sleepecg", _sleepecg),
    Peer("neurokit2", "neurokit2", _neurokit2),
    Peer("wfdb gqrs", "wfdb", _gqrs),
    Peer("wfdb xqrs", "wfdb", _xqrs),
    Peer("py-ecg-detectors, Pan-Tompkins", "py-ecg-detectors", _pan_tompkins),
    Peer("biosppy", "biosppy", _biosppy, also=("peakutils",)),
)


@dataclass(slots=True)
class Lane:
    """What one detector has done so far."""

    scores: dict[str, list[Scores]] = field(default_factory=dict)
    """By group of records."""
    cpu_s: float = 0.0
    signal_s: float = 0.0
    failed: list[str] = field(default_factory=list)
    """Records on which it raised an exception; it found nothing there."""


class Race:
    """The subject and every peer that is installed, over the records of a set."""

    def __init__(self, peers: tuple[Peer, ...] = PEERS) -> None:
        self._lanes = {SUBJECT: Lane()}
        self._detect: dict[str, Detect] = {}
        self._missing: list[dict[str, Any]] = []
        self._package = {peer.name: peer.package for peer in peers}
        for peer in peers:
            try:
                with _quiet():
                    self._detect[peer.name] = peer.load()
            except ImportError:
                command = " ".join(("pip install", peer.package, *peer.also))
                self._missing.append({"detector": peer.name, "not_installed": command})
            else:
                self._lanes[peer.name] = Lane()
        self._is_warm = False

    def add(
        self, record: str, group: str, reference: Reference, signal_mv: Signal, subject: Samples, subject_cpu_s: float
    ) -> None:
        """Let every peer find the beats of a record; the subject has found its own in `subject_cpu_s`."""
        fs_hz, truth = reference.fs_hz, reference.side()
        filled_mv = np.nan_to_num(signal_mv)
        if not self._is_warm:
            for name, detect in self._detect.items():
                _timed(detect, filled_mv[: round(WARM_UP_S * fs_hz)], fs_hz, self._lanes[name], record)
            self._lanes = {name: Lane() for name in self._lanes}
            self._is_warm = True
        found = {SUBJECT: subject}
        self._lanes[SUBJECT].cpu_s += subject_cpu_s
        for name, detect in self._detect.items():
            found[name] = _timed(detect, filled_mv, fs_hz, self._lanes[name], record)
        for name, beats in found.items():
            lane = self._lanes[name]
            lane.signal_s += len(signal_mv) / fs_hz
            unlabelled = Side(beats, np.full(len(beats), ord("Q"), np.uint8))
            lane.scores.setdefault(group, []).append(qrs_scores(score_beats(truth, unlabelled, fs_hz)))

    def rows(self) -> list[dict[str, Any]]:
        """The table: one row for each detector and group of records, then those that are not installed."""
        rows = [
            {
                "detector": name,
                "version": importlib.metadata.version(self._package.get(name, "anyecg-edge")),
                **({"group": group} if group else {}),
                **percentages({k: r for k, r in gross(scores).items() if k in ("qrs_se", "qrs_pp")}),
                "average_se": average(scores)["qrs_se"],
                "average_pp": average(scores)["qrs_pp"],
                "cpu_s_per_24_h": round(lane.cpu_s / lane.signal_s * DAY_S, 1),
                **({"failed": lane.failed} if lane.failed else {}),
            }
            for name, lane in self._lanes.items()
            for group, scores in lane.scores.items()
        ]
        return rows + self._missing


def _timed(detect: Detect, signal_mv: Signal, fs_hz: float, lane: Lane, record: str) -> Samples:
    """Beats in order, each once, and the time it took added to the lane."""
    began = time.process_time()
    beats: ArrayLike = ()
    with _quiet():
        try:
            beats = detect(signal_mv, fs_hz)
        except Exception:  # a peer may raise anything over a signal that it cannot read
            lane.failed.append(record)
    lane.cpu_s += time.process_time() - began
    return np.unique(np.asarray(beats, np.int64))


@contextlib.contextmanager
def _quiet() -> Any:
    """Keep what a peer prints or warns of out of the result."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
