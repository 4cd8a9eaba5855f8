"""The one table of actions, and what is made from it."""

import pytest

from engine.contract.protocol import Pause, Resume
from engine.contract.run_state import RunState
from tui.actions import ACTIONS, action, is_enabled, is_offered, label_of
from tui.screens.monitor import MonitorScreen, bindings

EATEN_BY_MULTIPLEXERS = {"ctrl+a", "ctrl+b", "ctrl+j", "ctrl+o", "ctrl+s"}


def test_every_action_is_complete() -> None:
    for entry in ACTIONS:
        assert entry.label
        assert entry.help.endswith(".")
        assert entry.signs
        assert not EATEN_BY_MULTIPLEXERS & set(entry.keys.split(","))
    assert len({entry.id for entry in ACTIONS}) == len(ACTIONS)


def test_every_action_has_a_binding_of_its_own_name() -> None:
    assert [binding.id for binding in MonitorScreen.BINDINGS] == [f"run.{entry.id}" for entry in ACTIONS]  # type: ignore[union-attr]
    assert len(bindings()) == len(ACTIONS)


@pytest.mark.parametrize("state", list(RunState))
def test_of_two_actions_with_one_key_one_is_offered(state: RunState) -> None:
    offered = [entry for entry in ACTIONS if is_offered(entry, state)]
    keys = [key for entry in offered for key in entry.keys.split(",")]
    assert len(keys) == len(set(keys))
    assert (action("resume") in offered) == (state is RunState.PAUSED)


def test_enabled_is_what_the_contract_allows() -> None:
    assert is_enabled(action("pause"), RunState.RUNNING, readonly=False)
    assert not is_enabled(action("pause"), RunState.RUNNING, readonly=True)
    assert not is_enabled(action("checkpoint"), RunState.PREPARING, readonly=False)
    assert is_enabled(action("stop"), RunState.PREPARING, readonly=False)
    assert is_enabled(action("detach"), RunState.FAILED, readonly=True)


def test_commands_in_events_get_the_words_of_their_buttons() -> None:
    assert label_of("SaveCheckpoint") == "Checkpoint"
    assert [label_of(kind.__name__) for kind in (Pause, Resume)] == ["Pause", "Resume"]
    assert label_of("Rewind") == "Rewind"  # from a newer version
