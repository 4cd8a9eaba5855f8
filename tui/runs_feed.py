"""RunsFeed: looks at all runs of a workspace on a thread of its own, and hands over the list when it changes."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from engine.contract.run_dir import Workspace, list_runs
from tui.run_line import RunLine, RunTracker

LOOK_INTERVAL = 0.5  # seconds between looks at all runs
SHOW_INTERVAL = 0.1  # seconds after which the first look shows what it has read so far


class RunsFeed:
    """Calls `deliver` from its own thread with all lines, the run last started on top, whenever one has changed."""

    def __init__(self, workspace: Workspace, deliver: Callable[[list[RunLine]], object]) -> None:
        self._workspace = workspace
        self._deliver = deliver
        self._trackers: dict[Path, RunTracker] = {}
        self._shown: list[RunLine] | None = None
        self._stopped = threading.Event()
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="runs feed", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def look_now(self) -> None:
        """Do not wait for the next look."""
        self._woken.set()

    def stop(self) -> None:
        """Deliver nothing more; returns without waiting for the thread."""
        self._stopped.set()
        self._woken.set()

    def _watch(self) -> None:
        while not self._stopped.is_set():
            self._woken.clear()
            lines = list(self._look())
            self._show(lines)
            self._woken.wait(LOOK_INTERVAL)

    def _look(self) -> Iterator[RunLine]:
        runs = list_runs(self._workspace)[::-1]
        self._trackers = {run.path: self._trackers.get(run.path) or RunTracker(run) for run in runs}
        first, shown_at = self._shown is None, time.monotonic()
        so_far: list[RunLine] = []
        for tracker in self._trackers.values():
            if self._stopped.is_set():
                return
            so_far.append(tracker.look())
            if first and time.monotonic() - shown_at > SHOW_INTERVAL:
                shown_at = time.monotonic()
                self._show(so_far)
            yield so_far[-1]

    def _show(self, lines: list[RunLine]) -> None:
        if lines != self._shown and not self._stopped.is_set():
            self._shown = list(lines)
            self._deliver(self._shown)
