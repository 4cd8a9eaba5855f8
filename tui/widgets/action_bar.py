"""The row of buttons, one for each action of the table, each with its key."""

from textual.app import ComposeResult
from textual.containers import Horizontal

from engine.contract.run_state import RunState
from tui.actions import everywhere
from tui.actions.monitor import (
    ACTIONS,
    ON_THE_BAR,
    ONLY_WHEN_STALLED,
    ONLY_WHERE_ROOMY,
    is_enabled,
    is_offered,
)
from tui.widgets.action_button import ActionButton

ROOMY = 96  # columns


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
        if self.app.size.width < ROOMY:
            hidden = hidden | ONLY_WHERE_ROOMY
        for button in self.query(ActionButton):
            button.display = is_offered(button.entry, state) and button.entry.id not in hidden
            button.disabled = not is_enabled(button.entry, state, readonly)
