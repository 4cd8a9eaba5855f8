"""What a run of the form's settings would cost, and what keeps it from starting."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static

from engine.contract.config import TrainingConfig
from engine.contract.run_dir import Workspace
from engine.control import Estimate
from tui.estimate_words import in_full, in_short
from tui.estimator import Estimated, Estimator

WAITING = "Estimating…"


DEBOUNCE = 0.3  # seconds without a change before an estimate is asked for


class EstimatePanel(VerticalScroll, can_focus=False):
    """Asks for estimates, tells what they find, and repaints when that is new."""

    DEFAULT_CSS = """
    EstimatePanel {
        padding: 0 1; height: 1fr;
        #reasons, #figures { height: auto; }
        #reasons { margin-bottom: 1; display: none; }
        &.-old #figures { text-opacity: 60%; }
        &.-short {
            #reasons, #figures { text-wrap: nowrap; text-overflow: ellipsis; }
            #reasons { margin-bottom: 0; }
        }
    }
    """

    @dataclass
    class Came(Message):
        """An estimate is there; `obstacles` says by setting why the run would end at once."""

        config: TrainingConfig
        estimate: Estimate | None
        obstacles: dict[str, str]

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(id="estimate")
        self.estimator = Estimator(workspace, self._deliver)
        self._debounce: Timer | None = None
        self._estimate: Estimate | None = None
        self._shown_for: TrainingConfig | None = None
        self._faults: tuple[str, ...] = ()
        self._is_full = True

    def compose(self) -> ComposeResult:
        """Two texts."""
        yield Static(id="reasons")
        yield Static(WAITING, id="figures")

    # ---- asking ------------------------------------------------------------------------------------------------------

    def ask(self, config: TrainingConfig | None) -> None:
        """Estimate these settings, if they are right."""
        self._dim_unless_for(config)
        if config:
            self.estimator.ask(config)

    def ask_soon(self, config: TrainingConfig | None) -> None:
        """The same, unless other settings come first."""
        self._dim_unless_for(config)
        if self._debounce:
            self._debounce.stop()
        self._debounce = self.set_timer(DEBOUNCE, partial(self.ask, config))

    def _deliver(self, estimated: Estimated) -> None:
        """From the estimator's thread."""
        obstacles = {"train_data_dir": estimated.fault} if estimated.fault else {}
        if estimated.estimate:
            obstacles = {one.setting: one.error.what for one in estimated.estimate.obstacles}
        self.post_message(self.Came(estimated.config, estimated.estimate, obstacles))

    # ---- showing -----------------------------------------------------------------------------------------------------

    def _dim_unless_for(self, config: TrainingConfig | None) -> None:
        self.set_class(config != self._shown_for, "-old")

    def show(self, config: TrainingConfig, estimate: Estimate | None) -> None:
        """Show the estimate of these settings."""
        self._shown_for = config
        self._dim_unless_for(config)
        if estimate != self._estimate:
            self._estimate = estimate
            self._repaint()

    def show_faults(self, faults: Sequence[str]) -> None:
        """Show, above the estimate, every reason why the run cannot start."""
        if tuple(faults) != self._faults:
            self._faults = tuple(faults)
            self._repaint()

    def show_in_full(self, wanted: bool) -> None:
        """Every part, or only what matters most."""
        if wanted != self._is_full:
            self._is_full = wanted
            self.set_class(not wanted, "-short")
            self._repaint()

    def _repaint(self) -> None:
        reasons, figures = self.query_one("#reasons", Static), self.query_one("#figures", Static)
        reasons.display = bool(self._faults)
        if self._faults:
            reasons.update(self._reasons())
        if self._estimate:
            figures.update(in_full(self._estimate) if self._is_full else in_short(self._estimate))
        else:
            figures.update("" if self._faults else WAITING)

    def _reasons(self) -> Content:
        """Each in a line of its own; below the form there is room for the first alone."""
        if self._is_full:
            lines = [Content.styled("✗ This run cannot start yet", "bold $text-error")]
            lines += [Content.styled(f"  {fault}", "$text-error") for fault in self._faults]
            return Content("\n").join(lines)
        more = f" (and {len(self._faults) - 1} more)" if len(self._faults) > 1 else ""
        return Content.styled(f"✗ {self._faults[0]}{more}", "$text-error")
