"""Memory as bars, in words, and over the last minutes; all text, painted anew only when it reads differently."""

from collections.abc import Sequence

from textual.content import Content
from textual.widget import Widget

from tui.memory_rows import MemoryRow, spark
from tui.widgets.meters import bar

NAME, FIGURES, WORDS = 10, 17, 10  # columns
LONGEST_BAR = 40
HEIGHTS = ((60, 4), (40, 2), (0, 1))  # from so many rows of the screen on, so many lines for each row of the panel
TITLE = "Memory, last 5 minutes"
QUIET = "$foreground 60%"


class MemoryPanel(Widget):
    """A line or more for each row, under one that says what they are."""

    DEFAULT_CSS = """
    MemoryPanel {
        height: auto; padding: 0 1; border-top: solid $primary 40%; text-wrap: nowrap; text-overflow: ellipsis;
        border-title-style: bold; border-title-color: $foreground;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.border_title = TITLE
        self._rows: Sequence[MemoryRow] = ()
        self._now = 0.0
        self._shown = ""

    def show(self, rows: Sequence[MemoryRow], now: float) -> None:
        """Show these rows; `now` is where their past ends, in seconds since 1970."""
        self._rows, self._now = rows, now
        most = next((row.limit for row in rows if row.name == "driver"), 0)
        self.border_title = TITLE + (f"; the device's recommended maximum is {most / 2**30:.1f} GiB" if most else "")
        if (markup := self.render().markup) != self._shown:
            resized = markup.count("\n") != self._shown.count("\n")
            self._shown = markup
            self.refresh(layout=resized)

    def render(self) -> Content:
        """All rows."""
        if not self._rows:
            return Content.styled("measuring…", QUIET)
        height = next(lines for least, lines in HEIGHTS if self.screen.size.height >= least)
        return Content("\n").join(line for row in self._rows for line in self._lines(row, height))

    def _lines(self, row: MemoryRow, height: int) -> list[Content]:
        """Name, bar, figures and words on the first line, and the past over all of them."""
        room = max(self.content_size.width - NAME - FIGURES - WORDS - 3, 2)
        wide = min(room // 2, LONGEST_BAR)
        tone = f"bold $text-{row.tone}" if row.tone else QUIET
        first = Content.assemble(
            f"{row.name:{NAME}}",
            *(bar(row.share, wide) if row.past else ((" " * wide, ""),)),
            f" {row.figures:>{FIGURES}} ",
            (f"{row.words:{WORDS}} ", tone),
        )
        past = spark(row.past, self._now, room - wide, height)
        blank = Content(" " * first.cell_length)
        return [Content.assemble(blank if n else first, (line, "$primary")) for n, line in enumerate(past)]
