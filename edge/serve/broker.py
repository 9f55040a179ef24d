"""Brokers: where one is, how the topics on it are named, and two to run beside the gateway.

The only module that imports amqtt, whose configuration keys change between its minor versions.
"""

import asyncio
import getpass
import ipaddress
import logging
import re
import shutil
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeGuard

from edge.errors import ExtraMissing, LinkError, UsageError

ROOT = "anyecg"  # first level of every topic
ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # Home Assistant's alphabet
MAX_REPLY_CHARS = 256  # brokers allow 65535 bytes; real topics are a tenth of this
START_S = 5.0  # mosquitto listens after some milliseconds; a small board under load may take a second
SHUTDOWN_S = 5.0  # amqtt waits for its clients' goodbyes, and one of them may never come

_NOT_IN_TOPICS = re.compile(r"[+#\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Broker:
    """Where a broker is and how to enter it; what cannot work is a UsageError."""

    host: str = "127.0.0.1"
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    """Encrypt, and check the broker's certificate and name."""
    ca_file: str | None = None
    """PEM file of whoever signed the broker's certificate; None: the authorities the system knows."""

    def __post_init__(self) -> None:
        if not self.host or not 0 < self.port < 65_536:
            raise UsageError(f"No broker can be at {self.where}", "Give a host name and a port from 1 to 65535")
        if self.password is not None and self.username is None:
            raise UsageError("The broker's password has no user name", "Give both or neither")
        if self.ca_file is not None and not self.tls:
            raise UsageError("The broker's ca_file is of no use without tls", "Set tls = true")
        self.tls_context()

    def tls_context(self) -> ssl.SSLContext | None:
        """How to check the broker's certificate; None without tls. UsageError for a ca_file that is none."""
        try:
            return ssl.create_default_context(cafile=self.ca_file) if self.tls else None
        except OSError as error:
            raise UsageError(f"Cannot read {self.ca_file}: {error}", "Give a file of PEM certificates") from error

    @property
    def where(self) -> str:
        """Host and port, for people."""
        return f"{self.host}:{self.port}"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What speaks against using it, one sentence each."""
        if self.tls or is_loopback(self.host):
            return ()
        return (f"Health data travels unencrypted to {self.where}; set tls = true and the broker's TLS port.",)


def is_loopback(host: str) -> bool:
    """Whether nothing sent to `host` leaves this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True)
class Topics:
    """The topics of one device on one gateway; an id outside [a-zA-Z0-9_-]{1,64} is a UsageError."""

    gateway: str
    device: str

    def __post_init__(self) -> None:
        _level(self.gateway)
        _level(self.device)

    @property
    def base(self) -> str:
        """What all of them begin with, without the last slash."""
        return f"{ROOT}/{self.gateway}/{self.device}"

    @property
    def status(self) -> str:
        """Whether the gateway is online; retained."""
        return f"{self.base}/status"

    @property
    def state(self) -> str:
        """The live state; retained."""
        return f"{self.base}/state"

    @property
    def event(self) -> str:
        """What happens, as it happens."""
        return f"{self.base}/event"

    @property
    def ask(self) -> str:
        """Questions to the gateway."""
        return f"{self.base}/ask"

    @property
    def command(self) -> str:
        """Commands to the gateway."""
        return f"{self.base}/command"

    def alert(self, alert_id: str) -> str:
        """One alert; retained until it is acknowledged."""
        return f"{self.base}/alert/{_level(alert_id)}"

    def answer(self, question_id: str) -> str:
        """The answer to one question."""
        return f"{self.base}/answer/{_level(question_id)}"

    def answer_partial(self, question_id: str) -> str:
        """The words of an answer in the making."""
        return f"{self.answer(question_id)}/partial"


def _level(text: str) -> str:
    if not is_id(text):
        raise UsageError(f"{text!r} cannot stand in a topic", "Use 1 to 64 of the letters, digits, _ and -")
    return text


def is_id(text: object) -> TypeGuard[str]:
    """Whether `text` may be a level of a topic that others choose."""
    return isinstance(text, str) and ID.fullmatch(text) is not None


def topic_problem(topic: str) -> str:
    """Say why nothing can be published to `topic`; empty when it can."""
    if not topic:
        return "it is empty"
    if _NOT_IN_TOPICS.search(topic):
        return "it holds a wildcard or a control character"
    if len(topic.encode()) > 65_535:
        return "it is longer than 65535 bytes"
    return ""


def reply_problem(topic: str) -> str:
    """Say why answers may not go to `topic`, which a stranger chose; empty when they may.

    Below anyecg/ only answer topics are allowed: an answer sent to `ask` would be asked again, for ever,
    and one sent to `status` would tell everybody something false.
    """
    if problem := topic_problem(topic):
        return problem
    if len(topic) > MAX_REPLY_CHARS:
        return f"it is longer than {MAX_REPLY_CHARS} characters"
    if topic.startswith("$"):
        return "topics below $ belong to the broker"
    if topic.startswith(f"{ROOT}/") and topic.split("/")[3:4] != ["answer"]:
        return f"below {ROOT}/ answers go to answer topics only"
    return ""


