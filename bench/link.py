"""The ECG link on real recordings: size against raw 24-bit samples, decoding speed, and what the C header costs.

Each record is measured as it is and as a 24-bit front-end would have counted it: rescaled to 48 nV steps with white
noise added. The noise density is that of 1.2 µV rms in 125 Hz, an assumption about such front-ends and not a measurement.
"""

import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.measure import machine
from edge.errors import UsageError
from firmware_bridge.link.device import LinkDevice, start_command
from firmware_bridge.link.frame import LinkFrame, decode_frame
from firmware_bridge.link.info import LinkInfo, LinkLead, smallest_mtu

MTUS = (64, 100, 185, 247)
MAX_FRAME_S = 0.5
MEASURED_S = 60.0
NV_PER_COUNT = 48.0
NOISE_NV_PER_ROOT_HZ = 1200.0 / np.sqrt(125.0)
TARGET_PERCENT = 55.0
PATTERNS = ("*.hea", "mitdb/*.hea", "ludb/data/[1-5].hea", "wfdb-samples/s0010_re.hea")
KINDS = ("as_recorded_percent", "as_24_bit_front_end_percent")

HEADER = Path(__file__).parents[1] / "firmware_bridge" / "c"
COMPILERS = {"x86-64": ("gcc",), "Cortex-M4 (Thumb-2)": ("arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb")}

Counts = NDArray[np.int32]


def run(data: Path | None, records: tuple[str, ...]) -> dict[str, Any]:
    """Measure the records of a folder, or of known folders in it, or those named by path; the first minute of each."""
    if data is None or not data.is_dir():
        raise UsageError("bench link needs recordings", "Give a folder of WFDB records as --data")
    names = records or tuple(
        str(path.relative_to(data).with_suffix("")) for pattern in PATTERNS for path in sorted(data.glob(pattern))
    )
    if not names:
        raise UsageError(f"{data} holds no WFDB records", f"It should have some of: {', '.join(PATTERNS)}")
    rows = [measure(data / name, name) for name in names]
    sets = {
        str(Path(name).parent): [row for row in rows if Path(row["record"]).parent == Path(name).parent]
        for name in names
    }
    return {
        "command": f"anyecg bench link --data {data.name}" + (f" --records {','.join(records)}" if records else ""),
        "rules": f"first {MEASURED_S:g} s, frames of at most {MAX_FRAME_S} s, percent of 24 bits per sample and lead, "
        "head and CRC included",
        "front_end": f"ASSUMED, not measured: {NV_PER_COUNT:g} nV per count, white noise of 1.2 µV rms in 125 Hz added",
        "machine": machine(),
        "target_percent_at_mtu_247": TARGET_PERCENT,
        "sets": [
            {
                "set": name,
                "records": len(members),
                **{
                    kind: {mtu: _summary([row[kind][mtu] for row in members]) for mtu in map(str, MTUS)}
                    for kind in KINDS
                },
            }
            for name, members in sets.items()
        ],
        "least_decoded_samples_per_s": min(row["decoded_samples_per_s"] for row in rows),
        "c_header": c_cost(),
        "rows": rows,
    }


def measure(path: Path, name: str) -> dict[str, Any]:
    """The row of one record."""
    import wfdb

    head = wfdb.rdheader(str(path))
    stop = min(head.sig_len, round(MEASURED_S * head.fs))
    record = wfdb.rdrecord(str(path), sampto=stop, physical=False)
    counts = record.d_signal.astype(np.int32)
    signal_nv = (counts - np.array(record.baseline)) / np.array(record.adc_gain) * 1e6
    noise_nv = NOISE_NV_PER_ROOT_HZ * np.sqrt(record.fs / 2) * np.random.default_rng(0).standard_normal(counts.shape)
    front_end = np.rint((signal_nv + noise_nv) / NV_PER_COUNT).astype(np.int32)
    values = {mtu: frames_of(counts, record.fs, mtu) for mtu in MTUS}
    front_end_values = {mtu: frames_of(front_end, record.fs, mtu) for mtu in MTUS}
    return {
        "record": name,
        "fs_hz": record.fs,
        "leads": counts.shape[1],
        "adc_bits": record.adc_res[0] or None,  # 0: the header does not tell
        "as_recorded_percent": {str(mtu): _percent(values[mtu]) for mtu in MTUS},
        "as_24_bit_front_end_percent": {str(mtu): _percent(front_end_values[mtu]) for mtu in MTUS},
        "decoded_samples_per_s": round(_decoding_speed(front_end_values[MTUS[-1]])),
    }


