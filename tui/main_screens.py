"""The six screens by name; each is imported when it is made, so that the first paint waits for none but its own."""

from engine.contract.run_dir import RunDir, Workspace
from tui.navigation import ScreenName
from tui.screens.main_screen import MainScreen


def make_screen(name: ScreenName, workspace: Workspace, run: RunDir | None, readonly: bool) -> MainScreen:
    """A screen for the run in hand, which the Monitor cannot do without. Raises ShoeloraError if it cannot be read."""
    match name:
        case "runs":
            from tui.screens.runs import RunsScreen

            return RunsScreen(workspace)
        case "new":
            from tui.screens.new_run import NewRunScreen

            return NewRunScreen(workspace)
        case "monitor":
            from tui.screens.monitor import MonitorScreen

            assert run
            return MonitorScreen(run, readonly)
        case "gallery":
            from tui.screens.gallery import GalleryScreen

            return GalleryScreen(workspace, run)
        case "generate":
            from tui.screens.generate import GenerateScreen

            return GenerateScreen(workspace, run)
        case "environment":
            from tui.screens.environment import EnvironmentScreen

            return EnvironmentScreen(workspace, run)
