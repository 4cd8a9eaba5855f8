"""A strip that tells when it is written to the terminal, and so whatever was in its cells is gone."""

from collections.abc import Callable, Iterable

from rich.console import Console
from textual.strip import Strip


class WatchedStrip(Strip):
    """Calls `written` each time; so do the parts that it is cut into."""

    __slots__ = ("_written",)

    def __init__(self, strip: Strip, written: Callable[[], None]) -> None:
        super().__init__(strip, strip.cell_length)
        self._written = written

    def render(self, console: Console) -> str:
        """As any strip."""
        self._written()
        return super().render(console)

    def crop(self, start: int, end: int | None = None) -> Strip:
        """As any strip."""
        return WatchedStrip(super().crop(start, end), self._written)

    def divide(self, cuts: Iterable[int]) -> list[Strip]:
        """As any strip."""
        return [WatchedStrip(part, self._written) for part in super().divide(cuts)]
