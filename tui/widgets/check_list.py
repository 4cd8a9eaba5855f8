"""Checks as a table that scrolls: sign and word, name, what was found, and the remedy where something is wrong."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, VerticalScroll
from textual.message import Message
from textual.widgets import Static

from tui.environment_check import CheckResult

SIGNS = {"OK": "✓ OK", "WARN": "! WARN", "FAIL": "✗ FAIL"}
TONES = {"OK": "-ok", "WARN": "-warn", "FAIL": "-fail"}


class CheckRow(Horizontal):
    """One check; where there is room for it the remedy stands beside what was found, else under it."""

    DEFAULT_CSS = """
    CheckRow { height: auto; border-left: blank; }
    CheckRow.-at { border-left: thick $accent; }
    CheckRow .verdict { width: 8; text-style: bold; color: $text-muted; }
    CheckRow .name { width: 14; text-style: bold; }
    CheckRow .words { width: 1fr; height: auto; }
    CheckRow .words Static { width: 1fr; height: auto; padding-right: 1; }
    CheckRow .remedy { color: $text-warning; }
    CheckRow.-ok .verdict { color: $text-success; }
    CheckRow.-warn .verdict { color: $text-warning; }
    CheckRow.-fail .verdict, CheckRow.-fail .remedy { color: $text-error; }
    .-wide CheckRow .words, .-huge CheckRow .words { layout: horizontal; }
    .-narrow CheckRow .name { width: 13; }
    """

    @dataclass
    class Clicked(Message):
        """The row of a check was clicked."""

        name: str

    def __init__(self, check: CheckResult) -> None:
        super().__init__(classes=TONES.get(check.verdict, ""))
        self.check = check

    def on_click(self) -> None:
        """Tell the list."""
        self.post_message(self.Clicked(self.check.name))

    def compose(self) -> ComposeResult:
        """Four texts."""
        check = self.check
        yield Static(SIGNS.get(check.verdict, "·"), classes="verdict")
        yield Static(check.name, classes="name", markup=False)
        with Container(classes="words"):
            yield Static(check.text, markup=False)
            if check.remedy and check.verdict != "OK":
                yield Static(f"→ {check.remedy}", classes="remedy", markup=False)


class CheckList(VerticalScroll):
    """Shows rows until others are given; a bar beside one of them is the cursor, which stays at its check."""

    DEFAULT_CSS = """
    CheckList {
        height: 1fr; padding: 0 1 0 0; border-top: solid $primary 40%;
        border-title-style: bold; border-title-color: $foreground;
        scrollbar-background: $background; scrollbar-color: $primary 40%;
    }
    CheckList:focus { border-top: solid $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._shown: Sequence[CheckResult] = ()
        self._at = ""  # the name of the check to which the cursor was taken

    @property
    def chosen(self) -> CheckResult | None:
        """The check with the cursor: the first until it is taken elsewhere, which is the worst."""
        there = (check for check in self._shown if check.name == self._at)
        return next(there, self._shown[0] if self._shown else None)

    async def show(self, checks: Iterable[CheckResult]) -> None:
        """Show these; does nothing if they are shown already."""
        if (shown := tuple(checks)) == self._shown:
            return
        self._shown = shown
        with self.app.batch_update():
            await self.remove_children()
            await self.mount(*map(CheckRow, shown))
        self._mark()

    def action_move(self, by: int) -> None:
        """Take the cursor to another row."""
        if self.chosen:
            names = [check.name for check in self._shown]
            self._go_to(names[min(max(names.index(self.chosen.name) + by, 0), len(names) - 1)])

    def on_check_row_clicked(self, message: CheckRow.Clicked) -> None:
        """Take the cursor to the row that was clicked."""
        message.stop()
        self._go_to(message.name)

    def _go_to(self, name: str) -> None:
        self._at = name
        if row := self._mark():
            self.scroll_to_widget(row, animate=False)

    def _mark(self) -> CheckRow | None:
        """Put the bar beside the row with the cursor, which is returned."""
        rows = list(self.query(CheckRow))
        for row in rows:
            row.set_class(row.check == self.chosen, "-at")
        return next((row for row in rows if row.check == self.chosen), None)
