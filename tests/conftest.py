"""What all tests share: a home of their own, and the folder of real recordings."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def anyecg_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stored recordings of a test go into a folder of its own."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("ANYECG_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder that ANYECG_DATA names; the test is skipped without."""
    folder = os.environ.get("ANYECG_DATA")
    if not folder:
        pytest.skip("ANYECG_DATA names no folder of recordings")
    return Path(folder)
