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
from typing import IO

from engine import libraries
from engine.channel import CommandReceiver, ReportSender, WorkerEnd
from engine.contract.errors import ShoeloraError
from engine.contract.protocol import Event, LogRecorded, Report, RunFailed
from engine.contract.run_dir import RunDir
from engine.control_socket import remove_traces
from engine.inbox import Emit, Inbox

# torch is imported inside `work`: the supervisor imports this module to start the process, and has to stay small.


def work(run_path: str, log_dir: str, end: WorkerEnd, allow_changed_data: bool) -> None:
    """Entry of the process. Every foreseeable error is reported as RunFailed; the exit code is 0 then too."""
    run, reports = RunDir(Path(run_path)), ReportSender(end)

    def emit(event: Event, command_id: str | None = None) -> None:
        reports.put(Report(event, command_id))

    inbox = Inbox(CommandReceiver(end), emit)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: inbox.end_from_outside("the system asked the worker to end"))
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        inbox.watch_supervisor(supervisor.sentinel)
    lock = run.config_file.open("rb")  # a file that every run has: on a full disk none could be made
    _wait_for_the_worker_before(lock, emit)
    libraries.quiet()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        from engine.training import train_run

        train_run(run, Path(log_dir), inbox, emit, allow_changed_data=allow_changed_data)
    except ShoeloraError as error:
        emit(RunFailed(error.what, error.why, error.remedy))
    except Exception as error:
        emit(LogRecorded("error", traceback.format_exc().strip()))
        emit(_failure(error, Path(log_dir)))
        with contextlib.suppress(OSError):  # the disk may be full
            traceback.print_exc()
    if inbox.is_orphan:
        remove_traces(run)  # nobody reads the reports; waiting for them to be sent would never end
    else:
        reports.flush()
    sys.stdout.flush()
    os._exit(0)  # everything is written; taking torch down would last another second


def _wait_for_the_worker_before(lock: IO[bytes], emit: Emit) -> None:
    """Hold a lock for life. An orphan saves and exits by itself; until then it may write and hold the device."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        emit(LogRecorded("info", "Waiting for the worker before this one to save and end"), None)
        fcntl.flock(lock, fcntl.LOCK_EX)


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
