"""The console's own themes: what they promise about colours."""

import pytest
from rich.color import Color, ColorSystem

from tui.themes import COLOUR_BLIND, FIRST, HIGH_CONTRAST, OWN

TONES = ("primary", "secondary", "accent", "success", "warning", "error")


@pytest.mark.parametrize("tone", TONES)
def test_high_contrast_has_colours_that_16_colours_show_as_they_are_meant(tone: str) -> None:
    for name in (tone, f"text-{tone}"):
        colour = HIGH_CONTRAST.to_color_system().generate()[name]
        shown = Color.parse(colour).downgrade(ColorSystem.STANDARD)
        assert shown.number is not None and shown.number > 8, f"{name}: {colour} is shown dark"


def test_nothing_green_stands_beside_something_red_where_colours_are_told_apart_otherwise() -> None:
    red, green, blue = Color.parse(str(COLOUR_BLIND.success)).get_truecolor()
    assert blue > green > red
    assert COLOUR_BLIND.success != COLOUR_BLIND.error != COLOUR_BLIND.warning


def test_own_themes_are_among_the_first_to_choose_from() -> None:
    assert {theme.name for theme in OWN} < FIRST.keys()
