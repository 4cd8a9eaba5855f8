"""Pictures in a grid that fits its pane, each in its place from the start; it scrolls where they would be too small."""

from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import Grid, VerticalScroll
from textual.widgets import Static

from tui.cell_size import cell_ratio
from tui.widgets.image_view import ImageView
from tui.widgets.tile_layout import Tile, arrange


class PictureGrid(VerticalScroll, can_focus=True):
    """Shows tiles, or words where there are none."""

    DEFAULT_CSS = """
    PictureGrid {
        padding: 0 1; align: center top; scrollbar-size-vertical: 1; scrollbar-gutter: stable;
        border-top: solid $primary 40%; border-title-color: $foreground; border-title-style: bold;
        &:focus { border-top: solid $primary; }
        #nothing { color: $text-muted; text-align: center; content-align: center middle; width: 1fr; height: 1fr; }
        Grid { width: auto; height: auto; grid-gutter: 0 1; }
    }
    """
    BORDER_TITLE = "Pictures"

    def __init__(self, nothing: str, id: str | None = None) -> None:
        super().__init__(id=id)
        self._nothing = nothing  # said while there are no tiles
        self._views: list[ImageView] = []

    def compose(self) -> ComposeResult:
        """Words, until there is something to show."""
        yield Static(self._nothing, id="nothing", markup=False)
        yield Grid()

    @property
    def is_painted(self) -> bool:
        """Whether every picture is up."""
        return all(view.is_painted for view in self._views)

    def show_tiles(self, tiles: Sequence[Tile]) -> None:
        """Show these; each place repaints only if its own picture is another one."""
        if len(tiles) != len(self._views):
            self._make_places(len(tiles))
        for view, tile in zip(self._views, tiles, strict=True):
            view.show(tile.path, tile.caption, tile.empty)

    def on_resize(self, _event: events.Resize) -> None:
        """Find the grid that fits now."""
        self._arrange()

    def _make_places(self, count: int) -> None:
        """Places that there are already keep their pictures."""
        grid, surplus, missing = self.query_one(Grid), self._views[count:], count - len(self._views)
        self._views = self._views[:count] + [ImageView() for _ in range(missing)]
        grid.remove_children(surplus)
        grid.mount(*self._views[count - missing :] if missing > 0 else ())
        grid.display, self.query_one("#nothing").display = bool(self._views), not self._views
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