def filter_problem(topic: str) -> str:
    """Say why nobody can subscribe to `topic`; empty when one can.

    In a filter + stands for any one level, and # in the last place for any further ones.
    """
    *levels, last = topic.split("/")
    plain = [level for level in [*levels, "x" if last == "#" else last] if level != "+"]
    return topic_problem("/".join(plain) or "x" * bool(topic))


@asynccontextmanager
async def embedded_broker(port: int = 0, host: str = "127.0.0.1") -> AsyncIterator[Broker]:
    """Run amqtt in this loop, for a demo or a gateway without a broker; it speaks MQTT 3.1.1 and forgets all.

    Anyone on this machine may use it, and therefore nobody else: a `host` beyond loopback is a UsageError.
    Port 0 takes a free one. LinkError when the port is taken.
    """
    if not is_loopback(host):
        raise UsageError(f"The embedded broker would let anyone in at {host}", "Use 127.0.0.1, or run mosquitto")
    try:
        import amqtt.broker
    except ImportError as error:
        raise ExtraMissing("amqtt", "mqtt") from error
    _quieten()
    bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    broker = amqtt.broker.Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": bind}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    try:
        await broker.start()
    except amqtt.broker.BrokerError as error:
        raise LinkError(f"Cannot listen on {host}:{port} ({error})", "Give another port") from error
    try:
        yield Broker(host, broker._servers["default"].instance.sockets[0].getsockname()[1])
    finally:
        try:
            await asyncio.wait_for(broker.shutdown(), SHUTDOWN_S)
        except TimeoutError:
            logging.getLogger(__name__).warning("The embedded broker did not stop within %g s", SHUTDOWN_S)


def _quieten() -> None:
    """Let amqtt say warnings only, and not those that this package causes and handles itself."""
    for name in ("amqtt", "transitions"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("amqtt.broker").addFilter(_unexpected)


def _unexpected(record: logging.LogRecord) -> bool:
    """False for MQTT 5 being tried and for a port being taken, which become a fallback and a LinkError."""
    text = record.getMessage()
    expected = (
        "Invalid connection from",
        "Failed to initialize client session: Invalid protocol",
        "Broker startup failed",
    )
    return not text.startswith(expected)


def find_mosquitto() -> str | None:
    """Path of the mosquitto program, also where a user's PATH omits it; None without one."""
    folders = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
    return shutil.which("mosquitto") or shutil.which("mosquitto", path=":".join(folders))


@asynccontextmanager
async def mosquitto_broker(port: int = 0, config: Sequence[str] = ("allow_anonymous true",)) -> AsyncIterator[Broker]:
    """Run mosquitto on loopback with further lines of configuration; it speaks MQTT 5 and keeps nothing.

    Leaving kills it without a goodbye, as a power cut would. Port 0 takes a free one. LinkError when the
    program is absent or does not start.
    """
    program = find_mosquitto()
    if program is None:
        raise LinkError("The program mosquitto is not installed", "Install it, for example: apt install mosquitto")
    port = _free_port(port)
    with tempfile.TemporaryDirectory(prefix="anyecg-mosquitto-") as folder:
        lines = ["log_dest stderr", "log_type error", f"listener {port} 127.0.0.1", *config]
        process = await asyncio.create_subprocess_exec(
            program,
            "-c",
            _write_config(Path(folder), lines),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        try:
            if not await _listens(port, process):
                said = "; ".join((await process.stderr.read()).decode(errors="replace").splitlines())
                raise LinkError(f"mosquitto did not start ({said})", "Check its configuration and port")
            yield Broker("127.0.0.1", port)
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


def _write_config(folder: Path, lines: list[str]) -> str:
    """As root mosquitto would become another user, who cannot read the folder."""
    file = folder / "mosquitto.conf"
    text = "\n".join([f"user {getpass.getuser()}", "persistence false", *lines, ""])
    file.write_text(text, encoding="utf-8")
    return str(file)


def _free_port(port: int) -> int:
    """`port`, or any free one for 0: mosquitto cannot choose, nor could another broker be told from it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections linger on a port
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LinkError(f"Cannot listen on 127.0.0.1:{port} ({error})", "Give another port") from error
        free: int = probe.getsockname()[1]
        return free


async def _listens(port: int, process: asyncio.subprocess.Process) -> bool:
    """Wait until it accepts connections; a process that lives without doing so is killed."""
    for _ in range(round(START_S / 0.02)):
        if process.returncode is not None:
            return False
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            await writer.wait_closed()
            return True
    process.kill()
    return False
