"""The two pipes between supervisor and worker: lines of JSON, so that the death of either side never hangs the other.

multiprocessing's queues would do less: a reader waits for ever for the rest of a message whose writer was stopped in
the middle of it, and a supervisor that is killed leaves their semaphores behind.
"""

import contextlib
import os
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeAlias

from engine.contract.describe import describe
from engine.contract.protocol import LogRecorded, Record, Report, Request
from engine.contract.wire import ProtocolError, decode_record, decode_request, encode_record, encode_request

PIECE = 64 * 1024  # bytes read at once; as much as a pipe holds on Linux
End: TypeAlias = "Connection[bytes, bytes]"


@dataclass(frozen=True)
class WorkerEnd:
    """What a worker process is given: one pipe to read commands from, one to write reports to."""

    commands: End
    reports: End


class SupervisorEnd:
    """The supervisor's side; nothing here ever blocks. A new worker gets new pipes: a dead one may have torn a line."""

    def __init__(self, commands: End, reports: End) -> None:
        self._commands = commands
        self._reports = reports
        self._received = bytearray()
        for end in (commands, reports):
            os.set_blocking(end.fileno(), False)

    @property
    def readable(self) -> End:
        """What to wait on, with `multiprocessing.connection.wait`."""
        return self._reports

    def send(self, request: Request) -> bool:
        """Pass a command on; False if the worker has left so many unread that the pipe is full."""
        line = encode_request(request, key="").encode() + b"\n"  # short enough to be written whole or not at all
        try:
            os.write(self._commands.fileno(), line)
        except BlockingIOError:
            return False
        except BrokenPipeError:
            pass  # the worker has just died, which its sentinel tells
        return True

    def receive(self) -> tuple[list[Report], bool]:
        """All reports that have arrived, and whether more may come; False once the worker's end is closed."""
        more = True
        while True:
            try:
                data = os.read(self._reports.fileno(), PIECE)
            except BlockingIOError:
                break
            if not data:
                more = False
                break
            self._received += data
        lines, _, rest = self._received.rpartition(b"\n")
        self._received = rest
        return [_report(line) for line in lines.split(b"\n") if line], more

    def close(self) -> None:
        """Free both pipes."""
        self._commands.close()
        self._reports.close()


def open_channel(context: SpawnContext) -> tuple[SupervisorEnd, WorkerEnd]:
    """Both sides of a new channel; the supervisor closes its copy of the worker's end once that has been started."""
    commands_reader, commands_writer = context.Pipe(duplex=False)
    reports_reader, reports_writer = context.Pipe(duplex=False)
    return SupervisorEnd(commands_writer, reports_reader), WorkerEnd(commands_reader, reports_writer)


def close_worker_end(end: WorkerEnd) -> None:
    """Close the supervisor's copy, so that the death of the worker closes the last one."""
    end.commands.close()
    end.reports.close()


class ReportSender:
    """The worker's way to report: never waits for the supervisor, since a thread of its own writes."""

    def __init__(self, end: WorkerEnd) -> None:
        self._pipe = end.reports
        self._lines: SimpleQueue[bytes | None] = SimpleQueue()  # may be put to from a signal handler
        self._thread = Thread(target=self._write, name="report sender", daemon=True)  # an orphan's exit waits for none
        self._thread.start()

    def put(self, report: Report) -> None:
        """Send a report soon. One with a number that is not finite, for which JSON has no word, is sent as text."""
        try:
            line = encode_record(Record(0, report.time, report.event, report.command_id))
        except ValueError:
            event = LogRecorded("error", f"Not finite: {describe(report.event) or report.event}")
            line = encode_record(Record(0, report.time, event, report.command_id))
        self._lines.put(line.encode() + b"\n")

    def flush(self) -> None:
        """Wait, in a worker that ends normally, until the supervisor has been sent everything, or is gone."""
        self._lines.put(None)
        self._thread.join()

    def _write(self) -> None:
        with contextlib.suppress(OSError):  # the supervisor is gone; the worker's watch on it says so
            while line := self._lines.get():
                while line:
                    line = line[os.write(self._pipe.fileno(), line) :]


class CommandReceiver:
    """The worker's way to take commands one by one."""

    def __init__(self, end: WorkerEnd) -> None:
        self._pipe = end.commands
        self._received = bytearray()

    def get(self, block: bool = True, timeout: float | None = None) -> Request:
        """The next request. Raises queue.Empty if none comes in time, EOFError if the supervisor is gone."""
        while b"\n" not in self._received:
            if not wait([self._pipe], timeout if block else 0):
                raise Empty
            data = os.read(self._pipe.fileno(), PIECE)
            if not data:
                raise EOFError
            self._received += data
        line, _, self._received = self._received.partition(b"\n")
        return decode_request(bytes(line))[0]


def _report(line: bytes | bytearray) -> Report:
    try:
        record = decode_record(bytes(line))
    except ProtocolError as error:
        return Report(LogRecorded("error", f"The worker sent what is no report: {error}"))
    return Report(record.event, record.command_id, record.time)
