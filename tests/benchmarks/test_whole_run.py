"""Seconds of a step with supervisor, journal, TensorBoard and a console attached, over those of the trainer alone."""

import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest

from engine import control
from engine.contract import protocol as p
from engine.contract.journal import follow
from engine.contract.run_dir import RunDir, Workspace
from tests.benchmarks.bare_terminal import BareTerminal
from tests.benchmarks.models import demo_config
from tests.benchmarks.trainer_alone import TrainerAlone

ROUNDS = 12
STEPS = 8  # in each round


@pytest.mark.timeout(1200)
def test_a_step_of_a_run_that_is_watched(tmp_path: Path) -> None:
    """By turns in one machine: the run is paused while the trainer alone works, which waits while the run goes on."""
    workspace = Workspace(tmp_path)
    never = 10_000_000
    config = demo_config(
        workspace, device="cpu", max_train_steps=never, num_validation_images=0, validation_steps=never,
        checkpointing_steps=never,
    )  # fmt: skip
    run = control.launch(workspace, config)
    watched, alone = [], []
    try:
        with BareTerminal(tmp_path, "attach", run.name) as console, emptied(console):
            blocks = Blocks(run)
            blocks.step_times(3)
            with TrainerAlone(run.config(), tmp_path, "alone") as trainer:
                trainer.steps(3)
                for _ in range(ROUNDS):
                    watched.append(median_interval(blocks.step_times(STEPS)))
                    alone.append(median_interval(trainer.steps(STEPS).ends))
    finally:
        if run.is_live():
            control.send_and_wait(run, p.Stop(save=False))
    ratio = median(whole / bare for whole, bare in zip(watched, alone, strict=True))
    print(
        f"\ndemo, a run with supervisor, journal, TensorBoard and a console: {median(watched):.3f} s a step, the "
        f"trainer alone {median(alone):.3f} s, ratio {ratio:.3f}, median of {ROUNDS} rounds of {STEPS} steps; "
        f"{platform.machine()}, {os.cpu_count()} cores, 1 thread, load {os.getloadavg()[0]:.1f}"
    )


class Blocks:
    """Some steps of a run at a time; it is paused in between."""

    def __init__(self, run: RunDir) -> None:
        self._run, self._seen = run, 0

    def step_times(self, count: int) -> list[float]:
        """When each of some steps was completed, and of the one more that a pause comes too late for."""
        if self._seen:
            control.send_and_wait(self._run, p.Resume())
        times: list[float] = []
        for record in follow(self._run.journal, until=lambda: not self._run.is_live(), after_seq=self._seen):
            self._seen = record.seq
            if isinstance(record.event, p.StateChanged) and record.event.state == "paused":
                return times
            if isinstance(record.event, p.StepCompleted):
                times.append(record.time)
                if len(times) == count:
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
