"""Rounding to 256 and 16 colours: nothing nearer is passed over, and what is seen as a colour stays one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import Color, ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.color import Color as ThemeColour

from tui.few_colours import FewColours, Triple, nearest_of_16, nearest_of_256

triples = st.tuples(*[st.integers(0, 255)] * 3)
OF_256 = [tuple(Color.from_ansi(number).get_truecolor()) for number in range(16, 256)]
NORD_GROUND = (46, 52, 64)


def distance(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    return sum((a - b) * (a - b) for a, b in zip(one, other, strict=True))


@given(triples)
def test_none_of_256_is_nearer_than_the_one_taken(colour: Triple) -> None:
    taken = OF_256[nearest_of_256(colour) - 16]
    assert distance(colour, taken) == min(distance(colour, other) for other in OF_256)


def test_a_ground_of_dark_grey_stays_grey() -> None:
    red, green, blue = OF_256[nearest_of_256(NORD_GROUND) - 16]
    assert red == green == blue
    assert nearest_of_16(NORD_GROUND) == 0


@pytest.mark.parametrize(
    ("colour", "hue"),
    [((192, 48, 48), 1), ((48, 160, 80), 2), ((235, 203, 139), 3), ((48, 80, 192), 4), ((136, 192, 208), 6)],
)
def test_a_colour_keeps_its_hue_with_16(colour: Triple, hue: int) -> None:
    """Red, green, yellow, blue and cyan, dark or bright; 7 and 8 are greys."""
    assert nearest_of_16(colour) in {hue, hue + 8}


def test_greys_of_16_keep_their_order() -> None:
    assert [nearest_of_16((grey,) * 3) for grey in (0, 76, 102, 153, 192, 255)] == [0, 8, 8, 7, 7, 15]


@pytest.mark.parametrize(
    ("system", "expected"),
    [(ColorSystem.STANDARD, "\x1b[1;31;40m"), (ColorSystem.EIGHT_BIT, "\x1b[1;38;5;131;48;5;237m")],
)
def test_what_is_written_is_what_was_chosen(system: ColorSystem, expected: str) -> None:
    style = Style(color="#c03030", bgcolor="#2e3440", bold=True)
    (segment,) = FewColours(16 if system is ColorSystem.STANDARD else 256).apply(
        [Segment("x", style)], ThemeColour(0, 0, 0)
    )
    assert segment.style
    assert segment.style.render("x", color_system=system).startswith(expected)


def test_what_has_no_colour_gets_none() -> None:
    kept = [Segment("a"), Segment("b", Style(bold=True)), Segment("c", Style(color="default"))]
    assert FewColours(16).apply(kept, ThemeColour(0, 0, 0)) == kept
