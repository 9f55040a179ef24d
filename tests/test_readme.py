"""What the README shows is what the commands print."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
TRANSCRIPT = README.split("## What it looks like")[1].split("```")[1]
STEPS = re.findall(r"\$ anyecg (.+)\n(.+)", TRANSCRIPT)


@pytest.mark.parametrize(("command", "shown"), STEPS, ids=[step[0] for step in STEPS])
def test_the_transcript_is_what_the_command_prints(command: str, shown: str, tmp_path: Path) -> None:
    args = shlex.split(command) + (["--no-model"] if command.startswith("ask") else [])
    run = subprocess.run(
        [sys.executable, "-m", "edge", *args], capture_output=True, text=True, timeout=60, check=True, cwd=tmp_path
    )
    printed = run.stdout.splitlines()[0]
    assert printed.startswith(shown.removesuffix(" …")) if shown.endswith("…") else printed == shown


def test_every_command_and_file_that_the_readme_names_exists() -> None:
    root = Path(__file__).parents[1]
    for script in re.findall(r"scripts/\w+", README):
        assert (root / script).is_file()
    for link in re.findall(r"\]\((\w[\w/.]+)\)", README):
        assert (root / link).is_file()
    assert len(STEPS) == 5
