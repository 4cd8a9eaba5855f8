"""Commands at the boundaries: a training thread polls, this one commands, and both wait on events alone."""

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine.contract.errors import CheckpointError
from engine.contract.protocol import (
    Command,
    CommandCompleted,
    CommandRejected,
    Event,
    Pause,
    Request,
    Resume,
    SaveCheckpoint,
    StateChanged,
    Stop,
    Validate,
)
from engine.inbox import Inbox, StopRequested

PATIENCE = 20.0  # seconds; nothing here takes a tenth of one


class Loop:
    """A training loop of a thread: it polls as often as it is told to, and offers what training offers."""

    def __init__(self) -> None:
        self.commands: queue.Queue[Request] = queue.Queue()
        self.emitted: queue.Queue[tuple[Event, str | None]] = queue.Queue()
        self.inbox = Inbox(self.commands, lambda event, cause: self.emitted.put((event, cause)))
        self.inbox.state = "running"
        self.inbox.actions = self
        self.saved: list[tuple[str, str | None]] = []
        self.save_error: Exception | None = None
        self.rests = 0
        self.images = 2  # polls within a validation
        self.validations: list[str] = []  # what began and ended, in order

    def save_checkpoint(self, why: str, command_id: str | None) -> str:
        if self.save_error:
            raise self.save_error
        self.saved.append((why, command_id))
        return "checkpoint-5 saved"

    def rest(self) -> None:
        self.rests += 1

    def validate(self, command_id: str | None) -> None:
        """As the real one does it: say so, poll between images, answer in the end."""
        self.inbox.validation_running = True
        self.validations.append(f"begun {command_id or 'by schedule'}")
        for _ in range(self.images):
            self.inbox.poll()
        self.validations.append("ended")
        self.inbox.validation_ended("validation loss 0.1")

    def ask(self, command: Command) -> Request:
        request = Request(command)
        self.commands.put(request)
        return request

    def next_event(self) -> tuple[Event, str | None]:
        return self.emitted.get(timeout=PATIENCE)

    def events(self) -> list[Event]:
        """All that was emitted so far."""
        return [self.emitted.get_nowait()[0] for _ in range(self.emitted.qsize())]


