"""What can be done on the Environment screen."""

from tui.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action("check", "r", "Check again", "Look once more whether this machine is ready; the result so far stays."),
    Action("diagnose", "d", "Diagnose", "What may be wrong with the run in hand, and what to do about it."),
    Action("copy", "y", "Copy remedy", "Put the remedy of the row with the bar on the clipboard; ↑ ↓ choose a row."),
)
