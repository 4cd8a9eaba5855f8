"""A terminal in whose place the test reads what is written to it."""

import pytest
from textual.drivers.headless_driver import HeadlessDriver


@pytest.fixture
def one_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same cells everywhere, and nothing between the app and its terminal."""
    for name in ("TMUX", "STY", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("TEXTUAL_COLOR_SYSTEM", "truecolor")
    monkeypatch.setattr("textual.constants.COLOR_SYSTEM", "truecolor")
    monkeypatch.setattr("tui.cell_size.cell_pixels", lambda: (8, 16))


class Terminal:
    """What a terminal gets: text as Textual writes it, and pictures."""

    def __init__(self) -> None:
        self.writes: list[str] = []

    @property
    def pictures(self) -> list[str]:
        """The writes that are no text."""
        return [text for text in self.writes if any(start in text for start in ("\x1b_G", "\x1b]1337", "\x1bP"))]

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self.writes)


@pytest.fixture
def terminal(one_terminal: None, monkeypatch: pytest.MonkeyPatch) -> Terminal:  # noqa: ARG001
    """Stands in for the driver's end of a real one."""
    one = Terminal()
    monkeypatch.setattr(HeadlessDriver, "write", lambda _driver, data: one.writes.append(data))
    monkeypatch.setattr(HeadlessDriver, "is_headless", False)
    return one
