"""What may be wrong with a run: each question with what answers it, the figures, and what to do."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.diagnosis import Facts, Finding, diagnose
from tui.environment_check import CheckResult
from tui.machine_heat import Heat, HeatReader
from tui.machine_memory import MachineMemory, read_machine_memory
from tui.run_view import RunView

LOOK_AGAIN = 2.0  # seconds
QUIET = "$foreground 60%"


class DiagnosisScreen(ModalScreen[None]):
    """One page that follows the view while it is open; any of its keys closes it."""

    DEFAULT_CSS = """
    DiagnosisScreen { align: center middle; }
    DiagnosisScreen > VerticalScroll {
        width: 104; max-width: 100%; height: auto; max-height: 100%;
        border: round $primary; background: $surface; padding: 0 1; border-title-style: bold;
        scrollbar-gutter: stable;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,d", "app.pop_screen", "Close")]

    @dataclass
    class MachineRead(Message):
        """A reading of the machine's memory and heat was taken."""

        reading: MachineMemory
        heat: Heat | None = None

    def __init__(
        self,
        view: RunView | None,
        checks: Sequence[CheckResult] = (),
        read_machine: Callable[[], MachineMemory] = read_machine_memory,
        read_heat: Callable[[], Heat | None] | None = None,
    ) -> None:
        super().__init__()
        self._view = view
        self._checks = checks
        self._read_machine = read_machine
        self._read_heat = read_heat or HeatReader().read
        self._machine: MachineMemory | None = None
        self._heat: Heat | None = None
        self._findings: list[Finding] = []

    def compose(self) -> ComposeResult:
        """One text, made when it is known what is wrong."""
        with VerticalScroll() as box:
            box.border_title = f"Diagnosis of run {self._view.name}" if self._view else "Diagnosis of this machine"
            box.border_subtitle = "Esc closes"
            yield Static()

    def on_mount(self) -> None:
        """Look at what is known at once; the machine is read beside the event loop."""
        self._look()
        self._read()
        self.set_interval(LOOK_AGAIN, self._read)

    def _read(self) -> None:
        def read() -> None:
            self.post_message(self.MachineRead(self._read_machine(), self._read_heat()))

        threading.Thread(target=read, daemon=True).start()

    def on_diagnosis_screen_machine_read(self, message: MachineRead) -> None:
        """Look again."""
        self._machine, self._heat = message.reading, message.heat
        self._look()

    def _look(self) -> None:
        shares = {one.name: one.share for one in self._view.time_shares} if self._view else {}
        findings = diagnose(Facts(self._view, self._machine, shares, self._checks, self._heat))
        if findings != self._findings:
            self._findings = findings
            self._show()

    def on_resize(self) -> None:
        """Other lines fit."""
        self._show()

    def _show(self) -> None:
        width = self.query_one(VerticalScroll).scrollable_content_region.width
        if self._findings and width:
            self.query_one(Static).update(page(self._findings, width))


def page(findings: Sequence[Finding], width: int) -> Content:
    """Causes with evidence and remedy; below them, the questions to which nothing points. `width` in columns."""
    found = sum(len(finding.diagnoses) for finding in findings)
    if found:
        heading = f"! {found} thing{'s' if found > 1 else ''} to look at"
    elif all(finding.is_looked_at for finding in findings):
        heading = "✓ Nothing points to any trouble"
    else:
        heading = "Nothing points to any trouble, as far as it could be looked at"
    lines = [Content.styled(heading, "bold")]
    for finding in findings:
        lines.append(Content())
        if not finding.diagnoses and not finding.is_looked_at:
            unknown = Content.assemble((f"{finding.question}: ", "bold"), "nothing is known of it")
            lines += _paragraph("· ", unknown, width, QUIET)
        elif not finding.diagnoses:
            clear = Content.assemble((f"{finding.question}: ", "bold"), "nothing points to it")
            lines += _paragraph("✓ ", clear, width, "$text-success")
        else:
            lines.append(Content.styled(finding.question, "bold underline"))
        for one in finding.diagnoses:
            stop = "" if one.what.endswith((".", "!", "?")) else "."
            lines += _paragraph("! ", Content.styled(f"{one.what}{stop}", "bold"), width, "bold $text-warning")
            lines += _paragraph("  ", Content(one.evidence), width)
            lines += _paragraph("→ ", Content(one.remedy), width)
        lines += _paragraph("  ", Content.styled(f"Measured: {finding.measured}", QUIET), width)
    return Content("\n").join(lines)


def _paragraph(sign: str, text: Content, width: int, style: str = "") -> list[Content]:
    """Text behind a sign, whose further lines begin under the first."""
    rows = text.wrap(max(width - len(sign), 10)) if text.plain else []
    return [Content.assemble((sign if not n else " " * len(sign), style), row) for n, row in enumerate(rows)]
