"""The annotator from recordings to bundle: `python -m training.annotator --data DIR --out DIR [--folds] [--jobs 2]`.

DIR of `--data` holds mitdb, ludb and cinc2017. Writes OUT/annotator, the bundle that is shipped, trained on every
record; with `--folds` first OUT/folds/fold0 … fold4, each trained without the records in its held_out.json, for
`anyecg bench … --folds OUT/folds`. Seeded; what was done before is not done again, and an interrupted training goes
on. About half an hour a network on one core.
"""

import argparse
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

from training.annotator.data import FOLDS
from training.annotator.train import HELD_OUT


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with mitdb, ludb, cinc2017")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--folds", action="store_true", help="train the networks of the cross-validation, too")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at once; each uses one core")
    given = parser.parse_args()
    if find_spec("onnx") is None:  # it is wanted at the end, half an hour from now
        parser.error("onnx is not installed: pip install -e '.[train]'")
    given.out.mkdir(parents=True, exist_ok=True)
    rows = given.out / "rows.npz"
    if not rows.exists():
        step("data", "--data", given.data, "--out", rows)
    wanted = [*(str(k) for k in range(FOLDS) if given.folds), "all"]
    with ThreadPoolExecutor(given.jobs) as pool:
        list(pool.map(lambda fold: one(rows, given.out, fold), wanted))


def one(rows: Path, out: Path, fold: str) -> None:
    """Train one network and make its bundle."""
    trained = out / "trained" / fold
    bundle = out / "annotator" if fold == "all" else out / "folds" / f"fold{fold}"
    if not (trained / "model.pt").exists():
        step("train", "--rows", rows, "--fold", fold, "--out", trained)
    if not (bundle / HELD_OUT).exists():
        step("finish", "--rows", rows, "--trained", trained, "--out", bundle)


def step(module: str, *arguments: object) -> None:
    """Run one part in a process of its own."""
    subprocess.run([sys.executable, "-m", f"training.annotator.{module}", *map(str, arguments)], check=True)  # noqa: S603 - our own modules


if __name__ == "__main__":
    main()
