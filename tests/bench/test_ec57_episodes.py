"""Episode scoring of atrial fibrillation by the rules of WFDB's epicmp. One sample a second."""

import pytest

from bench.ec57 import Ratio
from bench.ec57 import spans as stretches
from bench.ec57_episodes import AfScore, score_af

N = 2000


def score(
    reference: list[tuple[int, int]], test: list[tuple[int, int]], flutter: list[tuple[int, int]] | None = None
) -> AfScore:
    return score_af(stretches(reference), stretches(flutter or []), stretches(test), 1.0, N)


def figures(found: AfScore) -> list[tuple[float, float]]:
    """Episode Se and +P, duration Se and +P in seconds; hits and tries."""
    scale = {"af_episode_se": 1, "af_episode_pp": 1, "af_duration_se": 1000, "af_duration_pp": 1000}
    return [(found.scores[name].hits / k, found.scores[name].of / k) for name, k in scale.items()]


def test_any_overlap_finds_an_episode_and_durations_are_shared() -> None:
    assert figures(score([(400, 600)], [(599, 700)])) == [(1, 1), (1, 1), (1, 200), (1, 101)]


def test_touching_without_overlap_finds_nothing() -> None:
    assert figures(score([(400, 600)], [(600, 700)])) == [(0, 1), (0, 1), (0, 200), (0, 100)]


def test_one_test_episode_may_find_two_reference_episodes_and_two_may_be_true_of_one() -> None:
    assert figures(score([(400, 500), (600, 700)], [(450, 650)])) == [(2, 2), (1, 1), (100, 200), (100, 200)]
    assert figures(score([(450, 650)], [(400, 500), (600, 700)])) == [(1, 1), (2, 2), (100, 200), (100, 200)]


def test_what_lies_in_the_first_five_minutes_is_cut_off() -> None:
    assert figures(score([(200, 400), (10, 20)], [(100, 310)])) == [(1, 1), (1, 1), (10, 100), (10, 10)]


def test_an_episode_ends_with_the_record() -> None:
    assert figures(score([(1900, 2500)], [(1950, 2500)])) == [(1, 1), (1, 1), (50, 100), (50, 50)]


def test_a_test_episode_wholly_inside_reference_flutter_is_left_out() -> None:
    assert figures(score([(400, 500)], [(600, 700)], [(590, 700)])) == [(0, 1), (0, 0), (0, 100), (0, 0)]


@pytest.mark.parametrize(
    ("flutter", "left_s"),
    [((550, 650), 150), ((750, 850), 150), ((650, 700), 150), ((500, 600), 200), ((400, 500), 200), ((900, 950), 200)],
)
def test_only_the_part_of_a_test_episode_inside_reference_flutter_is_cut_out(
    flutter: tuple[int, int], left_s: int
) -> None:
    found = score([], [(600, 800)], [flutter])
    assert figures(found)[1] == (0, 1)
    assert found.test_ms == 1000 * left_s


def test_flutter_inside_a_test_episode_leaves_it_one_episode() -> None:
    found = score([(760, 800)], [(600, 800)], [(650, 750)])
    assert figures(found) == [(1, 1), (1, 1), (40, 40), (40, 100)]


def test_flutter_does_not_excuse_missing_reference_fibrillation() -> None:
    assert figures(score([(400, 500), (600, 700)], [], [(500, 600)]))[0] == (0, 2)


def test_fibrillation_called_in_a_record_without_is_told_in_milliseconds() -> None:
    found = score([], [(400, 460), (500, 530)])
    assert (found.reference_ms, found.test_ms) == (0, 90_000)
    assert found.scores["af_episode_se"] == Ratio(0, 0)
    assert found.scores["af_episode_pp"] == Ratio(0, 2)
