"""Text with colour codes, as term-image and plotext write it, straight into strips that Textual paints."""

import re
from functools import lru_cache
from typing import NamedTuple

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

CODE = re.compile(r"\x1b\[([0-9;]*)m")


class Pen(NamedTuple):
    """Colours in force: a triple of red, green, blue, a single palette number, or nothing for the default."""

    foreground: tuple[int, ...] = ()
    background: tuple[int, ...] = ()
    bold: bool = False


def strips_from_ansi(text: str) -> list[Strip]:
    """One strip per line. Knows colours, bold and reset, which is all that pictures and plots are written in."""
    strips = []
    pen = Pen()
    for line in text.split("\n"):
        segments = []
        for index, piece in enumerate(CODE.split(line)):
            if index % 2:
                pen = _after(pen, piece)
            elif piece:
                segments.append(Segment(piece, _style(pen)))
        strips.append(Strip(segments))
    return strips


def _after(pen: Pen, code: str) -> Pen:
    """The pen after one more escape sequence; an empty one or a 0 resets."""
    match [int(number or 0) for number in code.split(";")]:
        case [38, 2, red, green, blue]:
            return Pen((red, green, blue), pen.background, pen.bold)
        case [48, 2, red, green, blue]:
            return Pen(pen.foreground, (red, green, blue), pen.bold)
        case [38, 5, number]:
            return Pen((number,), pen.background, pen.bold)
        case [48, 5, number]:
            return Pen(pen.foreground, (number,), pen.bold)
        case [1]:
            return Pen(pen.foreground, pen.background, True)
        case [0]:
            return Pen()
        case _:
            return pen


@lru_cache(maxsize=16384)
def _style(pen: Pen) -> Style:
    style = Style.from_color(_colour(pen.foreground), _colour(pen.background))
    return style + Style(bold=True) if pen.bold else style


@lru_cache(maxsize=16384)
def _colour(numbers: tuple[int, ...]) -> Color | None:
    if len(numbers) == 3:
        return Color.from_rgb(*numbers)
    return Color.from_ansi(numbers[0]) if numbers else None
