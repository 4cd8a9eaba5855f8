"""The table of states has no dead end, no way back from the end but a new start, and a reason for every refusal."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.contract.protocol import Command, Pause, RestartWorker, Resume, RunStateName, SaveCheckpoint, Stop, Validate
from engine.contract.run_state import ALLOWED, TRANSITIONS, RunState, is_allowed, may_follow, why_not

states = st.sampled_from(list(RunState))
# The state that obeying a command leads to; None where the run stays as it is.
LEADS_TO: dict[type[Command], RunState | None] = {
    Pause: RunState.PAUSED,
    Resume: RunState.RUNNING,
    Stop: RunState.STOPPING,
    SaveCheckpoint: None,
    Validate: None,
    RestartWorker: RunState.PREPARING,
}


def reachable(start: RunState) -> set[RunState]:
    """All states that can come after one, in any number of changes."""
    seen: set[RunState] = set()
    frontier = {start}
    while frontier:
        frontier = set().union(*(TRANSITIONS[state] for state in frontier)) - seen
        seen |= frontier
    return seen


@pytest.mark.parametrize("state", RunState)
def test_the_tables_name_every_state(state: RunState) -> None:
    assert state in TRANSITIONS and state in ALLOWED and state.meaning


@pytest.mark.parametrize("state", [state for state in RunState if not state.is_final])
def test_every_live_state_can_end_well_early_and_badly(state: RunState) -> None:
    assert {RunState.FINISHED, RunState.STOPPED, RunState.FAILED} <= reachable(state)
    assert may_follow(state, RunState.FAILED)


@pytest.mark.parametrize("state", [state for state in RunState if state.is_final])
def test_an_ended_run_obeys_nothing_and_can_only_be_started_again(state: RunState) -> None:
    assert not ALLOWED[state]
    assert TRANSITIONS[state] == ({RunState.PREPARING} if state.is_resumable else set())


def test_only_a_finished_run_cannot_be_resumed() -> None:
    assert {state for state in RunState if state.is_final and not state.is_resumable} == {RunState.FINISHED}


@pytest.mark.parametrize("state", RunState)
def test_nothing_leads_to_interrupted_which_is_concluded_and_never_recorded(state: RunState) -> None:
    assert not may_follow(state, RunState.INTERRUPTED)
    assert RunState.INTERRUPTED.value not in get_args(RunStateName)


def test_the_protocol_can_name_every_other_state() -> None:
    assert {*get_args(RunStateName), "interrupted"} == {state.value for state in RunState}


@given(states, st.lists(st.sampled_from(list(get_args(Command))), max_size=12))
def test_obeying_what_is_allowed_never_leaves_the_table(state: RunState, commands: list[type[Command]]) -> None:
    for command in commands:
        target = LEADS_TO[command]
        if is_allowed(state, command):
            assert why_not(state, command) == ""
            assert target is None or may_follow(state, target)
            state = target or state
        else:
            reason = why_not(state, command)
            assert state.value in reason and command.__name__ in reason
            assert any(other.value in reason for other in RunState if is_allowed(other, command))


@pytest.mark.parametrize("command", get_args(Command))
def test_every_command_is_possible_somewhere(command: type[Command]) -> None:
    assert any(is_allowed(state, command) for state in RunState)
