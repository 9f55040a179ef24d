"""Result documents as text: JSON with one line for a table's row and for a group of plain figures."""

import json
from typing import Any


def text_of(document: Any, indent: int = 0) -> str:
    """JSON in which only what holds further groups or tables is spread over lines."""
    pad = " " * (indent + 1)
    if isinstance(document, dict) and (indent == 0 or any(isinstance(v, dict | list) for v in document.values())):
        members = [f"{pad}{json.dumps(key)}: {text_of(value, indent + 1)}" for key, value in document.items()]
        return "{\n" + ",\n".join(members) + "\n" + " " * indent + "}" if members else "{}"
    if isinstance(document, list) and any(isinstance(entry, dict | list) for entry in document):
        rows = [pad + json.dumps(entry, ensure_ascii=False) for entry in document]
        return "[\n" + ",\n".join(rows) + "\n" + " " * indent + "]"
    return json.dumps(document, ensure_ascii=False)
