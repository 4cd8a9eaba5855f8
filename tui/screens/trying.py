"""TryingScreen: the half of New run that tries the settings by check and preflight, and shows what these say."""

from engine.contract.config import TrainingConfig
from engine.contract.run_dir import Workspace
from engine.control import Tool
from tui.screens.main_screen import MainScreen
from tui.widgets.estimate_panel import EstimatePanel
from tui.widgets.tool_report import ToolReport


class TryingScreen(MainScreen):
    """A subclass has an EstimatePanel and a ToolReport, and says which settings are to be tried."""

    SCREEN = "new"

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self.workspace = workspace

    def right_config(self) -> TrainingConfig | None:
        """The settings, if all are right; else it is said which is not."""
        raise NotImplementedError

    def ask_estimate(self) -> None:
        """Estimate the settings as they are now."""
        raise NotImplementedError

    def offer_keys(self) -> None:
        """Show the keys that do something now."""
        raise NotImplementedError

    def act_check(self) -> None:
        """Look at machine, data and model."""
        self._run_tool("environment")

    def act_preflight(self) -> None:
        """Train five steps."""
        self._run_tool("preflight")

    def _run_tool(self, tool: Tool) -> None:
        report, config = self.query_one(ToolReport), self.right_config()
        if report.at_work:
            self.notify(f"F8 stops the {report.at_work.lower()}.", title="One at a time", severity="warning")
        elif config:
            report.run(tool, config, self.workspace, self.query_one(EstimatePanel).estimator.lock)
            self.offer_keys()

    def on_tool_report_ended(self) -> None:
        """A preflight leaves its pace for the estimate."""
        self.ask_estimate()
        self.offer_keys()

    def on_tool_report_shown_or_hidden(self) -> None:
        """Below the form there is room for the estimate or for the report."""
        self.query_one("#side").set_class(self.query_one(ToolReport).is_shown, "-reporting")
        self.offer_keys()

    def act_close(self) -> None:
        """Stop the tool, or hide what it said."""
        report = self.query_one(ToolReport)
        if report.at_work:
            report.stop()
        else:
            report.hide()

    def act_copy_remedy(self) -> None:
        """Put a remedy on the clipboard."""
        self.query_one(ToolReport).copy_next_remedy()
