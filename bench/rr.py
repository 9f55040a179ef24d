"""What a bad link leaves of a strap's RR intervals: reference beats (.atr) told once a second, late, some not at all.

Two links, both seeded: `late` delays every notification by up to four seconds at random, in order; `prompt` by up to
a tenth of one. Of both, one notification in a hundred is lost. The strap's clock starts with the record.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.ec57 import LABEL_OF, PACED
from bench.measure import machine
from edge.acquire.packets import RrPacket
from edge.acquire.rr import LOST, Placed, RrState, flush_rr, place_rr
from edge.errors import UsageError
from edge.types import RR_HZ

LINKS = {"late": 4.0, "prompt": 0.1}  # longest delay in seconds
LOST_SHARE = 0.01
MAX_RR = 9  # in a notification of 20 bytes
SEED = 1024
NEAR_S = 20.0  # a declared loss is that of a notification lost so near to it


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification as the strap sent it."""

    packet: RrPacket
    sent_s: float
    received_s: float
    first: int
    """Index of its first interval."""
    lost: bool


def notifications(
    rr: NDArray[np.int64], latest_s: float, lost_share: float, rng: np.random.Generator, period_s: float = 1.0
) -> list[Notification]:
    """Intervals (1/1024 s) as notifications once a period, each up to `latest_s` late, in the order of sending."""
    beats_s = np.cumsum(rr) / RR_HZ
    found, at, arrived_s = [], 0, 0.0
    n = int(beats_s[-1] / period_s) + 2
    for k, (late, lost) in enumerate(zip(rng.uniform(0, latest_s, n), rng.random(n) < lost_share, strict=True)):
        sent_s = (k + 1) * period_s
        until = min(int(np.searchsorted(beats_s, sent_s, side="right")), at + MAX_RR)
        told = tuple(int(value) for value in rr[at:until])
        arrived_s = max(arrived_s, sent_s + float(late))
        rate_bpm = round(60 * RR_HZ / told[-1]) if told else 60
        found.append(Notification(RrPacket(told, rate_bpm), sent_s, arrived_s, at, bool(lost)))
        at = until
    return found


def placed_of(sent: list[Notification], start_s: float = 1.7e9) -> Placed:
    """Everything that comes of the notifications that were not lost."""
    state, whole = RrState(), Placed()
    steps = [place_rr(n.packet, start_s + n.received_s, state)[0] for n in sent if not n.lost]
    for step in [*steps, flush_rr(state)[0]]:
        whole.beats += step.beats
        whole.gaps += step.gaps
        whole.events += step.events
        whole.anchors += step.anchors
    return whole


def intervals(placed: Placed) -> list[tuple[int, int]]:
    """Beat and length of every interval that no gap touches."""
    beats = np.array(placed.beats, np.int64)
    starts = np.array([gap.start for gap in placed.gaps], np.int64)
    crossed = np.searchsorted(starts, beats[1:]) > np.searchsorted(starts, beats[:-1])
    return [(a, b - a) for a, b, cut in zip(beats[:-1].tolist(), beats[1:].tolist(), crossed, strict=True) if not cut]


