"""All runs of a workspace, the one last started on top, as they are now."""

from dataclasses import dataclass
from pathlib import Path

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import DataTable, Static

from engine.contract.run_dir import RunDir, Workspace
from tui.actions import TABLE
from tui.actions.runs import NOT_NOW, is_possible
from tui.navigation import Opened
from tui.run_line import RunLine
from tui.run_words import state_of, summary_of
from tui.runs_feed import RunsFeed
from tui.screens.main_screen import MainScreen
from tui.screens.path_errands import copy_path, open_path
from tui.screens.run_errands import RunErrands
from tui.widgets.filter_line import FilterLine
from tui.widgets.key_bar import KeyBar
from tui.widgets.run_card import RunCard
from tui.widgets.run_table import RunTable

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

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._feed = RunsFeed(workspace, lambda lines: self.post_message(self.Looked(lines)))
        self._lines: list[RunLine] | None = None  # None until the first look
        self._marked: list[Path] = []
        self._wanted: RunDir | None = None  # on which the cursor is to be put as soon as it is listed

    def compose_body(self) -> ComposeResult:
        """Every part; which of them are shown is for the style sheet, the size, and whether there are runs."""
        letters = self.console_app.settings.recall("runs.filter", "")
        yield FilterLine(letters, "letters of a name or a state")
        yield Static(id="words", markup=False)
        with Horizontal(id="runs"):
            yield RunTable()
            yield RunCard()
        yield Static(id="chosen")
        yield KeyBar(TABLE["runs"])
        yield RunErrands()

    def on_mount(self) -> None:
        """Begin to look at the runs."""
        self._show()
        self._feed.start()

    def on_unmount(self) -> None:
        """Look no more."""
        self._feed.stop()

    def on_screen_resume(self, _event: events.ScreenResume) -> None:
        """Come back to the run in hand; what happened on another screen is shown at once."""
        self._wanted = self.console_app.run_dir
        self._choose_wanted()
        self._feed.look_now()

    def run_in_hand(self) -> RunDir | None:
        """The run under the cursor: 3, 4 and 5 show it."""
        line = self._table.chosen
        return line.run if line else None

    @property
    def _table(self) -> RunTable:
        return self.query_one(RunTable)

    @property
    def _filter(self) -> FilterLine:
        return self.query_one(FilterLine)

    # ---- what the runs do --------------------------------------------------------------------------------------------

    def on_runs_screen_looked(self, message: Looked) -> None:
        """Show the runs as they are now."""
        self._lines = message.lines
        self._marked = [path for path in self._marked if any(line.run.path == path for line in message.lines)]
        self._show()
        self._choose_wanted()

    def _choose_wanted(self) -> None:
        if self._wanted and self._table.choose(self._wanted.path):
            self._wanted = None

    def _show(self) -> None:
        lines = self._lines or []
        letters = self._filter.letters.casefold()
        found = [line for line in lines if letters in f"{line.run.name} {state_of(line)}".casefold()]
        self._table.show(found, self._marked)
        words = self.query_one("#words", Static)
        words.display = self._lines is not None and not found
        words.update(NOBODY if lines else FIRST_WORDS)
        self.query_one("#runs").display = bool(found)
        self._filter.show_count(len(found), len(lines))
        self._show_chosen()

    def _show_chosen(self) -> None:
        line = self._table.chosen if self._lines else None
        self.query_one(RunCard).show(line)
        self.query_one("#chosen", Static).update(summary_of(line) if line else "")
        self.query_one(KeyBar).show([entry for entry in self.actions() if is_possible(entry.id, line)])

    @on(DataTable.RowHighlighted)
    def _cursor_moved(self) -> None:
        self._show_chosen()

    @on(DataTable.RowSelected)
    def _row_opened(self) -> None:
        self.act_open()

    def on_run_errands_ended(self) -> None:
        """See what became of it."""
        self._feed.look_now()

    def _say(self, text: str, title: str, severe: bool = False) -> None:
        self.notify(text, title=title, severity="error" if severe else "information", markup=False)

    # ---- what the user does ------------------------------------------------------------------------------------------

    def act_open(self) -> None:
        """Show the run on the Monitor."""
        if line := self._table.chosen:
            self.post_message(Opened("monitor", line.run))

    def act_resume(self) -> None:
        """Let a paused run go on, or start an ended one again."""
        if line := self._for("resume"):
            self.query_one(RunErrands).resume(line)

    def act_stop(self) -> None:
        """Ask how, then ask the run to stop."""
        if line := self._for("stop"):
            self.query_one(RunErrands).stop(line.run)

    def act_delete(self) -> None:
        """Ask, then remove the run."""
        if line := self._for("delete"):
            self.query_one(RunErrands).delete(line.run)

    def act_filter(self) -> None:
        """Show the text field of the filter."""
        self._filter.open()

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
            open_path(self, line.run.path)

    def act_copy(self) -> None:
        """Put the path on the clipboard."""
        if line := self._table.chosen:
            copy_path(self, line.run.path)

    def _for(self, identity: str) -> RunLine | None:
        """The run under the cursor if an action may change it now; says why if not."""
        line = self._table.chosen
        if line and self.console_app.readonly:
            self._say("Start the console without --readonly to change anything.", "Read-only")
        elif line and not is_possible(identity, line):
            self._say(f"Run {line.run.name} is {state_of(line)[2:]}: {line.remark}.", NOT_NOW[identity])
        else:
            return line
        return None

    # ---- the filter --------------------------------------------------------------------------------------------------

    def on_filter_line_changed(self, message: FilterLine.Changed) -> None:
        """Filter while it is typed."""
        self.console_app.settings.remember("runs.filter", message.letters)
        self._show()

    def on_filter_line_left(self) -> None:
        """Back to the table."""
        self.set_focus(self._table)

    def key_escape(self) -> None:
        """Show all runs again."""
        self._filter.empty()
