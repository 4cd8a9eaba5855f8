"""The short form of `make torture`, as a user would type it: a full disk and a power cut that tears files."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(300)  # half a minute on a core of its own
def test_tortured_runs_end_with_the_adapter_of_an_undisturbed_one() -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "tests.torture", "--trials", "2", "--seed", "15", "--jobs", "1"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "2 trials, 0 failures" in finished.stdout
