"""Typing ahead: keys that come all at once, as over SSH, do what they would have done one by one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from engine.contract import protocol as p
from engine.contract.config import TrainingConfig
from engine.contract.journal import JournalWriter
from engine.contract.run_dir import RunDir, RunLock, Workspace, create_run
from tests.tui.consoles import console_on, runs_console
from tui.screens.stop_dialog import StopDialog


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunDir]:
    """A run that is at work, as far as anybody can see."""
    run = create_run(Workspace(tmp_path), "run", TrainingConfig())
    journal = JournalWriter(run.journal)
    journal.append(p.StateChanged("running"))
    lock = RunLock.acquire(run)
    yield run
    lock.release()
    journal.close()


async def type_at_once(pilot: Pilot[None], *keys: str) -> None:
    """Keys that no screen has had time for."""
    for key in [events.Key(name, name if len(name) == 1 else None) for name in keys]:
        pilot.app.post_message(key)
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()


async def test_letters_after_a_slash_are_what_is_sought_and_no_commands_to_the_run(run: RunDir) -> None:
    app = console_on(run)
    async with app.run_test() as pilot:
        await pilot.pause()
        await type_at_once(pilot, "slash", *"sdk")
        assert isinstance(app.focused, Input) and app.focused.value == "sdk"
        assert len(app.screen_stack) == 2, "no question has come up"


async def test_a_screen_a_search_and_a_setting(tmp_path: Path) -> None:
    app = runs_console(Workspace(tmp_path))
    async with app.run_test() as pilot:
        await pilot.pause()
        await type_at_once(
            pilot, "2", "ctrl+f", *"resolution", "enter", "backspace", "backspace", *"3", "backspace", *"76"
        )
        assert app.screen.query_one("#row-resolution Input", Input).value == "576"


async def test_a_key_from_before_a_question_does_not_answer_it(run: RunDir) -> None:
    app = console_on(run)
    async with app.run_test() as pilot:
        await pilot.pause()
        await type_at_once(pilot, "s", "d", "enter")
        assert isinstance(app.screen, StopDialog)
        await pilot.press("escape")
        assert not isinstance(app.screen, StopDialog)
