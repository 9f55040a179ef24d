"""The C header against the Python code: the same bytes in both directions, and no bytes that make its decoder fail."""

import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from link_tools import HALF, damaged, frames, info_of, infos, wave

from firmware_bridge.link import rice
from firmware_bridge.link.device import STOP_COMMAND, LinkDevice, start_command
from firmware_bridge.link.frame import MOST_BYTES, NO_BATTERY, OVERHEAD, LinkFrame, crc, decode_frame, encode_frame
from firmware_bridge.link.info import LEAD_NAMES, LinkInfo

ROOT = Path(__file__).parents[2]
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{ROOT / 'firmware_bridge' / 'c'}")
SANITIZED = ("-g", "-O2", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
REASONS = {-1: "length", -2: "version", -3: "crc", -4: "samples"}

Run = Callable[..., list[str]]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test program with sanitizers."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    path = tmp_path_factory.mktemp("c") / "ecg_link_test"
    source = str(Path(__file__).with_name("ecg_link_test.c"))
    probe = path.with_name("probe.c")
    probe.write_text("int main(void) { return 0; }\n")
    has_sanitizers = not subprocess.run([compiler, *SANITIZED, str(probe), "-o", str(path)], check=False).returncode
    subprocess.run([compiler, *STRICT, *(SANITIZED if has_sanitizers else ()), source, "-o", str(path)], check=True)
    return path


@pytest.fixture
def run(program: Path) -> Run:
    def lines(text: str = "", *arguments: str) -> list[str]:
        done = subprocess.run([program, *arguments], input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout.splitlines()

    return lines


def words(*values: str | int) -> str:
    return " ".join(value if isinstance(value, str) else str(int(value)) for value in values)


def head_of(frame: LinkFrame) -> tuple[int, ...]:
    battery = NO_BATTERY if frame.battery is None else frame.battery
    times = frame.sequence, frame.counter, frame.time_ms
    return frame.counts.shape[1], frame.marked, battery, frame.boot, frame.lead_off, *times


def encode_line(frame: LinkFrame) -> str:
    n_leads, *rest = head_of(frame)
    return words("E", n_leads, len(frame.counts), *rest, *frame.counts.ravel())


def decoded_line(value: bytes) -> str:
    """What the C program prints for these bytes, if it decodes as Python does."""
    frame = decode_frame(value)
    if not isinstance(frame, LinkFrame):
        return words(next(number for number, reason in REASONS.items() if reason == frame))
    return words(len(frame.counts), *head_of(frame), *frame.counts.ravel())


def info_words(info: LinkInfo) -> str:
    leads = [number for lead in info.leads for number in (LEAD_NAMES.index(lead.name), lead.pv_per_count)]
    head = info.device_id.hex(), len(info.leads), info.adc_bits, info.mtu, info.rate_mhz, info.ring_frames
    return words(*head, *leads)


def random_frames(n: int, seed: int) -> list[LinkFrame]:
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(n):
        shape = int(rng.integers(1, 40)), int(rng.integers(1, 5))
        step = rng.integers(-(2 ** rng.integers(1, 19)), 2 ** rng.integers(1, 19), shape)
        counts = np.clip(np.cumsum(step, axis=0) if rng.random() < 0.6 else step, -HALF, HALF - 1).astype(np.int32)
        fields = [int(v) for v in rng.integers(0, 2**32, 3)]
        frame = LinkFrame(int(rng.integers(2**16)), *fields, counts, int(rng.integers(2**16)), int(rng.integers(101)))
        if len(rice.encode(counts)) + OVERHEAD <= MOST_BYTES:
            made.append(frame)
    return made


def test_c_and_python_encode_alike(run: Run) -> None:
    given = [*frames().values(), *random_frames(300, seed=1)]
    assert run("\n".join(map(encode_line, given))) == [encode_frame(frame).hex() for frame in given]


def test_c_and_python_decode_alike(run: Run) -> None:
    values = [encode_frame(frame) for frame in [*frames().values(), *random_frames(300, seed=2)]]
    values += [value for value, _ in damaged().values()]
    assert run("\n".join(f"D {value.hex() or '-'}" for value in values)) == [decoded_line(value) for value in values]


def test_c_and_python_agree_on_damaged_frames_whose_crc_fits(run: Run) -> None:
    chance = random.Random(3)
    values = []
    for frame in random_frames(2000, seed=3):
        body = bytearray(encode_frame(frame)[:-2])
        for _ in range(chance.randint(1, 4)):
            at = chance.choice((2, chance.randrange(len(body))))
            body[at] ^= 1 << chance.randrange(8)
        values.append(bytes(body) + crc(bytes(body)).to_bytes(2, "little"))
    expected = [decoded_line(value) for value in values]
    assert run("\n".join(f"D {value.hex()}" for value in values)) == expected
    assert 100 < sum(line == "-4" for line in expected) < len(expected) - 100


def test_c_and_python_write_the_same_info(run: Run) -> None:
    given = list(infos().values())
    assert run("\n".join(f"I {info_words(info)}" for info in given)) == [info.to_bytes().hex() for info in given]


@pytest.mark.parametrize(("n_leads", "mtu", "seed"), [(1, 64, 1), (2, 64, 2), (2, 247, 3), (3, 120, 4), (12, 247, 5)])
def test_c_and_python_devices_behave_alike(run: Run, n_leads: int, mtu: int, seed: int) -> None:
    chance = random.Random(seed)
    info = info_of(n_leads, mtu, ring_frames=7)
    device = LinkDevice(info, ring_frames=7, max_samples=60, boot=9)
    lines, expected = [words("N", info_words(info), 60, 9)], []
    counts = wave(4000, n_leads, seed)
    at = 0
    while at < len(counts):
        kind = chance.choice("SSSSSSSSSXXXXXCCQL")
        if kind == "S":
            for _ in range(chance.randint(1, 40)):
                if at < len(counts):
                    state = chance.choice((0, 0, 1)), chance.randint(0, 100), chance.random() < 0.05
                    lines.append(words("S", 4 * at, *state, *counts[at]))
                    device.sample(counts[at : at + 1], 4 * at, state[0], state[1], marked=state[2])
                    at += 1
        elif kind == "X":
            lines.append("X")
            value = device.next_value(mtu)
            expected.append("-" if value is None else value.hex())
        elif kind == "C":
            start = start_command(chance.choice((9, 9, 8)), chance.randint(0, 60))
            written = chance.choice((start, start, start_command(), STOP_COMMAND, b"\x07", b"\x01\x02"))
            given_mtu = chance.choice((mtu, mtu, 517, 23))
            lines.append(words("C", given_mtu, written.hex()))
            expected.append(device.command(written, given_mtu).hex())
        elif kind == "Q" and chance.random() < 0.3:
            lines.append("Q")
            device.disconnected()
        elif kind == "L" and chance.random() < 0.3:
            lines.append("L 11")
            device.lost(11)
    assert run("\n".join(lines)) == expected
    assert sum(len(line) > 24 for line in expected) > 10


def test_no_bytes_make_the_c_decoder_fail(run: Run) -> None:
    # With sanitizers, from buffers of exact size; what decodes is encoded and decoded again inside the program.
    [line] = run("", "fuzz", "200000", "7")
    good, refused = map(int, line.split())
    assert good + refused == 200_000
    assert good > 20_000
    assert refused > 20_000
