"""What can be done on the Environment screen."""

from tui.actions.action import Action

ACTIONS: tuple[Action, ...] = ()
