"""What the console looks like, picture by picture; accept a wanted change with `pytest --snapshot-update`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from textual.pilot import Pilot

from engine.contract import protocol as p
from tests.tui.consoles import console_on, monitor_of
from tests.tui.looks import in_look
from tui.console import ConsoleApp
from tui.widgets.previews import Previews

if TYPE_CHECKING:
    from tests.tui.conftest import RecordedRun

pytestmark = pytest.mark.usefixtures("same_everywhere")

SnapCompare = Callable[..., bool]
NOON = 1_780_000_000.0  # seconds since 1970; when the recorded run began


@pytest.fixture(autouse=True)
def an_hour_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """When checkpoints are looked at."""
    monkeypatch.setattr("tui.widgets.details.now", lambda: NOON + 3600.0)


async def settle(pilot: Pilot[None]) -> None:
    """Wait until all that was recorded is on the screen, pictures too."""
    assert isinstance(pilot.app, ConsoleApp)
    monitor = monitor_of(pilot.app)
    last = len(monitor.run.journal.read_bytes().splitlines())
    for _ in range(500):
        await pilot.pause(0.02)
        previews = monitor.query_one(Previews)
        if monitor.view.last_seq == last and (previews.is_painted or not monitor.view.images):
            await pilot.pause()
            return
    pytest.fail("the console never caught up with the journal")


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)], ids="{0[0]}x{0[1]}".format)
def test_a_running_run(recorded: RecordedRun, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    recorded.half_way()
    recorded.tell(p.StepTimed(37, 0.02, 0.45, 0.85, 0.08))
    assert snap_compare(console_on(recorded.dir), terminal_size=size, run_before=settle)


@pytest.fixture
def with_trouble(recorded: RecordedRun) -> RecordedRun:
    """A run with a spike and a warning."""
    recorded.half_way()
    recorded.tell(p.StepTimed(37, 0.02, 0.45, 0.85, 0.08), p.StepCompleted(38, 3, 9.0, 1e-3, 0.5, 1.4))
    recorded.tell(p.WarningRaised("2 of 98 pictures were skipped", "img_07.png is truncated.", "Mend or remove them."))
    return recorded


@pytest.mark.parametrize("look", ["daylight", "high-contrast", "colour-blind", "16-colours", "256-colours"])
def test_in_other_colours(with_trouble: RecordedRun, snap_compare: SnapCompare, look: str) -> None:
    app = in_look(console_on(with_trouble.dir), look)
    assert snap_compare(app, terminal_size=(120, 40), run_before=settle)


def test_without_colours(with_trouble: RecordedRun, snap_compare: SnapCompare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(console_on(with_trouble.dir), terminal_size=(120, 40), run_before=settle)


def test_a_zoomed_curve_with_a_cursor_on_a_light_ground(recorded: RecordedRun, snap_compare: SnapCompare) -> None:
    recorded.half_way()
    recorded.tell(p.StepCompleted(38, 3, 9.0, 1e-3, 0.5, 1.4))
    console = console_on(recorded.dir)
    console.theme = "daylight"

    async def look(pilot: Pilot[None]) -> None:
        await settle(pilot)
        await pilot.press("plus", "left", "left", "w")

    assert snap_compare(console, terminal_size=(120, 40), run_before=look)


def test_preparing(recorded: RecordedRun, snap_compare: SnapCompare) -> None:
    recorded.start()
    recorded.tell(p.PhaseProgressed("caching latents", 40, 96))
    assert snap_compare(console_on(recorded.dir), run_before=settle)


def test_a_warning(recorded: RecordedRun, snap_compare: SnapCompare) -> None:
    recorded.half_way()
    recorded.tell(p.WarningRaised("2 of 98 pictures were skipped", "img_07.png is truncated.", "Mend or remove them."))
    assert snap_compare(console_on(recorded.dir), run_before=settle)


def test_a_failed_run(recorded: RecordedRun, snap_compare: SnapCompare) -> None:
    recorded.half_way()
    recorded.tell(p.RunFailed("The loss is not finite", "Samples img_07, img_31 gave NaN.", "Lower learning_rate."))
    recorded.tell(p.StateChanged("failed"))
    recorded.die()
    assert snap_compare(console_on(recorded.dir), run_before=settle)


def test_the_question_before_a_stop(recorded: RecordedRun, snap_compare: SnapCompare) -> None:
    recorded.half_way()

    async def ask(pilot: Pilot[None]) -> None:
        await settle(pilot)
        await pilot.press("s")

    assert snap_compare(console_on(recorded.dir), run_before=ask)
