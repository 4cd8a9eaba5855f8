"""The queues between supervisor and worker, with real processes that die at the worst moment."""

import multiprocessing
import queue
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event as ProcessEvent
from pathlib import Path

import pytest

from engine.channel import Channel
from engine.contract.protocol import (
    Command,
    LogRecorded,
    Pause,
    Report,
    Request,
    SaveCheckpoint,
    StepCompleted,
    Validate,
)

SPAWN = multiprocessing.get_context("spawn")
PATIENCE = 30.0  # seconds; on a good day a tenth of a second


# ---- what the processes do; importable, since spawn looks them up by name ------------------------------------------


def send_reports(channel: Channel, count: int) -> None:
    channel.become_worker()
    for step in range(1, count + 1):
        channel.reports.put(Report(StepCompleted(step, 0, 0.5, 1e-4, 1.0, 0.1)))
    channel.flush_reports()


def echo(channel: Channel) -> None:
    channel.become_worker()
    command: Command | None = None
    while not isinstance(command, Pause):
        request = channel.commands.get()
        command = request.command
        channel.reports.put(Report(LogRecorded("info", type(command).__name__), request.id))
    channel.flush_reports()


def send_one_that_no_pipe_holds(channel: Channel) -> None:
    """The feeder thread writes as much of the message as the pipe takes, and waits for a reader for ever."""
    channel.become_worker()
    channel.reports.put(Report(LogRecorded("info", "first")))
    channel.reports.put(Report(LogRecorded("info", "x" * 50_000_000)))
    signal.pause()


def die_with_unsent_reports(channel: Channel, told: ProcessEvent) -> None:
    """What a worker does whose supervisor was killed: it ends, though nobody reads what it has put."""
    channel.become_worker()
    channel.reports.put(Report(LogRecorded("info", "x" * 50_000_000)))
    told.set()


# ---- the supervisor's side -----------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A spawned process takes over sys.path and imports this module by its name."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])


def start(target: Callable[..., None], *arguments: object) -> tuple[Channel, BaseProcess]:
    channel = Channel.create(SPAWN)
    process = SPAWN.Process(target=target, args=(channel, *arguments))
    process.start()
    channel.become_supervisor()
    return channel, process


def receive_all(channel: Channel) -> list[Report]:
    """Everything until the worker's end is closed. Fails, instead of hanging, if that never comes."""
    reports: list[Report] = []

    def read() -> None:
        more = True
        while more and wait([channel.readable], PATIENCE):
            new, more = channel.drain()
            reports.extend(new)
        finished.set()

    finished = threading.Event()
    threading.Thread(target=read, daemon=True).start()
    assert finished.wait(PATIENCE), "the reader hangs"
    return reports


def end(channel: Channel, process: BaseProcess) -> int | None:
    process.join(PATIENCE)
    code = process.exitcode
    channel.close(process)
    return code


def test_a_worker_that_ends_has_sent_everything() -> None:
    channel, process = start(send_reports, 3000)
    reports = receive_all(channel)
    assert [report.event.step for report in reports if isinstance(report.event, StepCompleted)] == [*range(1, 3001)]
    assert end(channel, process) == 0


def test_commands_go_down_and_reports_come_up_with_their_ids() -> None:
    channel, process = start(echo)
    requests = [Request(Validate()), Request(SaveCheckpoint()), Request(Pause())]
    for request in requests:
        channel.commands.put(request)
    reports = receive_all(channel)
    assert [report.command_id for report in reports] == [request.id for request in requests]
    assert [report.event for report in reports][-1] == LogRecorded("info", "Pause")
    assert end(channel, process) == 0


def test_an_empty_channel_says_that_more_may_come() -> None:
    channel, process = start(echo)
    assert channel.drain() == ([], True)
    channel.commands.put(Request(Pause()))
    assert len(receive_all(channel)) == 1
    assert channel.drain() == ([], False)
    end(channel, process)


@pytest.mark.parametrize("attempt", range(3))
def test_a_writer_killed_within_a_message_does_not_hang_the_reader(attempt: int) -> None:
    channel, process = start(send_one_that_no_pipe_holds)
    assert channel.readable in wait([channel.readable], PATIENCE)
    reports, more = ([channel.reports.get(timeout=PATIENCE)], True)
    assert channel.readable in wait([channel.readable], PATIENCE)  # the pipe is full of the second one's beginning
    if attempt == 2:  # the reader is in the middle of it, too
        threading.Timer(0.005, process.kill).start()
    else:
        process.kill()
        process.join(PATIENCE)
    while more and len(reports) < 2:
        new, more = drain_without_hanging(channel)
        reports += new
    assert reports[0].event == LogRecorded("info", "first")
    assert attempt == 2 or (len(reports), more) == (1, False)
    process.kill()
    assert end(channel, process) == -signal.SIGKILL


def drain_without_hanging(channel: Channel) -> tuple[list[Report], bool]:
    results: queue.Queue[tuple[list[Report], bool]] = queue.Queue()
    threading.Thread(target=lambda: results.put(channel.drain()), daemon=True).start()
    return results.get(timeout=PATIENCE)


def test_an_orphan_with_reports_that_nobody_reads_ends() -> None:
    told = SPAWN.Event()
    channel, process = start(die_with_unsent_reports, told)
    assert told.wait(PATIENCE)
    channel.readable.close()  # what the death of the supervisor does
    process.join(PATIENCE)
    assert process.exitcode == 0
