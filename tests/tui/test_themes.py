"""The console's own themes: what they promise about colours."""

import pytest
from rich.color import Color, ColorSystem
from textual.color import Color as ThemeColour
from textual.theme import Theme

from tui.curves import BANDS, MEASURED, SMOOTHED
from tui.themes import COLOUR_BLIND, FIRST, HIGH_CONTRAST, OWN

TONES = ("primary", "secondary", "accent", "success", "warning", "error")


@pytest.mark.parametrize("tone", TONES)
def test_high_contrast_has_colours_that_16_colours_show_as_they_are_meant(tone: str) -> None:
    for name in (tone, f"text-{tone}"):
        colour = HIGH_CONTRAST.to_color_system().generate()[name]
        shown = Color.parse(colour).downgrade(ColorSystem.STANDARD)
        assert shown.number is not None and shown.number > 8, f"{name}: {colour} is shown dark"


def contrast(theme: Theme, one: str, other: str) -> float:
    """How much brighter one is than the other, as the Web's guidelines for readable text count it: 1 to 21."""
    colours = theme.to_color_system().generate() | theme.variables
    dark, bright = sorted(luminance(ThemeColour.parse(colours[name])) for name in (one, other))
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour: ThemeColour) -> float:
    shares = [part / 255 for part in colour.rgb]
    red, green, blue = (part / 12.92 if part <= 0.04 else ((part + 0.055) / 1.055) ** 2.4 for part in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("tone", TONES)
@pytest.mark.parametrize("theme", OWN, ids=lambda theme: theme.name)
def test_every_tone_can_be_read_as_text_and_as_ground(theme: Theme, tone: str) -> None:
    assert contrast(theme, f"text-{tone}", "background") >= 4.5
    assert contrast(theme, f"text-{tone}", "surface") >= 4.5
    assert contrast(theme, f"text-{tone}", f"{tone}-muted") >= 4  # a notice
    assert contrast(theme, "foreground", f"{tone}-muted") >= 4.5
    assert contrast(theme, "background", tone) >= 4.3  # the sign of a state, a chosen tab


@pytest.mark.parametrize("ground", ["background", "surface", "panel"])
@pytest.mark.parametrize("theme", OWN, ids=lambda theme: theme.name)
def test_words_can_be_read_on_every_ground(theme: Theme, ground: str) -> None:
    assert contrast(theme, "foreground", ground) >= 6


@pytest.mark.parametrize("theme", OWN, ids=lambda theme: theme.name)
def test_curves_that_share_a_plot_have_colours_of_their_own(theme: Theme) -> None:
    for inks in (BANDS, (SMOOTHED, MEASURED)):
        assert len({theme.to_color_system().generate()[ink.colour] for ink in inks}) == len(inks)


def test_nothing_green_stands_beside_something_red_where_colours_are_told_apart_otherwise() -> None:
    red, green, blue = Color.parse(str(COLOUR_BLIND.success)).get_truecolor()
    assert blue > green > red
    assert COLOUR_BLIND.success != COLOUR_BLIND.error != COLOUR_BLIND.warning


def test_own_themes_are_among_the_first_to_choose_from() -> None:
    assert {theme.name for theme in OWN} == FIRST.keys()
