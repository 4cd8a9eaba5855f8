"""All pictures, and on a very wide screen the chosen one large beside them."""

from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal

from tui.widgets.image_view import ImageView
from tui.widgets.picture_wall import PictureWall
from tui.widgets.tile_layout import Tile

BOTH_FROM = 190  # columns


class WallAndLarge(Horizontal):
    """Both show what they are handed; the large one goes where it has no room."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._large: Tile | None = None

    def compose(self) -> ComposeResult:
        """Side by side, of the same width."""
        yield PictureWall()
        yield ImageView(id="large")

    def show(self, tiles: Sequence[Tile], large: Tile | None) -> None:
        """Show tiles, and one of them large if there is one and room for it."""
        self._large = large
        self.query_one(PictureWall).show(tiles)
        self._show_large()

    @property
    def is_painted(self) -> bool:
        """Whether all pictures are up."""
        return self.query_one(PictureWall).is_painted and self.query_one("#large", ImageView).is_painted

    def on_resize(self, _event: events.Resize) -> None:
        """The room comes and goes."""
        self._show_large()

    def _show_large(self) -> None:
        view, tile = self.query_one("#large", ImageView), self._large
        view.display = tile is not None and self.size.width >= BOTH_FROM
        if tile and view.display:
            view.show(tile.path, tile.caption, tile.empty)
        else:
            view.show(None)
