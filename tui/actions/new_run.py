"""What can be done on the New run screen."""

from tui.actions.action import Action

ACTIONS: tuple[Action, ...] = ()
