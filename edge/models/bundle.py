"""Bundles: a folder with `bundle.toml` and the files it names, each with its SHA-256 (design: anyecg.bundle/1)."""

import hashlib
import importlib.util
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import ModelError

SCHEMA = "anyecg.bundle/1"
SHIPPED = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model the runtime can load."""

    name: str
    task: str
    folder: Path
    tables: dict[str, Any]
    """The whole bundle.toml."""

    def file(self, table: str, key: str = "file") -> Path:
        """Path of a file that a table names, checked against the table's `sha256`.

        A value `package:name` is a file inside an installed Python package. ModelError where it is absent or
        differs from what the bundle was made with.
        """
        entry = self.tables[table]
        named = str(entry[key])
        path = _inside_package(named) if ":" in named else self.folder / named
        if not path.is_file():
            raise ModelError(f"Bundle {self.name} lacks {path}", "Install or copy the bundle again")
        if (found := sha256_of(path)) != entry["sha256"]:
            raise ModelError(
                f"{path} is not the file that bundle {self.name} was made with (SHA-256 {found[:12]}…)",
                "Install the version that pyproject.toml pins",
            )
        return path


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle's table; ModelError where it is none."""
    path = folder / "bundle.toml"
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        if tables["schema"] != SCHEMA:
            raise ModelError(f"{path} has schema {tables['schema']!r}", f"This version reads {SCHEMA}")
        return Bundle(tables["name"], tables["task"], folder, tables)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError) as error:
        raise ModelError(f"{folder} holds no readable bundle: {error}", "Name a folder with a bundle.toml") from error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _inside_package(named: str) -> Path:
    package, _, name = named.partition(":")
    spec = importlib.util.find_spec(package)  # locates without importing: the package may import half the world
    if spec is None or spec.origin is None:
        raise ModelError(f"The package {package} is not installed", "Install it with: pip install 'anyecg-edge[llm]'")
    return Path(spec.origin).parent / name
