"""Write a bundle's table: the files it names, each with its SHA-256, licence and training data."""

from collections.abc import Mapping
from pathlib import Path

from edge.models.bundle import SCHEMA, sha256_of


def write_bundle(
    folder: Path, *, name: str, task: str, licence: str, training_data: str, files: Mapping[str, str]
) -> Path:
    """Write `folder`/bundle.toml for files that lie in `folder`; `files` maps table names to file names.

    The table is written aside and renamed, so that a bundle is never half there. Returns its path.
    """
    lines = [f"{key} = {_quoted(value)}" for key, value in (
        ("schema", SCHEMA), ("name", name), ("task", task), ("licence", licence), ("training_data", training_data),
    )]  # fmt: skip
    for table, file in files.items():
        lines += ["", f"[{table}]", f"file = {_quoted(file)}", f'sha256 = "{sha256_of(folder / file)}"']
    path = folder / "bundle.toml"
    aside = path.with_suffix(".part")
    aside.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return aside.replace(path)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
