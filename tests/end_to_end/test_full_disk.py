"""A disk that is full while a run shall stop: it can still be steered, by a user and by the system."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine import control
from engine.contract.protocol import CheckpointSaved, StateChanged, Stop
from engine.contract.run_dir import RunDir
from engine.contract.run_state import RunState

Launch = Callable[..., RunDir]
WatchRun = Callable[[RunDir], Any]
FAULTS = Path(__file__).parents[1] / "torture" / "faults"


@pytest.fixture
def disk_full(shared_workspace: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """While this file exists, the system refuses to write anything but the journal into the workspace."""
    flag, plan = tmp_path / "disk_full", tmp_path / "plan.json"
    content = {
        "workspace": str(shared_workspace.root), "spared": ["*/events.jsonl", "*/main_log.txt"],
        "disk_full": str(flag), "refused": str(tmp_path / "refused.log"), "faults": [],
    }  # fmt: skip
    plan.write_text(json.dumps(content))
    monkeypatch.setenv("SHOELORA_TORTURE", str(plan))
    monkeypatch.setenv("PYTHONPATH", str(FAULTS))
    return flag


def is_paused(event: object) -> bool:
    return isinstance(event, StateChanged) and event.state == "paused"


def test_a_stop_that_cannot_save_may_be_asked_again_without_saving(
    launch: Launch, watch: WatchRun, disk_full: Path
) -> None:
    run = launch(max_train_steps=5000, checkpointing_steps=5000, validation_steps=5000)
    following = watch(run)
    following.until_step(3)
    disk_full.touch()
    first = control.send(run, Stop(save=True))
    paused = following.until(is_paused).event
    assert paused.reason == "the disk is full: a checkpoint could not be written"
    assert control.send_and_wait(run, Stop(save=False)).obeyed
    assert run.state() is RunState.STOPPED
    answers = [record.event for record in following.until_the_end() if record.command_id == first.id]
    assert [answer.outcome.partition("; ")[2] for answer in answers] == ["nothing was saved"]


def test_sigterm_on_a_full_disk_ends_the_run_and_saves_if_there_is_room_by_then(
    launch: Launch, watch: WatchRun, disk_full: Path
) -> None:
    run = launch(max_train_steps=5000, checkpointing_steps=5, validation_steps=5000)
    following = watch(run)
    following.until_step(3)
    disk_full.touch()
    following.until(is_paused)
    disk_full.unlink()
    os.kill(int(run.lock.read_text()), signal.SIGTERM)
    records = following.until_the_end()
    assert run.state() is RunState.STOPPED
    assert [record.event.why for record in records if isinstance(record.event, CheckpointSaved)] == ["stop"]
