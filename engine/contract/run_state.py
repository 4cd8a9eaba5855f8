"""The states of a run, which state may follow which, and which command is allowed where: data, without I/O."""

from enum import Enum

from engine.contract.protocol import Command, Pause, RestartWorker, Resume, SaveCheckpoint, Stop, Validate


class RunState(Enum):
    """Where a run stands."""

    PREPARING = "preparing"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    # Never recorded: concluded when the last recorded state is not final and nobody holds the run's lock.
    INTERRUPTED = "interrupted"

    @property
    def meaning(self) -> str:
        """The words that explain the state to a user."""
        return MEANINGS[self]

    @property
    def is_final(self) -> bool:
        """Whether no supervisor works on the run any more."""
        return self in {RunState.FINISHED, RunState.STOPPED, RunState.FAILED, RunState.INTERRUPTED}

    @property
    def is_resumable(self) -> bool:
        """Whether `resume` would start a new supervisor."""
        return self in {RunState.STOPPED, RunState.FAILED, RunState.INTERRUPTED}


MEANINGS: dict[RunState, str] = {
    RunState.PREPARING: "loading the model and caching the data",
    RunState.RUNNING: "training",
    RunState.PAUSED: "holding still, with everything in memory",
    RunState.STOPPING: "writing what is to be kept",
    RunState.FINISHED: "all steps are done",
    RunState.STOPPED: "ended early on command; it can be resumed",
    RunState.FAILED: "ended by an error; it can be resumed once that is mended",
    RunState.INTERRUPTED: "its supervisor is gone; it can be resumed",
}

# A full disk pauses a run whatever it does, and it goes back to that. PREPARING follows every state from which a
# worker is started again.
TRANSITIONS: dict[RunState, frozenset[RunState]] = {
    RunState.PREPARING: frozenset(
        {RunState.PREPARING, RunState.RUNNING, RunState.PAUSED, RunState.STOPPING, RunState.FAILED}
    ),
    RunState.RUNNING: frozenset({RunState.PAUSED, RunState.STOPPING, RunState.PREPARING, RunState.FAILED}),
    RunState.PAUSED: frozenset({RunState.RUNNING, RunState.STOPPING, RunState.PREPARING, RunState.FAILED}),
    RunState.STOPPING: frozenset(
        {RunState.FINISHED, RunState.STOPPED, RunState.PAUSED, RunState.PREPARING, RunState.FAILED}
    ),
    RunState.FINISHED: frozenset(),
    RunState.STOPPED: frozenset({RunState.PREPARING}),
    RunState.FAILED: frozenset({RunState.PREPARING}),
    RunState.INTERRUPTED: frozenset({RunState.PREPARING}),
}

ALLOWED: dict[RunState, frozenset[type[Command]]] = {
    RunState.PREPARING: frozenset({Stop, RestartWorker}),
    RunState.RUNNING: frozenset({Pause, SaveCheckpoint, Validate, Stop, RestartWorker}),
    RunState.PAUSED: frozenset({Resume, SaveCheckpoint, Validate, Stop, RestartWorker}),
    RunState.STOPPING: frozenset({RestartWorker}),
    RunState.FINISHED: frozenset(),
    RunState.STOPPED: frozenset(),
    RunState.FAILED: frozenset(),
    RunState.INTERRUPTED: frozenset(),
}


def may_follow(state: RunState, following: RunState) -> bool:
    """Whether the table has a way from one state to the next."""
    return following in TRANSITIONS[state]


def is_allowed(state: RunState, command: type[Command]) -> bool:
    """Whether a command can be obeyed in a state; buttons and the command line ask this."""
    return command in ALLOWED[state]


def why_not(state: RunState, command: type[Command]) -> str:
    """The sentence with which a command is rejected; empty if it is allowed."""
    if is_allowed(state, command):
        return ""
    where = [other.value for other in RunState if command in ALLOWED[other]]
    return f"the run is {state.value} ({state.meaning}); {command.__name__} is possible while {' or '.join(where)}"