class Running:
    """A call in a thread; its result or its exception."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._outcome: queue.Queue[Any] = queue.Queue()

        def run() -> None:
            try:
                self._outcome.put(call())
            except BaseException as error:
                self._outcome.put(error)

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    @property
    def is_held(self) -> bool:
        return self._outcome.empty()

    def result(self) -> Any:
        outcome = self._outcome.get(timeout=PATIENCE)
        self._thread.join(PATIENCE)
        return outcome


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.inbox.end_from_outside("the test is over")  # so that no thread holds on


def completed(command: str, outcome: str) -> CommandCompleted:
    return CommandCompleted(command, outcome)


def paused(loop: Loop) -> Running:
    """A thread that polls and was paused by the first command that it got."""
    request = loop.ask(Pause())
    running = Running(loop.inbox.poll)
    assert loop.next_event() == (StateChanged("paused"), request.id)
    assert loop.next_event() == (completed("Pause", "paused; model and gradients are kept in memory"), request.id)
    return running


def resume(loop: Loop) -> None:
    request = loop.ask(Resume())
    assert loop.next_event() == (StateChanged("running"), request.id)
    assert loop.next_event() == (completed("Resume", "running again"), request.id)


def assert_held(loop: Loop) -> None:
    """A save that is answered shows that the poll has not returned: this thread does not poll."""
    request = loop.ask(SaveCheckpoint())
    assert loop.next_event() == (completed("SaveCheckpoint", "checkpoint-5 saved"), request.id)


def test_without_commands_a_poll_returns_at_once(loop: Loop) -> None:
    assert 0 <= loop.inbox.poll() < 1
    assert loop.events() == []


def test_a_pause_holds_until_resumed_and_the_time_is_told(loop: Loop) -> None:
    asked = time.perf_counter()
    running = paused(loop)
    began = time.perf_counter()
    assert_held(loop)
    assert_held(loop)
    assert running.is_held
    assert loop.rests == 1
    held_at_least = time.perf_counter() - began
    resume(loop)
    assert held_at_least <= running.result() <= time.perf_counter() - asked
    assert loop.inbox.poll() < 1  # nor does the next boundary hold
    assert loop.saved == [("command", cause) for _, cause in loop.saved]
    assert loop.events() == []


def test_commands_are_obeyed_in_their_order_at_one_boundary(loop: Loop) -> None:
    requests = [loop.ask(command) for command in (Pause(), SaveCheckpoint(), Resume(), SaveCheckpoint())]
    loop.inbox.poll()
    answers = [event.command for event in loop.events() if isinstance(event, CommandCompleted)]
    assert answers == ["Pause", "SaveCheckpoint", "Resume", "SaveCheckpoint"]
    assert loop.saved == [("command", requests[1].id), ("command", requests[3].id)]


@pytest.mark.parametrize("save", [True, False])
def test_a_stop_is_raised_with_what_it_asks_for(loop: Loop, save: bool) -> None:
    request = loop.ask(Stop(save))
    with pytest.raises(StopRequested) as stop:
        loop.inbox.poll()
    assert (stop.value.save, stop.value.command_id) == (save, request.id)


def test_a_stop_ends_a_pause(loop: Loop) -> None:
    running = paused(loop)
    request = loop.ask(Stop(save=False))
    stop = running.result()
    assert isinstance(stop, StopRequested)
    assert (stop.save, stop.command_id) == (False, request.id)


@pytest.mark.parametrize("while_paused", [False, True])
def test_an_end_from_outside_saves(loop: Loop, while_paused: bool) -> None:
    running = paused(loop) if while_paused else None
    loop.inbox.end_from_outside("the system asked")
    stop = (running or Running(loop.inbox.poll)).result()
    assert isinstance(stop, StopRequested)
    assert (stop.save, stop.command_id, stop.reason) == (True, None, "the system asked")


# ---- saving -------------------------------------------------------------------------------------------------------


def test_a_save_while_paused_is_done_and_the_pause_goes_on(loop: Loop) -> None:
    running = paused(loop)
    assert_held(loop)
    assert [why for why, _ in loop.saved] == ["command"]
    assert running.is_held
    resume(loop)
    running.result()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (CheckpointError("Checkpoint 5 is damaged", "bad hash"), "Checkpoint 5 is damaged"),
    ],
)
def test_a_save_that_fails_is_refused_with_the_reason_and_training_goes_on(
    loop: Loop, error: Exception, text: str
) -> None:
    loop.save_error = error
    request = loop.ask(SaveCheckpoint())
    loop.inbox.poll()
    rejected, cause = loop.next_event()
    assert isinstance(rejected, CommandRejected)
    assert rejected.command == "SaveCheckpoint"
    assert text in rejected.reason
    assert cause == request.id


# ---- validating ---------------------------------------------------------------------------------------------------


def test_a_validation_is_run_and_answered(loop: Loop) -> None:
    request = loop.ask(Validate())
    loop.inbox.poll()
    assert loop.validations == [f"begun {request.id}", "ended"]
    assert loop.next_event() == (completed("Validate", "validation loss 0.1"), request.id)
    assert loop.events() == []


def test_a_validation_while_paused_runs_and_the_pause_goes_on(loop: Loop) -> None:
    running = paused(loop)
    request = loop.ask(Validate())
    assert loop.next_event() == (completed("Validate", "validation loss 0.1"), request.id)
    assert loop.validations == [f"begun {request.id}", "ended"]
    assert_held(loop)
    resume(loop)
    running.result()


def test_a_pause_within_a_validation_that_was_asked_for_holds_it(loop: Loop) -> None:
    validation, pausing = loop.ask(Validate()), loop.ask(Pause())
    running = Running(loop.inbox.poll)
    assert loop.next_event() == (StateChanged("paused"), pausing.id)
    assert isinstance(loop.next_event()[0], CommandCompleted)
    assert_held(loop)
    assert loop.validations == [f"begun {validation.id}"]
    resume(loop)
    assert loop.next_event() == (completed("Validate", "validation loss 0.1"), validation.id)
    running.result()
    assert loop.validations[-1] == "ended"


def test_a_pause_within_a_scheduled_validation_holds_it(loop: Loop) -> None:
    request = loop.ask(Pause())
    running = Running(lambda: loop.validate(None))
    assert loop.next_event() == (StateChanged("paused"), request.id)
    assert isinstance(loop.next_event()[0], CommandCompleted)
    assert_held(loop)
    assert loop.validations == ["begun by schedule"]
    resume(loop)
    running.result()
    assert loop.validations == ["begun by schedule", "ended"]


def test_a_validation_going_on_answers_everyone_who_asks_meanwhile(loop: Loop) -> None:
    requests = [loop.ask(Validate()) for _ in range(3)]
    loop.validate(None)  # scheduled
    assert loop.validations == ["begun by schedule", "ended"]
    answers = [loop.next_event() for _ in requests]
    assert answers == [(completed("Validate", "validation loss 0.1"), request.id) for request in requests]
    later = loop.ask(Validate())
    loop.inbox.poll()
    assert loop.validations[2:] == [f"begun {later.id}", "ended"]
    assert loop.next_event()[1] == later.id


def test_a_stop_within_a_validation_breaks_it_off(loop: Loop) -> None:
    loop.ask(Validate())
    request = loop.ask(Stop())
    with pytest.raises(StopRequested) as stop:
        loop.inbox.poll()
    assert stop.value.command_id == request.id
    assert loop.validations[-1].startswith("begun")


# ---- the supervisor's death ---------------------------------------------------------------------------------------


ORPHAN = """
import os, queue, threading
from engine import inbox
inbox.ORPHAN_PATIENCE = 0.2
box = inbox.Inbox(queue.Queue(), lambda *_: None)
sentinel, supervisors_end = os.pipe()
box.watch_supervisor(sentinel)
print(box.is_orphan, box.poll() < 1)
os.close(supervisors_end)
try:
    while True:
        box.poll()
except inbox.StopRequested as stop:
    print(box.is_orphan, stop.save, stop.reason, flush=True)
threading.Event().wait()  # saving hangs
"""


def test_the_death_of_the_supervisor_ends_the_worker_gently_and_then_by_force() -> None:
    done = subprocess.run([sys.executable, "-c", ORPHAN], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.stdout.splitlines() == ["False True", "True True the supervisor is gone"]
    assert (done.returncode, done.stderr) == (1, "")


def test_a_torn_queue_does_not_end_training_by_itself() -> None:
    """The death of a supervisor shows as EOFError here, and a moment later in its sentinel."""

    class Torn:
        def get(self, block: bool = True, timeout: float | None = None) -> Request:  # noqa: ARG002
            raise EOFError

    assert Inbox(Torn(), lambda *_: None).poll() > 0
