"""The log: follows its end until someone scrolls back, and then stays where it is; words can be found in it."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from engine.contract.protocol import Level
from tui.run_log import LogLine
from tui.run_view import LOG_LINES

SIGNS: dict[Level, str] = {"info": " ", "warning": "!", "error": "✗"}
STAMP_WIDTH = len("10:15:00 ! ")
NARROWEST_TEXT = 10


class Row(NamedTuple):
    """A row of the screen: the first of a line carries its time and sign, the others are indented."""

    line: int  # its place among the lines
    stamp: str
    text: str
    level: Level


class LogPane(ScrollView, can_focus=True, inherit_bindings=False):
    """Lines with their local time, wrapped to the pane. It has no keys: the screen scrolls it."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "log--stamp", "log--info", "log--warning", "log--error", "log--match", "log--at"
    }  # fmt: skip
    DEFAULT_CSS = """
    LogPane { scrollbar-size-vertical: 1; overflow-x: hidden; overflow-y: scroll; }
    LogPane > .log--stamp { color: $text-muted; }
    LogPane > .log--info { color: $foreground; }
    LogPane > .log--warning { color: $text-warning; }
    LogPane > .log--error { color: $text-error; text-style: bold; }
    LogPane > .log--match { color: $background; background: $warning; }
    LogPane > .log--at { color: $background; background: $accent; text-style: bold; }
    """

    @dataclass
    class Remarked(Message):
        """There is something else to say about the log than before."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[LogLine] = []
        self._rows: list[Row] = []
        self._wrapped_to = 0
        self._unseen = 0
        self._sought = ""
        self._at: int | None = None  # the line that was found last
        self.remark = ""  # what was found, or what came below
        self.following = True  # the end, until someone scrolls back

    def extend(self, lines: Iterable[LogLine]) -> None:
        """Append lines; the view moves only if it showed the end."""
        new = list(lines)
        if not new:
            return
        self._lines += new
        if len(self._lines) > 2 * LOG_LINES:  # now and then, so that not each line moves all others
            dropped = len(self._lines) - LOG_LINES
            del self._lines[:dropped]
            self._at = None if self._at is None or self._at < dropped else self._at - dropped
            self._wrap_all()
        else:
            first = len(self._lines) - len(new)
            self._rows += [row for number, line in enumerate(new, first) for row in self._wrap(number, line)]
        self._unseen = 0 if self.following else self._unseen + len(new)
        self._settle()

    @property
    def is_finding(self) -> bool:
        """Whether something is sought and marked."""
        return bool(self._sought)

    def find(self, text: str) -> None:
        """Mark a text wherever it stands, whatever its case, and go to its newest place; an empty one ends that."""
        self._sought, self._at = text.lower(), None
        if self._sought:
            self.find_next(-1)
        else:
            self._say()
        self.refresh()

    def find_next(self, direction: int) -> None:
        """Go to the next line with the text, downwards (1) or upwards (-1); from the end on to the beginning."""
        found = list(self._found())
        if found:
            if self._at is None:
                self._at = found[-1]
            elif direction > 0:
                self._at = next((number for number in found if number > self._at), found[0])
            else:
                self._at = next((number for number in reversed(found) if number < self._at), found[-1])
            row = next(y for y, row in enumerate(self._rows) if row.line == self._at)
            self.following = False
            self.scroll_to(y=max(row - self.size.height // 2, 0), animate=False, immediate=True)
        self._say()
        self.refresh()

    def _found(self) -> Iterator[int]:
        return (number for number, line in enumerate(self._lines) if self._sought in line.text.lower())

    def on_mount(self) -> None:
        """Name the pane, for where it has a border."""
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
        self._say()

    def _wrap_all(self) -> None:
        self._wrapped_to = self.scrollable_content_region.width
        self._rows = [row for number, line in enumerate(self._lines) for row in self._wrap(number, line)]

    def _wrap(self, number: int, line: LogLine) -> list[Row]:
        stamp = f"{time.strftime('%H:%M:%S', time.localtime(line.time))} {SIGNS[line.level]} "
        parts = Content(line.text).wrap(max(self._wrapped_to - STAMP_WIDTH, NARROWEST_TEXT))
        return [
            Row(number, stamp if index == 0 else " " * STAMP_WIDTH, part.plain.rstrip(), line.level)
            for index, part in enumerate(parts)
        ]

    def _settle(self) -> None:
        follow = self.following  # setting the size may scroll
        self.virtual_size = Size(self._wrapped_to, len(self._rows))
        if follow:
            self.scroll_end(animate=False, immediate=True)
        self._say()
        self.refresh()

    def _say(self) -> None:
        remark = f"↓ {self._unseen} new, End shows them" if self._unseen else ""
        if self._sought:
            found = list(self._found())
            place = found.index(self._at) + 1 if self._at in found else 0
            remark = f"{place} of {len(found)}: {self._sought}" if found else f"not found: {self._sought}"
        if remark != self.remark:
            self.remark = self.border_subtitle = remark
            self.post_message(self.Remarked())

    def render_line(self, y: int) -> Strip:
        """One row of the pane."""
        width, number = self.scrollable_content_region.width, y + self.scroll_offset.y
        if number >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        row = self._rows[number]
        stamp = Segment(row.stamp, self.get_component_rich_style("log--stamp"))
        return Strip([stamp, *self._marked(row)]).adjust_cell_length(width, self.rich_style)

    def _marked(self, row: Row) -> Iterator[Segment]:
        """The text of a row, with what is sought in another colour."""
        plain = self.get_component_rich_style(f"log--{row.level}")
        found: Style = self.get_component_rich_style("log--at" if row.line == self._at else "log--match")
        text, lowered = row.text, row.text.lower()
        begin = 0
        while self._sought and (place := lowered.find(self._sought, begin)) >= 0:
            end = place + len(self._sought)
            yield Segment(text[begin:place], plain)
            yield Segment(text[place:end], found)
            begin = end
        yield Segment(text[begin:], plain)
