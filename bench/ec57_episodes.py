"""Episode-by-episode comparison of atrial fibrillation by the rules of WFDB's epicmp.

* An episode lasts from (AFIB to any other rhythm; what lies before the end of the first five minutes is cut off.
* It is found when any of it overlaps an episode of the other side.
* Where the reference marks atrial flutter, nothing that the test calls fibrillation counts against it: that part is
  cut out of the test's episodes, and one that lies wholly inside is left out.
"""

from dataclasses import dataclass

from bench.ec57 import LEARNING_S, Ratio, Scores, Spans


@dataclass(frozen=True, slots=True)
class AfScore:
    """Figures of one record; durations in milliseconds, so that rates may differ between records."""

    scores: Scores
    reference_ms: int
    test_ms: int
    """Length of the test's episodes without what lies in reference flutter."""


def score_af(
    reference: Spans, flutter: Spans, test: Spans, fs_hz: float, n_samples: int, start_s: float = LEARNING_S
) -> AfScore:
    """Compare stretches of atrial fibrillation from `start_s` to the end; `flutter` is the reference's."""
    start = round(start_s * fs_hz)
    ours = _clipped(reference, start, n_samples)
    theirs = [parts for parts in (_without(e, flutter) for e in _clipped(test, start, n_samples)) if parts]
    pieces = [part for parts in theirs for part in parts]
    common = sum(_overlap(a, b) for a in ours for b in pieces)
    reference_length, test_length = _length(ours), _length(pieces)
    found = sum(any(_overlap(a, b) for b in pieces) for a in ours)
    true = sum(any(_overlap(a, b) for a in ours for b in parts) for parts in theirs)

    def ms(samples: int) -> int:
        return round(1000 * samples / fs_hz)

    return AfScore(
        {
            "af_episode_se": Ratio(found, len(ours)),
            "af_episode_pp": Ratio(true, len(theirs)),
            "af_duration_se": Ratio(ms(common), ms(reference_length)),
            "af_duration_pp": Ratio(ms(common), ms(test_length)),
        },
        ms(reference_length),
        ms(test_length),
    )


Stretch = tuple[int, int]


def _clipped(episodes: Spans, start: int, stop: int) -> list[Stretch]:
    cut = [(max(a, start), min(b, stop)) for a, b in episodes.tolist()]
    return [(a, b) for a, b in cut if b > a]


def _without(episode: Stretch, excluded: Spans) -> list[Stretch]:
    """What is left of an episode."""
    left, at = [], episode[0]
    for a, b in excluded.tolist():
        if a < episode[1] and b > at:
            left.append((at, a))
            at = b
    left.append((at, episode[1]))
    return [(a, b) for a, b in left if b > a]


def _overlap(one: Stretch, other: Stretch) -> int:
    return max(0, min(one[1], other[1]) - max(one[0], other[0]))


def _length(stretches: list[Stretch]) -> int:
    return sum(b - a for a, b in stretches)
