"""Whatever a network may say of a recording, every fact has a value or a reason, and lies within its span."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.clean.quality import Reason, State
from edge.interpret.facts import context_of, measure
from edge.interpret.rhythm import MEANING
from edge.settings import RhythmSettings
from edge.types import NO_POINT, Absent, Annotations, Gap, Likely, RhythmSpan

LABELLED = st.lists(st.tuples(st.integers(1, 900), st.sampled_from("NNNNVVSFQ")), max_size=150)
RHYTHMS = st.lists(st.tuples(st.integers(0, 800), st.integers(1, 4000), st.sampled_from(sorted(MEANING))), max_size=20)
QUALITY = st.lists(st.sampled_from([0, 0, 0, 0, 1, 2]), min_size=1, max_size=90)


@settings(max_examples=150, deadline=None)
@given(
    LABELLED,
    RHYTHMS,
    QUALITY,
    st.tuples(st.floats(-20.0, 120.0), st.floats(-20.0, 120.0)),
    st.sampled_from([50.0, 128.5, 250.0]),
    st.integers(0, 2**32 - 1),
)
def test_every_fact_of_any_reading_has_a_value_or_a_reason_and_evidence_within_its_span(
    beats: list[tuple[int, str]],
    rhythms: list[tuple[int, int, str]],
    states: list[int],
    span: tuple[float, float],
    fs_hz: float,
    seed: int,
) -> None:
    rng, n = np.random.default_rng(seed), round(len(states) * fs_hz)
    at = np.cumsum(np.array([step for step, _ in beats], np.int64))
    n_beats = int((at < n).sum())
    spans, stop = list[RhythmSpan](), 0
    for wait, length, label in rhythms:
        if stop + wait + length <= n:
            spans.append(RhythmSpan(stop + wait, stop + wait + length, label))
            stop += wait + length
    quality = np.array(states, np.uint8)
    waves = rng.integers(-200, 200, (n_beats, 9)).astype(np.int16)
    waves[rng.random(waves.shape) < 0.2] = NO_POINT
    annotations = Annotations(
        fs_hz, n, at[:n_beats], quality, np.where(quality == State.UNUSABLE, Reason.NOISY, 0).astype(np.uint8),
        tuple(Gap(a, a + 50, "link lost") for a in range(300, n - 50, 3919)),
        np.frombuffer("".join(label for _, label in beats[:n_beats]).encode(), np.uint8), waves,
        rng.integers(0, len(Absent), (n_beats, 3)).astype(np.uint8), np.zeros((len(states), len(Likely)), np.uint8),
        tuple(spans),
    )  # fmt: skip
    context = context_of(annotations, *span, RhythmSettings())
    for fact in measure(context).values():
        assert (fact.value is None) == bool(fact.reason)
        assert fact.value is None or (np.isfinite(fact.value) and fact.value >= 0)
        assert fact.unit != "%" or fact.value is None or fact.value <= 100.0 + 1e-9
        assert fact.unit != "s" or fact.value is None or fact.value <= context.end_s - context.start_s + 1e-6
        for place in fact.evidence:
            assert context.start_s <= place.start_s <= place.end_s <= context.end_s
