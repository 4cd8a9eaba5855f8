"""Explains keys, marks and colours, from the table of actions."""

from collections.abc import Iterable
from typing import ClassVar

from rich.console import Group
from rich.table import Table
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from engine.contract.run_state import RunState
from tui.actions import TABLE
from tui.wording import state_words

MOVES = (
    ("Tab", "Move between pictures, log and buttons; arrows and PgUp scroll, End follows the log again."),
    ("ctrl+p", "Command palette: every action by name, and themes, light ones too."),
)
MARKS = (
    ("─ ━", "loss of each step, and smoothed"),
    ("◆", "validation loss: held-out pictures, always the same noise"),
    ("▲", "a checkpoint that can be resumed from"),
)


class HelpScreen(ModalScreen[None]):
    """One page; any of its keys closes it."""

    CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > VerticalScroll {
        width: 104; max-width: 100%; height: auto; max-height: 100%;
        border: round $primary; background: $surface; padding: 0 1; border-title-style: bold;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark", "app.pop_screen", "Close")]

    def compose(self) -> ComposeResult:
        """Keys, then marks, then states."""
        with VerticalScroll() as box:
            box.border_title = "Help"
            box.border_subtitle = "Esc closes"
            yield Static(help_page())


def help_page() -> Group:
    """Three tables, whose second columns wrap by themselves."""
    keys = [
        ("/".join(entry.signs), f"{entry.label}: {entry.help}") for entry in (*TABLE["monitor"], *TABLE["everywhere"])
    ]
    states = [(state_words(state), state.meaning) for state in RunState]
    return Group(_table("Keys", [*keys, *MOVES]), _table("Marks", MARKS), _table("States", states))


def _table(heading: str, rows: Iterable[tuple[str, str]]) -> Table:
    table = Table(box=None, show_header=False, title=heading, title_justify="left", title_style="bold underline")
    table.add_column(min_width=13, style="bold", no_wrap=True)
    table.add_column()
    for left, right in rows:
        table.add_row(left, right)
    return table
