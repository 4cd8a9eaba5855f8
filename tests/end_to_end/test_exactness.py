"""Whatever happens to a run on its way, at the same step it has the same adapter, bit for bit."""

import contextlib
import os
import signal
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from safetensors.torch import load_file

from engine import control
from engine.contract.protocol import (
    Pause,
    Resume,
    RunResumed,
    SaveCheckpoint,
    StepCompleted,
    Stop,
    Validate,
    WorkerDied,
    WorkerStarted,
)
from engine.contract.run_dir import RunDir
from engine.contract.run_state import RunState

Launch = Callable[..., RunDir]
WatchRun = Callable[[RunDir], Any]


def adapter(run: RunDir) -> bytes:
    return (run.lora_weights / "adapter_model.safetensors").read_bytes()


@pytest.fixture
def reference(undisturbed: RunDir) -> bytes:
    assert undisturbed.state() is RunState.FINISHED
    return adapter(undisturbed)


def test_the_adapter_of_the_reference_has_learned_something(undisturbed: RunDir) -> None:
    weights = load_file(undisturbed.lora_weights / "adapter_model.safetensors")
    assert all(bool(tensor.any()) for name, tensor in weights.items() if "lora_B" in name)


def test_a_stop_and_a_resume_leave_no_trace(launch: Launch, watch: WatchRun, reference: bytes) -> None:
    run = launch()
    watch(run).until_step(5)
    assert control.send_and_wait(run, Pause()).obeyed  # wherever it stands now, most likely within a step
    assert control.send_and_wait(run, Stop(save=True)).obeyed
    assert run.state() is RunState.STOPPED
    stopped_at = int(max((path.name.split("-")[1] for path in run.checkpoints.iterdir()), key=int))
    assert 5 <= stopped_at < 40

    control.restart(run)
    records = watch(run).until_the_end()
    assert run.state() is RunState.FINISHED
    assert [r.event.from_step for r in records if isinstance(r.event, RunResumed)] == [stopped_at]
    assert adapter(run) == reference


def test_pause_validation_and_checkpoint_on_command_leave_no_trace(
    launch: Launch, watch: WatchRun, reference: bytes
) -> None:
    run = launch()
    watch(run).until_step(3)
    assert control.send_and_wait(run, Pause()).obeyed
    assert control.send_and_wait(run, Validate()).obeyed
    assert control.send_and_wait(run, SaveCheckpoint()).obeyed
    assert control.send_and_wait(run, Resume()).obeyed
    assert control.send_and_wait(run, Validate()).obeyed
    watch(run).until_the_end()
    assert adapter(run) == reference


def test_a_killed_worker_is_restarted_and_leaves_no_trace(launch: Launch, watch: WatchRun, reference: bytes) -> None:
    run = launch(checkpointing_steps=4)
    following = watch(run)
    pid = following.until(lambda event: isinstance(event, WorkerStarted)).event.pid
    following.until_step(6)
    os.kill(pid, signal.SIGKILL)
    records = following.until_the_end()
    died = next(r.event for r in records if isinstance(r.event, WorkerDied))
    assert died.cause.startswith("it was ended by SIGKILL")
    assert [r.event.from_step >= 4 for r in records if isinstance(r.event, RunResumed)] == [True]
    assert run.state() is RunState.FINISHED
    assert adapter(run) == reference


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