def score(rr: NDArray[np.int64], sent: list[Notification], placed: Placed) -> dict[str, Any]:
    """Figures of one record and link."""
    received = [i for n in sent if not n.lost for i in range(n.first, n.first + len(n.packet.rr))]
    true_at = np.concatenate(([0], np.cumsum(rr)))
    kept, false, errors_s, k = 0, 0, [], 0
    for at, length in intervals(placed):
        ahead = next((j for j in range(k, min(k + 50, len(received))) if rr[received[j]] == length), None)
        if ahead is None:
            false += 1
            continue
        kept, k = kept + 1, ahead + 1
        errors_s.append((true_at[received[ahead]] - at) / RR_HZ)
    lost = [(n.sent_s, float(rr[n.first : n.first + len(n.packet.rr)].sum()) / RR_HZ) for n in sent if n.lost]
    declared = [(gap.start / RR_HZ, (gap.stop - gap.start) / RR_HZ) for gap in placed.gaps if gap.cause == LOST]
    near = [min(lost, key=lambda one: abs(one[0] - at_s), default=None) for at_s, _ in declared]
    hits = [(gap, one) for gap, one in zip(declared, near, strict=True) if one and abs(one[0] - gap[0]) <= NEAR_S]
    errors = np.abs(errors_s)
    return {
        "hours": round(float(true_at[-1]) / RR_HZ / 3600, 3),
        "intervals": len(rr),
        "received": len(received),
        "kept": kept,
        "false": false,
        "losses": len(lost),
        "lost_s": round(sum(length for _, length in lost), 1),
        "declared": len(declared),
        "declared_s": round(sum(length for _, length in declared), 1),
        "declared_near_a_loss": len(hits),
        "length_errors_s": [round(gap[1] - one[1], 2) for gap, one in hits],
        "place_error_s": {"median": round(float(np.median(errors)), 2), "max": round(float(errors.max()), 2)},
    }


def run(data: Path | None, records: tuple[str, ...]) -> dict[str, Any]:
    """Score every record of the folder `data`, or those named, over both links."""
    import wfdb

    if data is None or not data.is_dir():
        raise UsageError("bench rr needs recordings", "Give a folder of WFDB records with .atr files as --data")
    names = records or tuple(p.stem for p in sorted(data.glob("*.atr")) if p.stem not in PACED)
    if not names:
        raise UsageError(f"{data} holds no .atr files", "Give a folder of WFDB records as --data")
    rows: list[dict[str, Any]] = []
    for number, name in enumerate(names):
        reference = wfdb.rdann(str(data / name), "atr")
        fs_hz = wfdb.rdheader(str(data / name)).fs
        symbols = zip(reference.sample, reference.symbol, strict=True)
        beats = np.array([sample for sample, symbol in symbols if symbol in LABEL_OF], np.float64)
        rr = np.diff(np.round(beats / fs_hz * RR_HZ).astype(np.int64))
        for link, latest_s in LINKS.items():
            sent = notifications(rr, latest_s, LOST_SHARE, np.random.default_rng((SEED, number)))
            rows.append({"record": name, "link": link, **score(rr, sent, placed_of(sent))})
    return {
        "command": f"anyecg bench rr --data {data.name}" + (f" --records {','.join(records)}" if records else ""),
        "rules": f"1 notification a second, 1 % lost, up to {LINKS['late']:g} s (late) or {LINKS['prompt']:g} s late",
        "machine": machine(),
        **{link: gross([row for row in rows if row["link"] == link]) for link in LINKS},
        "rows": [{key: value for key, value in row.items() if key != "length_errors_s"} for row in rows],
    }


def gross(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures over all records of one link."""
    total = {
        key: sum(row[key] for row in rows)
        for key in ("hours", "intervals", "received", "kept", "false", "losses", "lost_s", "declared", "declared_s")
    }
    errors_s = np.abs([error for row in rows for error in row["length_errors_s"]])
    near = sum(row["declared_near_a_loss"] for row in rows)
    return {
        "kept_percent_of_all": round(100 * total["kept"] / total["intervals"], 2),
        "kept_percent_of_received": round(100 * total["kept"] / total["received"], 2),
        "false_per_hour": round(total["false"] / total["hours"], 3),
        "losses": total["losses"],
        "declared": total["declared"],
        "declared_near_a_loss": near,
        "missing_s": {"true": round(total["lost_s"], 1), "declared": round(total["declared_s"], 1)},
        "gap_length_error_s": {
            "median": round(float(np.median(errors_s)), 2) if len(errors_s) else None,
            "p95": round(float(np.percentile(errors_s, 95)), 2) if len(errors_s) else None,
        },
        "place_error_s": {
            "median": round(float(np.median([row["place_error_s"]["median"] for row in rows])), 2),
            "max": max(row["place_error_s"]["max"] for row in rows),
        },
    }
