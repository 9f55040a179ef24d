"""Loading the network: what is missing or damaged is said with the next step, and beats are found without it."""

import hashlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.detect.network.confirm import PEAK_NUMBERS
from edge.detect.network.features import FEATURES
from edge.detect.network.prepare import FS_HZ
from edge.detect.network.record_class import CLASS_NUMBERS
from edge.detect.network.session import PARTS, load_network, shipped_network
from edge.detect.network.usual import USUAL_FEATURES
from edge.errors import AnyecgError, ExtraMissing, ModelError
from edge.formats.memory import demo_recording
from edge.models.bundle import SHIPPED
from edge.pipeline import annotate


@pytest.fixture
def forgotten() -> Iterator[None]:
    """Nothing that was loaded before counts, and nothing loaded here stays."""
    load_network.cache_clear()
    shipped_network.cache_clear()
    yield
    load_network.cache_clear()
    shipped_network.cache_clear()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED / "annotator", tmp_path / "annotator"))


def said(folder: Path) -> str:
    """The error of a bundle that cannot be loaded: one line with advice."""
    with pytest.raises(ModelError) as caught:
        load_network(folder)
    text, error = str(caught.value), caught.value
    assert isinstance(error, AnyecgError)
    assert error.advice
    assert text.endswith(error.advice)
    return text


def test_the_shipped_network_has_the_shapes_that_the_reader_expects() -> None:
    network = load_network()
    rng = np.random.default_rng(0)
    for n in (1, 17, 60):
        signal = np.stack((rng.standard_normal(n * FS_HZ), np.ones(n * FS_HZ))).astype(np.float32)
        waves, coarse, noise = network.run_trunk(signal)
        assert waves.shape == (4, n * FS_HZ)
        assert coarse.shape == (network.n_coarse, 5 * n)
        assert noise.shape == (5 * n,)
        likely, classes, embedding = network.run_context(coarse)
        assert likely.shape == (3, n)
        assert classes.shape == (8, n)
        assert embedding.shape[1] == n
    for m in (0, 1, 50):
        labels = network.run_labels(rng.standard_normal((m, len(FEATURES) + len(USUAL_FEATURES))).astype(np.float32))
        assert labels.shape == (m, 5)
        np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-4)
        of_peaks = rng.standard_normal((m, len(PEAK_NUMBERS))).astype(np.float32)
        for chance in (network.run_first_look(of_peaks), network.run_beats(of_peaks)):
            assert chance.shape == (m,)
            assert ((chance >= 0) & (chance <= 1)).all()
    unknown = np.full(len(CLASS_NUMBERS), np.nan, np.float32)
    for numbers in (unknown, np.nan_to_num(unknown)):
        assert sum(network.run_classes(numbers)) == pytest.approx(1, abs=1e-4)


def test_a_network_is_loaded_once() -> None:
    assert load_network() is load_network()
    assert shipped_network() is load_network()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "nowhere") in said(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["", "schema = [", 'schema = "anyecg.bundle/1"\nname = "x"\n', "\x00\x01"])
def test_a_bundle_without_a_readable_table_is_an_error(bundle: Path, text: str) -> None:
    (bundle / "bundle.toml").write_text(text)
    assert "bundle" in said(bundle)


def test_a_bundle_of_another_version_is_an_error(bundle: Path) -> None:
    table = bundle / "bundle.toml"
    table.write_text(table.read_text().replace("anyecg.bundle/1", "anyecg.bundle/2"))
    assert "anyecg.bundle/2" in said(bundle)


def test_a_bundle_for_something_else_is_an_error(bundle: Path) -> None:
    table = bundle / "bundle.toml"
    table.write_text(table.read_text().replace('task = "annotate"', 'task = "plan"'))
    assert "'plan'" in said(bundle)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_missing_is_an_error(bundle: Path, part: str) -> None:
    (bundle / f"{part}.onnx").unlink()
    assert f"{part}.onnx" in said(bundle)


@pytest.mark.parametrize("part", PARTS)
def test_a_table_without_a_part_is_an_error(bundle: Path, part: str) -> None:
    table = bundle / "bundle.toml"
    table.write_text(table.read_text().replace(f"[{part}]", f"[other_{part}]"))
    assert part in said(bundle)


@pytest.mark.parametrize("key", ["file", "sha256"])
def test_a_part_without_its_file_or_sum_is_an_error(bundle: Path, key: str) -> None:
    table = bundle / "bundle.toml"
    table.write_text(table.read_text().replace(f"{key} =", f"other_{key} ="))
    assert key in said(bundle)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_which_one_byte_differs_is_an_error(bundle: Path, part: str) -> None:
    path = bundle / f"{part}.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "SHA-256" in said(bundle)


def test_a_part_that_is_no_network_is_an_error(bundle: Path) -> None:
    """Even where its sum is right: it was made like that."""
    path, table = bundle / "trunk.onnx", bundle / "bundle.toml"
    was, now = hashlib.sha256(path.read_bytes()).hexdigest(), hashlib.sha256(b"no network").hexdigest()
    path.write_bytes(b"no network")
    table.write_text(table.read_text().replace(was, now))
    assert "trunk.onnx" in said(bundle)


@pytest.mark.usefixtures("forgotten")
def test_without_onnxruntime_the_package_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ExtraMissing, match=r"onnxruntime.*pip install"):
        load_network()
    assert shipped_network() is None


@pytest.mark.usefixtures("forgotten")
def test_without_onnxruntime_beats_are_found_by_rules_and_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    found = annotate(demo_recording())
    by_rules = annotate(demo_recording(), classical=True)
    np.testing.assert_array_equal(found.beats, by_rules.beats)
    np.testing.assert_array_equal(found.quality, by_rules.quality)
    assert len(found.beats) > 450
    assert not found.read
    assert len(found.labels) == len(found.waves) == len(found.absent) == len(found.rhythms) == 0
    assert found.classes == ()


@pytest.mark.usefixtures("forgotten")
def test_with_a_damaged_bundle_beats_are_found_by_rules(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bundle / "context.onnx").write_bytes(b"")
    monkeypatch.setattr(load_network.__wrapped__, "__defaults__", (bundle,))
    assert shipped_network() is None
    found = annotate(demo_recording())
    assert len(found.beats) > 450
    assert not found.read


def test_a_labelling_for_other_numbers_is_an_error(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.detect.network.session.N_NUMBERS", 7)
    assert "makes 7" in said(bundle)
