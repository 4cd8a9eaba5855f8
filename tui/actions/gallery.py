"""What can be done on the Gallery screen."""

from tui.actions.action import Action

ACTIONS: tuple[Action, ...] = ()
