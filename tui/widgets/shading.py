"""A picture without colours: one of five shades in each cell, which are characters; bright ones on a dark ground."""

from collections.abc import Sequence

from PIL import Image
from rich.segment import Segment
from textual.strip import Strip

SHADES = " ░▒▓█"


def shaded_strips(image: Image.Image, columns: int, rows: int) -> list[Strip]:
    """A picture stretched over `columns` by `rows` cells."""
    cells = image.convert("L").resize((columns, rows), Image.Resampling.BOX)
    values: Sequence[int] = list(cells.getdata())
    signs = "".join(SHADES[value * len(SHADES) // 256] for value in values)
    return [Strip([Segment(signs[row * columns : (row + 1) * columns])], columns) for row in range(rows)]
