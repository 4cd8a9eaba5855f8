"""The one table of what can be done on each screen; keys, buttons, palette, help and README's list are made from it."""

from typing import Literal

from tui.actions import environment, everywhere, gallery, generate, monitor, new_run, runs
from tui.actions.action import Action
from tui.navigation import ScreenName

__all__ = ["TABLE", "Action", "Place"]

Place = ScreenName | Literal["everywhere"]

TABLE: dict[Place, tuple[Action, ...]] = {
    "runs": runs.ACTIONS,
    "new": new_run.ACTIONS,
    "monitor": monitor.ACTIONS,
    "gallery": gallery.ACTIONS,
    "generate": generate.ACTIONS,
    "environment": environment.ACTIONS,
    "everywhere": everywhere.ACTIONS,
}
