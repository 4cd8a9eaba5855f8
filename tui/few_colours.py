"""Colours for a terminal that has 256 or 16 of them: for each the one that comes nearest.

Rich's own rounding makes a dark grey with a touch of blue teal, and a red shoe olive.
"""

from functools import lru_cache

from rich.color import Color, ColorType
from rich.segment import Segment
from rich.style import Style
from textual.color import Color as ThemeColour
from textual.filter import LineFilter

COUNTS = {"256": 256, "standard": 16, "windows": 16}  # by Rich's name for what a terminal can
Triple = tuple[int, int, int]  # red, green, blue, each 0 to 255
LEVELS = (0, 95, 135, 175, 215, 255)  # of each of the three in the cube of 216 colours, from number 16 on
FIRST_GREY, GREYS = 232, 24  # those after the cube: 8, 18 and so on, up to 238
# The 16 as most terminals show them; each has its own. 8 is a dark grey and 7 a light one.
SIXTEEN: tuple[Triple, ...] = (
    (0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (204, 204, 204),
    (104, 104, 104), (255, 85, 85), (85, 255, 85), (255, 255, 85), (85, 85, 255), (255, 85, 255), (85, 255, 255),
    (255, 255, 255),
)  # fmt: skip
HUED = (1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14)  # of the 16, those that are no grey
GREYISH = 70  # so far apart are the strongest and the weakest part at least where a colour is seen as one
SHADES = ((60, 0), (140, 8), (225, 7), (256, 15))  # mean brightness below which a grey becomes which of the 16


def nearest_of_256(colour: Triple) -> int:
    """The number of the nearest in the cube and the greys; the first 16 differ from terminal to terminal."""
    places = [min(range(len(LEVELS)), key=lambda i: abs(LEVELS[i] - part)) for part in colour]
    red, green, blue = (LEVELS[place] for place in places)
    step = min(max(round((sum(colour) / 3 - 8) / 10), 0), GREYS - 1)
    grey = 8 + 10 * step
    if _distance(colour, (grey, grey, grey)) < _distance(colour, (red, green, blue)):
        return FIRST_GREY + step
    return 16 + 36 * places[0] + 6 * places[1] + places[2]


def nearest_of_16(colour: Triple) -> int:
    """A grey for what is nearly grey, by its brightness; for all else the nearest that is none."""
    if max(colour) - min(colour) < GREYISH:
        return next(number for limit, number in SHADES if sum(colour) / 3 < limit)
    return min(HUED, key=lambda number: _distance(colour, SIXTEEN[number]))


def _distance(one: Triple, other: Triple) -> int:
    return sum((a - b) * (a - b) for a, b in zip(one, other, strict=True))


class FewColours(LineFilter):
    """Replaces 24-bit colours in every line before it is written."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count

    def apply(self, segments: list[Segment], background: ThemeColour) -> list[Segment]:  # noqa: ARG002
        """The segments in the colours that there are."""
        return [Segment(text, style and _rounded(style, self._count), control) for text, style, control in segments]


@lru_cache(maxsize=4096)
def _rounded(style: Style, count: int) -> Style:
    return style + Style.from_color(_nearest(style.color, count), _nearest(style.bgcolor, count))


@lru_cache(maxsize=16384)  # a picture has thousands
def _nearest(colour: Color | None, count: int) -> Color | None:
    if colour is None or colour.triplet is None:
        return colour
    triple = (colour.triplet.red, colour.triplet.green, colour.triplet.blue)
    if count == 16:
        return Color(colour.name, ColorType.STANDARD, nearest_of_16(triple))
    return Color(colour.name, ColorType.EIGHT_BIT, nearest_of_256(triple))
