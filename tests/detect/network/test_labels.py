"""From probabilities to labels: what a single beat cannot show, runs and fibrillation, and how it is remembered."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.detect.network.features import FEATURES
from edge.detect.network.labels import LabelState, label_beats
from edge.detect.network.prepare import FS_HZ
from edge.detect.network.usual import USUAL_FEATURES
from edge.settings import NetworkSettings
from edge.types import LABELS, Samples

FloatArray = NDArray[np.float32]
NAMES = (*FEATURES, *USUAL_FEATURES)
USUAL = NetworkSettings()
LOCAL_S = 0.8


def certain(letters: str, second: str = "N") -> FloatArray:
    """Probabilities of beats of which these labels are the most probable, and `second` the next."""
    rows = np.full((len(letters), len(LABELS)), 0.01, np.float32)
    rows[:, LABELS.index(second)] = 0.3
    rows[np.arange(len(letters)), [LABELS.index(letter) for letter in letters]] = 0.7
    return rows


def numbers(n: int, af: float = 0.0, like: float = 0.95, local_s: float = LOCAL_S) -> FloatArray:
    features = np.zeros((n, len(NAMES)), np.float32)
    features[:, NAMES.index("rr_before")] = np.log(0.6)  # early, unless a test says otherwise
    features[:, NAMES.index("af")] = af
    features[:, NAMES.index("rr_local")] = np.log(local_s)
    features[:, NAMES.index("corr_usual")] = like
    return features


def at(rr_s: list[float]) -> Samples:
    return np.round((10 + np.cumsum(rr_s)) * FS_HZ).astype(np.int64)


def named(probability: FloatArray, features: FloatArray, beats: Samples, state: LabelState | None = None) -> str:
    labels = label_beats(probability, features, beats, state or LabelState(), USUAL)
    return labels.tobytes().decode()


def test_each_beat_has_its_most_probable_label() -> None:
    assert named(certain("NVFNVN"), numbers(6), at([0.8] * 6)) == "NVFNVN"


def test_no_beat_is_unclassifiable_by_its_numbers() -> None:
    assert named(certain("QQ"), numbers(2), at([0.8] * 2)) == "NN"
    assert named(certain("QQ", second="V"), numbers(2), at([0.8] * 2)) == "VV"


def test_a_supraventricular_run_lasts_as_long_as_its_beats_come_early() -> None:
    rr_s = [0.8, 0.8, 0.5, 0.5, 0.52, 0.5, 0.9, 0.8, 0.5]
    assert named(certain("NNSNNNNNN"), numbers(9), at(rr_s)) == "NNSSSSNNN"


def test_the_rhythm_before_the_run_is_what_its_beats_are_compared_with() -> None:
    features, rr_s = numbers(6), [0.8, 0.5, 0.5, 0.5, 0.5, 0.8]
    features[2:, NAMES.index("rr_local")] = np.log(0.5)  # within the run everything is in step
    assert named(certain("NSNNNN"), features, at(rr_s)) == "NSSSSN"


@pytest.mark.parametrize(("share", "n_early"), [(0.86, 3), (0.94, 1)])
def test_a_run_goes_on_below_the_share_of_the_settings(share: float, n_early: int) -> None:
    assert USUAL.run_prematurity == 0.90
    letters = named(certain("NSNN"), numbers(4), at([0.8, 0.5, 0.8 * share, 0.8 * share]))
    assert letters.count("S") == n_early


@pytest.mark.parametrize("letter", ["V", "F"])
def test_a_beat_of_another_kind_ends_the_run(letter: str) -> None:
    assert named(certain(f"NSN{letter}NN"), numbers(6), at([0.8, *[0.5] * 5])) == f"NSS{letter}NN"


def test_a_beat_of_another_shape_ends_the_run() -> None:
    features = numbers(6)
    features[3, NAMES.index("corr_usual")] = USUAL.run_likeness - 0.1
    assert named(certain("NSNNNN"), features, at([0.8, *[0.5] * 5])) == "NSSNNN"


def test_without_an_early_beat_there_is_no_run() -> None:
    assert named(certain("N" * 8), numbers(8), at([0.8, 0.8, *[0.4] * 6])) == "N" * 8


def test_in_fibrillation_no_beat_is_supraventricular_ectopic() -> None:
    assert named(certain("NSSVSN"), numbers(6, af=0.9), at([0.5] * 6)) == "NNNVNN"
    assert named(certain("NSSVSN"), numbers(6, af=0.7), at([0.9] * 6)) == "NSSVSN"


def test_in_fibrillation_what_speaks_for_s_speaks_for_n() -> None:
    probability = certain("SS", second="V")
    assert named(probability, numbers(2, af=0.9), at([0.5] * 2)) == "NN"
    probability[:, LABELS.index("V")] = 0.8
    assert named(probability, numbers(2, af=0.9), at([0.5] * 2)) == "VV"


def in_step(onset: float = 0.0, usual: float = 0.0) -> FloatArray:
    """Numbers of beats that are no earlier than their neighbours."""
    features = numbers(4)
    for name, share in (("rr_before", 1.0), ("rr_onset", np.exp(onset)), ("rr_usual", np.exp(usual))):
        features[:, NAMES.index(name)] = np.log(share)
    return features


def test_a_beat_in_step_with_a_rate_that_grew_is_not_supraventricular_ectopic() -> None:
    assert named(certain("SSSS"), in_step(), at([0.8] * 4)) == "NNNN"
    assert named(certain("VVSV"), in_step(), at([0.8] * 4)) == "VVNV"


@pytest.mark.parametrize(("onset", "usual"), [(-0.2, -0.2), (0.0, -0.5)])
def test_a_rate_that_began_with_a_step_or_is_far_from_usual_may_be_supraventricular(onset: float, usual: float) -> None:
    assert named(certain("SSSS"), in_step(onset, usual), at([0.5] * 4)) == "SSSS"


def test_a_beat_in_step_behind_its_p_wave_is_not_ventricular_whatever_its_shape() -> None:
    features = in_step()
    assert named(certain("VVVV"), features, at([0.8] * 4)) == "VVVV"
    features[:, NAMES.index("p")] = 0.98
    assert named(certain("VVVV"), features, at([0.8] * 4)) == "NNNN"
    features[1, NAMES.index("rr_after")] = 0.3
    features[2, NAMES.index("pr_more")] = 0.5
    assert named(certain("VVVV"), features, at([0.8] * 4)) == "NVVN"


def test_while_nothing_is_usual_yet_a_run_begins_with_a_large_step() -> None:
    for onset, expected in ((-0.15, "NNNN"), (-0.4, "SSSS")):
        features = in_step(onset)
        features[:, NAMES.index("corr_usual")] = 0
        assert named(certain("SSSS"), features, at([0.5] * 4)) == expected


def test_a_rate_that_began_with_a_step_back_to_what_is_usual_is_not_supraventricular() -> None:
    assert named(certain("SSSS"), in_step(onset=-0.4, usual=-0.02), at([0.8] * 4)) == "NNNN"


def test_fibrillation_ends_a_run() -> None:
    features = numbers(6)
    features[3:, NAMES.index("af")] = 0.9
    assert named(certain("NSNNNN"), features, at([0.8, *[0.5] * 5])) == "NSSNNN"


def test_the_first_beat_of_a_recording_begins_and_continues_no_run() -> None:
    assert named(certain("NN"), numbers(2), np.array([1, 50], np.int64)) == "NN"


def test_a_pause_ends_a_run_and_an_early_beat_after_it_is_no_part_of_it() -> None:
    assert named(certain("NSNNNN"), numbers(6), at([0.8, 0.5, 0.5, 30.0, 0.5, 0.5])) == "NSSNNN"


def test_no_beats_leave_the_state_as_it_was() -> None:
    state = LabelState()
    named(certain("NS"), numbers(2), at([0.8, 0.5]), state)
    before = (state.last, state.before_run_s)
    assert named(certain(""), numbers(0), at([]), state) == ""
    assert (state.last, state.before_run_s) == before


def test_a_run_goes_on_into_the_next_call() -> None:
    state, beats = LabelState(), at([0.8, 0.5, 0.5, 0.5, 0.9])
    assert named(certain("NS"), numbers(2), beats[:2], state) == "NS"
    assert named(certain("NNN"), numbers(3), beats[2:], state) == "SSN"


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("NNNSSVFQ"),
            st.sampled_from([0.3, 0.5, 0.6, 0.7, 0.8, 1.2]),
            st.sampled_from([0.0, 0.0, 0.9]),
            st.sampled_from([0.95, 0.3]),
        ),
        min_size=1,
        max_size=60,
    ),
    st.sets(st.integers(1, 59)),
)
def test_labels_do_not_depend_on_how_beats_are_cut(
    of_beats: list[tuple[str, float, float, float]], cuts: set[int]
) -> None:
    letters, rr_s, af, like = zip(*of_beats, strict=True)
    probability, beats, features = certain("".join(letters)), at(list(rr_s)), numbers(len(letters))
    features[:, NAMES.index("af")], features[:, NAMES.index("corr_usual")] = af, like
    whole = named(probability, features, beats)
    state = LabelState()
    edges = [0, *sorted(cut for cut in cuts if cut < len(beats)), len(beats)]
    assert "".join(named(probability[a:b], features[a:b], beats[a:b], state) for a, b in pairwise(edges)) == whole
    assert set(whole) <= set(LABELS)
    for letter, own in zip(letters, whole, strict=True):
        assert own == letter or (letter, own) in {("N", "S"), ("S", "N"), ("Q", "N"), ("Q", "S")}
