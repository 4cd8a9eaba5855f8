"""What can be done on the Runs screen."""

from tui.actions.action import Action

ACTIONS: tuple[Action, ...] = ()
