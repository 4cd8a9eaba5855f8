"""The pictures of one request, each in its place from the start, as large as all of them can be."""

from pathlib import Path

from textual import events
from textual.app import ComposeResult
from textual.containers import Grid, VerticalScroll
from textual.widgets import Static

from engine.contract.generated import GeneratedPicture
from tui.widgets.image_view import ImageView
from tui.widgets.picture import cell_ratio
from tui.widgets.tile_layout import arrange

NO_PICTURES = "No pictures yet"


class DrawnPictures(VerticalScroll, can_focus=True):
    """A grid that scrolls where pictures would become too small."""

    DEFAULT_CSS = """
    DrawnPictures {
        height: 1fr; padding: 0 1; align: center top; scrollbar-size-vertical: 1; border-top: solid $primary 40%;
        border-title-color: $foreground; border-title-style: bold; border-subtitle-color: $text-muted;
        &:focus { border-top: solid $primary; }
        #no-pictures { color: $text-muted; text-align: center; width: 1fr; margin-top: 1; }
        Grid { width: auto; height: auto; grid-gutter: 0 1; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._views: list[ImageView] = []
        self._drawn = 0

    def compose(self) -> ComposeResult:
        """Words, until there is something to show."""
        yield Static(NO_PICTURES, id="no-pictures")
        yield Grid()

    def on_mount(self) -> None:
        """Name the pane."""
        self.border_title = "Pictures"

    @property
    def is_painted(self) -> bool:
        """Whether every picture is up."""
        return all(view.is_painted for view in self._views[: self._drawn])

    def expect(self, count: int) -> None:
        """Make room for a new request's pictures."""
        grid = self.query_one(Grid)
        grid.remove_children(self._views)
        self._views = [ImageView("…") for _ in range(count)]
        self._drawn = 0
        grid.mount(*self._views)
        self.query_one("#no-pictures").display = False
        self._arrange()

    def add(self, picture: GeneratedPicture) -> None:
        """Show the next picture in its place."""
        if self._drawn < len(self._views):
            fault = f": {picture.fault}!" if picture.fault else ""
            self._views[self._drawn].show(Path(picture.file), f"seed {picture.seed}{fault}")
            self._drawn += 1

    def conclude(self) -> None:
        """No more come: what was never drawn needs no place."""
        if self._drawn < len(self._views):
            self.query_one(Grid).remove_children(self._views[self._drawn :])
            self._views = self._views[: self._drawn]
            self.query_one("#no-pictures").display = not self._views
            self._arrange()

    def on_resize(self, _event: events.Resize) -> None:
        """Find the grid that fits now."""
        self._arrange()

    def _arrange(self) -> None:
        width, height = self.scrollable_content_region.size
        if not self._views or width < 1 or height < 1:
            return
        layout = arrange(len(self._views), width, height, cell_ratio())
        styles = self.query_one(Grid).styles
        styles.grid_size_columns = layout.across
        styles.grid_columns = str(layout.columns)
        styles.grid_rows = str(layout.tile_rows)
        styles.width, styles.height = layout.width, layout.height
