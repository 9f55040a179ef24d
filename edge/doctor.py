"""`anyecg doctor`: what works on this machine, and what to do about what does not."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge.ask.answer import new_model
from edge.detect.network.session import load_network, why_no_network
from edge.errors import AnyecgError
from edge.formats.memory import ArrayRecording, demo_recording
from edge.inputs import WITHOUT_NETWORK
from edge.models.bundle import SHIPPED, load_bundle
from edge.pipeline import annotate
from edge.recording.library import folder_bytes, recordings
from edge.settings import Settings

Level = Literal["ok", "note", "problem"]
LOW_DISK_GB = 2.0  # two weeks of a strap's signal
TRIED_S = 20  # of the demo ECG are read to see whether the network runs


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    what: str
    level: Level
    detail: str
    advice: str = ""


def examine(folder: Path, settings: Settings) -> list[Finding]:
    """Look at everything; nothing found here raises."""
    findings = []
    for check in (_python, _packages, _onnxruntime, _annotator, _planner, _language_model, _bluetooth, _broker):
        try:
            findings.append(check(settings))
        except Exception as error:
            # A check that stumbles is a finding too: doctor is called when things are broken.
            findings.append(Finding(check.__name__.strip("_"), "problem", f"{type(error).__name__}: {error}"))
    return [*findings, _folder(folder), _disk(folder)]


def _python(_: Settings) -> Finding:
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
    if sys.version_info < (3, 11):  # noqa: UP036 - also for those who ran it past pip
        return Finding("Python", "problem", detail, "anyecg needs Python 3.11 or later")
    return Finding("Python", "ok", detail)


def _packages(_: Settings) -> Finding:
    names = ("anyecg-edge", "numpy", "scipy", "sleepecg", "wfdb", "edfio")
    versions = {}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return Finding("Packages", "problem", f"{name} is not installed", "pip install anyecg-edge")
    return Finding("Packages", "ok", ", ".join(f"{name} {found}" for name, found in versions.items()))


def _onnxruntime(_: Settings) -> Finding:
    what = "ONNX Runtime"
    try:
        import onnxruntime
    except ImportError as error:
        return Finding(what, "problem", str(error), "pip install onnxruntime")
    return Finding(
        what,
        "ok",
        f"{onnxruntime.__version__}, providers: {', '.join(onnxruntime.get_available_providers())}",
    )


def _annotator(settings: Settings) -> Finding:
    """Reads some seconds with the network that labels beats: it may load and not fit this version."""
    what = "Annotator network"
    why = why_no_network()
    if not why:
        network, demo = load_network(), demo_recording()
        fs_hz = demo.info.fs_hz
        try:
            annotate(
                ArrayRecording("tried", demo.read_mv(0, round(TRIED_S * fs_hz)), fs_hz), (0,), settings, network=network
            )
        except Exception as error:  # ONNX Runtime raises kinds of its own, none of them documented
            why = f"{network.name} does not run: {type(error).__name__}: {error}"
        else:
            return Finding(what, "ok", f"{network.name} runs, hashes as shipped")
    absent = importlib.util.find_spec("onnxruntime") is None
    advice = "pip install onnxruntime" if absent else "pip install --force-reinstall --no-deps anyecg-edge"
    return Finding(what, "problem", f"{why}. {WITHOUT_NETWORK}", advice)


def _planner(_: Settings) -> Finding:
    try:
        path = load_bundle(SHIPPED / "planner").file("planner")
    except AnyecgError as error:
        return Finding("Question planner", "problem", str(error), "Reinstall anyecg-edge")
    return Finding("Question planner", "ok", f"{path.name}, hash as shipped")


def _language_model(settings: Settings) -> Finding:
    """Loads the model in its process: an illegal instruction on a small board shows here and breaks nothing."""
    what = "Language model"
    if importlib.util.find_spec("llama_cpp") is None:
        return Finding(
            what,
            "note",
            "llama-cpp-python is not installed; answers come in plain sentences",
            "pip install 'anyecg-edge[llm]' (compiles for about ten minutes; needs a C++ compiler)",
        )
    model = new_model(settings)
    try:
        model.start()
        return Finding(what, "ok", f"{model.name} loads, SHA-256 {model.sha256[:12]}…; {model.build}")
    except AnyecgError as error:
        return Finding(
            what,
            "note",
            f"{error} Answers come in plain sentences.",
            "pip install --force-reinstall 'anyecg-edge[llm]'",
        )
    finally:
        model.close()


def _bluetooth(_: Settings) -> Finding:
    what = "Bluetooth"
    if importlib.util.find_spec("bleak") is None:
        return Finding(what, "note", "bleak is not installed", "pip install 'anyecg-edge[ble]'")
    if sys.platform != "linux":
        return Finding(what, "note", "not examined on this system")
    adapters = (
        sorted(p.name for p in Path("/sys/class/bluetooth").glob("hci*"))
        if Path("/sys/class/bluetooth").is_dir()
        else []
    )
    if not adapters:
        return Finding(
            what,
            "note",
            "no adapter; virtual straps and replays work",
            "Plug in an adapter, or check `rfkill list`",
        )
    if not Path("/run/dbus/system_bus_socket").exists():
        return Finding(what, "note", f"{', '.join(adapters)}, but no D-Bus, which BlueZ needs", "Start bluetoothd")
    return Finding(what, "ok", ", ".join(adapters))


def _broker(_: Settings) -> Finding:
    missing = [name for name in ("aiomqtt", "amqtt") if importlib.util.find_spec(name) is None]
    if missing:
        return Finding("MQTT", "note", f"{', '.join(missing)} not installed", "pip install 'anyecg-edge[mqtt]'")
    return Finding(
        "MQTT",
        "ok",
        f"aiomqtt {importlib.metadata.version('aiomqtt')}, embedded broker amqtt {importlib.metadata.version('amqtt')}",
    )


def _folder(folder: Path) -> Finding:
    probe = folder
    while not probe.exists() and probe != probe.parent:
        probe = probe.parent
    if not os.access(probe, os.W_OK):
        return Finding("Data folder", "problem", f"{folder} cannot be written", "Set ANYECG_HOME to a folder of yours")
    n = len(recordings(folder)) if folder.is_dir() else 0
    size_mb = folder_bytes(folder) / 1e6 if folder.is_dir() else 0.0
    return Finding("Data folder", "ok", f"{folder}: {n} recordings, {size_mb:.1f} MB")


def _disk(folder: Path) -> Finding:
    probe = folder
    while not probe.exists() and probe != probe.parent:
        probe = probe.parent
    free_gb = shutil.disk_usage(probe).free / 1e9
    if free_gb < LOW_DISK_GB:
        return Finding("Free disk", "problem", f"{free_gb:.1f} GB", "Free space, or lower store.max_gb in the settings")
    return Finding("Free disk", "ok", f"{free_gb:.1f} GB")
