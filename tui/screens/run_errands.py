"""What the Runs screen has done to a run: asks where it cannot be taken back, works on threads, tells how it ended."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from textual.message import Message
from textual.widget import Widget

from engine import control
from engine.contract.errors import ShoeloraError
from engine.contract.protocol import Command, Resume
from engine.contract.run_dir import RunDir
from engine.contract.run_state import RunState
from tui.naming import short_path
from tui.navigation import Deleted
from tui.run_line import RunLine
from tui.run_removal import belongings, remove, size_of
from tui.screens.delete_dialog import DeleteDialog
from tui.screens.stop_dialog import StopDialog


class RunErrands(Widget):
    """Takes no room; its threads talk to it by messages."""

    DEFAULT_CSS = """
    RunErrands { display: none; }
    """

    @dataclass
    class Ended(Message):
        """Something was done to a run, or could not be; the screen may want to look again."""

        done: str
        error: ShoeloraError | None = None

    @dataclass
    class Measured(Message):
        """How much a run that is to be deleted takes on disk, in bytes."""

        run: RunDir
        total: int

    def resume(self, line: RunLine) -> None:
        """Let a paused run go on, or start an ended one again."""
        if line.state is RunState.PAUSED:
            self._send(line.run, Resume())
            return
        self.notify(f"Run {line.run.name} is being started again.", title="Resume", markup=False)
        self._in_thread(partial(control.restart, line.run))

    def stop(self, run: RunDir) -> None:
        """Ask how, then ask the run to stop."""
        self.app.push_screen(StopDialog(run.name), lambda answer: self._send(run, answer) if answer else None)

    def delete(self, run: RunDir) -> None:
        """Measure the run, ask, then remove it."""

        def measure() -> None:
            self.post_message(self.Measured(run, size_of(belongings(run))))

        threading.Thread(target=measure, daemon=True).start()

    def on_run_errands_measured(self, message: Measured) -> None:
        """Ask, now that it is known how much goes."""
        message.stop()
        run = message.run
        self.app.push_screen(DeleteDialog(run, message.total), lambda sure: self._remove(run) if sure else None)

    def on_run_errands_ended(self, message: Ended) -> None:
        """Tell the user."""
        if error := message.error:
            words = f"{error.why}\n{error.remedy}".strip()
            self.notify(words, title=error.what, severity="error", markup=False)
        elif message.done:
            self.notify(message.done, title="Done", markup=False)

    def _remove(self, run: RunDir) -> None:
        self.post_message(Deleted(run))
        self._in_thread(partial(remove, run), f"{short_path(run.path)} and its logs are gone.")

    def _send(self, run: RunDir, command: Command) -> None:
        self._in_thread(partial(control.send, run, command))

    def _in_thread(self, act: Callable[[], object], done: str = "") -> None:
        """Do what may take its time."""

        def work() -> None:
            try:
                act()
            except ShoeloraError as error:
                self.post_message(self.Ended("", error))
            else:
                self.post_message(self.Ended(done))

        threading.Thread(target=work, daemon=True).start()
