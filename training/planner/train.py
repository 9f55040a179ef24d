"""Train the question planner and write its bundle: `python -m training.planner.train`.

Training wordings: wordings_train*.csv. Kept out: wordings_heldout.csv, written by another author; a training wording
that occurs there too is dropped. C is chosen by cross-validation on the training wordings alone.
`--compare FILE.npz NAME` scores stored sentence embeddings (arrays `train`, `heldout`) beside it.
"""

import argparse
import csv
import json
import warnings
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from edge.ask.classify import Classifier, features
from edge.ask.plan import FORMS, TARGETS
from export.bundle import write_bundle

HERE = Path(__file__).parent
MODELS = HERE.parents[1] / "edge" / "models"
RESULTS = HERE.parents[1] / "bench" / "results"
SEED = 20261121


def read(name: str) -> list[dict[str, str]]:
    return [row for path in sorted(HERE.glob(name)) for row in csv.DictReader(path.open(encoding="utf-8"))]


def plain(question: str) -> str:
    return question.lower().strip(" ?!.")


def vocabulary(questions: list[str]) -> tuple[dict[str, int], np.ndarray]:
    """Words seen once or more, character n-grams seen in two questions or more; smooth idf."""
    seen: dict[str, int] = {}
    for question in questions:
        for feature in features(question):
            seen[feature] = seen.get(feature, 0) + 1
    kept = sorted(f for f, n in seen.items() if n >= (1 if f[0] == "w" else 2))
    idf = np.array([1 + np.log((1 + len(questions)) / (1 + seen[f])) for f in kept], np.float32)
    return {f: k for k, f in enumerate(kept)}, idf


def matrix(classifier: Classifier, questions: list[str]) -> np.ndarray:
    dense = np.zeros((len(questions), len(classifier.column)), np.float32)
    for row, question in enumerate(questions):
        columns, values = classifier.vector(question)
        dense[row, columns] = values
    return dense


def fit(x: np.ndarray, labels: list[str]) -> LogisticRegression:
    folds = StratifiedKFold(5, shuffle=True, random_state=SEED)
    search = GridSearchCV(LogisticRegression(max_iter=2000), {"C": [3.0, 10.0, 30.0, 100.0]}, cv=folds, n_jobs=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return search.fit(x, labels).best_estimator_


def columns(model: LogisticRegression, order: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    place = [list(model.classes_).index(name) for name in order]
    return model.coef_[place].T, model.intercept_[place]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compare", nargs=2, action="append", default=[], metavar=("FILE", "NAME"))
    args = parser.parse_args()
    heldout = read("wordings_heldout.csv")
    kept_out = {plain(row["question"]) for row in heldout}
    rows = read("wordings_train*.csv")
    keep = [k for k, row in enumerate(rows) if plain(row["question"]) not in kept_out]
    rows = [rows[k] for k in keep]
    questions, asked = [row["question"] for row in rows], [row["question"] for row in heldout]
    truth = {key: np.array([row[key] for row in heldout]) for key in ("target", "form")}

    column, idf = vocabulary(questions)
    empty = np.zeros((len(column), 0), np.float32)
    classifier = Classifier(column, idf, empty, np.zeros(0, np.float32))
    x, h = matrix(classifier, questions), matrix(classifier, asked)
    target, form = fit(x, [r["target"] for r in rows]), fit(x, [r["form"] for r in rows])
    scores = {
        "n-grams (shipped)": {
            "target": float(np.mean(target.predict(h) == truth["target"])),
            "form": float(np.mean(form.predict(h) == truth["form"])),
        }
    }
    for file, name in args.compare:
        with np.load(file) as stored:
            a, b = stored["train"][keep], stored["heldout"]
        for label, (ta, tb) in {
            name: (a, b),
            f"{name} with n-grams": (np.hstack([x, a]), np.hstack([h, b])),
        }.items():
            scores[label] = {
                key: float(np.mean(fit(ta, [r[key] for r in rows]).predict(tb) == truth[key])) for key in truth
            }
    wrong = [
        {"question": q, "is": t, "taken_for": p}
        for q, t, p in zip(asked, truth["target"], target.predict(h), strict=True)
        if t != p
    ]
    result = {
        "command": "python -m training.planner.train",
        "trained_on": len(rows),
        "kept_out": len(heldout),
        "dropped_because_kept_out": len(keep) - len(rows) + (len(read("wordings_train*.csv")) - len(keep)),
        "accuracy": {name: {k: round(v, 3) for k, v in s.items()} for name, s in scores.items()},
        "wrong": wrong,
    }
    print(json.dumps(result["accuracy"], indent=1))
    (RESULTS / "planner.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    weights, bias = zip(columns(target, TARGETS), columns(form, FORMS), strict=True)
    arrays = {
        "features": np.frombuffer("\n".join(column).encode(), np.uint8),
        "idf": idf.astype(np.float16),
        "weights": np.hstack(weights).astype(np.float16),
        "bias": np.hstack(bias).astype(np.float32),
    }
    folder = MODELS / "planner"
    folder.mkdir(exist_ok=True)
    np.savez_compressed(folder / "planner.npz", **arrays)
    write_bundle(
        folder,
        name="planner-ngrams",
        task="classify",
        licence="Apache-2.0",
        training_data=f"{len(rows)} question wordings in training/planner, written for this project",
        files={"planner": "planner.npz"},
    )


if __name__ == "__main__":
    main()
