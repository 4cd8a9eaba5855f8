"""Ten consoles at once on one run: real processes, some of them stopped or never read, and what they agree on."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from engine import control
from engine.contract import protocol as p
from engine.contract.errors import RunError
from engine.contract.journal import replay
from engine.contract.run_dir import RunDir
from engine.contract.run_state import RunState
from tests.terminal import PATIENCE, Terminal
from tui.run_view import view_run

Launch = Callable[..., RunDir]
WatchRun = Callable[[RunDir], Any]
CONSOLE = [sys.executable, "-m", "tui.cli"]


@pytest.fixture
def consoles() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def attach(run: RunDir, consoles: ExitStack, *flags: str) -> Terminal:
    """`shoelora-tui attach` on a terminal of its own."""
    root = run.workspace.root
    command = [*CONSOLE, "--workspace", str(root), "attach", *flags, run.name]
    terminal = Terminal(command, root, (100, 30), XDG_CONFIG_HOME=str(root / "config"))
    consoles.callback(terminal.end)
    return terminal


def watch_lines(run: RunDir, consoles: ExitStack, output: Any) -> "subprocess.Popen[bytes]":
    command = [*CONSOLE, "--workspace", str(run.workspace.root), "watch", run.name]
    process = subprocess.Popen(command, stdout=output)
    consoles.callback(process.wait)
    consoles.callback(process.kill)
    return process


def full_pipe(consoles: ExitStack) -> int:
    """A pipe that takes nothing, since nobody reads what is in it."""
    reader, writer = os.pipe()
    consoles.callback(os.close, writer)
    consoles.callback(os.close, reader)
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"x")
    os.set_blocking(writer, True)
    return writer


def command_at_once(run: RunDir, orders: list[p.Command]) -> list[control.Outcome]:
    """Each command from a client of its own, all at the same time."""
    outcomes: list[control.Outcome] = []

    def send(order: p.Command) -> None:
        try:
            outcomes.append(control.send_and_wait(run, order))
        except RunError as error:
            outcomes.append(control.Outcome(False, error.why))

    clients = [threading.Thread(target=send, args=(order,)) for order in orders]
    for client in clients:
        client.start()
    for client in clients:
        client.join(PATIENCE)
    return outcomes


def test_ten_consoles_at_once_some_of_them_stuck_agree_and_the_run_loses_no_step(
    launch: Launch, watch: WatchRun, consoles: ExitStack, tmp_path: Path
) -> None:
    run = launch(max_train_steps=5000, num_validation_images=0)
    steering, reading, stopped = attach(run, consoles), attach(run, consoles, "--readonly"), attach(run, consoles)
    outputs = [tmp_path / f"{number}.txt" for number in range(6)]
    watchers = []
    for output in outputs:
        with output.open("wb") as file:
            watchers.append(watch_lines(run, consoles, file))
    never_read = watch_lines(run, consoles, full_pipe(consoles))

    for console in (steering, reading, stopped):
        console.shows("▶ running")
    os.kill(stopped.process.pid, signal.SIGSTOP)
    following = watch(run)
    following.until_step(3)
    reading.press("pk")  # pause, restart: neither is sent
    reading.shows("Read-only")
    steering.press("p")
    following.until(lambda event: isinstance(event, p.StateChanged) and event.state == "paused")
    reading.shows("‖ paused")
    outcomes = command_at_once(run, [p.SaveCheckpoint(), p.Resume(), p.SaveCheckpoint()])
    assert [outcome.obeyed for outcome in outcomes] == [True] * 3
    step = view_run(run).step
    following.until_step(step + 50)
    outcomes = command_at_once(run, [p.Stop(save=False), p.Stop(save=False), p.Stop(save=False)])
    assert sum(outcome.obeyed for outcome in outcomes) == 1, "the others were told that it was asked for already"

    assert never_read.poll() is None and stopped.process.poll() is None, "both are stuck, and nobody minds"
    assert run.state() is RunState.STOPPED
    end = f"Run stopped at step {view_run(run).step}"
    assert [watcher.wait(PATIENCE) for watcher in watchers] == [0] * 6
    assert all(end in output.read_text().splitlines() for output in outputs)
    for console in (steering, reading):
        console.shows("■ stopped")
        console.press("q")
        assert console.process.wait(PATIENCE) == 0
    os.kill(stopped.process.pid, signal.SIGCONT)
    stopped.shows("■ stopped")
    steps = [record.event.step for record in replay(run.journal) if isinstance(record.event, p.StepCompleted)]
    assert steps == [*range(1, len(steps) + 1)]
