"""The Environment screen and the diagnosis: what they show, what their keys do, and that they bear every size."""

from __future__ import annotations

import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from engine.contract import protocol as p
from engine.contract.config import TrainingConfig
from engine.contract.errors import RunError
from engine.contract.run_dir import RunDir, Workspace
from tests.tui.looks import in_look
from tui.console import ConsoleApp
from tui.environment_check import CheckResult
from tui.machine_heat import Heat
from tui.machine_memory import MachineMemory
from tui.memory_pressure import Pressure
from tui.navigation import ScreenName
from tui.screens.diagnosis import DiagnosisScreen
from tui.screens.environment import EnvironmentScreen
from tui.screens.main_screen import MainScreen
from tui.settings import Settings
from tui.widgets.check_list import CheckRow

if TYPE_CHECKING:
    from tests.tui.conftest import RecordedRun

pytestmark = pytest.mark.usefixtures("same_everywhere")

SnapCompare = Callable[..., bool]
GIB = 2**30
PATIENCE = 500  # looks, 0.02 s apart
READING = MachineMemory(32 * GIB, 12 * GIB, 8 * GIB, 3 * GIB, Pressure("warning", "level 2 of 4"))
RESULTS = [
    CheckResult("python", "OK", "3.11.7 on macOS-26, arm64"),
    CheckResult("device", "OK", "mps (Apple GPU, recommended working set 21.3 GiB)"),
    CheckResult("memory", "WARN", "about 9.1 GiB needed; 21.3 GiB can be used", "Close other programs."),
    CheckResult("data set", "FAIL", "There is no folder /pictures.", "Give train_data_dir a folder with captions."),
]


class FakeCheck:
    """A check that ends when it is let, with what it was given; it notes what it was begun for."""

    def __init__(self) -> None:
        self.outcome: list[CheckResult] | RunError = RESULTS
        self.may_end = threading.Event()
        self.may_end.set()
        self.begun: list[TrainingConfig] = []
        self.stopped = threading.Event()

    def begin(self, config: TrainingConfig, _: Workspace) -> FakeCheck:
        self.begun.append(config)
        return self

    def results(self) -> list[CheckResult]:
        self.may_end.wait(20)
        if isinstance(self.outcome, RunError):
            raise self.outcome
        return self.outcome

    def stop(self) -> None:
        self.stopped.set()
        self.may_end.set()


class Console(ConsoleApp):
    """A console whose Environment screen reads a machine and runs a check that a test made."""

    def __init__(self, workspace: Workspace, run: RunDir | None, check: FakeCheck) -> None:
        super().__init__(workspace, run, False, Settings(), "block", "this terminal is not known to show pixels")
        self.check = check
        self.reading = READING
        self.heat = Heat("normal", "nominal, level 0 of 4")

    def _make(self, name: ScreenName) -> MainScreen:
        if name != "environment":
            return super()._make(name)
        return EnvironmentScreen(
            self.workspace, self.run_dir, lambda: self.reading, self.check.begin, lambda: self.heat
        )

    @property
    def text(self) -> str:
        """All that is on the screen, row by row."""
        return "\n".join(strip.text.rstrip() for strip in self.screen._compositor.render_strips())


