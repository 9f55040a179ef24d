"""Result documents are JSON that a person can read, too."""

import json

from bench.document import text_of

DOCUMENT = {
    "bench": "mitdb",
    "machine": {"cpus": 2, "cpu": "a “b”"},
    "gross": {"qrs_se": {"percent": 99.5, "hits": 1}, "none": {}},
    "order": ["a", "b"],
    "empty": [],
    "rows": [{"record": "100", "confused": {"Nv": 1}}, {"record": "101", "confused": {}}],
}


def test_a_document_is_the_json_it_was_made_of() -> None:
    assert json.loads(text_of(DOCUMENT)) == DOCUMENT
    assert text_of({}) == "{}"


def test_rows_and_groups_of_plain_figures_take_one_line_each() -> None:
    lines = text_of(DOCUMENT).splitlines()
    assert '  {"record": "100", "confused": {"Nv": 1}},' in lines
    assert '  "qrs_se": {"percent": 99.5, "hits": 1},' in lines
    assert ' "machine": {"cpus": 2, "cpu": "a “b”"},' in lines
    assert ' "order": ["a", "b"],' in lines
