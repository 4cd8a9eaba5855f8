"""What lies over a screen for a while: help, themes, palette, a path asked for, the question before a removal."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from textual.pilot import Pilot

from tests.tui.consoles import runs_console
from tui.console import ConsoleApp
from tui.screens.file_dialog import FileDialog

if TYPE_CHECKING:
    from tests.tui.conftest import RecordedRun

pytestmark = pytest.mark.usefixtures("same_everywhere")

Look = Callable[[Pilot[None]], object]
SnapCompare = Callable[..., bool]
PATIENCE = 500  # looks, 0.02 s apart
NOON = 1_780_000_000.0  # seconds since 1970


@pytest.fixture
def app(recorded: RecordedRun, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConsoleApp]:
    """A console on one finished run, whose files are always as large and as old."""
    monkeypatch.setattr("tui.screens.run_errands.size_of", lambda _: 27_262_976)
    recorded.half_way()
    recorded.finish()
    recorded.die()
    for file in (recorded.dir.config_file, recorded.dir.lock):
        os.utime(file, (NOON,) * 2)
    yield runs_console(recorded.dir.workspace)


async def shows(pilot: Pilot[None], pattern: str) -> None:
    """Wait until a pattern is on the screen; a blank stands for any white space."""
    found = re.compile(pattern.replace(" ", r"\s+")).search
    for _ in range(PATIENCE):
        await pilot.pause(0.02)
        text = "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())
        if found(text):
            await pilot.pause()
            return
    pytest.fail(f"never came: {pattern}\n{text}")


def after(*keys: str, shown: str) -> Look:
    """Press keys on the list of runs, and wait until something is shown."""

    async def press(pilot: Pilot[None]) -> None:
        await shows(pilot, "demo_noon ✓ finished")
        await pilot.press(*keys)
        await shows(pilot, shown)

    return press


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)], ids="{0[0]}x{0[1]}".format)
def test_help(app: ConsoleApp, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    look = after("question_mark", shown="Keys on Runs")
    assert snap_compare(app, terminal_size=size, run_before=look)


def test_the_choice_of_a_theme_shows_the_one_under_the_cursor(app: ConsoleApp, snap_compare: SnapCompare) -> None:
    look = after("t", "down", shown="daylight light")
    assert snap_compare(app, terminal_size=(80, 24), run_before=look)


def test_the_palette(app: ConsoleApp, snap_compare: SnapCompare) -> None:
    look = after("ctrl+p", *"delete", shown="Remove the run and its logs")
    assert snap_compare(app, terminal_size=(80, 24), run_before=look)


def test_the_question_before_a_removal(app: ConsoleApp, snap_compare: SnapCompare) -> None:
    look = after("d", shown="x Delete it")
    assert snap_compare(app, terminal_size=(80, 24), run_before=look)


def test_a_path_that_is_asked_for(app: ConsoleApp, snap_compare: SnapCompare) -> None:
    async def ask(pilot: Pilot[None]) -> None:
        await shows(pilot, "demo_noon ✓ finished")
        app.push_screen(FileDialog("Save the settings", "Save", Path("/ada/shoes"), "configs/shoes.json"))
        await shows(pilot, "Enter Save")

    assert snap_compare(app, terminal_size=(80, 24), run_before=ask)
