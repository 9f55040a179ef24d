"""Labels of beats from their probabilities, and what single beats cannot show: runs, and rhythms without sinus beats.

* No beat is called unclassifiable here: paced ones are told by their spikes (edge.detect.paced), others are nearest to
  something.
* Inside atrial fibrillation no beat is supraventricular ectopic: there is no sinus rhythm to come early in.
* Early is early against something: a beat in step with a rate that did not begin with a step, and that is not far
  from the usual one, is not called supraventricular ectopic, however its P wave looks: a sinus rhythm that grows
  faster hides it in the T wave.
* A beat in step with both neighbours, with a clear P wave at the usual distance, is no ventricular one, however it
  looks: the body turned over, or electrodes were exchanged.
* A supraventricular run goes on while its beats come as early, against the rhythm before it, as its first one did:
  within the run each beat is in step with its neighbours, and a single beat looks normal.
"""

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.detect.network.features import FEATURES
from edge.detect.network.prepare import FS_HZ
from edge.detect.network.usual import USUAL_FEATURES
from edge.settings import NetworkSettings
from edge.types import LABELS, Labels, Samples

FloatArray = NDArray[np.float32]

NAMES = (*FEATURES, *USUAL_FEATURES)
AF, LOCAL, LIKE_USUAL, BEFORE, AFTER, ONSET, USUAL, P, PR = (
    NAMES.index(name)
    for name in ("af", "rr_local", "corr_usual", "rr_before", "rr_after", "rr_onset", "rr_usual", "p", "pr_more")
)
N, S, V, Q = (LABELS.index(letter) for letter in "NSVQ")


@dataclass(slots=True)
class LabelState:
    """Whether a supraventricular run is going on."""

    last: int = -(10**9)
    """The last beat, in samples at 125 Hz."""
    before_run_s: float = 0.0
    """Local RR interval before the run; 0 outside of one."""


def label_beats(
    probability: FloatArray, features: FloatArray, beats: Samples, state: LabelState, settings: NetworkSettings
) -> Labels:
    """ASCII codes of NSVF, shape (n_beats,), of the beats that follow those before.

    `probability` (n_beats, 5), `features` as `reader.Named.features`; `beats` in samples of the 125 Hz grid.
    """
    if len(beats) == 0:
        return np.empty(0, np.uint8)
    best = _allowed(probability, features, settings).argmax(axis=1)
    rr_s = np.diff(beats, prepend=state.last) / FS_HZ
    fibrillating = features[:, AF] >= settings.af_no_ectopy
    starts = np.flatnonzero(best == S).tolist()
    k = 0 if state.before_run_s else (starts[0] if starts else len(beats))
    while k < len(beats):
        if state.before_run_s:
            goes_on = (
                best[k] in (N, S)
                and rr_s[k] < settings.run_prematurity * state.before_run_s
                and features[k, LIKE_USUAL] > settings.run_likeness
                and not fibrillating[k]
            )
            if goes_on:
                best[k] = S
            else:
                state.before_run_s = 0.0
        if not state.before_run_s and best[k] == S:
            state.before_run_s = float(np.exp(features[k, LOCAL]))
        k += 1
        if not state.before_run_s:  # on to the next early beat
            k = starts[at] if (at := bisect_left(starts, k)) < len(starts) else len(beats)
    state.last = int(beats[-1])
    labels: Labels = np.frombuffer(LABELS.encode(), np.uint8)[best]
    return labels


def _allowed(probability: FloatArray, features: FloatArray, settings: NetworkSettings) -> FloatArray:
    """The probabilities, weighted, without the labels that a beat's numbers rule out; shape (n_beats, 5)."""
    allowed = probability.copy()
    allowed[:, [S, V]] *= settings.ectopic_weight
    early = np.log(settings.early_share)
    usual, onset, far = features[:, USUAL], features[:, ONSET], np.log(settings.far_share)
    not_known = features[:, LIKE_USUAL] == 0  # in the first half-minute: there a run must begin with a large step
    no_run = np.where(not_known, onset > far, (onset > early) | (usual > early))
    in_step = (features[:, BEFORE] > early) & no_run & (usual > far)
    barred = in_step | (features[:, AF] >= settings.af_no_ectopy)
    allowed[barred, N] += allowed[barred, S]
    allowed[barred, S] = 0
    conducted = (np.abs(features[:, [BEFORE, AFTER]]) < settings.conducted_step).all(axis=1)
    conducted &= (features[:, P] > settings.conducted_p) & (np.abs(features[:, PR]) < settings.conducted_pr)
    allowed[conducted, N] += allowed[conducted, V]
    allowed[conducted, V] = 0
    allowed[:, Q] = 0
    return allowed
