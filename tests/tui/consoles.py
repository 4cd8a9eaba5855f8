"""A console for a test: without a terminal, and without settings of its own."""

from engine.contract.run_dir import RunDir, Workspace
from tui.console import ConsoleApp
from tui.screens.monitor import MonitorScreen
from tui.settings import Settings


def console_on(run: RunDir, readonly: bool = False) -> ConsoleApp:
    """A console on a run, which keeps no settings."""
    return ConsoleApp(run.workspace, run, readonly, Settings(), "block")


def runs_console(workspace: Workspace, readonly: bool = False, settings: Settings | None = None) -> ConsoleApp:
    """A console on all runs."""
    return ConsoleApp(workspace, None, readonly, settings or Settings(), "block")


def monitor_of(app: ConsoleApp) -> MonitorScreen:
    """The Monitor of the run in hand, shown or not."""
    screen = app.main_screen("monitor")
    assert isinstance(screen, MonitorScreen)
    return screen
