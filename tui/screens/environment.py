"""The screen of this machine: whether it is ready, how its memory stands, what may be wrong with the run in hand."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar, Protocol

from textual.message import Message
from textual.widget import Widget

from engine.contract.config import TrainingConfig
from engine.contract.config_file import find_config, load_config
from engine.contract.errors import RunError, ShoeloraError
from engine.contract.run_dir import RunDir, Workspace
from tui.actions import TABLE
from tui.clipboard import copy_remedy
from tui.environment_check import CheckResult, EnvironmentCheck, summary
from tui.feed import Batch, JournalFeed
from tui.keymap import FILE_NAME as KEYMAP_FILE
from tui.machine_heat import Heat, HeatReader
from tui.machine_memory import MachineMemory, read_machine_memory
from tui.memory_rows import SPAN, Reading, memory_rows
from tui.navigation import ScreenName
from tui.run_view import RunView
from tui.screens.diagnosis import DiagnosisScreen
from tui.screens.main_screen import MainScreen
from tui.settings import FILE_NAME as SETTINGS_FILE
from tui.terminal_facts import FACT, file_fact, heat_fact, terminal_facts
from tui.widgets.check_list import CheckList
from tui.widgets.key_bar import KeyBar
from tui.widgets.memory_panel import MemoryPanel

READ_EVERY = 2.0  # seconds
DEFAULT_PRESET = "training_config"
wall_clock = time.time  # seconds since 1970; a test sets another
URGENCY = {"FAIL": 0, "WARN": 1}  # what is wrong stands on top


class Checking(Protocol):
    """A check under way."""

    def results(self) -> list[CheckResult]:
        """Wait for them."""

    def stop(self) -> None:
        """End it early."""


class EnvironmentScreen(MainScreen):
    """Checks once when it is first shown, and again when asked to; reads the memory all the time."""

    SCREEN: ClassVar[ScreenName] = "environment"
    AUTO_FOCUS = "CheckList"

    @dataclass
    class MachineRead(Message):
        """A reading was taken."""

        reading: MachineMemory
        heat: Heat | None

    @dataclass
    class RecordsArrived(Message):
        """The journal or the lock has something new."""

        batch: Batch

    @dataclass
    class Checked(Message):
        """A check has ended, with results or with an error."""

        results: list[CheckResult]
        error: ShoeloraError | None = None

    def __init__(
        self,
        workspace: Workspace,
        run: RunDir | None,
        read_machine: Callable[[], MachineMemory] = read_machine_memory,
        begin_check: Callable[[TrainingConfig, Workspace], Checking] = EnvironmentCheck,
        read_heat: Callable[[], Heat | None] | None = None,
    ) -> None:
        super().__init__()
        self.workspace = workspace
        self.run = run
        self.view = RunView(run.name, 0) if run else None
        self.checks: list[CheckResult] = []
        self._read_machine = read_machine
        self._read_heat = read_heat or HeatReader().read
        self._begin_check = begin_check
        self._check: Checking | None = None
        self._check_began = 0.0  # of the monotonic clock; 0 while none is under way
        self._heat: Heat | None = None
        self._readings: deque[Reading] = deque(maxlen=int(SPAN / READ_EVERY) + 1)
        self._left = threading.Event()
        self._feed = JournalFeed(run, self._deliver) if run else None

    def compose_body(self) -> Iterable[Widget]:
        """Memory on top, checks below."""
        yield MemoryPanel()
        yield CheckList()
        yield KeyBar(TABLE["environment"])

    async def on_mount(self) -> None:
        """Begin to read, and check."""
        if self._feed:
            self._feed.start()
        threading.Thread(target=self._keep_reading, name="machine", daemon=True).start()
        self.set_interval(1.0, self._tell_progress)
        await self._show_checks()
        self.act_check()

    def on_unmount(self) -> None:
        """Read no more; a check that nobody waits for is ended."""
        self._left.set()
        if self._feed:
            self._feed.stop()
        if self._check:
            self._check.stop()

    # ---- memory and heat ---------------------------------------------------------------------------------------------

    def _keep_reading(self) -> None:
        while not self._left.is_set():
            self.post_message(self.MachineRead(self._read_machine(), self._read_heat()))
            self._left.wait(READ_EVERY)

    async def on_environment_screen_machine_read(self, message: MachineRead) -> None:
        """Keep it for the history, and bring what is on the screen up to date."""
        self._heat = message.heat
        self._readings.append((wall_clock(), message.reading))
        if self.is_current:
            self._show_memory()
            await self._show_checks()  # the terminal's size and the way of pictures may have changed

    def _deliver(self, batch: Batch) -> None:
        self.post_message(self.RecordsArrived(batch))

    def on_environment_screen_records_arrived(self, message: RecordsArrived) -> None:
        """Fold a batch into the view."""
        if self.view:
            for record in message.batch.records:
                self.view.apply(record)
            self.view.unreadable_lines = message.batch.unreadable_lines
            self.view.conclude(message.batch.live)

    def on_screen_resume(self) -> None:
        """What came while another screen was shown."""
        self._show_memory()

    def _show_memory(self) -> None:
        if self._readings:
            self.query_one(MemoryPanel).show(memory_rows(self.view, self._readings), self._readings[-1][0])

    # ---- checks ------------------------------------------------------------------------------------------------------

    def act_check(self) -> None:
        """Check anew, in a process of its own; a second one is not begun beside it."""
        if self._check_began:
            self.notify("The check is under way.", title="Not now")
            return
        self._check_began = time.monotonic()
        self._tell_progress()
        threading.Thread(target=self._run_check, name="environment check", daemon=True).start()

    def _run_check(self) -> None:
        try:
            self._check = self._begin_check(self._config(), self.workspace)
            if self._left.is_set():  # nobody waits for it any more
                self._check.stop()
            done = self.Checked(self._check.results())
        except ShoeloraError as error:
            done = self.Checked([], error)
        except OSError as error:
            done = self.Checked(
                [], RunError("The check could not be started", str(error), "Mend that, then try again.")
            )
        self.post_message(done)

    def _config(self) -> TrainingConfig:
        if self.run:
            return self.run.config()
        return load_config(find_config(DEFAULT_PRESET, self.workspace.root))

    async def on_environment_screen_checked(self, message: Checked) -> None:
        """Show the new result; after an error the last one stays, beside the error."""
        self._check, self._check_began = None, 0.0
        if error := message.error:
            failed = CheckResult("check", "FAIL", f"{error.what}. {error.why}".strip(), error.remedy)
            self.checks = [failed, *(check for check in self.checks if check.name != "check")]
            self._title("✗ the check failed")
        else:
            self.checks = message.results
            sign = "✗" if any(check.verdict == "FAIL" for check in self.checks) else "✓"
            self._title(f"{sign} {summary(self.checks)}, at {time.strftime('%H:%M:%S', time.localtime(wall_clock()))}")
        await self._show_checks()

    def _tell_progress(self) -> None:
        if self._check_began and not self._left.is_set():
            seconds = int(time.monotonic() - self._check_began)
            stays = ", the last result stays" if self.checks else ""
            self._title(f"◌ checking, {seconds} s{stays}")

    def _title(self, words: str) -> None:
        source = f"run {self.run.name}" if self.run else f"preset {DEFAULT_PRESET}"
        self.query_one(CheckList).border_title = f"Check: {words} ({source})"

    async def _show_checks(self) -> None:
        shown = [*self.checks, *self._facts()]
        await self.query_one(CheckList).show(sorted(shown, key=lambda check: URGENCY.get(check.verdict, len(URGENCY))))

    def _facts(self) -> list[CheckResult]:
        """What the console itself knows: terminal, colours, pictures, and its own files."""
        settings = getattr(self.app, "settings", None)
        folder = settings.folder if settings else None
        return [
            *terminal_facts(self.app.size, self.app.console.color_system),
            *self._pictures(),
            heat_fact(self._heat),
            file_fact("settings", folder and folder / SETTINGS_FILE, "defaults hold"),
            file_fact("key map", folder and folder / KEYMAP_FILE, "keys are as the help has them"),
        ]

    def _pictures(self) -> list[CheckResult]:
        mode, reason = getattr(self.app, "image_mode", ""), getattr(self.app, "image_reason", "")
        return [CheckResult("pictures", FACT, f"{mode}: {reason}" if reason else mode)] if mode else []

    def act_copy(self) -> None:
        """Put the remedy of the row with the cursor on the clipboard."""
        check = self.query_one(CheckList).chosen
        if check and check.remedy and check.verdict != "OK":
            copy_remedy(self, check.remedy, f"The remedy for {check.name}")
        else:
            self.notify("Go to a row that has one, behind →, with ↑ and ↓.", title="No remedy here")

    # ---- diagnosis ---------------------------------------------------------------------------------------------------

    def act_diagnose(self) -> None:
        """What may be wrong, from the run and the check."""
        self.app.push_screen(DiagnosisScreen(self.view, self.checks, self._read_machine, self._read_heat))
