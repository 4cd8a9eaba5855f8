"""Asks how a run is to be stopped."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Label, Static

from engine.contract.protocol import Stop


class StopDialog(ModalScreen[Stop | None]):
    """Returns the command to send, or nothing if the run is to go on."""

    CSS = """
    StopDialog { align: center middle; }
    StopDialog > Vertical {
        width: 62; max-width: 100%; height: auto; max-height: 100%;
        border: round $primary; background: $surface; padding: 0 1; border-title-style: bold;
    }
    StopDialog Horizontal { height: auto; margin-top: 1; align-horizontal: center; }
    StopDialog Button { margin: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "choose('save')", "Save and stop"),
        Binding("d", "choose('discard')", "Stop without saving"),
        Binding("escape,q", "choose('cancel')", "Cancel"),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]

    def __init__(self, run_name: str) -> None:
        super().__init__()
        self._run_name = run_name

    def compose(self) -> ComposeResult:
        """The question, what each answer means, and the answers; the one that loses nothing is the first."""
        with Vertical() as box:
            box.border_title = "Stop the run?"
            yield Label(self._run_name, markup=False)
            yield Static(
                "Saving writes a checkpoint and the adapter first. Either way the run can be resumed: "
                "without saving, from its newest checkpoint."
            )
            with Horizontal():
                yield Button("s Save and stop", id="save", compact=True, variant="primary")
                yield Button("d Do not save", id="discard", compact=True, variant="error")
                yield Button("Esc Cancel", id="cancel", compact=True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """A button says the same as its key."""
        self.action_choose(event.button.id or "cancel")

    def action_choose(self, answer: str) -> None:
        """Close with the command that the answer means."""
        commands = {"save": Stop(save=True), "discard": Stop(save=False)}
        self.dismiss(commands.get(answer))
