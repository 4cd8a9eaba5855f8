"""What can be done on the Monitor, and when."""

import pytest

from engine.contract.protocol import Pause, Resume
from engine.contract.run_state import RunState
from tui.actions.monitor import ACTIONS, action, is_enabled, is_offered, label_of


@pytest.mark.parametrize("state", list(RunState))
def test_of_two_actions_with_one_key_one_is_offered(state: RunState) -> None:
    offered = [entry for entry in ACTIONS if is_offered(entry, state)]
    keys = [key for entry in offered for key in entry.keys.split(",")]
    assert len(keys) == len(set(keys))
    assert (action("resume") in offered) == (state is RunState.PAUSED or state.is_resumable)


def test_enabled_is_what_the_contract_allows() -> None:
    assert is_enabled(action("pause"), RunState.RUNNING, readonly=False)
    assert not is_enabled(action("pause"), RunState.RUNNING, readonly=True)
    assert not is_enabled(action("checkpoint"), RunState.PREPARING, readonly=False)
    assert is_enabled(action("stop"), RunState.PREPARING, readonly=False)
    assert is_enabled(action("dismiss"), RunState.FAILED, readonly=True)


def test_commands_in_events_get_the_words_of_their_buttons() -> None:
    assert label_of("SaveCheckpoint") == "Checkpoint"
    assert [label_of(kind.__name__) for kind in (Pause, Resume)] == ["Pause", "Resume"]
    assert label_of("Rewind") == "Rewind"  # from a newer version
