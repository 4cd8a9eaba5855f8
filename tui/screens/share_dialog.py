"""Asks whether pictures are to be drawn although a live run needs the same memory."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static


class ShareDialog(ModalScreen[bool]):
    """Returns whether to draw."""

    DEFAULT_CSS = """
    ShareDialog { align: center middle; }
    ShareDialog > Vertical {
        width: 62; max-width: 100%; height: auto; max-height: 100%;
        border: round $primary; background: $surface; padding: 0 1; border-title-style: bold;
    }
    ShareDialog Horizontal { height: auto; margin-top: 1; align-horizontal: center; }
    ShareDialog Button { margin: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("g", "choose(True)", "Generate"),
        Binding("escape,q", "choose(False)", "Cancel"),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]
    AUTO_FOCUS = "#cancel"

    def __init__(self, runs: Sequence[str]) -> None:
        super().__init__()
        self._runs = runs

    def compose(self) -> ComposeResult:
        """Who is at work, what may happen, and the answers."""
        with Vertical() as box:
            box.border_title = "Draw beside a live run?"
            many = len(self._runs) > 1
            yield Static(
                f"{', '.join(self._runs)} {'are' if many else 'is'} live on this device. Drawing loads the base model "
                "a second time, so memory may run out: the run then goes on in smaller batches, and the drawing ends. "
                "Both are slower meanwhile.",
                markup=False,
            )
            with Horizontal():
                yield Button("g Generate", id="draw", compact=True, variant="primary")
                yield Button("Esc Cancel", id="cancel", compact=True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """A button says the same as its key."""
        self.action_choose(event.button.id == "draw")

    def action_choose(self, draw: bool) -> None:
        """Close with the answer."""
        self.dismiss(draw)
