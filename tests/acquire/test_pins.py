"""Pinned wearables: one file, one strap for each address and for each name."""

import json
from pathlib import Path

import pytest

from edge.acquire.pins import FILE, Pin, free_name, pin, read_pins
from edge.errors import InputUnreadable, UsageError

ANNA = Pin("AA:00:00:00:00:01", "anna", "polar-h10")


def test_what_was_pinned_is_read_back(tmp_path: Path) -> None:
    berta = Pin("AA:00:00:00:00:02", "berta", bond=False, options={"fs_hz": 500})
    pin(tmp_path, ANNA)
    pin(tmp_path, berta)
    assert read_pins(tmp_path) == [ANNA, berta]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[]", "no list"),
        ('{"straps": {"a": 1}}', "no list"),
        ('{"straps": ["a"]}', "needs an address"),
        ('{"straps": [{"address": "AA"}]}', "needs an address"),
        ('{"straps": [{"address": 5, "name": "a"}]}', "'address' cannot be 5"),
        ('{"straps": [{"address": "AA", "name": "a", "bond": "no"}]}', "'bond' cannot be 'no'"),
        ('{"straps": [{"address": "AA", "name": "a", "protocol": 7}]}', "'protocol' cannot be 7"),
        ('{"straps": [{"address": "AA", "name": "a", "options": "x"}]}', "'options' cannot be 'x'"),
        ('{"straps": [{"address": "AA", "name": "a", "adress": "AB"}]}', "no 'adress'"),
        ('{"straps": [{"address": "\\u001b[2J", "name": "a"}]}', "no Bluetooth address"),
        ('{"straps": [{"address": "AA", "name": "a\\n"}]}', "cannot name a strap"),
        ('{"straps": [{"address": "AA", "name": "a"}, {"address": "aa", "name": "b"}]}', "twice"),
        ('{"straps": [{"address": "AA", "name": "a"}, {"address": "AB", "name": "A"}]}', "twice"),
        ('{"straps": ' + "[" * 100_000, "recursion"),
        ('{"straps": [', "Expecting"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_error_that_says_why(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(InputUnreadable, match=says) as raised:
        read_pins(tmp_path)
    assert "Mend or delete the file" in str(raised.value)


def test_two_straps_may_not_share_a_name_in_any_case(tmp_path: Path) -> None:
    pin(tmp_path, ANNA)
    with pytest.raises(UsageError, match="Another strap is called"):
        pin(tmp_path, Pin("AA:00:00:00:00:02", "Anna"))
    assert free_name("anna", ["Anna"]) == "anna-2"
    assert [entry["name"] for entry in json.loads((tmp_path / FILE).read_text())["straps"]] == ["anna"]
