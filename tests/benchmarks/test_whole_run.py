"""Seconds of a step with supervisor, journal, TensorBoard and a console attached, over those of the trainer alone."""

import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import psutil
import pytest

from engine import control
from engine.contract import protocol as p
from engine.contract.config import TrainingConfig
from engine.contract.journal import follow
from engine.contract.run_dir import RunDir, Workspace
from engine.demo.drawing import draw_dataset
from tests.benchmarks.bare_terminal import BareTerminal
from tests.benchmarks.models import demo_config, write_sd15
from tests.benchmarks.trainer_alone import TrainerAlone

NEVER = 10_000_000


@dataclass(frozen=True)
class Pace:
    """Seconds of one step: by the clock, and of the processor in all threads of the process that trains."""

    clock: float
    processor: float


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("model", "rounds", "steps"), [("demo", 24, 8), ("SD 1.5, 256 px, one sample", 8, 3)])
def test_a_step_of_a_run_that_is_watched(model: str, rounds: int, steps: int, tmp_path: Path) -> None:
    """By turns in one machine: the run is paused while the trainer alone works, which waits while the run goes on."""
    workspace = Workspace(tmp_path)
    unended = {"max_train_steps": NEVER, "validation_steps": NEVER, "checkpointing_steps": NEVER}
    if model == "demo":
        config = demo_config(workspace, device="cpu", num_validation_images=0, **unended)
    else:
        write_sd15(tmp_path / "model")
        draw_dataset(tmp_path / "data", count=16, resolution=256)
        config = TrainingConfig.model_validate({
            "pretrained_model_name_or_path": str(tmp_path / "model"), "train_data_dir": str(tmp_path / "data"),
            "resolution": 256, "train_batch_size": 1, "gradient_accumulation_steps": 1, "lr_warmup_steps": 0,
            "gradient_checkpointing": "none", "device": "cpu", "num_validation_images": 0, **unended,
        })  # fmt: skip
    run = control.launch(workspace, config)
    watched, alone = [], []
    try:
        with BareTerminal(tmp_path, "attach", run.name) as console, emptied(console):
            blocks = Blocks(run)
            blocks.pace(3)
            with TrainerAlone(run.config(), tmp_path, "alone") as trainer:
                trainer.steps(3)
                for _ in range(rounds):
                    watched.append(blocks.pace(steps))
                    told = trainer.steps(steps)
                    alone.append(Pace(median_interval(told.ends), told.computed / steps))
    finally:
        if run.is_live():
            control.send_and_wait(run, p.Stop(save=False))
    pairs = list(zip(watched, alone, strict=True))
    clock = median(whole.clock / bare.clock for whole, bare in pairs)
    processor = median(whole.processor / bare.processor for whole, bare in pairs)
    print(
        f"\n{model}, a run with supervisor, journal, TensorBoard and a console: {median(w.clock for w in watched):.3f} "
        f"s a step, the trainer alone {median(a.clock for a in alone):.3f} s, ratio {clock:.3f}, of the worker's "
        f"processor time {processor:.3f}, median of {rounds} rounds of {steps} steps; {platform.machine()}, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )


class Blocks:
    """Some steps of a run at a time; it is paused in between."""

    def __init__(self, run: RunDir) -> None:
        self._run, self._seen = run, 0
        self._worker: psutil.Process | None = None

    def pace(self, count: int) -> Pace:
        """Of some steps, from the end of the first to that of the last."""
        if self._seen:
            control.send_and_wait(self._run, p.Resume())
        ends: list[float] = []
        computed: list[float] = []
        for record in follow(self._run.journal, until=lambda: not self._run.is_live(), after_seq=self._seen):
            self._seen = record.seq
            match record.event:
                case p.WorkerStarted(pid=pid):
                    self._worker = psutil.Process(pid)
                case p.StateChanged(state="paused"):
                    return Pace(median_interval(ends), (computed[-1] - computed[0]) / (len(computed) - 1))
                case p.StepCompleted() if self._worker:
                    ends.append(record.time)
                    times = self._worker.cpu_times()
                    computed.append(times.user + times.system)
                    if len(ends) == count:
                        control.send(self._run, p.Pause())
        pytest.fail(self._run.journal.read_text()[-2000:])


@contextmanager
def emptied(console: BareTerminal) -> Iterator[None]:
    """Read what the console writes, as a terminal does, so that it never waits."""
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            console.rest(0.2)

    reader = threading.Thread(target=read)
    reader.start()
    yield
    ended.set()
    reader.join()


def median_interval(times: list[float]) -> float:
    """Seconds from one step to the next."""
    return median(later - earlier for earlier, later in pairwise(times))
