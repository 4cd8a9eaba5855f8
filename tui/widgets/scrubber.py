"""The sheets of an album as marks on a line, with the one that is looked at; a click goes to one."""

from dataclasses import dataclass

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

SHEET, HERE, MARKED, LINE = "·", "●", "A", "─"


class Scrubber(Widget):
    """One row; as many sheets as there are columns can be told apart."""

    COMPONENT_CLASSES = {"scrubber--line", "scrubber--here", "scrubber--marked"}  # noqa: RUF012  # as Textual has it
    DEFAULT_CSS = """
    Scrubber { height: 1; padding: 0 1; }
    Scrubber > .scrubber--line { color: $text-disabled; }
    Scrubber > .scrubber--here { color: $accent; text-style: bold; }
    Scrubber > .scrubber--marked { color: $warning; text-style: bold; }
    """

    @dataclass
    class Scrubbed(Message):
        """Someone clicked at a sheet."""

        at: int

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[int, int, int | None] = (0, 0, None)

    def show(self, count: int, at: int, marked: int | None) -> None:
        """So many sheets, which of them is looked at, and which is marked."""
        if (count, at, marked) != self._shown:
            self._shown = (count, at, marked)
            self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Go to the sheet nearest to the pointer."""
        count = self._shown[0]
        if count:
            span = max(self.content_size.width - 1, 1)
            self.post_message(self.Scrubbed(round((event.x - self.content_offset.x) * (count - 1) / span)))

    def _column(self, index: int) -> int:
        count, span = self._shown[0], self.content_size.width - 1
        return round(index * span / (count - 1)) if count > 1 else span

    def render_line(self, _y: int) -> Strip:
        """The line with its marks; the one for here lies on top."""
        count, at, marked = self._shown
        width = self.content_size.width
        if not count or width < 1:
            return Strip.blank(width, self.rich_style)
        line = self.get_component_rich_style("scrubber--line")
        cells = [Segment(LINE, line)] * width
        for index in range(count):
            cells[self._column(index)] = Segment(SHEET, line)
        if marked is not None:
            cells[self._column(marked)] = Segment(MARKED, self.get_component_rich_style("scrubber--marked"))
        cells[self._column(at)] = Segment(HERE, self.get_component_rich_style("scrubber--here"))
        return Strip(cells, width).simplify()
