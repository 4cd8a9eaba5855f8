"""A question before something that cannot be taken back."""

import time
from dataclasses import dataclass
from typing import ClassVar, Generic, Literal, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Label, Static

Meant = TypeVar("Meant")


@dataclass(frozen=True)
class Answer(Generic[Meant]):
    """A button, and what it stands for."""

    id: str
    label: str
    tone: Literal["primary", "error"]
    meant: Meant


class Question(ModalScreen[Meant | None]):
    """Returns what the answer stands for, or nothing if all is to stay as it is. Subclasses say what is asked."""

    DEFAULT_CSS = """
    Question { align: center middle; }
    Question > Vertical {
        width: 62; max-width: 100%; height: auto; max-height: 100%;
        border: round $primary; background: $surface; padding: 0 1; border-title-style: bold;
    }
    Question Horizontal { height: auto; margin-top: 1; align-horizontal: center; }
    Question Button { margin: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "choose('cancel')", "Cancel"),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]
    QUESTION = ""
    MEANING = ""  # of each answer
    ANSWERS: tuple[Answer[Meant], ...] = ()  # the one that loses nothing first

    def __init__(self, subject: str) -> None:
        super().__init__()
        self._subject = subject
        self._asked = time.monotonic()

    def compose(self) -> ComposeResult:
        """The question, what each answer means, and the answers."""
        with Vertical() as box:
            box.border_title = self.QUESTION
            yield Label(self._subject, markup=False)
            yield Static(self.MEANING, markup=False)
            with Horizontal():
                for answer in self.ANSWERS:
                    yield Button(answer.label, id=answer.id, compact=True, variant=answer.tone)
                yield Button("Esc Cancel", id="cancel", compact=True)

    def on_key(self, event: events.Key) -> None:
        """A key that was pressed before anybody could read the question is no answer to it."""
        if event.time < self._asked:
            event.stop()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """A button says the same as its key."""
        self.action_choose(event.button.id or "cancel")

    def action_choose(self, answer: str) -> None:
        """Close with what the answer stands for."""
        self.dismiss(next((one.meant for one in self.ANSWERS if one.id == answer), None))
