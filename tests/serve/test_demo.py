"""`anyecg demo` from end to end, as a process."""

import subprocess
import sys
from pathlib import Path


def test_the_demo_ends_by_itself_with_answers_and_a_page(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "edge", "demo", "--out", str(tmp_path / "d"), "--speed", "100"],
        capture_output=True, text=True, timeout=200, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    assert run.stdout.count("\n? ") == 3
    assert run.stdout.count("[answered;") == 3
    assert "gap:" in run.stdout
    html = (tmp_path / "d" / "answers.html").read_text(encoding="utf-8")
    assert html.count("<svg") >= 3
