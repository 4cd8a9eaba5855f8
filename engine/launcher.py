"""The worker process of a run that trains in several: starts them with `accelerate launch`, and ends as they end."""

import contextlib
import logging
import multiprocessing
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from engine import libraries
from engine.cause_of_death import describe_exit
from engine.channel import ReportSender, WorkerEnd
from engine.contract.protocol import Event, LogRecorded, Report
from engine.contract.run_dir import RunDir
from engine.control_socket import launch_folder
from engine.handover import Handover
from engine.worker import FAILED, PARTED, leave_terminals_alone, take_over

if TYPE_CHECKING:  # torch is imported inside `_run`, for the reason in engine/worker.py
    from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

SIGNALLED = 128  # added to the number of a signal, as shells do, when its victim's exit code is passed on


def launch(run_path: str, log_dir: str, end: WorkerEnd, allow_changed_data: bool, processes: int) -> NoReturn:
    """Entry of the process. Its exit code is that of the process whose end was the cause of the others'."""
    run = RunDir(Path(run_path))
    leave_terminals_alone()
    lock = take_over(run, partial(_report, end))
    folder = launch_folder(run)
    shutil.rmtree(folder, ignore_errors=True)  # of a launcher that was killed
    folder.mkdir(mode=0o700)
    for_main = [end.commands.fileno(), end.reports.fileno()]
    if supervisor := multiprocessing.parent_process():
        for_main.append(supervisor.sentinel)
    socket = folder / "files.sock"
    _handover = Handover(socket, lambda rank: [lock.fileno(), *(for_main if rank == 0 else ())])
    options = ["--allow-changed-data"] if allow_changed_data else []
    code = _run(["engine.rank", str(socket), run_path, log_dir, *options], processes, folder, end)
    shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.flush()
    os._exit(code)


def _run(module: list[str], processes: int, folder: Path, end: WorkerEnd) -> int:
    """Start a module in so many processes with accelerate's launcher, and wait for them; returns the exit code."""
    libraries.quiet()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    os.environ["PYTHONSAFEPATH"] = "1"  # the user's folder must not come before the installed packages
    # What the processes say to each other stays on this machine, and outlives a change of networks.
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, (os.cpu_count() or 1) // processes))
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    # --multi_gpu also for the CPU: --cpu starts one process alone where there is no mpirun. Each process chooses its
    # device itself. Everything is said, so that the user's own `accelerate config` does not matter.
    arguments = launch_command_parser().parse_args([
        "--multi_gpu", "--num_processes", str(processes), "--num_machines", "1", "--machine_rank", "0",
        "--gpu_ids", "all", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0",
        "--num_cpu_threads_per_process", threads, "--max_restarts", "0", "--log_dir", str(folder), "-m", *module,
    ])  # fmt: skip
    arguments.signals_to_handle = "SIGTERM"  # not those that a closed terminal sends
    try:
        launch_command(arguments)
    except ChildFailedError as failed:
        rank, failure = first_cause(failed.failures)
        if not any(each.exitcode == FAILED for each in failed.failures.values()):
            _report(end, LogRecorded("error", f"Process {rank + 1} of {processes}: {_describe(failure)}"))
        return failure.exitcode if failure.exitcode > 0 else SIGNALLED - failure.exitcode
    except SignalException as signalled:
        return SIGNALLED + signalled.sigval
    except Exception as error:
        traceback.print_exc()
        _report(end, LogRecorded("error", f"The processes could not be started: {error}"))
        return 1
    return 0


def first_cause(failures: "Mapping[int, ProcessFailure]") -> "tuple[int, ProcessFailure]":
    """Rank and failure of the process that ended by itself; the others could not go on without it, or were ended."""

    def later(rank: int) -> tuple[bool, int]:
        failure = failures[rank]
        return failure.exitcode in {PARTED, -signal.SIGTERM}, failure.timestamp  # in whole seconds

    rank = min(failures, key=later)
    return rank, failures[rank]


def _describe(failure: "ProcessFailure") -> str:
    said: Any = failure.message  # a text of the launcher's own, or what the process has recorded of an exception
    words = f"; {said['message']}" if isinstance(said, dict) else ""
    return f"{describe_exit(failure.exitcode)}{words}; the others were ended with it"


def _report(end: WorkerEnd, event: Event, command_id: str | None = None) -> None:
    """Only while no main process has the channel: before there is one, and after its end, which may tear a line."""
    with contextlib.suppress(OSError):  # the supervisor is gone
        os.write(end.reports.fileno(), b"\n")
        reports = ReportSender(end)
        reports.put(Report(event, command_id))
        reports.flush()
