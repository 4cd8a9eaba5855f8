"""From `shoelora-tui train` to the first step of the demo, and where the time goes; in real processes."""

import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from engine import control
from engine.contract import protocol as p
from engine.contract.journal import follow
from engine.contract.run_dir import RunDir, Workspace

pytestmark = pytest.mark.timeout(900)  # for machines that are busy
STARTS = 3  # after the first one, which draws the pictures and encodes them
STEPS = 11  # the fewest that the preset's schedule allows


@dataclass(frozen=True)
class Start:
    """Seconds since the command; `computed` are those of a processor that the worker has used, in any thread."""

    worker_started: float
    ready: float
    first_step: float
    validation: float
    computed: float
    parts: str

    @property
    def without_validation(self) -> float:
        """Seconds to the first step of a run that is not validated before it."""
        return self.first_step - self.validation


def test_from_the_command_to_the_first_step(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    first = start(workspace, "first")
    later = [start(workspace, f"later{number}") for number in range(STARTS)]
    print(f"\nDemo on {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}:")
    show("first start, which draws and encodes 96 pictures", first)
    show(f"best of {STARTS} later ones", min(later, key=lambda one: one.first_step))
    print(f"  least that a worker computed until its first step: {min(one.computed for one in later):.1f} s")


def show(what: str, one: Start) -> None:
    print(
        f"  {what}: {one.first_step:.1f} s from the command to the end of the first step,\n"
        f"    {one.without_validation:.1f} s without the validation before it; "
        f"worker started after {one.worker_started:.1f} s, computed {one.computed:.1f} s\n"
        f"    {one.parts}"
    )


def start(workspace: Workspace, name: str) -> Start:
    """Start a run as a user does, and stop it after its first step."""
    began = time.time()
    words = ["--workspace", str(workspace.root), "train", "--config", "demo", "--max_train_steps", str(STEPS)]
    command = [sys.executable, "-m", "tui.cli", *words, "--run_name", name, "--detach"]
    launched = subprocess.run(command, capture_output=True, text=True, check=False)
    assert launched.returncode == 0, launched.stderr
    run = RunDir(workspace.outputs / name)
    seen: dict[type[p.Event], float] = {}
    parts, pid = "", 0
    assert run.is_live()
    for record in follow(run.journal, until=lambda: not run.is_live()):
        event = record.event
        if isinstance(event, p.LogRecorded) and event.text.startswith("Ready to train"):
            parts, seen[p.LogRecorded] = event.text, record.time - began
        if isinstance(event, p.WorkerStarted):
            pid = event.pid
        if isinstance(event, p.WorkerStarted | p.ValidationImageSaved | p.StepCompleted):
            seen[type(event)] = record.time - began
        if isinstance(event, p.StepCompleted):
            break
    else:
        pytest.fail(run.journal.read_text()[-2000:])
    used = psutil.Process(pid).cpu_times()
    control.send(run, p.Stop(save=False))
    for _ in follow(run.journal, until=lambda: not run.is_live()):
        pass
    return Start(
        worker_started=seen[p.WorkerStarted],
        ready=seen[p.LogRecorded],
        first_step=seen[p.StepCompleted],
        validation=seen[p.ValidationImageSaved] - seen[p.LogRecorded],
        computed=used.user + used.system,
        parts=parts,
    )
