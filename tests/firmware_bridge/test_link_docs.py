"""docs/ecg-link.md says what the code does."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from link_tools import frames

from bench.link import PATTERNS, TARGET_PERCENT, c_cost, coding_table, cost_table, run
from edge.errors import UsageError
from firmware_bridge.link.frame import encode_frame
from firmware_bridge.link.info import CONTROL, DATA, INFO, LEAD_NAMES, SERVICE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "ecg-link.md").read_text(encoding="utf-8")
STUBS = """
#include <stddef.h>
#include <stdint.h>
void indicate(const uint8_t *value, size_t n);
int notify(const uint8_t *value, size_t n);
int converter_read(int32_t *counts);
uint16_t converter_lead_off(void), next_boot_number(void);
uint8_t battery_percent(void);
uint32_t clock_ms(void);
void sleep_until_interrupt(void), run(void), on_disconnected(void);
void on_control_written(const uint8_t *value, size_t n, uint16_t mtu);
"""


def test_the_example_frame_is_the_one_that_the_code_makes() -> None:
    block = re.search(r"```text\n([0-9a-f\s]+)```", PAGE)
    assert block is not None
    assert bytes.fromhex(block[1]) == encode_frame(frames()["example"])


def test_the_page_names_every_attribute_and_lead_code() -> None:
    assert all(f"`{uuid}`" in PAGE for uuid in (SERVICE, INFO, DATA, CONTROL))
    text = PAGE.replace("ECG (no standard name)", "ECG").replace("\n", " ")
    assert f"Name codes: {', '.join(f'{code} {name}' for code, name in enumerate(LEAD_NAMES))};" in text


def test_the_main_loop_on_the_page_compiles(tmp_path: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    block = re.search(r"```c\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    source = tmp_path / "loop.c"
    source.write_text(STUBS + block[1], encoding="utf-8")
    flags = "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{ROOT / 'firmware_bridge' / 'c'}"
    subprocess.run([compiler, *flags, "-c", str(source), "-o", str(tmp_path / "loop.o")], check=True)


def test_the_figures_on_the_page_are_those_of_the_last_measurement() -> None:
    result = json.loads((ROOT / "bench" / "results" / "link.json").read_text(encoding="utf-8"))
    assert coding_table(result) in PAGE
    assert cost_table(result) in PAGE
    assert f"{result['least_decoded_samples_per_s']:,} samples a second" in PAGE
    kinds = "as_recorded_percent", "as_24_bit_front_end_percent"
    assert all(row[kind]["247"] <= TARGET_PERCENT for row in result["rows"] for kind in kinds)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")
def test_the_c_header_stays_small() -> None:
    assert all(row["flash_bytes"] < 4000 and row["ram_bytes_without_ring"] <= 64 for row in c_cost())


def test_the_bench_without_its_data_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--data"):
        run(None, ())
    with pytest.raises(UsageError, match=re.escape(PATTERNS[0])):
        run(tmp_path, ())


@pytest.mark.data
def test_a_real_recording_is_coded_within_the_target(data: Path) -> None:
    [row] = run(data, ("mitdb/122",))["rows"]
    assert row["as_recorded_percent"]["247"] <= 24
    assert row["as_24_bit_front_end_percent"]["247"] <= TARGET_PERCENT
    assert row["decoded_samples_per_s"] >= 100_000
