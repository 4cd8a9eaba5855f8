"""The run under the cursor: its newest picture, and in words what has no column."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from tui.naming import short_path
from tui.run_line import RunLine
from tui.run_words import started_in_full, state_of, tone_of
from tui.widgets.image_view import ImageView


class RunCard(Vertical):
    """Beside the table where the window is wide, below it where it is high enough."""

    DEFAULT_CSS = """
    RunCard { width: 38; padding: 0 1; border-left: solid $primary 40%; }
    RunCard Static { height: auto; max-height: 9; margin-bottom: 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._line: RunLine | None = None

    def compose(self) -> ComposeResult:
        """Words, and the picture below them."""
        yield Static()
        yield ImageView()

    @property
    def is_painted(self) -> bool:
        """Whether the picture of the run is up."""
        return self.query_one(ImageView).is_painted

    def show(self, line: RunLine | None) -> None:
        """Show a run, or nothing."""
        if line == self._line:
            return
        self._line = line
        self.query_one(Static).update(_words(line) if line else "")
        self.query_one(ImageView).show(line.picture if line else None, line.picture_caption if line else "")


def _words(line: RunLine) -> Content:
    return Content.assemble(
        (line.run.name, "bold"), "\n",
        (state_of(line), f"bold $text-{tone_of(line)}"), f": {line.remark}\n",
        (f"since {started_in_full(line)} in {short_path(line.run.path)}", "$text-muted"),
    )  # fmt: skip
