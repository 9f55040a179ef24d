"""Train the annotator: `python -m training.annotator.train --rows FILE.npz --fold K --out DIR`.

`--fold all` trains on every record (the shipped weights); `--fold 0` … hold one fold of every set out. Seeded,
resumable: it goes on from DIR/checkpoint.pt. One fold takes about half an hour on one CPU core.
"""

import argparse
import json
import time
from pathlib import Path

import torch
import torch.nn.functional as nnf
from torch import Tensor

from training.annotator.batches import Batch, Sampler
from training.annotator.data import SEED, Row, fold_of, read
from training.annotator.model import Annotator

HELD_OUT = "held_out.json"
SOURCES = ("mitdb", "cinc2017", "ludb")
STEPS = 6000
LEARNING_RATE = 2.5e-3
P_WEIGHT = 0.1  # of P waves expected before normal beats, and of none in AF; marked ones teach where they begin and end
AVERAGE = 0.998  # of the weights over the steps; the average is what is kept


def loss_of(model: Annotator, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    """Sum of the tasks' losses, and each."""
    with torch.autocast("cpu", torch.bfloat16):
        waves, likely, classes = model(batch.signal, batch.recorded)
    each = nnf.binary_cross_entropy_with_logits(waves.float(), batch.waves, reduction="none") * batch.waves_mask
    wave_loss = each[:, :3].sum() / batch.waves_mask[:, :3].sum().clamp(min=1)
    beat_loss = each[:, 3].sum() / batch.waves_mask[:, 3].sum().clamp(min=1)
    likely_each = nnf.binary_cross_entropy_with_logits(likely.float(), batch.likely, reduction="none")
    likely_loss = (likely_each * batch.likely_mask).sum() / batch.likely_mask.sum().clamp(min=1)
    p_loss = torch.zeros(())
    for beats, sign in ((batch.expects_p, -1), (batch.expects_no_p, 1)):
        before = nnf.softplus(sign * take_before(waves[:, 0].float(), beats))
        p_loss = p_loss + (before * (beats >= 0)).sum() / (beats >= 0).sum().clamp(min=1)
    known = batch.classes >= 0
    class_loss = nnf.cross_entropy(classes.float()[known], batch.classes[known], label_smoothing=0.05)
    total = 2 * wave_loss + 6 * beat_loss + 1.5 * likely_loss + 0.5 * class_loss + P_WEIGHT * p_loss
    parts = {"wave": wave_loss, "beat": beat_loss, "p": p_loss, "likely": likely_loss, "class": class_loss}
    return total, {name: float(value.detach()) for name, value in parts.items()}


def take_before(p_logits: Tensor, beats: Tensor) -> Tensor:
    """Highest mean P logit over 72 ms, from 300 to 40 ms before each beat; (batch, n) and (batch, m) -> (batch, m).

    The mean, because the highest sample alone is satisfied by a spike that is no wave.
    """
    mean = nnf.avg_pool1d(nnf.pad(p_logits[:, None], (8, 0), value=-10.0), 9, stride=1)
    highest = nnf.max_pool1d(nnf.pad(mean, (23, 0), value=-30.0), 24, stride=1)[:, 0]
    return highest.gather(1, (beats - 5).clamp(min=0))


def held_out_of(rows: list[Row], fold: str) -> dict[str, list[str]]:
    """Records of each set that a fold never sees; none for "all"."""
    if fold == "all":
        return {}
    folds = {source: fold_of(source, sorted({r.record for r in rows if r.source == source})) for source in SOURCES}
    return {source: sorted(r for r, k in of.items() if k == int(fold)) for source, of in folds.items()}


def seen_rows(rows: list[Row], out: Path) -> list[Row]:
    """The rows that the training in `out` may see."""
    held_out = json.loads((out / HELD_OUT).read_text())
    return [r for r in rows if r.record not in held_out.get(r.source, [])]


def train(rows_file: Path, fold: str, out: Path, steps: int) -> None:
    """Run or resume one training; writes model.pt, held_out.json and log.jsonl into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    rows = read(rows_file)
    (out / HELD_OUT).write_text(json.dumps(held_out_of(rows, fold)))
    rows = seen_rows(rows, out)
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    model, average = Annotator(), Annotator()
    average.load_state_dict(model.state_dict())
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps + 1, pct_start=0.08)
    first = 0
    checkpoint = out / "checkpoint.pt"
    if checkpoint.exists():
        kept = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(kept["model"])
        average.load_state_dict(kept["average"])
        optimizer.load_state_dict(kept["optimizer"])
        schedule.load_state_dict(kept["schedule"])
        first = kept["step"]
    sampler = Sampler(rows, SEED + first)
    started, sums = time.monotonic(), dict[str, float]()
    for step in range(first, steps):
        loss, parts = loss_of(model, sampler.batch())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            keep = min(AVERAGE, (step + 1) / (step + 10))
            for mean, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
                if mean.dtype.is_floating_point:
                    mean.lerp_(new, 1 - keep)
                else:
                    mean.copy_(new)
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + value / 100
        if (step + 1) % 100 == 0:
            line = {
                "step": step + 1,
                "s": round(time.monotonic() - started),
                **{k: round(v, 4) for k, v in sums.items()},
            }
            with (out / "log.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
            sums = {}
        if (step + 1) % 500 == 0 or step + 1 == steps:
            states = {"model": model, "average": average, "optimizer": optimizer, "schedule": schedule}
            aside = checkpoint.with_suffix(".part")
            torch.save({**{k: v.state_dict() for k, v in states.items()}, "step": step + 1}, aside)
            aside.replace(checkpoint)
    torch.save(average.state_dict(), out / "model.pt")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--fold", default="all")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=STEPS)
    given = parser.parse_args()
    train(given.rows, given.fold, given.out, given.steps)


if __name__ == "__main__":
    main()
