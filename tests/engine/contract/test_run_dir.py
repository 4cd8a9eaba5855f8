"""Runs are created once, listed by their last start, found by name and path, and alive only while somebody works."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.contract.config import TrainingConfig
from engine.contract.errors import ConfigError, RunError
from engine.contract.journal import JournalWriter
from engine.contract.protocol import RunStateName, StateChanged
from engine.contract.run_dir import (
    RunDir,
    RunLock,
    Workspace,
    create_run,
    find_run,
    list_runs,
)
from engine.contract.run_state import RunState

HOLD = """
import sys
from pathlib import Path
from engine.contract.run_dir import RunDir, RunLock
lock = RunLock.acquire(RunDir(Path(sys.argv[1])))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def record(run: RunDir, *states: RunStateName) -> None:
    journal = JournalWriter(run.journal)
    for state in states:
        journal.append(StateChanged(state))
    journal.close()


@contextmanager
def held_by_another_process(run: RunDir) -> Iterator[subprocess.Popen[bytes]]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    try:
        yield holder
    finally:
        holder.kill()
        holder.communicate()


def test_a_run_keeps_its_config(workspace: Workspace) -> None:
    config = TrainingConfig(seed=7, lora_rank=3)
    run = create_run(workspace, "mine", config)
    assert run.config() == config
    assert run.path == workspace.outputs / "mine" and run.workspace == workspace


def test_a_name_is_taken_once(workspace: Workspace) -> None:
    create_run(workspace, "mine", TrainingConfig())
    with pytest.raises(RunError, match="already a run mine"):
        create_run(workspace, "mine", TrainingConfig())


def test_runs_are_found_by_name_by_path_and_as_latest(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (create_run(workspace, name, TrainingConfig()) for name in ("z_first", "a_second"))
    os.utime(first.config_file, (1, 1))
    monkeypatch.chdir(workspace.outputs)
    assert list_runs(workspace) == [first, second]
    assert find_run(workspace, "latest") == second
    assert find_run(workspace, "z_first") == find_run(workspace, str(first.path)) == first
    assert find_run(Workspace(workspace.root / "elsewhere"), "z_first").path == first.path


def test_latest_is_the_run_last_started_and_not_the_one_last_looked_at(workspace: Workspace) -> None:
    first, second = (create_run(workspace, name, TrainingConfig()) for name in ("first", "second"))
    for moment, run in enumerate((first, second), start=1):
        os.utime(run.config_file, (moment, moment))
    RunLock.acquire(first).release()
    second.is_live()
    assert find_run(workspace, "latest") == first


def test_what_is_no_run_is_not_listed(workspace: Workspace) -> None:
    (workspace.outputs / "empty").mkdir(parents=True)
    (workspace.outputs / ".cache").mkdir()
    (workspace.outputs / ".cache" / "config.json").write_text("{}")
    (workspace.outputs / "README.md").write_text("")
    assert list_runs(workspace) == []


@pytest.mark.parametrize("name", ["my best run", "x" * 200, "-dash", "Schuhe grün", "[a]*?", "run(1)"])
def test_a_run_is_listed_however_its_folder_was_renamed(workspace: Workspace, name: str) -> None:
    run = create_run(workspace, "before", TrainingConfig())
    run.path.rename(workspace.outputs / name)
    assert [run.name for run in list_runs(workspace)] == [name]
    assert find_run(workspace, name).path == workspace.outputs / name


def test_a_name_that_no_terminal_could_print_is_not_listed(workspace: Workspace) -> None:
    for name in ("two\nlines", "\x1b[31mred"):
        create_run(workspace, name, TrainingConfig())
    assert list_runs(workspace) == []


def test_a_workspace_without_runs_says_how_to_begin(workspace: Workspace) -> None:
    with pytest.raises(RunError) as caught:
        find_run(workspace, "latest")
    assert "shoelora-tui train" in caught.value.remedy


def test_an_unknown_run_is_refused_with_those_there_are(workspace: Workspace) -> None:
    create_run(workspace, "mine", TrainingConfig())
    with pytest.raises(RunError) as caught:
        find_run(workspace, "yours")
    assert "mine" in caught.value.why


@pytest.mark.parametrize("damage", ["", "{", '{"seed": -1}', '{"unknown": 1}'])
def test_a_damaged_config_is_told_by_its_file(workspace: Workspace, damage: str) -> None:
    run = create_run(workspace, "mine", TrainingConfig())
    run.config_file.write_text(damage)
    with pytest.raises(ConfigError) as caught:
        run.config()
    assert "config.json" in str(caught.value)


def test_a_run_is_alive_while_another_process_holds_its_lock(workspace: Workspace) -> None:
    run = create_run(workspace, "mine", TrainingConfig())
    assert not run.is_live()
    with held_by_another_process(run) as holder:
        assert run.is_live()
        holder.communicate(b"")
        assert not run.is_live()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_the_lock_is_free_the_moment_its_holder_is_killed(workspace: Workspace, how: signal.Signals) -> None:
    run = create_run(workspace, "mine", TrainingConfig())
    with held_by_another_process(run) as holder:
        holder.send_signal(how)
        holder.wait()
        assert not run.is_live()
        RunLock.acquire(run).release()


def test_a_held_lock_is_refused_with_its_holder(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.contract.run_dir.LOCK_PATIENCE", 0.0)
    run = create_run(workspace, "mine", TrainingConfig())
    with held_by_another_process(run) as holder:
        with pytest.raises(RunError) as caught:
            RunLock.acquire(run)
        assert str(holder.pid) in caught.value.why
        assert run.lock.read_text() == str(holder.pid)


def test_looking_whether_a_run_is_alive_does_not_make_it_look_alive(workspace: Workspace) -> None:
    run = create_run(workspace, "mine", TrainingConfig())
    RunLock.acquire(run).release()
    with run.lock.open("rb") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)  # as is_live does
        assert not run.is_live()


@pytest.mark.parametrize(
    ("states", "while_live", "afterwards"),
    [
        ([], RunState.PREPARING, RunState.INTERRUPTED),
        (["preparing", "running"], RunState.RUNNING, RunState.INTERRUPTED),
        (["preparing", "running", "paused"], RunState.PAUSED, RunState.INTERRUPTED),
        (["running", "stopping"], RunState.STOPPING, RunState.INTERRUPTED),
        (["stopping", "stopped"], RunState.STOPPED, RunState.STOPPED),
        (["stopping", "finished"], RunState.FINISHED, RunState.FINISHED),
        (["running", "failed"], RunState.FAILED, RunState.FAILED),
    ],
)
def test_interrupted_is_concluded_from_the_free_lock(
    workspace: Workspace, states: list[RunStateName], while_live: RunState, afterwards: RunState
) -> None:
    run = create_run(workspace, "mine", TrainingConfig())
    record(run, *states)
    lock = RunLock.acquire(run)
    assert run.state() == while_live
    lock.release()
    assert run.state() == afterwards


def test_validation_images_are_named_as_promised(workspace: Workspace) -> None:
    run = RunDir(workspace.outputs / "mine")
    assert run.validation_image(0, 500, 3) == run.path / "validation" / "epoch000_step000500_03.png"
