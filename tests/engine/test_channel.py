"""The pipes between supervisor and worker, with real processes that die or stop at the worst moment."""

import math
import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event as ProcessEvent
from pathlib import Path
from queue import Empty

import psutil
import pytest

from engine.channel import (
    CommandReceiver,
    ReportSender,
    SupervisorEnd,
    WorkerEnd,
    close_worker_end,
    open_channel,
)
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


def send_reports(end: WorkerEnd, count: int) -> None:
    reports = ReportSender(end)
    for step in range(1, count + 1):
        reports.put(Report(StepCompleted(step, 0, 0.5, 1e-4, 1.0, 0.1)))
    reports.flush()


def echo(end: WorkerEnd) -> None:
    commands, reports = CommandReceiver(end), ReportSender(end)
    command: Command | None = None
    while not isinstance(command, Pause):
        request = commands.get()
        command = request.command
        reports.put(Report(LogRecorded("info", type(command).__name__), request.id))
    reports.flush()


def send_one_that_no_pipe_holds(end: WorkerEnd) -> None:
    """The sender's thread writes as much of the line as the pipe takes, and waits for a reader for ever."""
    reports = ReportSender(end)
    reports.put(Report(LogRecorded("info", "first")))
    reports.put(Report(LogRecorded("info", "x" * 5_000_000)))
    signal.pause()


def die_with_unsent_reports(end: WorkerEnd, told: ProcessEvent) -> None:
    """What a worker does whose supervisor was killed: it ends, though nobody reads what it has put."""
    ReportSender(end).put(Report(LogRecorded("info", "x" * 5_000_000)))
    told.set()


# ---- the supervisor's side -----------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A spawned process takes over sys.path and imports this module by its name."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])


def start(target: Callable[..., None], *arguments: object) -> tuple[SupervisorEnd, BaseProcess]:
    ours, theirs = open_channel(SPAWN)
    process = SPAWN.Process(target=target, args=(theirs, *arguments))
    process.start()
    close_worker_end(theirs)
    return ours, process


def receive_all(channel: SupervisorEnd) -> list[Report]:
    """Everything until the worker's end is closed. Fails, instead of hanging, if that never comes."""
    reports: list[Report] = []
    more = True
    while more:
        assert wait([channel.readable], PATIENCE), "the worker's end was never closed"
        new, more = channel.receive()
        reports.extend(new)
    return reports


def end(channel: SupervisorEnd, process: BaseProcess) -> int | None:
    process.join(PATIENCE)
    code = process.exitcode
    channel.close()
    process.close()
    return code


def test_a_worker_that_ends_has_sent_everything() -> None:
    channel, process = start(send_reports, 3000)
    reports = receive_all(channel)
    assert [report.event.step for report in reports if isinstance(report.event, StepCompleted)] == [*range(1, 3001)]
    assert end(channel, process) == 0


def test_commands_go_down_and_reports_come_up_with_their_ids() -> None:
    channel, process = start(echo)
    requests = [Request(Validate()), Request(SaveCheckpoint()), Request(Pause())]
    assert all(channel.send(request) for request in requests)
    reports = receive_all(channel)
    assert [report.command_id for report in reports] == [request.id for request in requests]
    assert [report.event for report in reports][-1] == LogRecorded("info", "Pause")
    assert end(channel, process) == 0


def test_an_empty_channel_says_that_more_may_come_and_a_dead_one_that_none_will() -> None:
    channel, process = start(echo)
    assert channel.receive() == ([], True)
    channel.send(Request(Pause()))
    assert len(receive_all(channel)) == 1
    assert channel.receive() == ([], False)
    process.join(PATIENCE)
    assert channel.send(Request(Pause())), "its death is told by its sentinel, not by the pipe"
    end(channel, process)


def test_who_reports_after_a_torn_line_is_heard_and_empty_lines_are_nothing() -> None:
    channel, theirs = open_channel(SPAWN)
    os.write(theirs.reports.fileno(), b'{"seq":1,"ti')
    os.write(theirs.reports.fileno(), b"\n\n")
    reports = ReportSender(theirs)
    reports.put(Report(LogRecorded("info", "after")))
    reports.flush()
    close_worker_end(theirs)
    torn, after = [report.event for report in receive_all(channel)]
    assert isinstance(torn, LogRecorded) and torn.text.startswith("The worker sent what is no report")
    assert after == LogRecorded("info", "after")
    channel.close()


@pytest.mark.parametrize("fate", ["killed", "stopped"])
def test_a_writer_that_ends_within_a_line_does_not_hang_the_reader(fate: str) -> None:
    channel, process = start(send_one_that_no_pipe_holds)
    assert wait([channel.readable], PATIENCE)
    if fate == "killed":
        process.kill()
        process.join(PATIENCE)
    else:  # before anything is read, so that the pipe holds no more than the beginning of the second line
        os.kill(process.pid or 0, signal.SIGSTOP)
        while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
            pass
    reports, more = channel.receive()
    assert more == (fate == "stopped")
    assert [report.event for report in reports] == [LogRecorded("info", "first")]
    process.kill()
    assert receive_all(channel) == []
    assert end(channel, process) == -signal.SIGKILL


def test_an_orphan_with_reports_that_nobody_reads_ends() -> None:
    told = SPAWN.Event()
    channel, process = start(die_with_unsent_reports, told)
    assert told.wait(PATIENCE)
    channel.close()  # what the death of the supervisor does
    process.join(PATIENCE)
    assert process.exitcode == 0


# ---- without a process ---------------------------------------------------------------------------------------------


def test_a_worker_that_reads_no_commands_does_not_hang_the_supervisor() -> None:
    channel, theirs = open_channel(SPAWN)
    sent = 0
    while channel.send(Request(Pause(), f"{sent:060}")):
        sent += 1
    commands = CommandReceiver(theirs)
    assert [commands.get().id for _ in range(sent)] == [f"{number:060}" for number in range(sent)]
    with pytest.raises(Empty):
        commands.get(block=False)
    channel.close()
    with pytest.raises(EOFError):
        commands.get()


def test_a_number_that_is_not_finite_is_reported_as_text() -> None:
    channel, theirs = open_channel(SPAWN)
    reports = ReportSender(theirs)
    reports.put(Report(StepCompleted(7, 0, math.nan, 1e-4, 1.0, 0.1), "id", 12.5))
    reports.flush()
    close_worker_end(theirs)
    (report,) = receive_all(channel)
    assert isinstance(report.event, LogRecorded) and report.event.text.startswith("Not finite: step 7")
    assert (report.command_id, report.time) == ("id", 12.5)


def test_what_is_no_report_is_told_as_an_error() -> None:
    channel, theirs = open_channel(SPAWN)
    os.write(theirs.reports.fileno(), b"{}\n\xff\n")
    close_worker_end(theirs)
    reports = receive_all(channel)
    assert [report.event.level for report in reports if isinstance(report.event, LogRecorded)] == ["error", "error"]
