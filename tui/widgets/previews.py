"""The newest validation images in a grid that fits the pane, painted on a thread."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.segment import Segment
from textual import events, work
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.worker import get_current_worker

from engine.contract.protocol import ValidationImageSaved
from tui.widgets.picture import PictureError, cell_ratio, picture_strips
from tui.widgets.tile_layout import GAP, TileLayout, arrange, distinct_captions, fitting

NO_PICTURES = "No pictures yet: the first come before step 1"
NO_VALIDATION = "This run draws no pictures: num_validation_images is 0"


@dataclass(frozen=True)
class Tile:
    """One picture's place in the grid."""

    path: Path
    caption: str


class Previews(ScrollView, can_focus=True):
    """Half-block pictures with the part of their prompts that differs; scrolls when they would become too small."""

    COMPONENT_CLASSES = {"previews--caption", "previews--empty"}  # noqa: RUF012  # as Textual declares it
    DEFAULT_CSS = """
    Previews { scrollbar-size-vertical: 1; scrollbar-gutter: stable; overflow-x: hidden; }
    Previews > .previews--caption { color: $text-muted; }
    Previews > .previews--empty { color: $text-muted; }
    """

    @dataclass
    class Painted(Message):
        """Pictures are ready; a text stands for one that cannot be shown."""

        layout: TileLayout
        pictures: dict[Path, list[Strip] | str]

    def __init__(self, folder: Path, expected: int, id: str | None = None) -> None:
        super().__init__(id=id)
        self._folder = folder
        self._expected = expected
        self._images: list[ValidationImageSaved] = []
        self._tiles: list[Tile] = []
        self._layout: TileLayout | None = None
        self._pictures: dict[Path, list[Strip] | str] = {}

    def show(self, images: Sequence[ValidationImageSaved]) -> None:
        """Show these images, in this order; does nothing if they are shown already."""
        if list(images) == self._images:
            return
        self._images = list(images)
        newest = max((image.step for image in images), default=0)
        captions = distinct_captions([image.prompt for image in images])
        self._tiles = [
            Tile(self._folder / image.path, caption if image.step == newest else f"step {image.step}: {caption}")
            for image, caption in zip(images, captions, strict=True)
        ]
        self.border_title = f"Pictures at step {newest}"
        self._arrange()

    @property
    def is_painted(self) -> bool:
        """Whether every picture of the grid is up."""
        return bool(self._tiles) and all(tile.path in self._pictures for tile in self._tiles)

    def on_mount(self) -> None:
        """Say what will be here."""
        self.border_title = "Pictures"
        self.watch(self.app, "image_mode", self._arrange, init=False)

    def on_resize(self, _event: events.Resize) -> None:
        """Find the grid that fits now."""
        self._arrange()

    def _arrange(self) -> None:
        width, height = self.scrollable_content_region.size
        if not self._tiles or width < 1 or height < 1:
            self.refresh()
            return
        # A grid for all that will come, so that pictures keep their place while a validation draws one after another.
        count = max(len(self._tiles), self._expected)
        self._layout = arrange(count, width, height, cell_ratio())
        self.virtual_size = Size(width, self._layout.height)
        is_off = getattr(self.app, "image_mode", "block") == "off"
        self._paint(self._layout, [tile.path for tile in self._tiles], is_off)
        self.refresh()

    @work(thread=True, exclusive=True)
    def _paint(self, layout: TileLayout, paths: list[Path], is_off: bool) -> None:
        """Decode and render off the event loop, or from memory; only names where pictures are off."""
        worker = get_current_worker()
        pictures: dict[Path, list[Strip] | str] = {}
        for path in paths:
            if worker.is_cancelled:
                return
            try:
                pictures[path] = path.name if is_off else picture_strips(path, layout.columns, layout.rows)
            except PictureError as error:
                pictures[path] = str(error)
        self.post_message(self.Painted(layout, pictures))

    def on_previews_painted(self, message: Painted) -> None:
        """Put the pictures up, unless the grid has changed since."""
        if message.layout == self._layout:
            self._pictures = message.pictures
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """One row of the pane."""
        width = self.scrollable_content_region.width
        if not self._tiles or self._layout is None:
            return self._empty_line(y, width)
        row, line = divmod(y + self.scroll_offset.y, self._layout.tile_rows)
        across = self._layout.across
        tiles = self._tiles[row * across : (row + 1) * across]
        style = self.rich_style
        margin = Strip.blank(max(0, (width - self._layout.width) // 2), style)
        pieces = [margin]
        for tile in tiles:
            pieces += [self._tile_line(tile, line, self._layout), Strip.blank(GAP, style)]
        return Strip.join(pieces).adjust_cell_length(width, style)

    def _tile_line(self, tile: Tile, line: int, layout: TileLayout) -> Strip:
        """One row of one tile: of its picture, of the words in place of it, or its caption."""
        if line == layout.rows:
            return self._words(tile.caption, layout.columns, "previews--caption")
        picture = self._pictures.get(tile.path, "…")
        if isinstance(picture, str):
            text = picture.center(layout.columns) if line == layout.rows // 2 else ""
            return self._words(text, layout.columns, "previews--empty")
        if line < len(picture) and picture[line].cell_length == layout.columns:
            return picture[line]
        return self._words("", layout.columns, "previews--empty")  # of the grid before; the right ones are on their way

    def _words(self, text: str, width: int, part: str) -> Strip:
        """A text in the place of one row."""
        style = self.get_component_rich_style(part)
        return Strip([Segment(fitting(text, width), style)]).adjust_cell_length(width, style)

    def _empty_line(self, y: int, width: int) -> Strip:
        text = NO_PICTURES if self._expected else NO_VALIDATION
        words = textwrap.wrap(text, max(width, 1))
        line = y - (self.size.height - len(words)) // 2
        return self._words(words[line].center(width) if 0 <= line < len(words) else "", width, "previews--empty")
