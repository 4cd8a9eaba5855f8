"""Send a run a command, and wait until it was obeyed."""

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass

from engine.contract.errors import RunError
from engine.contract.journal import follow, replay
from engine.contract.protocol import Command, CommandAccepted, CommandCompleted, CommandRejected, Record, Request
from engine.contract.run_dir import RunDir
from engine.contract.wire import encode_request

ANSWER_PATIENCE = 10.0  # seconds for a supervisor to answer on its socket; it does nothing that takes long


@dataclass(frozen=True)
class Outcome:
    """What became of a command."""

    obeyed: bool
    text: str


def send(run: RunDir, command: Command) -> Request:
    """Hand a command to a run's supervisor. Raises RunError, with the reason, if it is not accepted."""
    request = Request(command)
    name = type(command).__name__
    if not run.is_live():
        state = run.state()
        raise RunError(f"Run {run.name} took no {name}", f"It is {state.value}: {state.meaning}.")
    try:
        control = json.loads(run.control.read_text())
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_PATIENCE)
            connection.connect(control["socket"])
            connection.sendall(encode_request(request, control["key"]).encode() + b"\n")
            answer = json.loads(connection.makefile("rb").readline())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"The supervisor of run {run.name} did not answer",
            f"{type(error).__name__}: {error}",
            "Only the user who started a run can command it; see the log if that is you.",
        ) from error
    if not answer["accepted"]:
        raise RunError(f"Run {run.name} took no {name}", str(answer["reason"]))
    return request


def send_and_wait(run: RunDir, command: Command, on_record: Callable[[Record], None] | None = None) -> Outcome:
    """Send a command and wait until it was obeyed, however long that takes. Raises RunError if it is not accepted."""
    seen = max((record.seq for record in replay(run.journal)), default=0)
    request = send(run, command)
    for record in follow(run.journal, until=lambda: not run.is_live(), after_seq=seen):
        if on_record:
            on_record(record)
        if record.command_id != request.id:
            continue
        match record.event:
            case CommandCompleted(outcome=outcome):
                return Outcome(True, outcome)
            case CommandRejected(reason=reason):
                return Outcome(False, reason)
            case CommandAccepted() | _:
                pass
    state = run.state()
    return Outcome(False, f"the run ended first; it is {state.value}: {state.meaning}")
