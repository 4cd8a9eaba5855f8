"""What NO_COLOR asks for: no colour at all; what only a colour would tell is reversed or dim.

Textual's own way is 24-bit greys on a dark ground, which is not what no-color.org means.
"""

from functools import lru_cache

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.color import Color as ThemeColour
from textual.filter import LineFilter

DEFAULT = Color.default()
# Relative luminance, as the Web's guidelines for readable text have it. The theme is high-contrast, whose ground is
# black: the line under the cursor and a chosen tab are brighter than the first, words brighter than the second.
STANDS_OUT, READABLE = 0.025, 0.15


class NoColours(LineFilter):
    """Takes the colours out of every line before it is written."""

    def apply(self, segments: list[Segment], background: ThemeColour) -> list[Segment]:  # noqa: ARG002
        """The same words, with at most bold, dim, underlined and reversed ones."""
        return [Segment(text, style and _colourless(style), control) for text, style, control in segments]


@lru_cache(maxsize=4096)
def _colourless(style: Style) -> Style:
    text, ground = _luminance(style.color, 1.0), _luminance(style.bgcolor, 0.0)
    if style.reverse:
        text, ground = ground, text
    reverse = ground >= STANDS_OUT
    dim = style.dim or (not reverse and text < READABLE)
    return style + Style(color=DEFAULT, bgcolor=DEFAULT, reverse=reverse, dim=dim)


def _luminance(colour: Color | None, default: float) -> float:
    if colour is None or colour.is_default:
        return default
    shares = [part / 255 for part in colour.get_truecolor()]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
