"""Commands that a run has accepted and not answered yet; nobody may wait for an answer for ever."""

from engine.contract import protocol as p
from engine.contract.run_state import RunState
from engine.run_record import RunRecord


class PendingCommands:
    """By the ids of their requests; each is answered once, in the record."""

    def __init__(self, record: RunRecord) -> None:
        self._record = record
        self._commands: dict[str, p.Command] = {}

    def __contains__(self, identity: str) -> bool:
        return identity in self._commands

    def has(self, kind: type[p.Command]) -> bool:
        """Whether one of this kind waits for its answer."""
        return any(isinstance(command, kind) for command in self._commands.values())

    def accept(self, request: p.Request) -> None:
        """From now on it waits for its answer."""
        self._record.write(p.CommandAccepted(type(request.command).__name__), request.id)
        self._commands[request.id] = request.command

    def answered(self, identity: str) -> None:
        """The worker itself has answered."""
        self._commands.pop(identity, None)

    def complete_restarts(self, pid: int) -> None:
        """A new worker is what a restart was asked for; nothing else waits when it starts."""
        for identity in self._commands:
            self._record.write(p.CommandCompleted("RestartWorker", f"worker {pid} was started"), identity)
        self._commands.clear()

    def reject_all_but_restarts(self, reason: str) -> None:
        """No other worker knows of these commands; a restart itself is answered when the next one has started."""
        for identity, command in list(self._commands.items()):
            if not isinstance(command, p.RestartWorker):
                self._record.write(p.CommandRejected(type(command).__name__, reason), identity)
                del self._commands[identity]

    def answer_at_end(self, step: int, worker_ended_well: bool, was_exported: bool) -> None:
        """The run has ended at a step; `worker_ended_well` if the worker said so itself."""
        state = self._record.state
        for identity, command in self._commands.items():
            name = type(command).__name__
            if isinstance(command, p.Stop) and state is RunState.STOPPED and (worker_ended_well or not command.save):
                kept = "a checkpoint and the adapter were saved" if was_exported else "nothing was saved"
                self._record.write(p.CommandCompleted(name, f"stopped at step {step}; {kept}"), identity)
            else:
                self._record.write(p.CommandRejected(name, f"the run ended first; it is {state.value}"), identity)
