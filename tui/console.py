"""ConsoleApp: the Textual application; thin, since each screen knows its own business."""

import os
from collections.abc import Iterable
from functools import partial

from textual.app import App, SystemCommand
from textual.screen import Screen

from engine.contract.run_dir import RunDir
from tui.actions import ACTIONS, is_offered
from tui.screens.monitor import MonitorScreen

THEME = "nord"


class ConsoleApp(App[None]):
    """Opens the monitor of one run."""

    TITLE = "shoelora-tui"

    def __init__(self, run: RunDir, readonly: bool = False) -> None:
        super().__init__()
        if "TEXTUAL_THEME" not in os.environ:  # Textual's own way to choose one
            self.theme = THEME
        self.monitor = MonitorScreen(run, readonly)

    def on_mount(self) -> None:
        """Show the run."""
        self.push_screen(self.monitor)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The command palette: every action of the table, and Textual's themes."""
        if screen is self.monitor:
            for entry in ACTIONS:
                if is_offered(entry, self.monitor.view.state):
                    yield SystemCommand(entry.label, entry.help, partial(self.monitor.action_act, entry.id))
        yield SystemCommand("Theme", "Change the colours; there are light themes too.", self.action_change_theme)

    def action_help_quit(self) -> None:
        """Ctrl-C, which stops a run elsewhere, stops nothing here."""
        self.notify("q leaves this screen, and the run goes on. s stops the run.", title="Ctrl-C does nothing here")
