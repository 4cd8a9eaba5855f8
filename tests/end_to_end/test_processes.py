"""Supervisor and worker as real processes: signals, second starts, failures, and what they leave behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine import control
from engine.contract.errors import CheckpointError, DataError, ModelError, RunError
from engine.contract.protocol import (
    CheckpointSaved,
    CommandRejected,
    Pause,
    RunFailed,
    RunResumed,
    StateChanged,
    Stop,
    WorkerDied,
    WorkerStarted,
)
from engine.contract.run_dir import RunDir, Workspace, list_runs
from engine.contract.run_state import RunState
from tui.cli import main
from tui.run_view import view_run

Launch = Callable[..., RunDir]
WatchRun = Callable[[RunDir], Any]


def supervisor_of(run: RunDir) -> int:
    return int(run.lock.read_text())


def test_one_small_supervisor_with_a_private_socket_ignores_sighup_and_saves_on_sigterm(
    launch: Launch, watch: WatchRun, capsys: pytest.CaptureFixture[str]
) -> None:
    """One run meets all of it, since each start of a worker costs seconds."""
    run = launch(max_train_steps=1000, checkpointing_steps=1000)
    following = watch(run)
    following.until_step(2)
    supervisor = supervisor_of(run)
    assert psutil.Process(supervisor).memory_info().rss < 40 * 2**20

    address = Path(json.loads(run.control.read_text())["socket"])
    assert oct(run.control.stat().st_mode & 0o777) == "0o600"
    assert oct(address.stat().st_mode & 0o777) == "0o600"
    assert oct(address.parent.stat().st_mode & 0o777) == "0o700"

    with pytest.raises(RunError, match="cannot be resumed"):
        control.restart(run)
    second = subprocess.run(
        [sys.executable, "-m", "engine.supervisor", str(run.path), str(run.path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert main(["--workspace", str(run.workspace.root), "resume", run.name]) == 1
    assert f"Process {supervisor} works on it" in capsys.readouterr().err
    assert second.returncode == 1
    assert f"held by process {supervisor}" in second.stderr
    assert "Traceback" not in second.stderr

    os.kill(supervisor, signal.SIGHUP)
    following.until_step(view_run(run).step + 3)
    os.kill(supervisor, signal.SIGTERM)
    records = following.until_the_end()
    assert [r.event.why for r in records if isinstance(r.event, CheckpointSaved)] == ["stop"]
    assert run.state() is RunState.STOPPED
    assert not address.exists()
    assert not run.control.exists()


def test_a_missing_folder_is_told_before_there_is_a_run(launch: Launch, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=str(tmp_path / "nowhere")):
        launch(Workspace(tmp_path), train_data_dir="nowhere")
    with pytest.raises(CheckpointError, match="no/checkpoint"):
        launch(Workspace(tmp_path), resume_from_checkpoint="no/checkpoint")
    with pytest.raises(ModelError, match="preview_decoder no/decoder/here"):
        launch(Workspace(tmp_path), preview_decoder="no/decoder/here", preview_steps=1)
    assert list_runs(Workspace(tmp_path)) == []


def test_a_data_set_without_captions_fails_in_words_and_goes_on_when_they_are_there(
    launch: Launch, watch: WatchRun, tmp_path: Path, shared_workspace: Workspace, undisturbed: RunDir
) -> None:
    assert undisturbed.state() is RunState.FINISHED  # its pictures are borrowed
    shoes = tmp_path / "shoes"
    shoes.mkdir()
    run = launch(Workspace(tmp_path), train_data_dir="shoes", max_train_steps=6)
    records = watch(run).until_the_end()
    (failed,) = [r.event for r in records if isinstance(r.event, RunFailed)]
    assert str(shoes) in failed.what
    assert run.state() is RunState.FAILED
    assert not any(isinstance(r.event, WorkerDied) for r in records), "a refusal is no crash: nothing to restart"

    shoes.rmdir()
    shoes.symlink_to(shared_workspace.outputs / ".demo" / "shoes")
    control.restart(run)
    watch(run).until_the_end()
    assert run.state() is RunState.FINISHED


def test_a_worker_that_keeps_dying_is_given_up(launch: Launch, watch: WatchRun) -> None:
    run = launch(max_restarts=1)
    following = watch(run)
    for _ in range(2):
        worker = following.until(lambda event: isinstance(event, WorkerStarted)).event.pid
        os.kill(worker, signal.SIGKILL)
    records = following.until_the_end()
    (failed,) = [r.event for r in records if isinstance(r.event, RunFailed)]
    assert failed.what.startswith("The worker died 2 times")
    assert run.state() is RunState.FAILED


def test_a_stop_while_preparing_is_obeyed(launch: Launch, watch: WatchRun) -> None:
    run = launch()
    with pytest.raises(RunError, match="preparing"):
        control.send(run, Pause())
    outcome = control.send_and_wait(run, Stop())
    assert (outcome.obeyed, outcome.text) == (True, "stopped at step 0; nothing was saved")
    records = watch(run).until_the_end()
    assert any(isinstance(r.event, CommandRejected) for r in records)
    assert run.state() is RunState.STOPPED
    assert not run.lora_weights.exists()


def test_a_paused_run_stays_paused_when_its_worker_is_killed(launch: Launch, watch: WatchRun) -> None:
    run = launch(max_train_steps=1000, checkpointing_steps=2)
    following = watch(run)
    worker = following.until(lambda event: isinstance(event, WorkerStarted)).event.pid
    following.until_step(4)
    assert control.send_and_wait(run, Pause()).obeyed
    following.until(lambda event: isinstance(event, StateChanged) and event.state == "paused")
    os.kill(worker, signal.SIGKILL)
    following.until(lambda event: isinstance(event, RunResumed))
    following.until(lambda event: isinstance(event, StateChanged) and event.state == "paused")
    assert control.send_and_wait(run, Stop(save=False)).obeyed
