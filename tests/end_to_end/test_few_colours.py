"""The console in a terminal that has 256 or 16 colours: what is written to it is the nearest of them."""

import sys
from pathlib import Path

import pytest

from tests.terminal import Terminal


@pytest.mark.parametrize(
    ("kind", "colour"), [("xterm-256color", "e4e4e4"), ("xterm", "brightwhite")], ids=["256 colours", "16 colours"]
)
def test_words_are_in_the_nearest_colour(tmp_path: Path, kind: str, colour: str) -> None:
    command = [Path(sys.executable).parent / "shoelora-tui"]
    terminal = Terminal(
        command, tmp_path, TERM=kind, COLORTERM="", TERM_PROGRAM="", XDG_CONFIG_HOME=str(tmp_path / "config")
    )
    try:
        lines = terminal.shows("1 Runs", "There is no run here yet")
        row = next(row for row, line in enumerate(lines) if "There is no run" in line)
        assert colour in terminal.colours(row)
    finally:
        terminal.end()
