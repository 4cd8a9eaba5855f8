"""WorkerProcess: one worker as its supervisor sees it: started, listened to, killed, and gone without a trace.

A worker that trains in several processes is seen as the launcher of them.
"""

import contextlib
import multiprocessing
import shutil
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from engine.cause_of_death import MemoryWatch, describe_exit
from engine.channel import close_worker_end, open_channel
from engine.contract import protocol as p
from engine.contract.run_dir import RunDir
from engine.control_socket import launch_folder
from engine.launcher import SIGNALLED, launch
from engine.liveness import Liveness
from engine.worker import work


class WorkerProcess:
    """Starts the process at once."""

    def __init__(self, run: RunDir, log_dir: Path, allow_changed_data: bool, processes: int = 1) -> None:
        context = multiprocessing.get_context("spawn")
        self._memory = MemoryWatch()
        self._channel, end = open_channel(context)
        self._folder = launch_folder(run) if processes > 1 else None
        arguments = (str(run.path), str(log_dir), end, allow_changed_data)
        self._process = (
            context.Process(target=work, args=arguments, name="worker")
            if processes == 1
            else context.Process(target=launch, args=(*arguments, processes), name="launcher")
        )
        self._process.start()
        close_worker_end(end)
        self._open = True  # whether more reports may come
        self.liveness = Liveness()

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid or 0

    @property
    def sentinel(self) -> int:
        """Ready when the process has ended."""
        return self._process.sentinel

    @property
    def readable(self) -> "list[Connection[bytes, bytes]]":
        """What is ready when there are reports."""
        return [self._channel.readable] if self._open else []

    def send(self, request: p.Request) -> bool:
        """Pass a command on; False if the worker takes no more."""
        return self._channel.send(request)

    def take_reports(self) -> list[p.Report]:
        """All reports that have arrived."""
        reports, self._open = self._channel.receive() if self._open else ([], False)
        for report in reports:
            self.liveness.hear(report.event)
            if isinstance(report.event, p.MemorySampled):
                self._memory.sampled(report.event.system_available)
        return reports

    def kill(self) -> None:
        """End the process by force, and those that it has started."""
        with contextlib.suppress(psutil.NoSuchProcess):
            started = psutil.Process(self.pid).children(recursive=True)
            self._process.kill()  # first, so that it says nothing of the others
            for process in started:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()

    def bury(self) -> tuple[str, bool]:
        """After its end: why it ended, and whether a lack of memory was the cause. Nothing of it is left then."""
        self._process.join()
        code = self._process.exitcode
        if code and code > SIGNALLED:
            code = SIGNALLED - code  # of one of the processes that a launcher has started
        memory_ran_out = self._memory.killed(code)
        cause = describe_exit(code, memory_ran_out)
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)  # of a launcher that was killed
        self._channel.close()
        self._process.close()
        return cause, memory_ran_out