def frames_of(counts: Counts, fs_hz: float, mtu: int) -> list[bytes]:
    """All full frames of a recording; none where the MTU is too small for its leads."""
    n_leads = counts.shape[1]
    if mtu < smallest_mtu(n_leads):
        return []
    info = LinkInfo(bytes(8), (LinkLead("ECG", 48_000),) * n_leads, round(1000 * fs_hz), mtu=mtu)
    device = LinkDevice(info, ring_frames=1000, max_samples=min(255, round(MAX_FRAME_S * fs_hz)), boot=0)
    device.command(start_command(), mtu)
    values = []
    for a in range(0, len(counts), 250):
        device.sample(counts[a : a + 250], round(1000 * a / fs_hz))
        while (value := device.next_value(mtu)) is not None:
            values.append(value)
    return values


def c_cost() -> list[dict[str, Any]]:
    """Flash and RAM of the device's side by compiler; empty where there is none."""
    rows = []
    for target, (compiler, *flags) in COMPILERS.items():
        if shutil.which(compiler) is None:
            continue
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / "cost.o"
            command = [compiler, "-std=c99", "-Os", "-fstack-usage", *flags, f"-I{HEADER}", "-c"]
            subprocess.run([*command, str(HEADER / "cost.c"), "-o", str(made)], check=True)
            size = subprocess.run(
                [compiler.replace("gcc", "size"), str(made)], capture_output=True, text=True, check=True
            )
            text, _, bss = size.stdout.splitlines()[1].split()[:3]
            stack = max(int(n) for n in re.findall(r"\t(\d+)\t", made.with_suffix(".su").read_text(encoding="utf-8")))
        version = subprocess.run([compiler, "-dumpfullversion"], capture_output=True, text=True, check=True)
        rows.append(
            {
                "target": target,
                "compiler": f"{compiler} {version.stdout.strip()} -Os",
                "flash_bytes": int(text),
                "ram_bytes_without_ring": int(bss),
                "deepest_frame_of_one_function_bytes": stack,
            }
        )
    return rows


def _percent(values: list[bytes]) -> float | None:
    frames = [frame for value in values if isinstance(frame := decode_frame(value), LinkFrame)]
    n_raw = sum(3 * frame.counts.size for frame in frames)
    return round(100 * sum(map(len, values)) / n_raw, 1) if n_raw else None


def _decoding_speed(values: list[bytes]) -> float:
    began = time.process_time()
    n = sum(frame.counts.size for value in values if isinstance(frame := decode_frame(value), LinkFrame))
    return n / (time.process_time() - began)


def _summary(percents: list[float | None]) -> dict[str, float] | None:
    """Mean and largest; None where the MTU is too small for these leads."""
    known = [percent for percent in percents if percent is not None]
    return {"mean": round(float(np.mean(known)), 1), "most": max(known)} if known else None


def coding_table(result: dict[str, Any]) -> str:
    """The sizes as docs/ecg-link.md shows them."""
    lines = [
        f"| records | signal | {' | '.join(f'MTU {mtu}' for mtu in MTUS)} |",
        "| --- | --- |" + " --- |" * len(MTUS),
    ]
    for entry in result["sets"]:
        for kind, name in zip(KINDS, ("as recorded", "front-end"), strict=True):
            sizes = [entry[kind][str(mtu)] for mtu in MTUS]
            cells = [f"{size['mean']} ({size['most']})" if size else "–" for size in sizes]
            lines.append(f"| {entry['set']}, {entry['records']} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def cost_table(result: dict[str, Any]) -> str:
    """Flash and RAM as docs/ecg-link.md shows them, in bytes."""
    lines = [
        "| target | compiler | flash | RAM without ring | largest stack frame |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in result["c_header"]:
        cells = row["flash_bytes"], row["ram_bytes_without_ring"], row["deepest_frame_of_one_function_bytes"]
        lines.append(f"| {row['target']} | `{row['compiler']}` | {' | '.join(f'{n:,}' for n in cells)} |")
    return "\n".join(lines)
