"""Details: the log, the checkpoints and the warnings of a run, one of them shown, or all where there is room."""

from dataclasses import dataclass
from time import time as now
from typing import Literal

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input

from tui.run_view import RunView
from tui.settings import Settings
from tui.widgets.entries import Entries, checkpoint_lines, warning_lines
from tui.widgets.log_pane import LogPane
from tui.widgets.tab_line import TabLine

PANE = "monitor.pane"  # what is kept between two starts
NAMES = ("Log", "Checkpoints", "Warnings")


class Details(Vertical):
    """A line of names with one of three panes below; a style sheet may show all of them side by side."""

    DEFAULT_CSS = """
    Details #find { display: none; height: 1; border: none; padding: 0 1; }
    Details.-finding #find { display: block; }
    Details #panes { height: 1fr; }
    Details #lists { height: 1fr; width: 1fr; display: none; }
    Details Entries { height: 1fr; width: 1fr; padding: 0 1; scrollbar-size-vertical: 1; display: none; }
    Details.-checkpoints #lists, Details.-warnings #lists { display: block; }
    Details.-checkpoints #checkpoints, Details.-warnings #warnings { display: block; }
    Details.-checkpoints LogPane, Details.-warnings LogPane { display: none; }
    """

    @dataclass
    class Chosen(Message):
        """Another pane is shown."""

    def __init__(self, view: RunView, settings: Settings) -> None:
        super().__init__()
        self._view = view
        self._settings = settings
        self._logged = 0  # lines of the view's log that the pane has
        kept = settings.recall(PANE, NAMES[0])
        self.pane = NAMES.index(kept) if kept in NAMES else 0

    def compose(self) -> ComposeResult:
        """Names, panes, and the field for what is to be found."""
        yield TabLine(NAMES, ("Log", "Ckpt", "Warn"))
        with Horizontal(id="panes"):
            with Vertical(id="lists"):
                yield Entries("Checkpoints", id="checkpoints")
                yield Entries("Warnings", id="warnings")
            yield LogPane()
        yield Input(placeholder="Find in the log; Enter finds, Esc ends", id="find", compact=True)

    def on_mount(self) -> None:
        """Show the pane that was shown last."""
        self.choose(self.pane)

    def show(self) -> None:
        """Show what is new in the view."""
        view = self._view
        log = self.query_one(LogPane)
        log.extend(view.newest_log(self._logged))
        self._logged = view.logged
        self.query_one("#checkpoints", Entries).show(checkpoint_lines(view, now()))
        self.query_one("#warnings", Entries).show(warning_lines(view))
        self._say()

    def choose(self, pane: int) -> None:
        """Show another pane."""
        self.pane = pane % len(NAMES)
        for index, name in enumerate(NAMES):
            self.set_class(index == self.pane, f"-{name.lower()}")
        self._settings.remember(PANE, NAMES[self.pane])
        self._say()

    def scroll_shown(self, way: Literal["up", "down", "page_up", "page_down", "home", "end"]) -> None:
        """Scroll the log, or the list that is shown instead of it."""
        pane = (self.query_one(LogPane), *self.query(Entries))[self.pane]
        getattr(pane, f"scroll_{way}")(animate=False)

    def _say(self) -> None:
        counts = (0, len(self._view.checkpoints), len(self._view.noted))
        remark = Content.styled(self.query_one(LogPane).remark, "$text-warning")
        self.query_one(TabLine).show(self.pane, [remark], counts)

    def on_tab_line_chosen(self, message: TabLine.Chosen) -> None:
        """Show the pane whose name was clicked."""
        message.stop()
        self.choose(message.index)
        self.post_message(self.Chosen())

    def on_log_pane_remarked(self) -> None:
        """Say in the line what there is to say about the log."""
        self._say()

    # ---- finding -----------------------------------------------------------------------------------------------------

    def ask_what_to_find(self) -> None:
        """Open the field."""
        self.choose(0)
        self.add_class("-finding")
        self.query_one("#find", Input).focus()

    def end_finding(self) -> bool:
        """Close the field and unmark what was found; False if there was nothing to end."""
        log = self.query_one(LogPane)
        was_finding = self.has_class("-finding") or log.is_finding
        self.remove_class("-finding")
        log.find("")
        if was_finding:
            log.focus()
        return was_finding

    def find_next(self, direction: int) -> None:
        """Go to the next place, or ask first what is sought."""
        log = self.query_one(LogPane)
        if log.is_finding:
            log.find_next(direction)
        else:
            self.ask_what_to_find()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Find it, and give the keys back to the screen."""
        event.stop()
        self.remove_class("-finding")
        log = self.query_one(LogPane)
        log.find(event.value.strip())
        log.focus()
