"""The row of buttons, one for each action of the table, each with its key."""

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.geometry import Size
from textual.widgets import Button

from engine.contract.run_state import RunState
from tui.actions import everywhere
from tui.actions.action import Action
from tui.actions.monitor import (
    ACTIONS,
    ON_THE_BAR,
    ONLY_WHEN_STALLED,
    ONLY_WHERE_ROOMY,
    is_enabled,
    is_offered,
)

ROOMY = 96  # columns


class ActionButton(Button):
    """A button that shows its key."""

    DEFAULT_CSS = """
    ActionButton, ActionButton.-textual-compact {
        min-width: 4; width: auto; height: 1; padding: 0 1; margin: 0 1 0 0;
        background: $surface-lighten-1; color: $foreground;
        &:hover { background: $primary-muted; }
        &:focus { background: $primary-muted; text-style: underline; }
        &:disabled { background: $surface; color: $text-disabled; text-opacity: 60%; }
    }
    """

    def __init__(self, entry: Action) -> None:
        label = Content.assemble((entry.signs[0], "bold $accent"), f" {entry.label}")
        super().__init__(label, compact=True, tooltip=entry.help, id=entry.id)
        self.entry = entry
        self.styles.line_pad = 0  # a style sheet cannot say 0 here (Textual 8.2)

    def get_content_width(self, _container: Size, _viewport: Size) -> int:
        """The label alone; a button of Textual's adds two columns even where there is no room for them."""
        return cell_len(str(self.label))


class ActionBar(Horizontal):
    """Buttons; those that would not be obeyed now are dimmed."""

    DEFAULT_CSS = """
    ActionBar { height: 1; padding: 0 1; }
    """

    def compose(self) -> ComposeResult:
        """One button for each action that belongs here."""
        leaving = [entry for entry in everywhere.ACTIONS if entry.id in {"detach", "help"}]
        for entry in (*(entry for entry in ACTIONS if entry.id in ON_THE_BAR), *leaving):
            yield ActionButton(entry)

    def show(self, state: RunState, readonly: bool, stalled: bool) -> None:
        """Offer what the contract's table allows in this state."""
        hidden = set() if stalled else ONLY_WHEN_STALLED
        if self.size.width < ROOMY:
            hidden = hidden | ONLY_WHERE_ROOMY
        for button in self.query(ActionButton):
            button.display = is_offered(button.entry, state) and button.entry.id not in hidden
            button.disabled = not is_enabled(button.entry, state, readonly)
