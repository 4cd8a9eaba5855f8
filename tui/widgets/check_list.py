"""Checks as a table that scrolls: sign and word, name, what was found, and the remedy where something is wrong."""

from collections.abc import Iterable, Sequence

from textual.app import ComposeResult
from textual.containers import Container, Horizontal, VerticalScroll
from textual.widgets import Static

from tui.environment_check import CheckResult

SIGNS = {"OK": "✓ OK", "WARN": "! WARN", "FAIL": "✗ FAIL"}
TONES = {"OK": "-ok", "WARN": "-warn", "FAIL": "-fail"}


class CheckRow(Horizontal):
    """One check; where there is room for it the remedy stands beside what was found, else under it."""

    DEFAULT_CSS = """
    CheckRow { height: auto; }
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

    def __init__(self, check: CheckResult) -> None:
        super().__init__(classes=TONES.get(check.verdict, ""))
        self._check = check

    def compose(self) -> ComposeResult:
        """Four texts."""
        check = self._check
        yield Static(SIGNS.get(check.verdict, "·"), classes="verdict")
        yield Static(check.name, classes="name", markup=False)
        with Container(classes="words"):
            yield Static(check.text, markup=False)
            if check.remedy and check.verdict != "OK":
                yield Static(f"→ {check.remedy}", classes="remedy", markup=False)


class CheckList(VerticalScroll):
    """Shows rows until others are given."""

    DEFAULT_CSS = """
    CheckList {
        height: 1fr; padding: 0 1; border-top: solid $primary 40%;
        border-title-style: bold; border-title-color: $foreground;
        scrollbar-background: $background; scrollbar-color: $primary 40%;
    }
    CheckList:focus { border-top: solid $primary; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown: Sequence[CheckResult] = ()

    async def show(self, checks: Iterable[CheckResult]) -> None:
        """Show these; does nothing if they are shown already."""
        if (shown := tuple(checks)) == self._shown:
            return
        self._shown = shown
        with self.app.batch_update():
            await self.remove_children()
            await self.mount(*map(CheckRow, shown))
