"""Whatever happens to a run on its way, at the same step it has the same adapter, bit for bit."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from safetensors.torch import load_file

from engine import control
from engine.contract.journal import replay
from engine.contract.protocol import (
    LogRecorded,
    Pause,
    Resume,
    RunResumed,
    SaveCheckpoint,
    StepCompleted,
    Stop,
    Validate,
    ValidationLossMeasured,
    WorkerDied,
    WorkerStarted,
)
from engine.contract.run_dir import RunDir
from engine.contract.run_state import RunState
from tui.run_status import status
from tui.run_view import view_run

Launch = Callable[..., RunDir]
WatchRun = Callable[[RunDir], Any]


def adapter(run: RunDir) -> bytes:
    return (run.lora_weights / "adapter_model.safetensors").read_bytes()


@pytest.fixture
def reference(undisturbed: RunDir) -> bytes:
    assert undisturbed.state() is RunState.FINISHED
    return adapter(undisturbed)


def test_the_reference_has_learned_something(undisturbed: RunDir) -> None:
    weights = load_file(undisturbed.lora_weights / "adapter_model.safetensors")
    assert all(bool(tensor.any()) for name, tensor in weights.items() if "lora_B" in name)
    losses = [r.event.loss for r in replay(undisturbed.journal) if isinstance(r.event, ValidationLossMeasured)]
    assert losses[0] > losses[1] > losses[2]
    assert undisturbed.config().seed == 42 and losses[2] <= 0.7 * losses[0], "the demo learns with its own seed"


def test_commands_a_stop_and_a_resume_leave_no_trace(launch: Launch, watch: WatchRun, reference: bytes) -> None:
    run = launch()
    following = watch(run)
    following.until_step(3)
    for command in (Pause(), Validate(), SaveCheckpoint(), Resume(), Validate()):
        assert control.send_and_wait(run, command).obeyed
    step = view_run(run).step
    following.until_step(step + 2)
    assert control.send_and_wait(run, Pause()).obeyed  # wherever it stands now, most likely within a step
    assert control.send_and_wait(run, Stop(save=True)).obeyed
    assert run.state() is RunState.STOPPED
    stopped_at = int(max((path.name.split("-")[1] for path in run.checkpoints.iterdir()), key=int))
    assert step + 2 <= stopped_at < 40

    control.restart(run)
    records = watch(run).until_the_end()
    assert run.state() is RunState.FINISHED
    assert [r.event.from_step for r in records if isinstance(r.event, RunResumed)] == [stopped_at]
    assert adapter(run) == reference


def test_a_killed_worker_is_told_at_once_its_lost_steps_are_taken_back_and_it_leaves_no_trace(
    launch: Launch, watch: WatchRun, reference: bytes
) -> None:
    run = launch(checkpointing_steps=4)
    following = watch(run)
    pid = following.until(lambda event: isinstance(event, WorkerStarted)).event.pid
    following.until_step(6)
    killed = time.time()
    os.kill(pid, signal.SIGKILL)
    records = following.until_the_end()
    assert run.state() is RunState.FINISHED
    assert adapter(run) == reference
    (died,) = [r for r in records if isinstance(r.event, WorkerDied)]
    assert died.time - killed < 2
    assert isinstance(died.event, WorkerDied) and died.event.cause == "it was ended by SIGKILL"
    assert [r.event.from_step >= 4 for r in records if isinstance(r.event, RunResumed)] == [True]
    view = view_run(run)
    assert [step.step for step in view.steps] == [*range(1, 41)]
    assert [loss.step for loss in view.validation_losses] == [0, 20, 40]
    assert status(view)["restarts"] == 1
    left = [child for child in psutil.Process().children() if child.status() == psutil.STATUS_ZOMBIE]
    assert psutil.wait_procs(left, timeout=10)[1] == [], "a thread of this console waits for each supervisor"
    log_dirs = list(run.workspace.logs.glob(f"*/train_{run.name}/*"))
    assert [(folder / "worker_output.txt").read_text() for folder in log_dirs] == [""]
    assert not [r for r in records if isinstance(r.event, LogRecorded) and r.event.level == "error"]


def test_a_killed_supervisor_takes_nothing_with_it(launch: Launch, watch: WatchRun, reference: bytes) -> None:
    run = launch()
    following = watch(run)
    worker = following.until(lambda event: isinstance(event, WorkerStarted)).event.pid
    last = following.until_step(5)
    os.kill(int(run.lock.read_text()), signal.SIGKILL)
    wait_until_gone(worker)
    assert run.state() is RunState.INTERRUPTED
    assert any(run.checkpoints.iterdir()), "the orphan saved before it left"

    control.restart(run)
    resumed = following.until(lambda event: isinstance(event, RunResumed)).event
    assert resumed.from_step >= last.step
    records = following.until_the_end()
    assert [r.event.step for r in records if isinstance(r.event, StepCompleted)][-1] == 40
    assert adapter(run) == reference


def wait_until_gone(pid: int) -> None:
    """Until a process that is no child of ours has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(60)
