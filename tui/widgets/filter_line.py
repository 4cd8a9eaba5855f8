"""A line with a text field that narrows a list down; it is there only while it is used."""

from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static


class FilterLine(Horizontal):
    """Posts Changed while one types and Left when one is done; Esc empties it."""

    DEFAULT_CSS = """
    FilterLine { display: none; height: 1; padding: 0 1; background: $surface; }
    FilterLine Static { width: auto; padding: 0 1; }
    FilterLine Static.sign { color: $accent; padding: 0 1 0 0; }
    FilterLine Input { width: 1fr; background: $surface; }
    """

    @dataclass
    class Changed(Message):
        """Other letters are looked for."""

        letters: str

    class Left(Message):
        """The text field has done its work for now."""

    def __init__(self, letters: str, placeholder: str) -> None:
        super().__init__()
        self._input = Input(letters, placeholder, compact=True)
        self._count = Static()

    def compose(self) -> ComposeResult:
        """Sign, text field, how many were found."""
        yield Static("/", classes="sign")
        yield self._input
        yield self._count

    def on_mount(self) -> None:
        """Be there if there is something to look for."""
        self.display = bool(self._input.value)

    @property
    def letters(self) -> str:
        """What is looked for."""
        return self._input.value

    def show_count(self, found: int, of: int) -> None:
        """How many of how many are shown."""
        self._count.update(f"{found} of {of}")

    def open(self) -> None:
        """Let the user type."""
        self.display = True
        self.screen.set_focus(self._input)

    def empty(self) -> None:
        """Look for nothing, and go."""
        self._input.value = ""
        self.display = False
        self.post_message(self.Left())

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is typed."""
        event.stop()
        self.post_message(self.Changed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Leave the field, keep the letters."""
        event.stop()
        self.display = bool(event.value)
        self.post_message(self.Left())
