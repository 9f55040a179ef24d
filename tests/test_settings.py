"""Settings from a file: a value that no length, count or share can have is refused, with what is usual."""

import math

import pytest

from edge.errors import UsageError
from edge.settings import Settings, from_tables


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("st_trend_s", 0),
        ("st_sampled_s", -20),
        ("polarity_share", -0.1),
        ("st_from_s", math.nan),
        ("af_min_s", math.inf),
        ("pauses_s", [2.0, math.nan, 3.0]),
    ],
)
def test_an_impossible_size_is_refused(name: str, value: float | list[float]) -> None:
    with pytest.raises(UsageError, match=f"rhythm.{name} cannot be"):
        from_tables({"rhythm": {name: value}})


def test_the_defaults_are_possible_themselves() -> None:
    assert from_tables({}) == Settings()
    assert from_tables({name: dict(table) for name, table in Settings().as_dict().items()}) == Settings()


def test_an_interval_of_no_length_is_possible() -> None:
    assert from_tables({"rhythm": {"st_from_s": 0}}).rhythm.st_from_s == 0.0


def test_a_list_of_words_is_no_list_of_numbers() -> None:
    with pytest.raises(UsageError, match="holds numbers"):
        from_tables({"rhythm": {"pauses_s": ["2", "3"]}})
