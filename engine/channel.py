"""The two queues between supervisor and worker, made so that the death of either side never hangs the other."""

import contextlib
from dataclasses import dataclass
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from queue import Empty
from typing import Any

from engine.contract.protocol import Report, Request


@dataclass
class Channel:
    """One queue of commands down, one of reports up. A new worker gets new queues: a dead one may have torn the old."""

    commands: "Queue[Request]"
    reports: "Queue[Report]"

    @classmethod
    def create(cls, context: SpawnContext) -> "Channel":
        """Both queues, to be handed to the worker as arguments of its process."""
        return cls(context.Queue(), context.Queue())

    # A reader that also holds the write end of its pipe waits for ever for the rest of a message whose writer was
    # killed. So each side closes the ends that are the other's: a torn message then ends in EOFError. multiprocessing
    # has no public name for the ends of a queue.

    def become_supervisor(self) -> None:
        """Close the worker's ends; call when the worker has been started, since starting copies them."""
        self.reports._writer.close()  # type: ignore[attr-defined]
        self.commands._reader.close()  # type: ignore[attr-defined]

    def become_worker(self) -> None:
        """Close the supervisor's ends."""
        self.reports._reader.close()  # type: ignore[attr-defined]
        self.commands._writer.close()  # type: ignore[attr-defined]

    @property
    def readable(self) -> Any:
        """What the supervisor waits on, with `multiprocessing.connection.wait`."""
        return self.reports._reader  # type: ignore[attr-defined]

    def drain(self) -> tuple[list[Report], bool]:
        """All reports that have arrived, and whether more may come; False once the worker's end is closed."""
        reports: list[Report] = []
        while True:
            try:
                reports.append(self.reports.get_nowait())
            except Empty:
                return reports, True
            except (EOFError, OSError):
                return reports, False

    def flush_reports(self) -> None:
        """Wait, in a worker that ends normally, until the supervisor has been sent everything, or is gone."""
        self.reports.close()
        self.reports.join_thread()  # cancel_join_thread anywhere before would make this return at once

    def close(self, process: BaseProcess) -> None:
        """Free the supervisor's ends after the worker has ended."""
        for queue in (self.commands, self.reports):
            queue.cancel_join_thread()
            with contextlib.suppress(OSError):
                queue.close()
        process.close()
