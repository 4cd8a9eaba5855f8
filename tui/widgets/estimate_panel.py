"""What a run of the form's settings would cost, and what keeps it from starting."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.control import Estimate
from tui.estimate_words import in_full, in_short

WAITING = "Estimating…"


class EstimatePanel(VerticalScroll, can_focus=False):
    """Repaints when what it is told is new."""

    DEFAULT_CSS = """
    EstimatePanel { padding: 0 1; height: 1fr; }
    EstimatePanel > Static { height: auto; }
    EstimatePanel.-short > Static { text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self) -> None:
        super().__init__(id="estimate")
        self._estimate: Estimate | None = None
        self._faults: tuple[str, ...] = ()
        self._is_full = True

    def compose(self) -> ComposeResult:
        """One text."""
        yield Static(WAITING)

    def show(self, estimate: Estimate | None, faults: Sequence[str]) -> None:
        """Show an estimate, and above it every reason why the run cannot start."""
        if (estimate, tuple(faults)) != (self._estimate, self._faults):
            self._estimate, self._faults = estimate, tuple(faults)
            self._repaint()

    def show_in_full(self, wanted: bool) -> None:
        """Every part, or only what matters most."""
        if wanted != self._is_full:
            self._is_full = wanted
            self.set_class(not wanted, "-short")
            self._repaint()

    def _repaint(self) -> None:
        parts = []
        if self._faults:
            parts.append(self._reasons())
        if self._estimate:
            parts.append(in_full(self._estimate) if self._is_full else in_short(self._estimate))
        elif not self._faults:
            parts.append(Content(WAITING))
        self.query_one(Static).update(Content("\n\n" if self._is_full else "\n").join(parts))

    def _reasons(self) -> Content:
        """Each in a line of its own; below the form there is room for the first alone."""
        if self._is_full:
            lines = [Content.styled("✗ This run cannot start yet", "bold $text-error")]
            lines += [Content.styled(f"  {fault}", "$text-error") for fault in self._faults]
            return Content("\n").join(lines)
        more = f" (and {len(self._faults) - 1} more)" if len(self._faults) > 1 else ""
        return Content.styled(f"✗ {self._faults[0]}{more}", "$text-error")
