"""Real recordings as training rows at 125 Hz: `python -m training.annotator.data --data DIR --out FILE.npz`.

Reads MIT-BIH (both leads; beats and rhythms), LUDB (twelve leads; wave limits) and CinC 2017 (a class per recording;
beats only where the classical detector is sure of them). The noise stress records are never used: they are for tests.
"""

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray

from edge.clean.quality import State
from edge.detect.network.prepare import FS_HZ, resample
from edge.formats.sniff import open_file
from edge.pipeline import annotate

SEED = 20261122
FOLDS = 5
LABEL_OF = {
    **dict.fromkeys("NLRB", "N"),
    **dict.fromkeys("AaJSejn", "S"),
    **dict.fromkeys("VEr", "V"),
    "F": "F",
    **dict.fromkeys("/fQ?", "Q"),
}
"""EC57's classes by bxb's mapping; escapes e and j are supraventricular there."""
RHYTHMS = {"(AFIB": 1, "(AFL": 2, "(VFL": 3}
CINC = "NAO~"
LUDB_LEADS = ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6")
UNKNOWN = 255


@dataclass(frozen=True, slots=True)
class Row:
    """One lead of one record at 125 Hz; all arrays share the time axis."""

    source: str
    record: str
    signal_mv: NDArray[np.float32]
    beats: NDArray[np.int32]
    """Samples of beats; with `labels` (ASCII of NSVFQ, or 0 where the label is not known)."""
    labels: NDArray[np.uint8]
    rhythm: NDArray[np.uint8]
    """Per second: 0 other, else `RHYTHMS`, or UNKNOWN."""
    waves: NDArray[np.uint8]
    """Per sample: bits 1 P, 2 QRS, 4 T, 8 known; empty where nobody marked waves."""
    sure: tuple[int, int]
    """Between these samples the beats are complete."""
    recording_class: int
    """Index in `CINC`, or -1."""


def fold_of(source: str, records: list[str], seed: int = SEED) -> dict[str, int]:
    """The fold that holds out each record: shuffled once per source, dealt round."""
    order = np.random.default_rng([seed, *source.encode()]).permutation(sorted(records))
    return {str(record): k % FOLDS for k, record in enumerate(order)}


