"""One picture made ready for a place on the screen, in whichever way pictures are shown; loaded and run on a thread."""

import os
from collections import OrderedDict
from pathlib import Path
from threading import Lock

from PIL import Image
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui import cell_size
from tui.graphics import inline, kitty, sixel
from tui.image_mode import is_multiplexed
from tui.widgets.order import Drawing, Order
from tui.widgets.picture import PictureError, open_picture, picture_size, picture_strips
from tui.widgets.shading import shaded_strips

ASSUMED_CELL = (10, 20)  # pixels of a cell where the terminal does not tell: as many as most have
SEQUENCES_KEPT = 48  # of about 100 KB each


def fit(size: tuple[int, int], columns: int, rows: int, ratio: float) -> tuple[int, int]:
    """The most cells, within `columns` by `rows`, that keep a picture's shape; `ratio` is a cell's width by height."""
    width, height = size
    wide = min(columns, max(1, round(rows * width / height / ratio)))
    return wide, min(rows, max(1, round(wide * ratio * height / width)))


def draw(order: Order, unless: Drawing | None = None) -> Drawing | None:
    """Carry an order out; None if `unless` is just that. Never raises: what cannot be shown is said in words."""
    try:
        mtime_ns = order.path.stat().st_mtime_ns
    except OSError:
        mtime_ns = 0
    if unless and (unless.order, unless.mtime_ns) == (order, mtime_ns):
        return None
    try:
        size = picture_size(order.path)
        if order.mode == "off":
            return Drawing(order, mtime_ns, words=f"{order.path.name}\n{size[0]} × {size[1]} pixels")
        columns, rows = fit(size, order.columns, order.rows, cell_size.cell_ratio())
        return _drawn(order, mtime_ns, columns, rows)
    except PictureError as error:
        return Drawing(order, mtime_ns, words=str(error))


def _drawn(order: Order, mtime_ns: int, columns: int, rows: int) -> Drawing:
    if order.mode == "kitty" and max(columns, rows) <= kitty.MOST_CELLS:
        return _by_kitty(order, mtime_ns, columns, rows)
    if order.mode == "iterm2" or (order.mode == "sixel" and cell_size.cell_pixels()):
        sequence = _sequence(order, mtime_ns, columns, rows)
        return Drawing(order, mtime_ns, columns, rows, after=sequence)
    if "NO_COLOR" in os.environ:
        return Drawing(order, mtime_ns, columns, rows, tuple(shaded_strips(open_picture(order.path), columns, rows)))
    strips = tuple(picture_strips(order.path, columns, rows))
    return Drawing(order, mtime_ns, columns, rows, strips)


def _by_kitty(order: Order, mtime_ns: int, columns: int, rows: int) -> Drawing:
    identity = kitty.new_id()
    style = Style(color=Color.from_rgb(identity >> 16, identity >> 8 & 255, identity & 255))
    strips = tuple(Strip([Segment(kitty.placeholders(row, columns), style)], columns) for row in range(rows))
    sequence = kitty.send(_scaled(order.path, columns, rows), identity, columns, rows)
    return Drawing(
        order, mtime_ns, columns, rows, strips,
        before=passed_on(sequence), undo=passed_on(kitty.delete(identity)),
    )  # fmt: skip


_kept: OrderedDict[tuple[Order, int, int, int], str] = OrderedDict()
_keeping = Lock()


def _sequence(order: Order, mtime_ns: int, columns: int, rows: int) -> str:
    """The picture as inline image or sixels, from memory if it was drawn before."""
    key = (order, mtime_ns, columns, rows)
    with _keeping:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    if order.mode == "sixel":
        width, height = cell_size.cell_pixels() or ASSUMED_CELL
        sequence = sixel.draw(open_picture(order.path).resize((columns * width, rows * height)))
    else:
        sequence = passed_on(inline.draw(_scaled(order.path, columns, rows), columns, rows))
    with _keeping:
        _kept[key] = sequence
        if len(_kept) > SEQUENCES_KEPT:
            _kept.popitem(last=False)
    return sequence


def _scaled(path: Path, columns: int, rows: int) -> Image.Image:
    """The picture with no more pixels than its cells have; the terminal does what stretching is left."""
    width, height = cell_size.cell_pixels() or ASSUMED_CELL
    image = open_picture(path)
    image.thumbnail((columns * width, rows * height))
    return image


def passed_on(sequence: str) -> str:
    """The sequence wrapped so that tmux hands it on to the terminal (needs its option allow-passthrough)."""
    if not is_multiplexed():
        return sequence
    return "".join(
        f"\x1bPtmux;{part.replace(chr(27), chr(27) * 2)}\x1b\\" for part in _parts(sequence)
    )  # fmt: skip


def _parts(sequence: str) -> list[str]:
    """Each escape sequence by itself, since tmux drops long ones."""
    return [part + "\x1b\\" for part in sequence.split("\x1b\\") if part]
