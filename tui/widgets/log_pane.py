"""The log: follows its end until someone scrolls back, and then stays where it is."""

import time
from collections.abc import Iterable
from typing import NamedTuple

from rich.segment import Segment
from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from engine.contract.protocol import Level
from tui.run_view import LOG_LINES, LogLine

SIGNS: dict[Level, str] = {"info": " ", "warning": "!", "error": "✗"}
STAMP_WIDTH = len("10:15:00 ! ")
NARROWEST_TEXT = 10


class Row(NamedTuple):
    """A row of the screen: the first of a line carries its time and sign, the others are indented."""

    stamp: str
    text: str
    level: Level


class LogPane(ScrollView, can_focus=True):
    """Lines with their local time, wrapped to the pane."""

    COMPONENT_CLASSES = {"log--stamp", "log--info", "log--warning", "log--error"}  # noqa: RUF012  # as Textual has it
    DEFAULT_CSS = """
    LogPane { scrollbar-size-vertical: 1; overflow-x: hidden; overflow-y: scroll; }
    LogPane > .log--stamp { color: $text-disabled; }
    LogPane > .log--info { color: $foreground; }
    LogPane > .log--warning { color: $text-warning; }
    LogPane > .log--error { color: $text-error; text-style: bold; }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[LogLine] = []
        self._rows: list[Row] = []
        self._wrapped_to = 0
        self._unseen = 0
        self.following = True  # the end, until someone scrolls back

    def extend(self, lines: Iterable[LogLine]) -> None:
        """Append lines; the view moves only if it showed the end."""
        new = list(lines)
        if not new:
            return
        self._lines += new
        if len(self._lines) > 2 * LOG_LINES:  # now and then, so that not each line moves all others
            del self._lines[:-LOG_LINES]
            self._wrap_all()
        else:
            self._rows += [row for line in new for row in self._wrap(line)]
        self._unseen = 0 if self.following else self._unseen + len(new)
        self._settle()

    def on_mount(self) -> None:
        """Name the pane."""
        self.border_title = "Log"

    def on_resize(self, _event: events.Resize) -> None:
        """Wrap anew where the width has changed."""
        if self.scrollable_content_region.width != self._wrapped_to:
            self._wrap_all()
        self._settle()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Notice whether the reader has left the end or come back to it."""
        super().watch_scroll_y(old_value, new_value)
        self.following = round(new_value) >= self.max_scroll_y
        if self.following:
            self._unseen = 0
        self._say_what_is_below()

    def _wrap_all(self) -> None:
        self._wrapped_to = self.scrollable_content_region.width
        self._rows = [row for line in self._lines for row in self._wrap(line)]

    def _wrap(self, line: LogLine) -> list[Row]:
        stamp = f"{time.strftime('%H:%M:%S', time.localtime(line.time))} {SIGNS[line.level]} "
        parts = Content(line.text).wrap(max(self._wrapped_to - STAMP_WIDTH, NARROWEST_TEXT))
        return [
            Row(stamp if index == 0 else " " * STAMP_WIDTH, part.plain.rstrip(), line.level)
            for index, part in enumerate(parts)
        ]

    def _settle(self) -> None:
        follow = self.following  # setting the size may scroll
        self.virtual_size = Size(self._wrapped_to, len(self._rows))
        if follow:
            self.scroll_end(animate=False, immediate=True)
        self._say_what_is_below()
        self.refresh()

    def _say_what_is_below(self) -> None:
        self.border_subtitle = f"↓ {self._unseen} new, End shows them" if self._unseen else ""

    def render_line(self, y: int) -> Strip:
        """One row of the pane."""
        width, number = self.scrollable_content_region.width, y + self.scroll_offset.y
        if number >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        row = self._rows[number]
        segments = [
            Segment(row.stamp, self.get_component_rich_style("log--stamp")),
            Segment(row.text, self.get_component_rich_style(f"log--{row.level}")),
        ]
        return Strip(segments).adjust_cell_length(width, self.rich_style)
