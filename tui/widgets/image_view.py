"""ImageView: one picture as large as its place, centred, its shape kept; in pixels where the terminal shows them."""

import textwrap
from dataclasses import dataclass
from pathlib import Path

from rich.segment import Segment
from textual import events, work
from textual.errors import NoWidget
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.worker import get_current_worker

from tui.image_mode import ImageMode
from tui.widgets.order import Drawing, Order
from tui.widgets.tile_layout import fitting
from tui.widgets.watched_strip import WatchedStrip

IN_THE_CELLS = ("iterm2", "sixel")  # ways in which a picture goes when its cells are written


class ImageView(Widget):
    """Shows a picture as `app.image_mode` says, in block where the place is cut off; with its caption below.

    Half-blocks and kitty's placeholders are text, which Textual paints. An inline image or sixels are written over
    blank cells after Textual has painted them, and again after it has painted over them.
    """

    COMPONENT_CLASSES = {"image-view--caption", "image-view--words"}  # noqa: RUF012  # as Textual declares it
    DEFAULT_CSS = """
    ImageView { height: 1fr; width: 1fr; }
    ImageView > .image-view--caption { color: $text-muted; }
    ImageView > .image-view--words { color: $text-muted; }
    """
    ALLOW_SELECT = False

    @dataclass
    class Drawn(Message):
        """An order was carried out on its thread."""

        drawing: Drawing

    def __init__(self, empty: str = "No picture", id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._empty = empty  # said while there is no path
        self._path: Path | None = None
        self._caption = ""
        self._order: Order | None = None
        self._drawing: Drawing | None = None
        self._stale: list[str] = []  # what undoes pictures that are still on the screen
        self._is_placing = False

    def show(self, path: Path | None, caption: str = "", empty: str | None = None) -> None:
        """Show another picture, or the same one if its file has changed; None shows the words `empty`."""
        if empty is not None and empty != self._empty:
            self._empty = empty
            self.refresh()
        if caption != self._caption:
            rows_change = bool(caption) != bool(self._caption)
            self._caption = caption
            last = Region(0, self.content_size.height - 1, self.content_size.width, 1)
            self.refresh(*([] if rows_change else [last.translate(self.content_offset)]))
        self._path = path
        self._begin()

    @property
    def is_painted(self) -> bool:
        """Whether what was asked for is up."""
        return self._path is None or (self._drawing is not None and self._drawing.order == self._order)

    # ---- drawing -----------------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Follow the mode and the layout."""
        self.watch(self.app, "image_mode", self._begin, init=False)
        self.app.app_resume_signal.subscribe(self, self._begin_anew)
        self.screen.screen_layout_refresh_signal.subscribe(self, self._layout_settled)

    def on_unmount(self) -> None:
        """Leave nothing behind in the terminal."""
        self.take_down()

    def take_down(self) -> None:
        """Free what the terminal keeps of the picture; an app that ends calls it while its screen is still there."""
        self._drop()
        self._undo_stale()

    def on_resize(self, _event: events.Resize) -> None:
        """Draw for the new size."""
        self._begin()

    def _begin_anew(self, _app: object) -> None:
        """The terminal was left to a shell, so that nothing is known of what it still has."""
        self._drop()
        self._begin()

    def _begin(self) -> None:
        """Order what is to be shown now, if there is a place for it."""
        columns, rows = self._room()
        if self._path is None or columns < 1 or rows < 1:
            self._order = None
            if self._drawing:
                self._drop()
                self.refresh()
            return
        self._order = Order(self._path, self._mode(), columns, rows)
        self._draw(self._order)

    def _mode(self) -> ImageMode:
        """The app's way, as far as it can be gone here."""
        mode: ImageMode = getattr(self.app, "image_mode", "block")
        if mode == "kitty" and self.app.console.color_system != "truecolor":
            return "block"  # placeholders are told apart by colours
        if mode in IN_THE_CELLS and not self._is_whole():
            return "block"
        return mode

    def _is_whole(self) -> bool:
        """Whether no part is scrolled away; the last row of the screen counts as away, since pixels there scroll it."""
        try:
            place = self.screen.find_widget(self)
        except NoWidget:
            return False
        bottom = self.app.size.height - (0 if self._caption else 1)
        return place.clip.contains_region(place.region) and place.region.bottom <= bottom

    @work(thread=True, exclusive=True)
    def _draw(self, order: Order) -> None:
        from tui.widgets.drawing import draw  # Pillow and term-image take a quarter of a second to load

        drawing = draw(order, unless=self._drawing)
        if drawing and not get_current_worker().is_cancelled:
            self.post_message(self.Drawn(drawing))

    def on_image_view_drawn(self, message: Drawn) -> None:
        """Put it up, unless something else was ordered since."""
        new, old = message.drawing, self._drawing
        if new.order != self._order:
            return
        self._drop()
        self._drawing = new
        self._write(new.before)
        if old and old.after and new.after and (old.columns, old.rows) == (new.columns, new.rows):
            self._place_soon()  # over the old one, without a blank in between
        else:
            self.refresh()

    def _drop(self) -> None:
        """Forget the picture; what undoes it is written once the cells show something else."""
        if self._drawing and self._drawing.undo:
            self._stale.append(self._drawing.undo)
            self.call_after_refresh(self._undo_stale)
        self._drawing = None

    def _undo_stale(self) -> None:
        self._write("".join(self._stale))
        self._stale.clear()

    # ---- pixels in the cells -----------------------------------------------------------------------------------------

    def _layout_settled(self, _screen: object) -> None:
        """The place may have been scrolled out of sight or back."""
        if self._order and self.is_on_screen and self._mode() != self._order.mode:
            self._begin()

    def _place_soon(self) -> None:
        """Once the screen is painted."""
        if not self._is_placing:
            self._is_placing = True
            self.call_after_refresh(self._place)

    def _place(self) -> None:
        """Write the picture at its place, unless another screen or a dialog is shown."""
        self._is_placing = False
        drawing = self._drawing
        if not (drawing and drawing.after and self.is_attached and self._is_shown()):
            return
        if drawing.order != Order(drawing.order.path, self._mode(), *self._room()):
            return  # it would lie over others; the one for the place as it is now is on its way
        left = self.content_region.x + (self.content_size.width - drawing.columns) // 2
        top = self.content_region.y + self._top_margin(drawing)
        self._write(f"\x1b7\x1b[{top + 1};{left + 1}H{drawing.after}\x1b8")
        for cover in self.screen.query("Toast, Tooltip"):  # these lie above, so they are painted again
            if cover.display and cover.region.overlaps(self.region):
                cover.refresh()

    def _is_shown(self) -> bool:
        """Whether the screen at hand is the one that this belongs to."""
        return self.app.screen is self.screen

    def _write(self, sequence: str) -> None:
        driver = self.app._driver  # there is no public way to write what is no text
        if sequence and driver:
            driver.write(sequence)

    # ---- cells -------------------------------------------------------------------------------------------------------

    def _room(self) -> tuple[int, int]:
        """Columns and rows for a picture."""
        return self.content_size.width, self.content_size.height - bool(self._caption)

    def _top_margin(self, drawing: Drawing) -> int:
        return (self._room()[1] - drawing.rows) // 2

    def render_lines(self, crop: Region) -> list[Strip]:
        """The widget's rows; those under pixels are watched.

        Under a dialog kitty's placeholders would be tinted and so stand for another picture: they are left out.
        """
        drawing = self._drawing
        if drawing and drawing.before and not self._is_shown():
            return [Strip.blank(crop.width, self.visual_style.rich_style)] * crop.height
        strips = super().render_lines(crop)
        if not (drawing and drawing.after):
            return strips
        top = self.content_offset.y + self._top_margin(drawing) - crop.y
        return [
            WatchedStrip(strip, self._place_soon) if top <= row < top + drawing.rows else strip
            for row, strip in enumerate(strips)
        ]

    def render_line(self, y: int) -> Strip:
        """One row: of the picture, of the words in its place, or the caption."""
        width, height = self.content_size
        if self._caption and y == height - 1:
            return self._text(fitting(self._caption, width).center(width), "image-view--caption")
        drawing = self._drawing
        if drawing is None or drawing.words:
            words = drawing.words if drawing else (self._empty if self._path is None else "…")
            return self._words(words, y)
        line = y - self._top_margin(drawing)
        if not drawing.strips or not 0 <= line < len(drawing.strips):
            return Strip.blank(width, self.rich_style)
        left = max(0, (width - drawing.columns) // 2)
        cells = drawing.strips[line]
        if drawing.before:  # kitty keeps a picture's shape, so its cells may be seen above and below it
            cells = cells.apply_style(self.rich_style)
        return Strip.join([Strip.blank(left, self.rich_style), cells]).adjust_cell_length(width, self.rich_style)

    def _words(self, words: str, y: int) -> Strip:
        width, rows = self._room()
        lines = [line for part in words.splitlines() for line in textwrap.wrap(part, max(width, 1))]
        line = y - (rows - len(lines)) // 2
        return self._text(lines[line].center(width) if 0 <= line < len(lines) else "", "image-view--words")

    def _text(self, text: str, part: str) -> Strip:
        style = self.get_component_rich_style(part)
        return Strip([Segment(text, style)]).adjust_cell_length(self.content_size.width, style)
