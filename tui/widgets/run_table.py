"""The list of runs: as many columns as there is room for; only cells that have changed are painted anew."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from rich.text import Text
from textual import events
from textual.color import Color
from textual.coordinate import Coordinate
from textual.widgets import DataTable

from tui.run_line import RunLine
from tui.run_words import (
    left_of,
    pace_of,
    started_in_full,
    started_of,
    state_of,
    steps_of,
    tone_of,
    trend_of,
    validation_of,
)  # fmt: skip

MARK = "●"
SHORTEST_NAME = 16
NAME_END = 7  # letters kept of the end of a name that is cut: the hour by which runs of one preset differ


@dataclass(frozen=True)
class Column:
    """A column of fixed width; the words of a run in it, and the theme's colour for them."""

    title: str
    width: int
    words: Callable[[RunLine], tuple[str, str]]


def _plain(words: Callable[[RunLine], str]) -> Callable[[RunLine], tuple[str, str]]:
    return lambda line: (words(line), "")


STATE = Column("State", 13, lambda line: (state_of(line), tone_of(line)))
STEP = Column("Step", 9, _plain(steps_of))
VALIDATION = Column("Val", 6, _plain(validation_of))
TREND = Column("Trend", 7, trend_of)
PACE = Column("/min", 4, _plain(pace_of))
LEFT = Column("Left", 6, _plain(left_of))
STARTED = Column("Since", 5, _plain(started_of))
STARTED_IN_FULL = Column("Since", 16, _plain(started_in_full))
REMARK = Column("", 40, _plain(lambda line: line.remark))


@dataclass(frozen=True)
class Stage:
    """Columns, the space between them, and how short a name may become for them."""

    columns: tuple[Column, ...]
    gap: int = 2
    shortest_name: int = 24


# The first that fits is shown.
STAGES = (
    Stage((STATE, STEP, VALIDATION, TREND, PACE, LEFT, STARTED_IN_FULL, REMARK)),
    Stage((STATE, STEP, VALIDATION, TREND, PACE, LEFT, STARTED_IN_FULL)),
    Stage((STATE, STEP, VALIDATION, TREND, PACE, LEFT, STARTED), gap=1, shortest_name=SHORTEST_NAME),
    Stage((STATE, STEP, VALIDATION, TREND), gap=1, shortest_name=SHORTEST_NAME),
    Stage((STATE, STEP), gap=1, shortest_name=SHORTEST_NAME),
)


class RunTable(DataTable[Text]):
    """Rows are runs; the cursor stays on its run when others come."""

    DEFAULT_CSS = """
    RunTable { height: 1fr; background: $background; scrollbar-size-vertical: 1; overflow-x: hidden; }
    """

    def __init__(self) -> None:
        super().__init__(cursor_type="row", cell_padding=0, cursor_foreground_priority="css")
        self._lines: list[RunLine] = []
        self._marked: frozenset[Path] = frozenset()
        self._stage: Stage | None = None
        self._name_width = SHORTEST_NAME

    @property
    def chosen(self) -> RunLine | None:
        """The run under the cursor."""
        return self._lines[self.cursor_row] if 0 <= self.cursor_row < len(self._lines) else None

    def show(self, lines: Sequence[RunLine], marked: Collection[Path]) -> None:
        """Show these runs, in this order."""
        same = [line.run for line in lines] == [line.run for line in self._lines] and self._stage
        before, self._lines, self._marked = self.chosen, list(lines), frozenset(marked)
        if same:
            self._update_cells()
        else:
            self._fill(before.run.path if before else None)

    def show_marks(self, marked: Collection[Path]) -> None:
        """Mark these runs and no others."""
        self.show(self._lines, marked)

    def choose(self, path: Path) -> bool:
        """Move the cursor to a run; whether it is here."""
        rows = [row for row, line in enumerate(self._lines) if line.run.path == path]
        if rows:
            self.move_cursor(row=rows[0], animate=False)
        return bool(rows)

    def on_mount(self) -> None:
        """Colours are of the theme."""
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self._update_cells())

    def on_resize(self, event: events.Resize) -> None:
        """Choose the columns that fit now."""
        chosen = self.chosen
        if self._fit(event.size.width) and self._lines:
            self._fill(chosen.run.path if chosen else None)

    def _fit(self, width: int) -> bool:
        """Choose columns for a width; whether that changes anything."""
        before = (self._stage, self._name_width)
        for stage in STAGES:
            name = width - 2 - stage.gap - sum(column.width + stage.gap for column in stage.columns)
            self._stage, self._name_width = stage, max(name, SHORTEST_NAME)
            if name >= stage.shortest_name:
                break
        return before != (self._stage, self._name_width)

    def _fill(self, cursor: Path | None) -> None:
        if self._stage is None:
            self._fit(self.size.width)
        assert self._stage
        self.clear(columns=True)
        self.add_column("", width=2, key="mark")
        self.add_column("Run", width=self._name_width + self._stage.gap, key="name")
        for column in self._stage.columns:
            self.add_column(column.title, width=column.width + self._stage.gap)
        for line in self._lines:
            self.add_row(*self._cells(line, self._stage), key=str(line.run.path))
        if cursor:
            self.choose(cursor)

    def _update_cells(self) -> None:
        if self._stage is None:
            return
        for row, line in enumerate(self._lines):
            for column, cell in enumerate(self._cells(line, self._stage)):
                at = Coordinate(row, column)
                if (shown := self.get_cell_at(at)) != cell or shown.style != cell.style:
                    self.update_cell_at(at, cell)

    def _cells(self, line: RunLine, stage: Stage) -> list[Text]:
        name = shortened(line.run.name, self._name_width)
        mark = MARK if line.run.path in self._marked else ""
        cells = [Text(mark, style=self._style("accent")), Text(name, style=Style(bold=line.is_live))]
        for column in stage.columns:
            words, tone = column.words(line)
            cell = Text(words, style=self._style(tone))
            cell.truncate(column.width, overflow="ellipsis")
            cells.append(cell)
        return cells

    def _style(self, tone: str) -> Style:
        return Style(color=Color.parse(self.app.theme_variables[f"text-{tone}"]).rich_color) if tone else Style()


def shortened(name: str, width: int) -> str:
    """A run's name with its middle left out where it is too long, or its end where letters are two columns wide."""
    if cell_len(name) <= width:
        return name
    if cell_len(name) > len(name):
        return f"{set_cell_size(name, width - 1)}…"
    return f"{name[: width - NAME_END - 1]}…{name[-NAME_END:]}"
