"""RunRecord: the state of a run and everything that is written down of it, in the journal and in main_log.txt."""

from pathlib import Path

from engine.contract import protocol as p
from engine.contract.describe import log_line
from engine.contract.journal import JournalWriter
from engine.contract.line_file import LineFile
from engine.contract.run_dir import RunDir
from engine.contract.run_state import RunState, may_follow


class RunRecord:
    """Written by the supervisor alone. A full disk delays what is written and loses nothing while this lives."""

    def __init__(self, run: RunDir, log_dir: Path) -> None:
        self._journal = JournalWriter(run.journal)
        self._log = LineFile(log_dir / "main_log.txt")
        self.state = RunState.PREPARING

    def write(self, event: p.Event, command_id: str | None = None, moment: float | None = None) -> None:
        """Record an event; a change of state that is none is left out, one that cannot be is told as an error."""
        if isinstance(event, p.StateChanged):
            following = RunState(event.state)
            if following is self.state and following is not RunState.PREPARING:
                return
            if not may_follow(self.state, following):
                event = p.LogRecorded("error", f"The worker went from {self.state.value} to {following.value}")
            else:
                self.state = following
        record = self._journal.append(event, command_id, moment)
        if line := log_line(record):
            self._log.append(line.encode(errors="replace"))

    def catch_up(self) -> None:
        """Write what a full disk has not taken, as far as there is room now."""
        self._journal.catch_up()
        self._log.catch_up()

    def sync(self) -> None:
        """Wait until the disk has the journal."""
        self._journal.sync()

    def close(self) -> None:
        """Close both files."""
        self._journal.close()
        self._log.close()
