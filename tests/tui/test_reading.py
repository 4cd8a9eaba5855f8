"""How the log and the lists of the Monitor are read: by keys of the table, which a key map can change."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from textual.pilot import Pilot
from textual.widget import Widget

from engine.contract import protocol as p
from tests.tui.consoles import monitor_of
from tui.actions import TABLE
from tui.console import ConsoleApp
from tui.settings import Settings
from tui.widgets.entries import Entries
from tui.widgets.log_pane import LogPane

if TYPE_CHECKING:
    from tests.tui.conftest import RecordedRun

PATIENCE = 500  # looks, 0.02 s apart
READING = ("up", "down", "page-up", "page-down", "top", "end")


async def until(pilot: Pilot[None], true: Callable[[], bool]) -> None:
    for _ in range(PATIENCE):
        await pilot.pause(0.02)
        if true():
            return
    pytest.fail("it never came")


def console(recorded: RecordedRun, keymap: dict[str, str], folder: Path) -> ConsoleApp:
    """A console on a run with a log and warnings that are longer than their panes."""
    recorded.half_way()
    recorded.tell(*(p.LogRecorded("info", f"line {number}") for number in range(200)))
    recorded.tell(*(p.WarningRaised(f"Warning {number}", "Why.", "Do.") for number in range(40)))
    (folder / "keymap.json").write_text(json.dumps({f"monitor.{name}": keys for name, keys in keymap.items()}))
    return ConsoleApp(recorded.dir.workspace, recorded.dir, False, Settings(folder), "block")


@pytest.mark.parametrize(
    "keymap", [{}, {"page-up": "f2", "page-down": "f3", "top": "f4", "end": "f6", "up": "f7", "down": "f8"}]
)
@pytest.mark.parametrize("pane", [0, 2], ids=["log", "warnings"])
async def test_every_way_to_read_has_a_key_of_the_table(
    recorded: RecordedRun, tmp_path: Path, keymap: dict[str, str], pane: int
) -> None:
    app = console(recorded, keymap, tmp_path)
    keys = {entry.id: keymap.get(entry.id, entry.keys) for entry in TABLE["monitor"]}
    async with app.run_test(size=(100, 34)) as pilot:
        screen = monitor_of(app)
        await until(pilot, lambda: len(screen.view.noted) == 40 and app.screen is screen)
        await pilot.press(*["w"] * pane)
        shown: Widget = screen.query_one(LogPane) if pane == 0 else screen.query_one("#warnings", Entries)
        await until(pilot, lambda: shown.max_scroll_y > 40)
        await pilot.press(keys["end"])
        await until(pilot, lambda: shown.scroll_y == shown.max_scroll_y)
        end = shown.max_scroll_y
        await pilot.press(keys["up"])
        await until(pilot, lambda: shown.scroll_y == end - 1)
        await pilot.press(keys["page-up"])
        await until(pilot, lambda: shown.scroll_y < end - 3)
        await pilot.press(keys["page-down"], keys["down"])
        await until(pilot, lambda: shown.scroll_y == end)
        await pilot.press(keys["top"])
        await until(pilot, lambda: shown.scroll_y == 0)


async def test_help_has_them(recorded: RecordedRun, tmp_path: Path) -> None:
    app = console(recorded, {}, tmp_path)
    async with app.run_test(size=(200, 60)) as pilot:
        await pilot.press("question_mark")
        text = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        for sign, word in (("PgUp", "Page up"), ("Home", "Top"), ("End", "End"), ("↑", "Line up"), ("Esc", "Back")):
            assert f" {sign} " in text and word in text
