"""All runs of a workspace, the one last started on top, as they are now."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import DataTable, Input, Static

from engine import control
from engine.contract.errors import ShoeloraError
from engine.contract.protocol import Command, Resume, Stop
from engine.contract.run_dir import RunDir, Workspace
from engine.contract.run_state import RunState, is_allowed
from tui.actions import TABLE
from tui.naming import short_path
from tui.navigation import Deleted, Opened
from tui.outside import open_outside
from tui.run_line import RunLine
from tui.run_removal import belongings, remove, size_of
from tui.run_words import pace_of, started_in_full, state_of, tone_of
from tui.runs_feed import RunsFeed
from tui.screens.delete_dialog import DeleteDialog
from tui.screens.main_screen import MainScreen
from tui.screens.stop_dialog import StopDialog
from tui.widgets.key_bar import KeyBar
from tui.widgets.run_card import RunCard
from tui.widgets.run_table import RunTable
from tui.wording import duration

FIRST_WORDS = """\
There is no run here yet. To begin:

2  New run: choose the preset demo and start it.
   It brings a small model and pictures of its own,
   takes minutes, and shows all there is to see.
6  Environment: is this machine ready, are data
   and base model there?
?  Help: keys and marks. ctrl+p finds every action
   by its name. q leaves."""
NOBODY = "Nothing matches. Esc shows all runs again."
NOT_NOW = {
    "resume": "Only what is paused or has ended early can go on",
    "stop": "Only a run that is at work can be stopped",
    "delete": "A live run is never deleted: stop it first",
}
COMPARED = 2  # runs


class RunsScreen(MainScreen):
    """A table, the run under its cursor beside or below it, and a filter that appears when it is asked for."""

    SCREEN = "runs"
    CSS_PATH = "runs.tcss"
    AUTO_FOCUS = "RunTable"

    @dataclass
    class Looked(Message):
        """The list of runs has changed."""

        lines: list[RunLine]

    @dataclass
    class Said(Message):
        """A thread has something to tell the user."""

        text: str
        title: str
        severe: bool = False

    @dataclass
    class Measured(Message):
        """How much a run that is to be deleted takes on disk, in bytes."""

        run: RunDir
        total: int

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._feed = RunsFeed(workspace, lambda lines: self.post_message(self.Looked(lines)))
        self._lines: list[RunLine] | None = None  # None until the first look
        self._marked: list[Path] = []

    def compose_body(self) -> ComposeResult:
        """Every part; which of them are shown is for the style sheet, the size, and whether there are runs."""
        yield Input(placeholder="letters of a name or a state", compact=True, id="filter")
        yield Static(id="words", markup=False)
        with Horizontal(id="runs"):
            yield RunTable()
            yield RunCard()
        yield Static(id="chosen")
        yield KeyBar(TABLE["runs"])

    def on_mount(self) -> None:
        """Begin to look at the runs."""
        self._filter.value = self.console_app.settings.recall("runs.filter", "")
        self._show()
        self._feed.start()

    def on_unmount(self) -> None:
        """Look no more."""
        self._feed.stop()

    def on_screen_resume(self, _event: events.ScreenResume) -> None:
        """What happened on another screen is shown at once."""
        self._feed.look_now()

    def run_in_hand(self) -> RunDir | None:
        """The run under the cursor: 3, 4 and 5 show it."""
        line = self._table.chosen
        return line.run if line else None

    @property
    def _table(self) -> RunTable:
        return self.query_one(RunTable)

    @property
    def _filter(self) -> Input:
        return self.query_one("#filter", Input)

    # ---- what the runs do --------------------------------------------------------------------------------------------

    def on_runs_screen_looked(self, message: Looked) -> None:
        """Show the runs as they are now."""
        first = self._lines is None
        self._lines = message.lines
        self._marked = [path for path in self._marked if any(line.run.path == path for line in message.lines)]
        self._show()
        if first and (run := self.console_app.run_dir):
            self._table.choose(run.path)

    def _show(self) -> None:
        lines = self._lines or []
        letters = self._filter.value.casefold()
        found = [line for line in lines if letters in f"{line.run.name} {state_of(line)}".casefold()]
        self._table.show(found, self._marked)
        words = self.query_one("#words", Static)
        words.display = self._lines is not None and not found
        words.update(NOBODY if lines else FIRST_WORDS)
        self.query_one("#runs").display = bool(found)
        self._filter.display = bool(letters) or self._filter.has_focus
        self._filter.border_subtitle = f"{len(found)} of {len(lines)}"
        self._show_chosen()

    def _show_chosen(self) -> None:
        line = self._table.chosen if self._lines else None
        self.query_one(RunCard).show(line)
        self.query_one("#chosen", Static).update(_summary(line) if line else "")
        self.query_one(KeyBar).show([entry for entry in self.actions() if self._applies(entry.id)])

    @on(DataTable.RowHighlighted)
    def _cursor_moved(self) -> None:
        self._show_chosen()

    @on(DataTable.RowSelected)
    def _row_opened(self) -> None:
        self.act_open()

    def on_runs_screen_said(self, message: Said) -> None:
        """Pass on what a thread has to tell."""
        self._say(message.text, message.title, message.severe)

    def _say(self, text: str, title: str, severe: bool = False) -> None:
        self.notify(text, title=title, severity="error" if severe else "information", markup=False)

    # ---- what the user does ------------------------------------------------------------------------------------------

    def _applies(self, identity: str) -> bool:
        """Whether an action makes sense for the run under the cursor; the others say why not."""
        line = self._table.chosen
        if identity == "filter":
            return bool(self._lines)
        if line is None or line.state is None:
            return line is not None and identity in {"folder", "copy", "delete"}
        return {
            "resume": line.state is RunState.PAUSED or line.state.is_resumable,
            "stop": is_allowed(line.state, Stop),
            "delete": not line.is_live,
        }.get(identity, True)

    def act_open(self) -> None:
        """Show the run on the Monitor."""
        if line := self._table.chosen:
            self.post_message(Opened("monitor", line.run))

    def act_resume(self) -> None:
        """Let a paused run go on, or start an ended one again."""
        if (line := self._for("resume")) is None:
            return
        if line.state is RunState.PAUSED:
            self._send(line.run, Resume())
            return
        self._say(f"Run {line.run.name} is being started again.", "Resume")
        self._in_thread(partial(control.restart, line.run), "")

    def act_stop(self) -> None:
        """Ask how, then ask the run to stop."""
        if line := self._for("stop"):
            run = line.run
            self.app.push_screen(StopDialog(run.name), lambda answer: self._send(run, answer) if answer else None)

    def act_filter(self) -> None:
        """Show the text field of the filter."""
        self._filter.display = True
        self.set_focus(self._filter)

    def act_mark(self) -> None:
        """Mark the run under the cursor, or take its mark away; a third mark takes the first one's place."""
        if line := self._table.chosen:
            path = line.run.path
            others = [marked for marked in self._marked if marked != path]
            self._marked = others if path in self._marked else [*others, path][-COMPARED:]
            self._table.show_marks(self._marked)

    def act_compare(self) -> None:
        """Compare the two marked runs, or the marked one with that under the cursor."""
        line = self._table.chosen
        paths = list(self._marked)
        if line and len(paths) < COMPARED and line.run.path not in paths:
            paths.append(line.run.path)
        if len(paths) < COMPARED:
            self._say("Mark a run with Space, move to another, and press c again.", "Which two?")
            return
        from tui.screens.compare import (
            CompareScreen,
        )  # plotext, which the first picture of the console must not wait for

        self.app.push_screen(CompareScreen([RunDir(path) for path in paths]))

    def act_folder(self) -> None:
        """Open the folder of the run, or say where it is."""
        if line := self._table.chosen:
            if reason := open_outside(line.run.path):
                self._say(f"{line.run.path}\ny copies the path.", reason)

    def act_copy(self) -> None:
        """Put the path on the clipboard."""
        if line := self._table.chosen:
            self.app.copy_to_clipboard(str(line.run.path))
            self._say(f"{line.run.path}", "On the clipboard, if the terminal lets it through")

    def act_delete(self) -> None:
        """Measure the run, then ask."""
        if line := self._for("delete"):
            run = line.run
            threading.Thread(
                target=lambda: self.post_message(self.Measured(run, size_of(belongings(run)))), daemon=True
            ).start()

    def on_runs_screen_measured(self, message: Measured) -> None:
        """Ask, now that it is known how much goes."""
        self.app.push_screen(
            DeleteDialog(message.run, message.total), lambda sure: self._delete(message.run) if sure else None
        )

    def _delete(self, run: RunDir) -> None:
        self.post_message(Deleted(run))
        self._in_thread(lambda: remove(run), f"{short_path(run.path)} and its logs are gone.")

    def _for(self, identity: str) -> RunLine | None:
        """The run under the cursor if an action may change it now; says why if not."""
        line = self._table.chosen
        if line and self.console_app.readonly:
            self._say("Start the console without --readonly to change anything.", "Read-only")
        elif line and not self._applies(identity):
            self._say(f"Run {line.run.name} is {state_of(line)[2:]}: {line.remark}.", NOT_NOW[identity])
        else:
            return line
        return None

    def _send(self, run: RunDir, command: Command) -> None:
        self._in_thread(partial(control.send, run, command), "")

    def _in_thread(self, act: Callable[[], object], done: str) -> None:
        """Do what may take its time; tell how it ended."""

        def work() -> None:
            try:
                act()
            except ShoeloraError as error:
                self.post_message(self.Said(f"{error.why}\n{error.remedy}".strip(), error.what, severe=True))
            else:
                if done:
                    self.post_message(self.Said(done, "Done"))
            self._feed.look_now()

        threading.Thread(target=work, daemon=True).start()

    # ---- the filter --------------------------------------------------------------------------------------------------

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is typed."""
        self.console_app.settings.remember("runs.filter", event.value)
        self._show()

    def on_input_submitted(self) -> None:
        """Back to the table; the filter stays."""
        self.set_focus(self._table)

    def key_escape(self) -> None:
        """Show all runs again."""
        self._filter.value = ""
        self.set_focus(self._table)
        self._show()


def _summary(line: RunLine) -> str:
    """What has no column where the window is narrow."""
    parts = [f"[${tone_of(line)}]{state_of(line)}[/]", f"{pace_of(line)} steps/min"]
    if line.eta_seconds is not None:
        parts.append(f"{duration(line.eta_seconds)} left")
    return "  ".join([*parts, f"since {started_in_full(line)}"])
