"""Commands wait for one answer each, and every way in which a worker or a run ends gives it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.contract import protocol as p
from engine.contract.journal import replay
from engine.contract.run_dir import RunDir
from engine.pending_commands import PendingCommands
from engine.run_record import RunRecord

PAUSE, RESTART = p.Request(p.Pause(), "pause"), p.Request(p.RestartWorker(), "new")
Answers = Callable[[], dict[str, list[str]]]


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return RunDir(tmp_path)


@pytest.fixture
def record(run: RunDir) -> Iterator[RunRecord]:
    record = RunRecord(run, run.path)
    yield record
    record.close()


@pytest.fixture
def answers(run: RunDir) -> Answers:
    """What was said of each request after it was accepted, by its id."""

    def told() -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for entry in replay(run.journal):
            if entry.command_id and isinstance(entry.event, p.CommandCompleted | p.CommandRejected):
                said = entry.event.outcome if isinstance(entry.event, p.CommandCompleted) else entry.event.reason
                found.setdefault(entry.command_id, []).append(said)
        return found

    return told


def test_a_restart_outlives_the_worker_that_other_commands_die_with(record: RunRecord, answers: Answers) -> None:
    pending = PendingCommands(record)
    for request in (PAUSE, RESTART):
        pending.accept(request)
    pending.reject_all_but_restarts("the worker was restarted")
    assert "pause" not in pending and "new" in pending and pending.has(p.RestartWorker)
    pending.complete_restarts(77)
    assert not pending.has(p.RestartWorker)
    pending.answer_at_end(3, worker_ended_well=True, was_exported=True)
    assert answers() == {"pause": ["the worker was restarted"], "new": ["worker 77 was started"]}


@pytest.mark.parametrize(
    ("final", "save", "ended_well", "exported", "said"),
    [
        ("stopped", True, True, True, "stopped at step 3; a checkpoint and the adapter were saved"),
        ("stopped", True, True, False, "stopped at step 3; nothing was saved"),
        ("stopped", False, False, False, "stopped at step 3; nothing was saved"),
        ("stopped", True, False, False, "the run ended first; it is stopped"),
        ("finished", True, True, True, "the run ended first; it is finished"),
    ],
)
def test_a_stop_is_obeyed_if_the_run_was_stopped_and_what_it_asked_to_save_could_be(
    record: RunRecord, answers: Answers, final: p.RunStateName, save: bool, ended_well: bool, exported: bool, said: str
) -> None:
    pending = PendingCommands(record)
    pending.accept(p.Request(p.Stop(save), "stop"))
    pending.accept(PAUSE)
    pending.answered("pause")  # by the worker
    for state in ("running", "stopping", final):
        record.write(p.StateChanged(state))
    pending.answer_at_end(3, ended_well, exported)
    assert answers() == {"stop": [said]}
