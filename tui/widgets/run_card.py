"""The run under the cursor: its newest picture, and in words what has no column."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from tui.naming import short_path
from tui.run_line import RunLine
from tui.run_words import started_in_full, state_of, tone_of

if TYPE_CHECKING:
    from tui.widgets.image_view import ImageView


class RunCard(Vertical):
    """Beside the table where the window is wide."""

    DEFAULT_CSS = """
    RunCard { width: 38; padding: 0 1; border-left: solid $primary 40%; }
    RunCard Static { height: auto; max-height: 9; margin-bottom: 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._line: RunLine | None = None
        self._picture: ImageView | None = None

    def compose(self) -> ComposeResult:
        """Words; the picture comes below them."""
        yield Static()

    def on_mount(self) -> None:
        """Load what draws pictures."""
        self._load()

    @work(thread=True)
    def _load(self) -> None:
        """Pillow and term-image take a quarter of a second, which the first paint of the console must not wait for."""
        module = importlib.import_module("tui.widgets.image_view")
        self.app.call_from_thread(self._put_up, module.ImageView())

    def _put_up(self, picture: ImageView) -> None:
        if self.is_attached:
            self._picture = picture
            self.mount(picture)
            self.call_after_refresh(self._show_picture)

    @property
    def is_painted(self) -> bool:
        """Whether the picture of the run is up."""
        return self._picture is not None and self._picture.is_painted

    def show(self, line: RunLine | None) -> None:
        """Show a run, or nothing."""
        if line == self._line:
            return
        self._line = line
        self.query_one(Static).update(_words(line) if line else "")
        self._show_picture()

    def _show_picture(self) -> None:
        if self._picture and self._picture.is_attached:
            line = self._line
            self._picture.show(line.picture if line else None, line.picture_caption if line else "")


def _words(line: RunLine) -> Content:
    return Content.assemble(
        (line.run.name, "bold"), "\n",
        (state_of(line), f"bold $text-{tone_of(line)}"), f": {line.remark}\n",
        (f"since {started_in_full(line)} in {short_path(line.run.path)}", "$text-muted"),
    )  # fmt: skip
