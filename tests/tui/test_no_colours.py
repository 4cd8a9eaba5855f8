"""Lines without colours: what stood out by its ground is reversed, what was pale is dim, all else is plain."""

import pytest
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.color import Color as ThemeColour

from tui.no_colours import NoColours


def written(style: Style | None) -> str:
    """What a terminal with all colours would get."""
    (segment,) = NoColours().apply([Segment("x", style)], ThemeColour(0, 0, 0))
    return segment.style.render("x", color_system=ColorSystem.TRUECOLOR) if segment.style else segment.text


@pytest.mark.parametrize(
    ("style", "codes"),
    [
        (Style(color="#ffffff", bgcolor="#000000"), ""),
        (Style(color="#55ff55", bgcolor="#000000", bold=True), "1;"),
        (Style(color="#000000", bgcolor="#55ffff", bold=True), "1;7;"),  # a chosen tab
        (Style(color="#ffffff", bgcolor="#0000aa"), "7;"),  # under a cursor without the focus
        (Style(color="#666666", bgcolor="#000000"), "2;"),  # a raw curve
        (Style(color="#ffffff", bgcolor="#000000", reverse=True), "7;"),  # a button with the focus
    ],
)
def test_grounds_and_shades_become_what_needs_no_colour(style: Style, codes: str) -> None:
    assert written(style) == f"\x1b[{codes}39;49mx\x1b[0m"


def test_what_has_no_style_stays_so() -> None:
    assert written(None) == "x"
