"""A question before a command that cannot be taken back."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Label, Static

from engine.contract.protocol import Command


@dataclass(frozen=True)
class Answer:
    """A button, and the command it stands for."""

    id: str
    label: str
    tone: Literal["primary", "error"]
    command: Command


class CommandDialog(ModalScreen[Command | None]):
    """Returns the command to send, or nothing if the run is to go on as it is. Subclasses say what is asked."""

    DEFAULT_CSS = """
    CommandDialog { align: center middle; }
    CommandDialog > Vertical {
        width: 62; max-width: 100%; height: auto; max-height: 100%;
        border: round $primary; background: $surface; padding: 0 1; border-title-style: bold;
    }
    CommandDialog Horizontal { height: auto; margin-top: 1; align-horizontal: center; }
    CommandDialog Button { margin: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "choose('cancel')", "Cancel"),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]
    QUESTION = ""
    MEANING = ""  # of each answer
    ANSWERS: ClassVar[tuple[Answer, ...]] = ()  # the one that loses nothing first

    def __init__(self, run_name: str) -> None:
        super().__init__()
        self._run_name = run_name

    def compose(self) -> ComposeResult:
        """The question, what each answer means, and the answers."""
        with Vertical() as box:
            box.border_title = self.QUESTION
            yield Label(self._run_name, markup=False)
            yield Static(self.MEANING)
            with Horizontal():
                for answer in self.ANSWERS:
                    yield Button(answer.label, id=answer.id, compact=True, variant=answer.tone)
                yield Button("Esc Cancel", id="cancel", compact=True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """A button says the same as its key."""
        self.action_choose(event.button.id or "cancel")

    def action_choose(self, answer: str) -> None:
        """Close with the command that the answer means."""
        self.dismiss(next((one.command for one in self.ANSWERS if one.id == answer), None))
