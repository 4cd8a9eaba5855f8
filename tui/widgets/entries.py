"""Entries: checkpoints and warnings of a run as lists to read, the newest first."""

import time

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui.run_view import RunView
from tui.wording import duration

WHY = {"schedule": "by schedule", "command": "on command", "stop": "at a stop", "end": "at the end"}


class Entries(VerticalScroll, can_focus=True):
    """A text that scrolls, painted anew only when it reads differently."""

    def __init__(self, title: str, id: str) -> None:
        super().__init__(id=id)
        self.border_title = title  # seen where all lists are shown
        self._shown = ""

    def compose(self) -> ComposeResult:
        """The text."""
        yield Static(markup=False)

    def show(self, content: Content) -> None:
        """Show a text."""
        if content.markup != self._shown:
            self._shown = content.markup
            self.query_one(Static).update(content)


def checkpoint_lines(view: RunView, now: float) -> Content:
    """Each checkpoint with size, age and why it was made, the newest first."""
    if not view.checkpoints:
        return Content.styled("No checkpoint yet. c saves one.", "$text-muted")
    lines = []
    for saved in reversed(view.checkpoints):
        age = max(now - view.saved_at.get(saved.path, now), 0.0)
        coarse = duration(age) if age >= 60 else "less than a minute"
        lines.append(
            Content.assemble(
                ("▲ ", "$text-success"), (f"step {saved.step:<7}", "bold"), f"{_size(saved.bytes):>9}  ",
                (f"{WHY.get(saved.why, saved.why)}, ", ""), (f"{_without_seconds(coarse)} ago", "$text-muted"),
            )
        )  # fmt: skip
    return Content("\n").join(lines)


def _without_seconds(words: str) -> str:
    """A length of time that does not change every second."""
    return words.rsplit(" ", 2)[0] if words.endswith(" s") else words


def _size(count: int) -> str:
    """Bytes in the unit that suits them."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count = count / 1024  # type: ignore[assignment]
    return f"{count:.3g} GiB"


def warning_lines(view: RunView) -> Content:
    """Each warning with its step, why and what to do, the newest first."""
    if not view.noted:
        return Content.styled("No warnings.", "$text-muted")
    lines = []
    for noted in reversed(view.noted):
        stamp = time.strftime("%H:%M:%S", time.localtime(noted.time))
        warning = noted.warning
        lines.append(
            Content.assemble(
                ("! ", "$text-warning"), (warning.what, "bold"), (f"  step {noted.step}, {stamp}\n", "$text-muted"),
                f"  {warning.why}\n", (f"  → {warning.remedy}", "$text-accent"),
            )
        )  # fmt: skip
    return Content("\n").join(lines)
