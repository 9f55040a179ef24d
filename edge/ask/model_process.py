"""The language model in a process of its own: `python -m edge.ask.model_process GGUF`, JSON lines in and out.

In:  {"prefix": str} once, then {"id": n, "prompt": str, "max_tokens": n} per request, {"cancel": n} to give one up.
Out: {"ready": true, …} or {"error": str}; per request {"id": n, "piece": str} … {"id": n, "done": true}.
The prefix is decoded once and stays in the KV cache; each request decodes only what follows it.
"""

import json
import os
import queue
import sys
import threading
from typing import Any

CONTEXT_TOKENS = 2048
THREADS = max(1, min(4, (os.cpu_count() or 2) - 1))  # one core stays free for the recording; ggml spins on a shared one


def main() -> None:
    """Serve until standard input ends."""
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever llama.cpp prints must not mix with the protocol

    def send(message: dict[str, Any]) -> None:
        out.write(json.dumps(message, ensure_ascii=False) + "\n")
        out.flush()

    try:
        import llama_cpp

        model = llama_cpp.Llama(
            sys.argv[1], n_ctx=CONTEXT_TOKENS, n_threads=THREADS, n_threads_batch=THREADS, verbose=False
        )
        prefix = model.tokenize(json.loads(sys.stdin.readline())["prefix"].encode(), special=True)
        model.eval(prefix)
        gpu = "GPU offload" if llama_cpp.llama_supports_gpu_offload() else "CPU only"
        features = llama_cpp.llama_print_system_info().decode(errors="replace")
        build = f"llama-cpp-python {llama_cpp.__version__}, {gpu}, {' '.join(features.split())}"
        send({"ready": True, "build": build})
    except Exception as error:
        # Anything at all: the parent goes on without words, and `doctor` shows this line.
        send({"error": f"{type(error).__name__}: {error}"})
        return
    stop = {model.token_eos(), *model.tokenize(b"<|im_end|>", add_bos=False, special=True)}
    requests: queue.Queue[dict[str, Any] | None] = queue.Queue()
    given_up: set[int] = set()
    threading.Thread(target=_listen, args=(requests, given_up), name="requests", daemon=True).start()
    while (request := requests.get()) is not None:
        tokens = prefix + model.tokenize(request["prompt"].encode(errors="replace"), add_bos=False, special=True)
        pending = b""
        if len(tokens) + request["max_tokens"] < CONTEXT_TOKENS:
            for count, token in enumerate(model.generate(tokens, temp=0.0)):
                if token in stop or count >= request["max_tokens"] or request["id"] in given_up:
                    break
                pending += model.detokenize([token])
                try:
                    piece, pending = pending.decode(), b""
                except UnicodeDecodeError:  # a character that takes several tokens
                    continue
                send({"id": request["id"], "piece": piece})
        send({"id": request["id"], "done": True})


def _listen(requests: "queue.Queue[dict[str, Any] | None]", given_up: set[int]) -> None:
    """Sort what comes in; None at the end of input."""
    for line in sys.stdin:
        message = json.loads(line)
        if "cancel" in message:
            given_up.add(message["cancel"])
        else:
            requests.put(message)
    requests.put(None)


if __name__ == "__main__":
    main()
