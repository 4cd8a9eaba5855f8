"""A check or preflight at work, and what it or a refused start has to say, in a pane that can be hidden."""

import re
import threading
import time
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from engine.contract.config import TrainingConfig
from engine.contract.run_dir import Workspace
from engine.control import Tool
from tui.clipboard import copy_remedy
from tui.tool_feed import ToolEnd, ToolFeed
from tui.wording import duration

NAMES: dict[Tool, str] = {"environment": "Check", "preflight": "Preflight"}
TONES = {
    "[OK]": ("✓", "$text-success"), "[WARN]": ("!", "$text-warning"), "[FAIL]": ("✗", "$text-error"),
}  # fmt: skip
REMEDY = re.compile(r"^\s*(?:→|Do:)\s*(?P<words>.+)$")  # as reports and errors begin what is to be done
NOT_HERE = "terminal:"  # the check of it; behind the console a tool has none


class ToolReport(VerticalScroll):
    """Grows line by line and stays at its end."""

    DEFAULT_CSS = """
    ToolReport {
        display: none; height: 1fr; padding: 0 1; border-top: solid $primary 40%;
        border-title-style: bold; border-title-color: $foreground;
    }
    ToolReport.-there { display: block; }
    ToolReport:focus { border-top: solid $primary; }
    ToolReport > Static { height: auto; }
    """

    @dataclass
    class Said(Message):
        """The tool has printed a line."""

        line: str

    @dataclass
    class Ended(Message):
        """The tool is over."""

        end: ToolEnd

    @dataclass
    class ShownOrHidden(Message):
        """The pane has come or gone."""

    def __init__(self) -> None:
        super().__init__(id="report")
        self._lines: list[str] = []
        self._feed: ToolFeed | None = None  # of the tool at work
        self._tool_name = ""
        self._began = 0.0
        self._copied = 0  # remedies of this report so far

    def compose(self) -> ComposeResult:
        """One text."""
        yield Static()

    def on_mount(self) -> None:
        """Count the seconds of a tool at work."""
        self.set_interval(1, self._tick)

    def on_unmount(self) -> None:
        """Nobody would hear the end of it."""
        self.stop()

    # ---- the tool ----------------------------------------------------------------------------------------------------

    @property
    def at_work(self) -> str:
        """The name of the tool that runs now; empty if none does."""
        return self._tool_name if self._feed else ""

    def run(self, tool: Tool, config: TrainingConfig, workspace: Workspace, before: threading.Lock) -> None:
        """Start a tool, as soon as `before` is free, and show what it prints."""
        self._tool_name, self._began = NAMES[tool], time.monotonic()
        feed = ToolFeed(lambda line: self.post_message(self.Said(line)), lambda end: self.post_message(self.Ended(end)))
        self._feed = feed
        self.tell(self._tool_name, "Loading the libraries…")
        self._tick()
        feed.start(tool, config, workspace, before)

    def stop(self) -> None:
        """Interrupt the tool; it then tells that it has ended."""
        if self._feed:
            self._feed.stop()

    def _tick(self) -> None:
        if self._feed:
            self.border_title = f"{self._tool_name}, {duration(time.monotonic() - self._began)}"

    def on_tool_report_said(self, message: Said) -> None:
        """One more line; one that counts the same phase on takes the place of the line before."""
        line = message.line
        if line.split(" ", 1)[-1].strip().startswith(NOT_HERE):
            return
        if self._lines and _phase(line) and _phase(line) == _phase(self._lines[-1]):
            self._lines.pop()
        self._lines.append(line)
        self._repaint()

    def on_tool_report_ended(self, message: Ended) -> None:
        """Say how it ended, and with what words."""
        self._feed = None
        code = message.end.code
        how = "stopped" if message.end.was_stopped else "done" if code == 0 else "found a problem"
        if message.end.errors and not message.end.was_stopped:
            self._lines += message.end.errors.splitlines()
        self._entitle(f"{self._tool_name}: {how}")
        self._repaint()

    # ---- the pane ----------------------------------------------------------------------------------------------------

    def tell(self, title: str, *lines: str) -> None:
        """Show the pane with a title and these lines."""
        self._lines, self._copied = list(lines), 0
        self._entitle(title)
        self.add_class("-there")
        self._repaint()
        self.post_message(self.ShownOrHidden())

    def hide(self) -> None:
        """Give the room back."""
        self.remove_class("-there")
        self.post_message(self.ShownOrHidden())

    @property
    def is_shown(self) -> bool:
        """Whether the pane is there."""
        return self.has_class("-there")

    @property
    def remedies(self) -> list[str]:
        """What the report says is to be done, each in one line."""
        return [match["words"] for line in self._lines if (match := REMEDY.match(line))]

    def copy_next_remedy(self) -> None:
        """Put the first remedy on the clipboard, or the one after that which was copied last."""
        remedies = self.remedies
        if not remedies:
            self.notify("No report says what is to be done.", title="No remedy here")
            return
        number = self._copied % len(remedies)
        self._copied += 1
        which = f" {number + 1} of {len(remedies)}" if len(remedies) > 1 else ""
        copy_remedy(self, remedies[number], f"The remedy{which}")

    def _entitle(self, title: str) -> None:
        self.border_title = f"{title}; y copies the remedy" if self.remedies else title

    def _repaint(self) -> None:
        self.query_one(Static).update(Content("\n").join(_painted(line) for line in self._lines))
        self.scroll_end(animate=False)


def _phase(line: str) -> str:
    """The words before `3/8`, where a line ends so."""
    words, _, count = line.rpartition(" ")
    done, slash, total = count.partition("/")
    return words if slash and done.isdigit() and total.isdigit() else ""


def _painted(line: str) -> Content:
    tag, _, rest = line.partition(" ")
    if tag in TONES:
        sign, colour = TONES[tag]
        return Content.assemble((f"{sign} ", colour), rest.strip())
    return Content(line)
