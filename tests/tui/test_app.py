"""What is said on the terminal after the console was left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.contract import protocol as p
from engine.contract.run_dir import RunDir
from tui.app import closing_words

if TYPE_CHECKING:
    from tests.tui.conftest import RecordedRun


def test_a_live_run_says_how_to_come_back(recorded: RecordedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded.half_way()
    monkeypatch.chdir(recorded.dir.workspace.root)
    assert closing_words(recorded.dir) == [
        "Run demo_noon goes on by itself: ▶ running, step 37 of 60.",
        "Come back with: shoelora-tui attach demo_noon",
    ]


def test_from_another_folder_a_run_is_named_by_its_path(recorded: RecordedRun) -> None:
    recorded.half_way()
    assert closing_words(recorded.dir)[1] == f"Come back with: shoelora-tui attach {recorded.dir.path}"


def test_a_name_with_blanks_is_told_as_a_shell_takes_it(recorded: RecordedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded.half_way()
    recorded.die()
    renamed = RunDir(recorded.dir.path.rename(recorded.dir.path.with_name("my best run")))
    monkeypatch.chdir(renamed.workspace.root)
    assert closing_words(renamed)[-1] == "Go on with: shoelora-tui resume 'my best run'"


def test_a_finished_run_says_what_it_made(recorded: RecordedRun) -> None:
    recorded.half_way()
    recorded.finish()
    recorded.die()
    words = closing_words(recorded.dir)
    assert words[0] == "Run demo_noon finished at step 60 of 60."
    assert f"Validation images: {recorded.dir.validation}" in words


def test_a_failed_run_says_how_to_go_on(recorded: RecordedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded.half_way()
    recorded.tell(p.StateChanged("failed"))
    recorded.die()
    monkeypatch.chdir(recorded.dir.workspace.root)
    assert closing_words(recorded.dir)[-1] == "Go on with: shoelora-tui resume demo_noon"
