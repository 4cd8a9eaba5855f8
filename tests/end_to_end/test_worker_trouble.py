"""Workers that hang, that the system kills for memory, and supervisors that are killed or find the disk full."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine import control
from engine.contract import protocol as p
from engine.contract.adjustments import read_adjustments
from engine.contract.config_file import find_config, load_config
from engine.contract.journal import JournalReader, replay
from engine.contract.run_dir import RunDir, Workspace, create_run
from engine.contract.run_state import RunState
from engine.contract.wire import encode_request
from tests.end_to_end.conftest import SETTINGS
from tui.cli import main
from tui.run_status import status
from tui.run_view import view_run

Launch = Callable[..., RunDir]
WatchRun = Callable[[RunDir], Any]

# A supervisor for which Linux counts the processes that it has killed for memory in a file of the test's, and which
# takes this system for macOS where it is about keeping it awake.
WITH_A_COUNTER = """
import os, platform, sys
from pathlib import Path
from engine import cause_of_death, supervisor
if __name__ == "__main__":  # not in the worker, which imports this
    cause_of_death.PROC = cause_of_death.CGROUPS = Path(sys.argv.pop())
    platform.system = lambda: "Darwin"
    os.environ["PATH"] = str(cause_of_death.PROC)
    sys.exit(supervisor.main())