@pytest.fixture(autouse=True)
def five_minutes_past(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the memory is looked at."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setattr("tui.screens.environment.wall_clock", lambda: 1_780_000_300.0)


@pytest.fixture
def check() -> Iterator[FakeCheck]:
    """A check that ends at once with four results."""
    fake = FakeCheck()
    yield fake
    fake.may_end.set()


def fill(recorded: RecordedRun) -> None:
    """A run whose memory grows."""
    recorded.half_way()
    for part in range(120):
        held = int((10 + part / 30) * GIB)
        recorded.tell(p.MemorySampled(3 * GIB, held, int(21.3 * GIB), 12 * GIB, held - 2 * GIB))


async def until(pilot: Pilot[None], *patterns: str) -> None:
    """Wait until all patterns are on the screen; a blank stands for any white space, as where lines wrap."""
    app = pilot.app
    assert isinstance(app, Console)
    for pattern in patterns:
        expression = re.compile(pattern.replace(" ", r"\s+"))
        for _ in range(PATIENCE):
            await pilot.pause(0.02)
            if expression.search(app.text):
                break
        else:
            pytest.fail(f"never came: {pattern}\n{app.text}")


async def opened(pilot: Pilot[None]) -> None:
    """The screen with all that it shows at first; when the sizes do not show it, they are only waited for."""
    await pilot.press("6")
    app = pilot.app
    for _ in range(PATIENCE):
        await pilot.pause(0.02)
        screen = app.screen
        if isinstance(screen, EnvironmentScreen) and screen.checks and screen.view and screen.view.memory:
            await pilot.pause()
            return
    pytest.fail("the screen was never complete")


@asynccontextmanager
async def looking(
    recorded: RecordedRun, check: FakeCheck, size: tuple[int, int] = (100, 34)
) -> AsyncIterator[tuple[Console, Pilot[None]]]:
    """A console on the Environment screen of a run."""
    app = Console(recorded.dir.workspace, recorded.dir, check)
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.press("6")
        await until(pilot, "Memory, last 5 minutes")
        yield app, pilot


# ---- pictures of it -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)], ids="{0[0]}x{0[1]}".format)
def test_after_a_check(
    recorded: RecordedRun, check: FakeCheck, snap_compare: SnapCompare, size: tuple[int, int]
) -> None:
    fill(recorded)
    app = Console(recorded.dir.workspace, recorded.dir, check)
    assert snap_compare(app, terminal_size=size, run_before=settled)


@pytest.mark.parametrize("look", ["daylight", "16-colours"])
def test_in_other_colours(recorded: RecordedRun, check: FakeCheck, snap_compare: SnapCompare, look: str) -> None:
    fill(recorded)
    app = in_look(Console(recorded.dir.workspace, recorded.dir, check), look)
    assert snap_compare(app, terminal_size=(80, 24), run_before=settled)


@pytest.mark.parametrize("size", [(60, 20), (120, 40)], ids="{0[0]}x{0[1]}".format)
def test_a_diagnosis(recorded: RecordedRun, check: FakeCheck, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    fill(recorded)
    warning = "Validation image epoch001_step000020_03.png is black"
    recorded.tell(p.WarningRaised(warning, "Attention overflowed.", "Use mixed_precision no."))
    app = Console(recorded.dir.workspace, recorded.dir, check)

    async def ask(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("d")
        await until(pilot, "Diagnosis of run demo_noon")
        for _ in range(PATIENCE):
            await pilot.pause(0.02)
            if "of 32.0 GiB" in str(app.screen.query_one(Static).content):  # the machine was read, too
                return
        pytest.fail("the machine was never read")

    assert snap_compare(app, terminal_size=size, run_before=ask)


async def settled(pilot: Pilot[None]) -> None:
    """Wait until the check, the journal and a reading are all there."""
    await opened(pilot)
    await until(pilot, "driver", "pressure", "data set")


# ---- the check ------------------------------------------------------------------------------------------------------


async def test_what_is_wrong_stands_on_top_with_its_remedy(recorded: RecordedRun, check: FakeCheck) -> None:
    async with looking(recorded, check) as (app, pilot):
        await until(
            pilot, "✗ FAIL data set There is no folder /pictures.", "→ Give train_data_dir", "! WARN memory",
            "✓ OK python", "✗ not ready: 1 problem, 1 to look at, at 20:31:40 \\(run demo_noon\\)",
            "✓ OK terminal 100x34", "✓ OK colours true colour", "· pictures block: this terminal is not known",
            "· settings in no file: defaults hold", "· key map",
        )  # fmt: skip
        assert app.text.index("FAIL") < app.text.index("WARN") < app.text.index("OK")
        assert check.begun == [recorded.dir.config()]


async def test_while_a_check_runs_the_last_result_stays(recorded: RecordedRun, check: FakeCheck) -> None:
    async with looking(recorded, check) as (app, pilot):
        await until(pilot, "FAIL data set")
        check.may_end.clear()
        check.outcome = [CheckResult("data set", "OK", "98 pictures with captions")]
        await pilot.press("r")
        await until(pilot, "◌ checking, \\d+ s, the last result stays", "FAIL data set")
        await pilot.press("r")
        await until(pilot, "The check is under way")
        assert len(check.begun) == 2
        check.may_end.set()
        await until(pilot, "OK data set 98 pictures", "✓ ready to train")
        assert "FAIL" not in app.text


async def test_an_error_of_the_check_is_said_and_the_last_result_stays(recorded: RecordedRun, check: FakeCheck) -> None:
    async with looking(recorded, check) as (_, pilot):
        await until(pilot, "FAIL data set")
        check.outcome = RunError("The check ended with code 1 and no result", "No module.", "Install again.")
        await pilot.press("r")
        await until(
            pilot, "the check failed", "FAIL check The check ended with code 1", "→ Install again.", "FAIL data set"
        )


async def test_a_damaged_config_is_said(recorded: RecordedRun, check: FakeCheck) -> None:
    recorded.half_way()
    async with looking(recorded, check) as (_, pilot):
        await until(pilot, "FAIL data set")
        recorded.dir.config_file.write_text("{")
        await pilot.press("r")
        await until(pilot, "FAIL check", "is not valid JSON")


async def test_without_a_run_the_default_preset_is_checked(workspace: Workspace, check: FakeCheck) -> None:
    app = Console(Workspace(workspace.root / "empty"), None, check)
    async with app.run_test(size=(100, 34), notifications=True) as pilot:
        await pilot.press("6")
        await until(pilot, "\\(preset training_config\\)", "FAIL data set", "system", "pressure")
        assert "driver" not in app.text
        assert [config.max_train_steps for config in check.begun] == [3000]
        await pilot.press("d")
        await until(pilot, "Diagnosis of this machine", "There is no folder /pictures.")


async def test_leaving_ends_a_check_that_nobody_waits_for(recorded: RecordedRun, check: FakeCheck) -> None:
    check.may_end.clear()
    async with looking(recorded, check) as (_, pilot):
        await until(pilot, "◌ checking")
        await pilot.press("q")
    assert check.stopped.wait(10)


# ---- memory ---------------------------------------------------------------------------------------------------------


async def test_memory_of_the_run_and_of_the_machine(recorded: RecordedRun, check: FakeCheck) -> None:
    fill(recorded)
    async with looking(recorded, check) as (_, pilot):
        await until(
            pilot, "recommended maximum is 21.3 GiB",
            "allocated ━+╌+ 12.0 of 21.3 GiB", "driver ━+╌+ 14.0 of 21.3 GiB ✓",
            "process ━+╌+ 3.0 of 32.0 GiB", "system ━+╌+ 20.0 of 32.0 GiB ✓ fine", "swap ━+╌+ 3.0 of 8.0 GiB ! swaps",
            "pressure ━+╌+ level 2 of 4 ! warning", "▅",
        )  # fmt: skip


async def test_memory_follows_the_machine_and_the_run(recorded: RecordedRun, check: FakeCheck) -> None:
    fill(recorded)
    async with looking(recorded, check) as (app, pilot):
        await until(pilot, "14.0 of 21.3 GiB ✓ fine")
        recorded.tell(p.MemorySampled(3 * GIB, 21 * GIB, int(21.3 * GIB), 12 * GIB, 20 * GIB))
        app.reading = MachineMemory(32 * GIB, 4 * GIB, 8 * GIB, 0, Pressure("critical", "level 4 of 4"))
        await until(pilot, "21.0 of 21.3 GiB ✗ full", "28.0 of 32.0 GiB ! high", "0.0 of 8.0 GiB ✓ fine", "✗ critical")


# ---- diagnosis ------------------------------------------------------------------------------------------------------


async def test_a_diagnosis_follows_the_run_and_is_closed_by_its_keys(recorded: RecordedRun, check: FakeCheck) -> None:
    fill(recorded)
    check.outcome = [CheckResult("python", "OK", "3.11")]
    async with looking(recorded, check, (110, 50)) as (app, pilot):
        app.reading = MachineMemory(32 * GIB, 12 * GIB, 8 * GIB, 0)
        await opened(pilot)
        await pilot.press("d")
        await until(pilot, "Diagnosis of run demo_noon", "✓ Nothing points to any trouble", "machine 12.0 GiB left")
        recorded.tell(p.MicroBatchChanged(1, 16, "full", "MPS backend out of memory"))
        await until(pilot, "! 1 thing to look at", "Memory ran out once", "after step 37: MPS backend out of memory")
        for key in ("escape", "d", "q"):
            if not isinstance(app.screen, DiagnosisScreen):
                await pilot.press("d")
            await until(pilot, "Esc closes")
            await pilot.press(key)
            await pilot.pause()
            assert isinstance(app.screen, EnvironmentScreen)


# ---- sizes ----------------------------------------------------------------------------------------------------------


async def test_bears_every_size(recorded: RecordedRun, check: FakeCheck) -> None:
    fill(recorded)
    async with looking(recorded, check) as (app, pilot):
        await opened(pilot)
        for width, height in [(10, 4), (40, 12), (56, 14), (60, 20), (60, 50), (80, 24), (120, 40), (240, 70)]:
            await pilot.resize_terminal(width, height)
            await pilot.pause()
            rows = app.text.split("\n")
            assert len(rows) == height
            assert max(map(len, rows)) <= width
            if width >= 56 and height >= 14:
                await until(pilot, "driver", "pressure", "FAIL data set", "r Check again", "d Diagnose")
            else:
                await until(pilot, "Too small")
        await pilot.press("d")
        for width, height in [(10, 4), (60, 20), (240, 70)]:
            await pilot.resize_terminal(width, height)
            await pilot.pause()
            assert max(map(len, app.text.split("\n"))) <= width


# ---- remedies are copied --------------------------------------------------------------------------------------------

FETCH = "hf download owner/model --include '*.json' --include unet/diffusion_pytorch_model.safetensors " * 3


async def test_y_copies_the_remedy_of_the_row_with_the_bar_in_one_line(recorded: RecordedRun, check: FakeCheck) -> None:
    check.outcome = [*RESULTS, CheckResult("base model", "FAIL", "It is not on this computer.", FETCH)]
    async with looking(recorded, check, (80, 24)) as (app, pilot):
        await until(pilot, "hf download")
        await pilot.press("y")  # what is wrong stands on top, and the bar begins there
        assert app.clipboard == "Give train_data_dir a folder with captions."
        await pilot.press("down", "y")
        assert app.clipboard == FETCH and "\n" not in app.clipboard
        await until(pilot, "The remedy for base model")


async def test_the_bar_stays_at_its_row_and_a_row_without_a_remedy_says_so(
    recorded: RecordedRun, check: FakeCheck
) -> None:
    async with looking(recorded, check) as (app, pilot):
        await until(pilot, "data set")
        await pilot.press("down")  # the warning about memory
        check.outcome = [*RESULTS[:3], CheckResult("data set", "OK", "1891 pictures")]
        await pilot.press("r")
        await until(pilot, "1891 pictures")
        await pilot.press("y")
        assert app.clipboard == "Close other programs."
        await pilot.press(*["down"] * 3, "y")
        await until(pilot, "No remedy here")
        assert app.clipboard == "Close other programs."


async def test_a_click_takes_the_bar_to_a_row(recorded: RecordedRun, check: FakeCheck) -> None:
    async with looking(recorded, check, (120, 40)) as (app, pilot):
        await until(pilot, "Close other programs")
        row = next(row for row in app.screen.query(CheckRow) if row.check.name == "memory")
        await pilot.click(row)
        await pilot.press("y")
        assert app.clipboard == "Close other programs."


# ---- heat -----------------------------------------------------------------------------------------------------------


async def test_heat_is_told_as_it_comes_and_in_the_diagnosis(recorded: RecordedRun, check: FakeCheck) -> None:
    recorded.half_way()
    async with looking(recorded, check, (100, 44)) as (app, pilot):
        await until(pilot, "✓ OK heat nominal, level 0 of 4")
        app.heat = Heat("throttled", "heavy, level 2 of 4")
        await until(pilot, "! WARN heat heavy, level 2 of 4 → Let air to it")
        await pilot.press("d")
        await until(pilot, "! The machine is slowed down by heat", "heat: heavy, level 2 of 4")
