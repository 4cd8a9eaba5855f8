"""What every tool does when it cannot go on: words and an exit code, never a traceback for what can be foreseen."""

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import tool
from engine.contract.config import TrainingConfig


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[BaseException], int]:
    """Runs a tool that ends in an error; returns the exit code."""

    def run(error: BaseException) -> int:
        def fail(*_: object) -> int:
            raise error

        monkeypatch.setattr("sys.argv", ["tool", f"--workspace={tmp_path}"])
        monkeypatch.setattr("sys.stdin", io.StringIO(TrainingConfig().model_dump_json()))
        return tool.run(argparse.ArgumentParser(), fail)

    return run


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (RuntimeError("MPS backend out of memory (MPS allocated: 17.60 GB)\nmore"), "MPS backend out of memory (MPS"),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:117] can't allocate memory: you tried"), "can't allocate memory"),
        (MemoryError(), "The system gave no more."),
    ],
)
def test_memory_that_runs_out_is_told_with_what_to_do(
    ending: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str], error: BaseException, why: str
) -> None:
    assert ending(error) == 1
    what, reason, remedy = capsys.readouterr().err.strip().splitlines()
    assert what == "Memory ran out"
    assert why in reason
    assert "lower train_batch_size or resolution" in remedy


def test_an_error_that_nobody_foresaw_is_not_hidden(ending: Callable[[BaseException], int]) -> None:
    with pytest.raises(RuntimeError, match="shapes do not match"):
        ending(RuntimeError("shapes do not match"))
