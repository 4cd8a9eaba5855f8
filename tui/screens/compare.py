"""Two runs beside each other: their curves in one plot, how they stand, and the settings in which they differ."""

import math
import threading
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Static

from engine.contract.errors import ShoeloraError
from engine.contract.run_dir import RunDir
from tui.run_view import RunView, view_run
from tui.widgets.compare_plot import LOOKS, ComparePlot, Curve
from tui.wording import loss, state_words

LOOK_INTERVAL = 2.0  # seconds between two readings of both journals
OF_NO_WEIGHT = frozenset({"run_name"})  # differs always
MOST_SETTINGS = 6  # lines


class CompareScreen(ModalScreen[None]):
    """Follows runs that are at work until it is closed."""

    DEFAULT_CSS = """
    CompareScreen > Vertical { border: round $primary; background: $background; border-title-style: bold; }
    CompareScreen Static { height: auto; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,c,enter", "app.pop_screen", "Close"),
        Binding("l", "log_scale", "Log scale"),
    ]

    @dataclass
    class Read(Message):
        """Both runs as they are now."""

        views: list[RunView]
        differences: list[tuple[str, str, str]]

    @dataclass
    class Unreadable(Message):
        """A run is gone or damaged."""

        error: ShoeloraError

    def __init__(self, runs: list[RunDir]) -> None:
        super().__init__()
        self._runs = runs
        self._ended = threading.Event()

    def compose(self) -> ComposeResult:
        """Legend, plot, settings."""
        with Vertical() as box:
            box.border_title = "Two runs: smoothed loss as lines, validation loss as marks"
            box.border_subtitle = "l logarithmic scale, Esc closes"
            yield Static("reading…", id="legend")
            yield ComparePlot()
            yield Static(id="settings")

    def on_mount(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._read, name="comparison", daemon=True).start()

    def on_unmount(self) -> None:
        """Read no more."""
        self._ended.set()

    def _read(self) -> None:
        sizes: list[int] = []
        while not self._ended.is_set():
            try:
                now = [run.journal.stat().st_size for run in self._runs]
                if now != sizes:
                    sizes = now
                    self.post_message(self.Read([view_run(run) for run in self._runs], differences(*self._runs)))
            except ShoeloraError as error:
                self.post_message(self.Unreadable(error))
                return
            except OSError as error:
                self.post_message(self.Unreadable(ShoeloraError("A run is gone", str(error))))
                return
            self._ended.wait(LOOK_INTERVAL)

    def action_log_scale(self) -> None:
        """Change the scale, as on the Monitor."""
        self.query_one(ComparePlot).toggle_logarithmic()

    def on_compare_screen_read(self, message: Read) -> None:
        """Show both."""
        self.query_one("#legend", Static).update(legend(message.views))
        self.query_one(ComparePlot).show([_curve(view) for view in message.views])
        self.query_one("#settings", Static).update(_settings(message.differences))

    def on_compare_screen_unreadable(self, message: Unreadable) -> None:
        """Say which, and close."""
        self.notify(message.error.why, title=message.error.what, severity="error", markup=False)
        self.app.pop_screen()


def differences(one: RunDir, other: RunDir) -> list[tuple[str, str, str]]:
    """Settings that differ, by name, each with both values. Raises ConfigError if a config is damaged."""
    mine, yours = one.config().model_dump(), other.config().model_dump()
    return [(name, str(mine[name]), str(yours[name])) for name in mine
            if name not in OF_NO_WEIGHT and mine[name] != yours[name]]  # fmt: skip


def legend(views: list[RunView]) -> Content:
    """A line for each run: its signs, name, state, step and losses."""
    lines = []
    for view, look in zip(views, LOOKS, strict=False):
        colour = f"${look.colour}"
        validation = view.validation_losses[-1].loss if view.validation_losses else None
        best = min((one.loss for one in view.validation_losses if math.isfinite(one.loss)), default=None)
        lines.append(
            Content.assemble(
                (f"{look.line_sign * 2}{look.mark}{look.line_sign * 2} ", colour), (view.name, f"bold {colour}"),
                f"  {state_words(view.state)}  {view.step}/{view.max_train_steps}",
                f"  validation {loss(validation)}, best {loss(best)}",
            )
        )  # fmt: skip
    return Content("\n").join(lines)


def _curve(view: RunView) -> Curve:
    return Curve(
        [(step.step, step.train_loss) for step in view.steps if math.isfinite(step.train_loss)],
        [(one.step, one.loss) for one in view.validation_losses if math.isfinite(one.loss)],
        view.max_train_steps,
    )


def _settings(differences: list[tuple[str, str, str]]) -> Content:
    if not differences:
        return Content.styled("All settings are the same.", "$text-muted")
    first, second = (f"${look.colour}" for look in LOOKS)
    lines = [
        Content.assemble((f"{name}  ", "$text-muted"), (mine, first), "  ", (yours, second))
        for name, mine, yours in differences[:MOST_SETTINGS]
    ]
    if (more := len(differences) - MOST_SETTINGS) > 0:
        lines.append(Content.styled(f"and {more} settings more", "$text-muted"))
    return Content("\n").join(lines)
