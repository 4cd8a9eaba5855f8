"""Pictures side by side, as large as their pane allows; a page of them where all would be too small."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message

from tui.cell_size import cell_ratio
from tui.widgets.image_view import ImageView
from tui.widgets.tile_layout import GAP, Tile, TileLayout, arrange, fitting

WORTH_LOOKING = 12  # columns of a picture below which there are pages instead
MOST_TILES = 24  # on one page
CAPTION_ROOM = 12  # columns by which a caption may be wider than its picture


class PictureWall(Container):
    """Shows tiles in a grid that fits; always the page with the chosen one."""

    DEFAULT_CSS = """
    PictureWall { layout: grid; grid-gutter: 0 1; height: 1fr; width: 1fr; overflow: hidden; align: center middle; }
    PictureWall > ImageView { display: none; }
    """

    @dataclass
    class Chosen(Message):
        """Someone clicked at a tile; with `twice` a second time."""

        index: int
        twice: bool

    def __init__(self) -> None:
        super().__init__()
        self._tiles: tuple[Tile, ...] = ()
        self._first = 0  # of the page
        self._on_page = 0

    def compose(self) -> ComposeResult:
        """As many places as a page can have; those that are not needed are hidden."""
        for _ in range(MOST_TILES):
            yield ImageView()

    def show(self, tiles: Sequence[Tile]) -> None:
        """Show these; each place repaints only if its own picture is another one."""
        self._tiles = tuple(tiles)
        self._arrange()

    @property
    def is_painted(self) -> bool:
        """Whether all pictures of the page are up."""
        return all(view.is_painted for view in self._views())

    @property
    def page(self) -> tuple[int, int]:
        """The first tile on the page, and the one after the last."""
        return self._first, min(self._first + self._on_page, len(self._tiles))

    def on_resize(self, _event: events.Resize) -> None:
        """Find the grid that fits now."""
        self._arrange()

    def on_click(self, event: events.Click) -> None:
        """Choose the tile under the pointer."""
        for place, view in enumerate(self._views()):
            if view.region.contains(int(event.screen_x), int(event.screen_y)):
                self.post_message(self.Chosen(self._first + place, twice=event.chain > 1))

    def _views(self) -> list[ImageView]:
        return list(self.query(ImageView))[: self.page[1] - self._first]

    def _arrange(self) -> None:
        width, height = self.content_size
        if width < 1 or height < 2:
            return
        layout = self._layout(width, height)
        self._on_page = min(layout.across * layout.down, MOST_TILES)
        chosen = next((index for index, tile in enumerate(self._tiles) if tile.is_chosen), 0)
        self._first = chosen // self._on_page * self._on_page
        self.styles.grid_size_columns = layout.across
        # Packed, but with some room for captions: far apart, pictures are hard to compare.
        tile_columns = min((width + GAP) // layout.across - GAP, layout.columns + CAPTION_ROOM)
        self.styles.grid_columns, self.styles.grid_rows = str(tile_columns), str(layout.tile_rows)
        shown = self._tiles[self._first : self._first + self._on_page]
        for place, view in enumerate(self.query(ImageView)):
            tile = shown[place] if place < len(shown) else None
            view.display = tile is not None
            if tile:
                view.show(tile.path, self._caption(tile, tile_columns), tile.empty)
            else:
                view.show(None)

    def _caption(self, tile: Tile, columns: int) -> str:
        """With signs for the one that is chosen; none touches the next."""
        if not tile.is_chosen or len(self._tiles) == 1:
            return fitting(tile.caption, columns - 1)
        return f"▸ {fitting(tile.caption, columns - 5)} ◂"

    def _layout(self, width: int, height: int) -> TileLayout:
        """All tiles if they are worth looking at then, else a page of those that are."""
        count = min(max(len(self._tiles), 1), MOST_TILES)
        layout = arrange(count, width, height, cell_ratio())
        if layout.height <= height and (layout.columns >= WORTH_LOOKING or count == 1):
            return layout
        across = min(max(1, (width + GAP) // (WORTH_LOOKING + GAP)), count)
        columns = (width + GAP) // across - GAP
        rows = max(1, min(round(columns * cell_ratio()), height - 1))
        down = max(1, min(height // (rows + 1), -(-count // across)))
        return TileLayout(across, down, columns, rows)
