"""What each precision and torch.compile do to speed, memory and the validation loss; on whatever device there is."""

import os
import platform
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest
import torch

from engine import device as devices
from engine.contract.errors import DeviceError
from engine.contract.run_dir import Workspace
from tests.benchmarks.models import demo_config
from tests.benchmarks.trainer_alone import Told, TrainerAlone

ROUNDS = 10
STEPS = 4  # in each round


@pytest.mark.timeout(1800)
def test_modes_of_the_demo(tmp_path: Path) -> None:
    """A process for each mode, which do some steps by turns; all see the same samples."""
    device = devices.choose_device("auto")
    workspace = Workspace(tmp_path)
    print(
        f"\ndemo, {ROUNDS * STEPS} steps by turns, on {device.name}, {platform.machine()}, {os.cpu_count()} cores, "
        f"torch {torch.__version__}:\n"
        f"{'':<16}{'s a step':>9}{'ratio':>7}{'of processor':>14}{'peak GiB':>10}{'ratio':>7}{'loss':>9}{'change':>10}"
    )
    with ExitStack() as stack:
        rows: dict[str, TrainerAlone] = {}
        for precision in ("no", "fp16", "bf16"):
            name = "fp32" if precision == "no" else precision
            try:
                devices.choose_precision(precision, device)
                modes = (False, True) if device.name != "mps" else (False,)
            except DeviceError as refused:
                print(f"{name}: {refused.what}. {refused.why}")
                if device.name != "cpu":
                    continue
                modes = (False,)  # computed all the same, for its loss
            for compiles in modes:
                row = f"{name}, compiled" if compiles else name
                config = demo_config(workspace, mixed_precision=precision, torch_compile=compiles, device=device.name)
                rows[row] = stack.enter_context(TrainerAlone(config, tmp_path, row))
                rows[row].steps(2)  # one after the other, since each compiles with all cores
        told: dict[str, list[Told]] = {row: [] for row in rows}
        for number in range(ROUNDS):
            for row in sorted(rows, reverse=number % 2 == 1):
                told[row].append(rows[row].steps(STEPS))
        losses = {row: trainer.validation_loss() for row, trainer in rows.items()}
    for row, rounds in told.items():
        pairs = list(zip(rounds, told["fp32"], strict=True))
        clock = median(interval(own) / interval(plain) for own, plain in pairs)
        processor = median(own.computed / plain.computed for own, plain in pairs)
        peak, plain_peak = rounds[-1].peak, told["fp32"][-1].peak
        print(
            f"{row:<16}{median(map(interval, rounds)):9.3f}{clock:7.2f}{processor:14.2f}{peak / 2**30:10.2f}"
            f"{peak / plain_peak:7.2f}{losses[row]:9.4f}{losses[row] - losses['fp32']:+10.1e}"
        )


def interval(told: Told) -> float:
    """Seconds from one step to the next."""
    return median(later - earlier for earlier, later in pairwise(told.ends))
