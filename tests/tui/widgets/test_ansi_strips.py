"""Text with colour codes becomes strips."""

from rich.color import Color

from tui.widgets.ansi_strips import strips_from_ansi


def test_colours_last_until_they_are_reset_and_lines_are_strips() -> None:
    text = "\x1b[48;2;1;2;3m\x1b[38;2;4;5;6m▀▀\x1b[38;5;9mx\x1b[0m \n\x1b[1mbold\x1b[m!"
    first, second = strips_from_ansi(text)
    assert (first.text, second.text) == ("▀▀x ", "bold!")
    pair, palette, reset = (segment.style for segment in first)
    assert pair is not None and palette is not None and reset is not None
    assert (pair.color, pair.bgcolor) == (Color.from_rgb(4, 5, 6), Color.from_rgb(1, 2, 3))
    assert (palette.color, palette.bgcolor) == (Color.from_ansi(9), Color.from_rgb(1, 2, 3))
    assert (reset.color, reset.bgcolor) == (None, None)
    assert [bool(segment.style and segment.style.bold) for segment in second] == [True, False]


def test_codes_of_no_interest_are_dropped() -> None:
    (strip,) = strips_from_ansi("\x1b[4munderlined\x1b[24m \x1b[48;5;7mgrey")
    assert strip.text == "underlined grey"
