"""`anyecg doctor` on machines where reading with the network does not work."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import edge.doctor
from edge.batch import analyse_one
from edge.detect.network import session
from edge.detect.network.session import Network, why_no_network
from edge.doctor import Finding, examine
from edge.models.bundle import SHIPPED
from edge.settings import Settings

needs_network = pytest.mark.skipif(session.shipped_network() is None, reason="the annotator network is not installed")


@pytest.fixture
def forgotten() -> Iterator[None]:
    """No network is kept from before, and none is kept for other tests."""
    kept = session.load_network, session.shipped_network
    for function in kept:
        function.cache_clear()
    yield
    for function in kept:
        function.cache_clear()


def finding(what: str, folder: Path) -> Finding:
    return next(f for f in examine(folder, Settings()) if f.what == what)


@pytest.fixture(autouse=True)
def no_language_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading it takes a second and is tested elsewhere."""
    monkeypatch.setattr(edge.doctor, "_language_model", lambda _: Finding("Language model", "note", "left out"))


@needs_network
def test_a_network_that_runs_is_named(tmp_path: Path) -> None:
    found = finding("Annotator network", tmp_path)
    assert found.level == "ok"
    network = session.shipped_network()
    assert network is not None
    assert found.detail.startswith(network.name)
    assert why_no_network() == ""


@pytest.mark.usefixtures("forgotten")
def test_without_onnxruntime_doctor_says_what_is_lost_and_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    found = finding("Annotator network", tmp_path)
    assert (found.level, found.advice) == ("problem", "pip install onnxruntime")
    assert "onnxruntime" in found.detail
    assert "beats are found by rules and not labelled, no wave is measured and no rhythm named" in found.detail
    assert finding("ONNX Runtime", tmp_path).advice == "pip install onnxruntime"
    assert "onnxruntime" in why_no_network()


@needs_network
@pytest.mark.usefixtures("forgotten")
def test_a_damaged_bundle_is_told_with_the_file_and_the_summary_tells_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(SHIPPED / "annotator", tmp_path / "annotator")
    (tmp_path / "annotator" / "trunk.onnx").write_bytes(b"cut off")
    damaged = tmp_path / "annotator"
    load = session.load_network
    monkeypatch.setattr(session, "load_network", lambda folder=damaged: load(folder))
    found = finding("Annotator network", tmp_path)
    assert (found.level, found.advice) == ("problem", "pip install --force-reinstall --no-deps anyecg-edge")
    assert "trunk.onnx" in found.detail
    result = analyse_one("demo", tmp_path / "out", ("json",), tmp_path, Settings(), None)
    assert "trunk.onnx" in result.unread
    assert result.summary["recording"]["notes"][-1] == result.unread
    assert result.summary["rhythm"]["reason"] == "beats were found and not labelled"
    assert result.summary["rate"]["beat_count"]["value"] > 450


@needs_network
def test_a_network_that_loads_and_does_not_fit_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unfit(_: Network, features: np.ndarray) -> np.ndarray:
        raise ValueError(f"Got: {features.shape[1]} Expected: 7")

    monkeypatch.setattr(Network, "run_labels", unfit)
    found = finding("Annotator network", tmp_path)
    assert found.level == "problem"
    assert "Expected: 7" in found.detail
    assert found.advice.startswith("pip install --force-reinstall")
