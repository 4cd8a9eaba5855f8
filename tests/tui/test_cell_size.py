"""The size of a cell, as a real pseudo terminal has it."""

import fcntl
import os
import pty
import struct
import termios
from collections.abc import Iterator
from typing import TextIO

import pytest

from tui.cell_size import cell_pixels, cell_ratio


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[TextIO]:
    """The terminal's end that Textual draws on."""
    main, child = pty.openpty()
    with os.fdopen(main, "rb"), os.fdopen(child, "w") as stream:
        monkeypatch.setattr("sys.__stderr__", stream)
        monkeypatch.setattr("sys.__stdin__", None)
        monkeypatch.setattr("sys.__stdout__", None)
        yield stream


@pytest.mark.parametrize(
    ("rows", "columns", "width", "height", "cell", "ratio"),
    [
        (40, 120, 1320, 960, (11, 24), 11 / 24),
        (24, 80, 721, 433, (9, 18), 0.5),  # a border of some pixels
        (24, 80, 0, 0, None, 0.5),
        (24, 80, 80, 24, (1, 1), 0.5),  # nonsense: cells are higher than wide
        (0, 0, 800, 600, None, 0.5),
    ],
)
def test_pixels_of_the_window_over_its_cells(
    screen: TextIO, rows: int, columns: int, width: int, height: int, cell: tuple[int, int] | None, ratio: float
) -> None:
    fcntl.ioctl(screen.fileno(), termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, width, height))
    assert cell_pixels() == cell
    assert cell_ratio() == pytest.approx(ratio)


def test_without_a_terminal_a_cell_is_half_as_wide_as_high(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("__stderr__", "__stdin__", "__stdout__"):
        monkeypatch.setattr(f"sys.{name}", None)
    assert cell_pixels() is None
    assert cell_ratio() == 0.5