def mitdb_rows(folder: Path) -> list[Row]:
    """Both leads of every record; VF spans carry no beats."""
    rows = []
    for path in sorted(folder.glob("*.atr")):
        recording = open_file(path.with_suffix(""))
        info = recording.info
        signal_mv = recording.read_mv(0, info.n_samples)
        reference = wfdb.rdann(str(path.with_suffix("")), "atr")
        n = int(info.n_samples / info.fs_hz) * FS_HZ
        at = [round(s * FS_HZ / info.fs_hz) for s in reference.sample]
        beats = [(s, ord(LABEL_OF[y])) for s, y in zip(at, reference.symbol, strict=True) if y in LABEL_OF and s < n]
        rhythm = np.zeros(n // FS_HZ, np.uint8)
        for s, note in zip(at, reference.aux_note, strict=True):
            if note.startswith("("):
                rhythm[round(s / FS_HZ) :] = RHYTHMS.get(note.rstrip("\x00"), 0)
        flutter = [s for s, y in zip(at, reference.symbol, strict=True) if y in "[]"]
        for a, b in zip(flutter[::2], flutter[1::2], strict=True):
            rhythm[a // FS_HZ : b // FS_HZ + 1] = 3
        for lead in range(len(info.leads)):
            rows.append(
                Row(
                    "mitdb",
                    path.stem,
                    resample(signal_mv[:, lead], 0, info.fs_hz, 0, n),
                    np.array([s for s, _ in beats], np.int32),
                    np.array([y for _, y in beats], np.uint8),
                    rhythm,
                    np.empty(0, np.uint8),
                    (0, n),
                    -1,
                )
            )
    return rows


def ludb_rows(folder: Path) -> list[Row]:
    """Twelve leads; outside the first and last marked complex nothing is known."""
    with (folder / "ludb.csv").open(encoding="utf-8-sig") as file:
        rhythms = {row["ID"].strip(): row["Rhythms"] for row in csv.DictReader(file)}
    rows = []
    for path in sorted((folder / "data").glob("*.hea"), key=lambda p: int(p.stem)):
        recording = open_file(path.with_suffix(""))
        info = recording.info
        n = int(info.n_samples / info.fs_hz) * FS_HZ
        signal_mv = recording.read_mv(0, info.n_samples)
        name = rhythms.get(path.stem, "").lower()
        code = 1 if "atrial fibrillation" in name else 2 if "flutter" in name else 0
        for lead, extension in enumerate(LUDB_LEADS):
            marks = wfdb.rdann(str(path.with_suffix("")), extension)
            at = [round(s * FS_HZ / info.fs_hz) for s in marks.sample]
            waves = np.zeros(n, np.uint8)
            symbols = marks.symbol
            for k, symbol in enumerate(symbols):
                bit = {"p": 1, "N": 2, "t": 4}.get(symbol, 0)
                if bit and 0 < k < len(symbols) - 1 and symbols[k - 1] == "(" and symbols[k + 1] == ")":
                    waves[at[k - 1] : at[k + 1] + 1] |= bit
            waves[at[0] : at[-1] + 1] |= 8
            beats = [s for s, symbol in zip(at, symbols, strict=True) if symbol == "N"]
            rows.append(
                Row(
                    "ludb",
                    path.stem,
                    resample(signal_mv[:, lead], 0, info.fs_hz, 0, n),
                    np.array(beats, np.int32),
                    np.zeros(len(beats), np.uint8),
                    np.full(n // FS_HZ, code, np.uint8),
                    waves,
                    (at[0], at[-1]),
                    -1,
                )
            )
    return rows


def cinc_rows(folder: Path) -> list[Row]:
    """One lead; the beats are those of the classical detector, known to be normal ones in classes N and A."""
    with (folder / "REFERENCE.csv").open(encoding="utf-8") as file:
        classes = dict(csv.reader(file))
    rows = []
    for record, letter in sorted(classes.items()):
        if not (folder / f"{record}.hea").exists():
            continue
        recording = open_file(folder / record)
        info = recording.info
        n = int(info.n_samples / info.fs_hz) * FS_HZ
        signal_mv = recording.read_mv(0, info.n_samples)[:, 0]
        found = annotate(recording, classical=True)
        unusable = np.flatnonzero(found.quality == State.UNUSABLE)
        clean = len(unusable) == 0 and letter != "~"
        beats = np.rint(found.beats * FS_HZ / info.fs_hz).astype(np.int32)
        beats = beats[beats < n] if clean else np.empty(0, np.int32)
        label = ord("N") if letter in "NA" else 0
        rows.append(
            Row(
                "cinc2017",
                record,
                resample(signal_mv, 0, info.fs_hz, 0, n),
                beats,
                np.full(len(beats), label, np.uint8),
                np.full(n // FS_HZ, {"A": 1, "N": 0, "O": 0}.get(letter, UNKNOWN), np.uint8),
                np.empty(0, np.uint8),
                (0, n) if clean else (0, 0),
                CINC.index(letter),
            )
        )
    return rows


def write(rows: list[Row], path: Path) -> None:
    """All rows in one file: arrays end to end, with their lengths."""
    np.savez(
        path,
        source=[r.source for r in rows],
        record=[r.record for r in rows],
        recording_class=np.array([r.recording_class for r in rows], np.int8),
        sure=np.array([r.sure for r in rows], np.int32),
        **{f"{name}_length": np.array([len(getattr(r, name)) for r in rows]) for name in ARRAYS},
        **{name: np.concatenate([getattr(r, name) for r in rows]) for name in ARRAYS},
    )


ARRAYS = ("signal_mv", "beats", "labels", "rhythm", "waves")


def read(path: Path) -> list[Row]:
    """The rows that `write` wrote."""
    with np.load(path) as file:
        parts = {name: np.split(file[name], np.cumsum(file[f"{name}_length"])[:-1]) for name in ARRAYS}
        heads = zip(file["source"], file["record"], file["sure"], file["recording_class"], strict=True)
        return [
            Row(
                str(source), str(record), recording_class=int(kind), sure=(int(sure[0]), int(sure[1])),
                **{name: parts[name][k] for name in ARRAYS},
            )
            for k, (source, record, sure, kind) in enumerate(heads)
        ]  # fmt: skip


def main() -> None:
    """Read every set that the folder holds and write one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with mitdb, ludb, cinc2017")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    rows = mitdb_rows(given.data / "mitdb") + ludb_rows(given.data / "ludb") + cinc_rows(given.data / "cinc2017")
    write(rows, given.out)
    hours = sum(len(r.signal_mv) for r in rows) / FS_HZ / 3600
    print(f"{len(rows)} rows, {hours:.1f} h -> {given.out}")


if __name__ == "__main__":
    main()
