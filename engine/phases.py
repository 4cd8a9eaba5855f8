"""Progress of what is not a step, reported not too often, with a place for commands at each report."""

import time

from engine.contract.protocol import PhaseProgressed
from engine.inbox import Emit, Inbox
from engine.latent_cache import Progress

PROGRESS_INTERVAL = 0.25  # seconds between two reports of the same phase


class PhaseReporter:
    """Makes the functions that report progress."""

    def __init__(self, inbox: Inbox, emit: Emit) -> None:
        self._inbox = inbox
        self._emit = emit
        self._last = 0.0

    def phase(self, name: str) -> Progress:
        """The function that reports progress of one phase."""

        def progress(done: int, total: int) -> None:
            now = time.monotonic()
            if done in {0, total} or now - self._last >= PROGRESS_INTERVAL:
                self._last = now
                self._emit(PhaseProgressed(name, done, total), None)
            self._inbox.poll()

        return progress
