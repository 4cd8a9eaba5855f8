"""What can be done on the Generate screen."""

from tui.actions.action import Action

ACTIONS: tuple[Action, ...] = ()
