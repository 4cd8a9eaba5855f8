"""Explains the keys of the screen at hand and of every screen, the marks and the states, from the table of actions."""

from collections.abc import Iterable
from typing import ClassVar

from rich.table import Table
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from engine.contract.run_state import RunState
from tui.actions import TABLE, Action, Place
from tui.curves import BAND_RANGES
from tui.navigation import ScreenName
from tui.run_words import STALLED_SIGN
from tui.wording import state_words

MOVES = (
    ("Tab", "Move between the parts of a screen; Esc leaves a text field."),
    ("Ctrl+p", "Command palette: every action by its name."),
)
BAND_WORDS = f"{BAND_RANGES[0]} (low noise), {', '.join(BAND_RANGES[1:-1])}, {BAND_RANGES[-1]} (high noise)"
MARKS: dict[Place, tuple[tuple[str, str], ...]] = {
    "runs": (
        ("↓ ↑ →", "validation loss against the one before: better, worse, the same"),
        ("●", "marked, to be compared"),
    ),
    "monitor": (
        ("─ ━", "loss of each step, and smoothed"),
        ("◆", "validation loss: held-out pictures, always the same noise"),
        ("1 2 3 4", f"validation loss by timestep of the noise schedule: {BAND_WORDS}"),
        ("▲", "a checkpoint that can be resumed from"),
        ("!  ✗", "a warning; a step that was skipped, since its loss was not finite"),
        ("◂", "the steps after it were lost, and are done again"),
        ("▴", "above the upper edge of the plot"),
    ),
}
WITH_STATES = frozenset({"runs", "monitor"})


class HelpScreen(ModalScreen[None]):
    """Two columns where there is room, else one; any of its keys closes it."""

    CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > VerticalScroll {
        width: 130; max-width: 100%; height: auto; max-height: 100%;
        border: round $primary; background: $surface; padding: 0 1; border-title-style: bold;
    }
    HelpScreen Container { height: auto; }
    HelpScreen.-wide Container { layout: horizontal; }
    HelpScreen.-wide Static { width: 1fr; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (96, "-wide")]  # noqa: RUF012  # Textual types it as an instance's
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark", "app.pop_screen", "Close")]

    def __init__(self, place: ScreenName) -> None:
        super().__init__()
        self._place = place

    def compose(self) -> ComposeResult:
        """What belongs to the screen at the left, what holds everywhere at the right."""
        place = self._place
        name = next(entry.label for entry in TABLE["everywhere"] if entry.id == place)
        with VerticalScroll() as box:
            box.border_title = "Help"
            box.border_subtitle = "Esc closes"
            with Container():
                yield Static(_table(f"Keys on {name}", _keys(TABLE[place])))
                yield Static(self._right())

    def _right(self) -> Table:
        grid = Table.grid()
        if marks := MARKS.get(self._place):
            grid.add_row(_table("Marks", marks))
        if self._place in WITH_STATES:
            states = [(state_words(state), state.meaning) for state in RunState]
            stalled = (f"{STALLED_SIGN} stalled", "nothing is heard of the worker")
            grid.add_row(_table("States", [*states, stalled]))
        grid.add_row(_table("Keys everywhere", [*_keys(TABLE["everywhere"]), *MOVES]))
        return grid


def _keys(entries: Iterable[Action]) -> list[tuple[str, str]]:
    return [("/".join(entry.signs), f"{entry.label}: {entry.help}") for entry in entries]


def _table(heading: str, rows: Iterable[tuple[str, str]]) -> Table:
    table = Table(box=None, show_header=False, title=heading, title_justify="left", title_style="bold underline")
    table.add_column(min_width=13, style="bold", no_wrap=True)
    table.add_column()
    for left, right in rows:
        table.add_row(left, right)
    return table
