"""A stand-in for the language model's process that behaves or misbehaves: `python fake_model.py MODE FOLDER`.

Every start leaves a file named after its process id in FOLDER.
"""

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

MODE, FOLDER = sys.argv[1], Path(sys.argv[2])


def say(message: Any) -> None:
    print(json.dumps(message), flush=True)


def sleep() -> None:
    time.sleep(600)


def answer(number: int, prompt: str, starts: int) -> None:
    """One request: by default the fact, word by word, with another article."""
    found = re.search(r"Fact: (.*)\n", prompt)
    fact = found.group(1) if found else ""
    if MODE == "crash_once" and starts == 1:
        say({"id": number, "piece": "The mean"})
        sys.exit(1)
    if MODE == "crash_mid":
        say({"id": number, "piece": fact[:10]})
        sys.exit(1)
    if MODE == "hang":
        sleep()
    if MODE == "hang_mid":
        say({"id": number, "piece": fact[:10]})
        sleep()
    if MODE == "drip":
        for _ in range(35):
            say({"id": number, "piece": "a "})
            time.sleep(0.02)
    if MODE == "flood":
        while True:
            say({"id": 0, "piece": "a"})
    if MODE == "others":
        while True:
            say({"id": 0, "piece": "a"})
            time.sleep(0.01)
    if MODE == "not_json":
        print("Segmentation fault?", flush=True)
        sleep()
    if MODE == "nested":
        print("[" * 200_000, flush=True)
        sleep()
    if MODE == "not_text":
        os.write(1, b'\xff\xfe{"id"\n')
        sleep()
    if MODE == "no_piece":
        say({"id": number})
        sleep()
    if MODE == "number_piece":
        say({"id": number, "piece": 71})
        sleep()
    if MODE == "list":
        say([number, "piece"])
        sleep()
    words = {
        "wrong": "You have atrial fibrillation. " + fact,
        "wrong_number": re.sub(r"\d", "7", fact),
        "more": fact + " So the heart is healthy.",
        "empty": "",
        "stale": fact,
    }.get(MODE, fact.replace("The ", "Your ", 1))
    if MODE == "stale":
        say({"id": number - 1, "piece": "the tail of another answer"})
    for piece in re.split(r"(?<= )", words):
        say({"id": number, "piece": piece})
    say({"id": number, "done": True})


def main() -> None:
    (FOLDER / str(os.getpid())).touch()
    starts = len(list(FOLDER.iterdir()))
    if MODE == "crash_at_start":
        sys.exit(1)
    if MODE == "silent_at_start":
        sleep()
    first: Any = {"ready": True, "build": "fake"}
    say({"error_at_start": {"error": "OSError: no such file"}, "not_ready": {}, "list_at_start": []}.get(MODE, first))
    if MODE == "dies_idle":
        sys.exit(0)
    for line in sys.stdin:
        message = json.loads(line)
        if "prompt" in message:
            answer(message["id"], message["prompt"], starts)


main()
