"""Talks to the language model's process; a model that is missing, crashes or times out is a ModelError.

The process starts with the first question and serves all that follow. A crash is answered by one new start; what
crashes again without having served is left alone.
"""

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from edge.errors import ModelError
from edge.models.bundle import SHIPPED, Bundle, load_bundle
from edge.settings import AskSettings

MAX_STARTS = 2  # in a row without an answer
CANCEL_GRACE_S = 2.0  # a process that does not even give up a request is hung
MAX_WAITING_LINES = 1000  # an answer has a few dozen; more unread ones come from a process out of its mind
SEE_DOCTOR = "See `anyecg doctor`"
PROCESS_MODULE = "edge.ask.model_process"


class LanguageModel:
    """One language model in its process. `ask` may be called from one thread at a time; others wait."""

    def __init__(
        self,
        prefix: str,
        settings: AskSettings,
        bundle: Bundle | None = None,
        command: list[str] | None = None,
    ) -> None:
        """`command` replaces the process (for tests of crashes and silence)."""
        self._prefix = prefix
        self._settings = settings
        self._bundle = bundle or load_bundle(SHIPPED / "words")
        self._command = command
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._starts = 0
        self._lock = threading.Lock()
        self._closed = False
        self._next_id = 0
        self.status = "not started"
        """"ready", or why there are no words; shown by `anyecg doctor`."""

        self.build = ""
        """llama.cpp's version and what it accelerates with, once loaded."""

    @property
    def name(self) -> str:
        """The bundle's name."""
        return self._bundle.name

    @property
    def sha256(self) -> str:
        """Hash of the model file the bundle names."""
        return str(self._bundle.tables["language"]["sha256"])

    def start(self) -> None:
        """Load the model now; ModelError when it cannot serve. Harmless when it already does."""
        with self._lock:
            self._ensure()

    def start_in_background(self) -> None:
        """Begin to load; a failure shows with the first question, and in `status`."""

        def load() -> None:
            with suppress(ModelError):
                self.start()

        threading.Thread(target=load, name="language-model.start", daemon=True).start()

    def ask(self, prompt: str, on_piece: Callable[[str], bool], timeout_s: float) -> str:
        """Generate after the prefix; `on_piece` gets each piece and returns False to stop early.

        ModelError when the model is missing, crashes or is not done after `timeout_s`; the request is then given up,
        and a process that does not even do that is ended.
        """
        with self._lock:
            self._ensure()
            self._next_id += 1
            request = {"id": self._next_id, "prompt": prompt, "max_tokens": self._settings.max_words_tokens}
            self._send(request)
            text = ""
            deadline = time.monotonic() + timeout_s
            while True:
                message = self._receive(deadline + CANCEL_GRACE_S)
                if message.get("id") != self._next_id:
                    continue  # the tail of a request that was given up
                if message.get("done"):
                    self._starts = 0
                    return text
                piece = message.get("piece")
                if not isinstance(piece, str):
                    self._fail("it sent something unreadable")
                text += piece
                late = time.monotonic() > deadline
                if late or not on_piece(text):
                    self._send({"cancel": self._next_id})
                    self._starts = 0
                    if late:
                        raise ModelError(
                            f"The language model was not done after {timeout_s:g} s",
                            "The plain sentence is used",
                        )
                    return text

    def close(self) -> None:
        """End the process, also one that is loading or answering; no other is started."""
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()  # whoever holds the lock sees it end and lets go
        with self._lock:
            self._kill()

    def _ensure(self) -> None:
        if self._closed:
            raise ModelError("The language model was closed", "The plain sentence is used")
        if self._process is not None and self._process.poll() is None:
            return
        if self._starts >= MAX_STARTS:
            raise ModelError(f"The language model does not run: {self.status}")
        self._kill()
        self._starts += 1
        try:
            command = self._command or [sys.executable, "-m", PROCESS_MODULE, str(self._model_file())]
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
            self._lines = queue.Queue()
            self._reader = threading.Thread(
                target=_pump, args=(self._process, self._lines), name="language-model.read", daemon=True
            )
            self._reader.start()
            if self._closed:  # `close` came between its look at the process and this one's start
                self._fail("it was closed")
            self._send({"prefix": self._prefix})
            first = self._receive(time.monotonic() + self._settings.model_start_s)
            if "error" in first:
                raise ModelError(f"The language model did not load: {first['error']}", SEE_DOCTOR)
            if first.get("ready") is not True:
                self._fail("it sent something unreadable")
            self.status = "ready"
            self.build = str(first.get("build", ""))
        except (ModelError, OSError) as error:
            self.status = str(error).removesuffix(f". {SEE_DOCTOR}")
            self._kill()
            raise error if isinstance(error, ModelError) else ModelError(str(error)) from error

    def _model_file(self) -> Path:
        return self._bundle.file("language", "gguf")

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            self._fail("it ended", error)

    def _receive(self, deadline: float) -> dict[str, Any]:
        """The next message; what is not one, or comes after the deadline (monotonic clock), is a ModelError."""
        left_s = deadline - time.monotonic()
        try:
            if left_s <= 0:  # a flood of lines must not keep anyone here
                raise queue.Empty
            line = self._lines.get(timeout=left_s)
        except queue.Empty as error:
            self._fail("it took too long", error)
        if line is None:
            self._fail("it ended")
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as error:
            self._fail("it sent something unreadable", error)
        if not isinstance(message, dict):
            self._fail("it sent something unreadable")
        return message

    def _fail(self, why: str, cause: BaseException | None = None) -> NoReturn:
        self.status = f"The language model gave no answer: {why}"
        self._kill()
        raise ModelError(self.status, SEE_DOCTOR) from cause

    def _kill(self) -> None:
        """End the process and its reader; harmless when there is none."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        if self._reader is not None:
            self._reader.join(timeout=1.0)  # the pipe ends with the process
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError, ValueError):  # what was not sent cannot be any more
                    pipe.close()


def _pump(process: "subprocess.Popen[str]", lines: "queue.Queue[str | None]") -> None:
    """Lines of a process into a queue, then None; a process that floods it is ended."""
    assert process.stdout is not None
    with suppress(ValueError, OSError):
        for line in process.stdout:
            lines.put(line)
            if lines.qsize() > MAX_WAITING_LINES:
                process.kill()
                break
    lines.put(None)