"""


def is_worker_started(event: p.Event) -> bool:
    return isinstance(event, p.WorkerStarted)


def test_a_worker_that_hangs_is_shown_and_restarted_and_a_killed_supervisor_leaves_no_trace(
    launch: Launch, watch: WatchRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run = launch(max_train_steps=5000, checkpointing_steps=4, num_validation_images=0, max_restarts=0)
    following = watch(run)
    worker = following.until(is_worker_started).event.pid
    following.until_step(20)
    os.kill(worker, signal.SIGSTOP)
    accepted = control.send(run, p.Pause())
    send_garbage(run)
    stalled = following.until(lambda event: isinstance(event, p.WorkerStalled)).event
    assert stalled.seconds >= 10
    told = status(view_run(run))
    assert (told["state"], told["worker_pid"]) == ("running", worker)
    assert told["stalled_seconds"] >= 10

    assert main(["--workspace", str(run.workspace.root), "restart-worker", run.name]) == 0
    records = replay(run.journal)
    new = [record.event.pid for record in records if isinstance(record.event, p.WorkerStarted)][-1]
    assert f"worker {new} was started" in capsys.readouterr().out
    assert not psutil.pid_exists(worker)
    (rejected,) = [record for record in records if isinstance(record.event, p.CommandRejected)]
    assert (rejected.command_id, rejected.event) == (
        accepted.id,
        p.CommandRejected("Pause", "the worker was restarted"),
    )
    for refused in ("wrong key", "not a request: not JSON"):
        watch(run).until(lambda event, refused=refused: isinstance(event, p.LogRecorded) and refused in event.text)
    resumed = following.until(lambda event: isinstance(event, p.RunResumed)).event
    following.until_step(resumed.from_step + 1)
    assert status(view_run(run))["stalled_seconds"] is None

    address = Path(json.loads(run.control.read_text())["socket"])
    process = psutil.Process(new)
    os.kill(int(run.lock.read_text()), signal.SIGKILL)
    process.wait(30)
    assert run.state() is RunState.INTERRUPTED
    assert not address.exists() and not run.control.exists()
    (output,) = run.workspace.logs.glob(f"*/train_{run.name}/*/worker_output.txt")
    assert output.read_text() == ""


def send_garbage(run: RunDir) -> None:
    """What a stranger might send: a request with a wrong key, and no request at all."""
    for line in (encode_request(p.Request(p.Stop()), "0" * 64).encode(), b"\xff"):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(json.loads(run.control.read_text())["socket"])
            client.sendall(line + b"\n")
            assert json.loads(client.makefile().readline())["accepted"] is False


def test_a_worker_killed_for_memory_goes_on_with_half_the_batch_and_the_journal_survives_a_full_disk(
    shared_workspace: Workspace, watch: WatchRun, tmp_path: Path
) -> None:
    settings = {"train_batch_size": 4, "max_train_steps": 5000, "num_validation_images": 0, "run_name": "memory"}
    config = load_config(find_config("demo", shared_workspace.root), {**SETTINGS, **settings})
    run = create_run(shared_workspace, "memory", control.resolve(shared_workspace, config))
    (tmp_path / "supervisor.py").write_text(WITH_A_COUNTER)
    (tmp_path / "vmstat").write_text("oom_kill 7\n")
    (tmp_path / "caffeinate").write_text(f"#!{sys.executable}\nimport signal\nsignal.pause()\n")
    (tmp_path / "caffeinate").chmod(0o755)
    command = [sys.executable, str(tmp_path / "supervisor.py"), str(run.path), str(tmp_path), str(tmp_path)]
    with subprocess.Popen(command, start_new_session=True) as supervisor:
        following = watch_from_the_start(run, watch, supervisor)
        worker = following.until(is_worker_started).event.pid
        (tmp_path / "vmstat").write_text("oom_kill 8\n")
        os.kill(worker, signal.SIGKILL)
        died = following.until(lambda event: isinstance(event, p.WorkerDied)).event
        assert died.cause == "it was ended by SIGKILL, since the system ran out of memory"
        changed = following.until(lambda event: isinstance(event, p.MicroBatchChanged)).event
        assert (changed.train_batch_size, changed.gradient_accumulation_steps) == (2, 4)
        assert read_adjustments(run).train_batch_size == 2
        step = following.until_step(1).step
        if hasattr(resource, "prlimit"):
            fill_the_disk_for_a_while(run, supervisor.pid)
        following.until_step(step + 5)
        until_kept_awake_for(tmp_path, view_run(run).worker_pid or 0)
        assert control.send_and_wait(run, p.Pause()).obeyed
        until_kept_awake_for(tmp_path)
        assert control.send_and_wait(run, p.Resume()).obeyed
        until_kept_awake_for(tmp_path, view_run(run).worker_pid or 0)
        assert control.send_and_wait(run, p.Stop(save=False)).obeyed
        assert supervisor.wait(30) == 0
    assert kept_awake_for(tmp_path) == []
    reader = JournalReader(run.journal)
    records = reader.read_new()
    assert [record.seq for record in records] == [*range(1, len(records) + 1)]
    assert reader.damaged_lines == 0
    steps = [record.event.step for record in records if isinstance(record.event, p.StepCompleted)]
    assert steps == [*range(1, len(steps) + 1)]
    assert (tmp_path / "main_log.txt").read_text().count(" loss ") >= len(steps)


def watch_from_the_start(run: RunDir, watch: WatchRun, supervisor: "subprocess.Popen[bytes]") -> Any:
    while not run.is_live():
        assert supervisor.poll() is None
        time.sleep(0.05)
    return watch(run)


def kept_awake_for(folder: Path) -> list[str]:
    """The process ids that a caffeinate in a folder was given."""
    commands = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [words[-1] for words in commands if str(folder / "caffeinate") in words]


def until_kept_awake_for(folder: Path, *pids: int) -> None:
    while kept_awake_for(folder) != [str(pid) for pid in pids]:
        time.sleep(0.05)  # another process changes it, and should have the core meanwhile


def fill_the_disk_for_a_while(run: RunDir, pid: int) -> None:
    """No file of the supervisor's may grow, while steps are done and it still answers; then they may again."""
    full = run.journal.stat().st_size + 1000
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (full, hard))
    while run.journal.stat().st_size < full:
        assert run.is_live()
    control.send(run, p.SaveCheckpoint())
    assert run.journal.stat().st_size == full
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
