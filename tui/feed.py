"""JournalFeed: reads a run's journal on a thread of its own and hands over one batch at a time."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from engine.contract.journal import JournalReader
from engine.contract.protocol import Record
from engine.contract.run_dir import RunDir

LOOK_INTERVAL = 0.2  # seconds between looks at the journal
MOST = 2**18  # bytes of one batch: a thousand records or two, for which a key waits some milliseconds at most
LIVE_EVERY = 5  # looks between two looks at the lock, which keep it for an instant


@dataclass(frozen=True)
class Batch:
    """Records that came since the last batch, and whether a supervisor held the lock before they were read."""

    records: list[Record]
    live: bool
    is_whole: bool  # whether there was nothing more to read; a long journal comes in several batches
    unreadable_lines: int = 0  # of the journal so far


class JournalFeed:
    """Calls `deliver` from its own thread: at once with what there is, then whenever something has changed."""

    def __init__(self, run: RunDir, deliver: Callable[[Batch], None]) -> None:
        self._run = run
        self._deliver = deliver
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, name="journal feed", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Deliver nothing more; returns without waiting for the thread."""
        self._stopped.set()

    def _read(self) -> None:
        reader = JournalReader(self._run.journal)
        looks, live, at_end = 0, None, False
        while not self._stopped.is_set():
            was_live, was_at_end = live, at_end
            if looks % LIVE_EVERY == 0:
                live = self._run.is_live()  # before the read: what the run wrote until then is in this batch
            looks += 1
            records = reader.read_new(MOST)
            at_end = reader.is_at_end
            if (records or live != was_live or at_end != was_at_end) and not self._stopped.is_set():
                self._deliver(Batch(records, bool(live), at_end, reader.unreadable_lines(bool(live))))
            if at_end:
                self._stopped.wait(LOOK_INTERVAL)
