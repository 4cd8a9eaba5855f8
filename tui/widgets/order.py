"""What a picture's place orders, and what comes of it; without Pillow, which takes a while to load."""

from dataclasses import dataclass
from pathlib import Path

from textual.strip import Strip

from tui.image_mode import ImageMode


@dataclass(frozen=True)
class Order:
    """What is to be drawn, and the cells that there are for it."""

    path: Path
    mode: ImageMode
    columns: int
    rows: int


@dataclass(frozen=True)
class Drawing:
    """What came of an order. `columns` by `rows` cells are taken, by `strips` or by nothing but `words`."""

    order: Order
    mtime_ns: int
    columns: int = 0
    rows: int = 0
    strips: tuple[Strip, ...] = ()  # half-blocks, or the text that stands for a kitty picture
    words: str = ""  # in place of a picture
    before: str = ""  # to be written before the strips are painted
    after: str = ""  # to be written at the picture's place after the cells were painted
    undo: str = ""  # to be written when the picture is not wanted any more
