"""The worker process: trains one run until it ends, and reports what happens."""

import contextlib
import fcntl
import logging
import multiprocessing
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import IO, NoReturn

from engine import libraries
from engine.channel import CommandReceiver, ReportSender, WorkerEnd
from engine.contract.errors import ShoeloraError
from engine.contract.protocol import Event, LogRecorded, Report, RunFailed
from engine.contract.run_dir import RunDir
from engine.control_socket import remove_traces
from engine.inbox import Emit, Inbox
from engine.start_clock import StartClock

# torch is imported inside `serve`: the supervisor imports this module to start the process, and has to stay small.

PARTED = 3  # exit code of one of several processes that cannot go on without the others
FAILED = 4  # exit code of a worker that has reported why it failed


def work(run_path: str, log_dir: str, end: WorkerEnd, allow_changed_data: bool) -> NoReturn:
    """Entry of the process where it is the only one of the run."""
    supervisor = multiprocessing.parent_process()
    sentinel = supervisor.sentinel if supervisor else None
    serve(RunDir(Path(run_path)), Path(log_dir), end, sentinel, allow_changed_data)


def serve(
    run: RunDir, log_dir: Path, end: WorkerEnd, supervisor: int | None, allow_changed_data: bool, launched: bool = False
) -> NoReturn:
    """Train and report until the end. Every error but a PartedError is reported as RunFailed.

    `supervisor` is ready to be read when the supervisor is gone. A `launched` process is the main one of several, and
    its launcher holds the lock for all.
    """
    clock = StartClock.of_this_process()
    reports = ReportSender(end)

    def emit(event: Event, command_id: str | None = None) -> None:
        reports.put(Report(event, command_id))

    inbox = Inbox(CommandReceiver(end), emit)
    leave_terminals_alone()
    signal.signal(signal.SIGTERM, lambda *_: inbox.end_from_outside("the system asked the worker to end"))
    if supervisor is not None:
        inbox.watch_supervisor(supervisor)
    lock = None if launched else take_over(run, emit)  # noqa: F841 (held for life)
    libraries.quiet()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    code = 0
    try:
        with libraries.imported_in_one_go():
            from engine.training import train_run

        clock.lap("imports")
        train_run(run, log_dir, inbox, emit, allow_changed_data, clock)
    except ShoeloraError as error:
        emit(RunFailed(error.what, error.why, error.remedy))
        code = FAILED
    except Exception as error:
        code = PARTED if launched and has_parted(error) else FAILED
        if code == FAILED:
            emit(LogRecorded("error", traceback.format_exc().strip()))
            emit(_failure(error, log_dir))
        with contextlib.suppress(OSError):  # the disk may be full
            traceback.print_exception(error, chain=code != PARTED)
    if inbox.is_orphan:
        remove_traces(run)  # nobody reads the reports; waiting for them to be sent would never end
    else:
        reports.flush()
    sys.stdout.flush()
    os._exit(code)  # everything is written; taking torch down would last another second


def leave_terminals_alone() -> None:
    """Neither Ctrl-C nor a closed terminal ends a run."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def take_over(run: RunDir, emit: Emit) -> IO[bytes]:
    """Hold a lock for life. An orphan saves and exits by itself; until then it may write and hold the device."""
    lock = run.config_file.open("rb")  # a file that every run has: on a full disk none could be made
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        emit(LogRecorded("info", "Waiting for the worker before this one to save and end"), None)
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def has_parted(error: Exception) -> bool:
    """Whether a process has to end only because another of its run has."""
    from engine.process_group import PartedError

    return isinstance(error, PartedError)


def _failure(error: Exception, log_dir: Path) -> RunFailed:
    """An error that nobody foresaw, or one of the two that have an advice of their own."""
    from engine.device import is_out_of_memory

    name = f"{type(error).__name__}: {error}"
    if is_out_of_memory(error):
        return RunFailed(
            "Memory ran out.",
            name,
            "Close other programs and `shoelora-tui resume`; else start a run with a smaller resolution.",
        )
    if isinstance(error, OSError):
        return RunFailed("A file could not be read or written.", name, "Mend that, then `shoelora-tui resume`.")
    return RunFailed("Training ended by an error that nobody foresaw.", name, f"The log in {log_dir} has the whole.")
