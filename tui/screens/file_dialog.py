"""Asks for the path of a file, and completes it while it is typed."""

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from tui.widgets.path_suggester import PathSuggester


class FileDialog(ModalScreen[Path | None]):
    """Returns the path, absolute, or nothing if it was left by Esc."""

    DEFAULT_CSS = """
    FileDialog { align: center middle; }
    FileDialog > Vertical {
        width: 76; max-width: 100%; height: auto;
        border: round $primary; background: $surface; padding: 0 1; border-title-style: bold;
    }
    FileDialog Input { background: $background; margin: 1 0; }
    FileDialog Horizontal { height: auto; align-horizontal: center; }
    FileDialog Button { margin: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel")]

    def __init__(self, title: str, verb: str, root: Path, path: str) -> None:
        super().__init__()
        self._title = title
        self._verb = verb
        self._root = root
        self._path = path

    def compose(self) -> ComposeResult:
        """What is asked, the field, and two buttons."""
        with Vertical() as box:
            box.border_title = self._title
            yield Input(self._path, "a path", suggester=PathSuggester(self._root, suffix=".json"), compact=True,
                        select_on_focus=False)  # fmt: skip
            yield Static(f"→ takes the completion. A path that is not absolute begins at {self._root}.", markup=False)
            with Horizontal():
                yield Button(f"Enter {self._verb}", id="accept", compact=True, variant="primary")
                yield Button("Esc Cancel", id="cancel", compact=True)

    def on_input_submitted(self) -> None:
        """Enter takes the path."""
        self._accept()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """A button says the same as its key."""
        if event.button.id == "accept":
            self._accept()
        else:
            self.action_cancel()

    def action_cancel(self) -> None:
        """Close without a path."""
        self.dismiss(None)

    def _accept(self) -> None:
        if typed := self.query_one(Input).value.strip():
            try:
                path = Path(typed).expanduser()
            except RuntimeError:  # ~nobody
                path = Path(typed)
            self.dismiss(self._root / path)
