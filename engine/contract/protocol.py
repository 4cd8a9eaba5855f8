"""Commands and events: everything that crosses a process boundary, as frozen dataclasses."""

import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

RunStateName: TypeAlias = Literal["preparing", "running", "paused", "stopping", "finished", "stopped", "failed"]
Level: TypeAlias = Literal["info", "warning", "error"]


# ---- commands, imperative -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pause:
    """Hold still at the next boundary; the model and the gradients so far are kept."""


@dataclass(frozen=True)
class Resume:
    """Go on after a pause."""


@dataclass(frozen=True)
class SaveCheckpoint:
    """Save the state after the last completed step now."""


@dataclass(frozen=True)
class Validate:
    """Measure the validation loss and draw the validation images now."""


@dataclass(frozen=True)
class Stop:
    """End the run; with `save`, a checkpoint and the adapter are written first."""

    save: bool = True


@dataclass(frozen=True)
class RestartWorker:
    """End the worker by force and start another from the newest good checkpoint; the way out when it hangs."""


Command: TypeAlias = Pause | Resume | SaveCheckpoint | Validate | Stop | RestartWorker


@dataclass(frozen=True)
class Request:
    """A command with the id by which its outcome is recognised."""

    command: Command
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])


# ---- events, past tense ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunStarted:
    """A supervisor took charge of the run; a resumed run has several of these."""

    run: str
    supervisor_pid: int
    max_train_steps: int
    log_dir: str


@dataclass(frozen=True)
class WorkerStarted:
    """A worker process was started; `restarts` counts the ones that died before it under this supervisor."""

    pid: int
    restarts: int


@dataclass(frozen=True)
class StateChanged:
    """The run is now in `state`."""

    state: RunStateName
    reason: str = ""


@dataclass(frozen=True)
class PhaseProgressed:
    """`done` of `total` units of a phase that is not a step: loading, caching, validation, export."""

    phase: str
    done: int
    total: int


@dataclass(frozen=True)
class TrainingPrepared:
    """Data and model are ready; what was chosen, and why."""

    device: str
    device_reason: str
    dtype: str
    dtype_reason: str
    train_samples: int
    validation_samples: int
    skipped_samples: int
    trainable_parameters: int


@dataclass(frozen=True)
class RunResumed:
    """Training goes on from a checkpoint; steps after `from_step` that were reported before are void."""

    from_step: int
    checkpoint: str


@dataclass(frozen=True)
class StepCompleted:
    """One optimizer step. `train_loss` is the mean over its samples, `gradient_norm` the norm before clipping."""

    step: int
    epoch: int
    train_loss: float
    learning_rate: float
    gradient_norm: float
    seconds: float


@dataclass(frozen=True)
class StepTimed:
    """Where the time of a step goes: mean seconds of its parts over the steps measured since the last such event."""

    step: int
    data: float
    forward: float
    backward: float
    optimizer: float


@dataclass(frozen=True)
class StepSkipped:
    """A step gave a number that is not finite, so the weights stayed as they were; `samples` are ids."""

    step: int
    samples: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class MicroBatchChanged:
    """Memory ran out, so the same effective batch is computed in another way from here on."""

    train_batch_size: int
    gradient_accumulation_steps: int
    gradient_checkpointing: str
    why: str


@dataclass(frozen=True)
class ValidationLossMeasured:
    """Mean loss on held-out samples with fixed noise; `bands` are the four quarters of the timesteps, low to high."""

    step: int
    loss: float
    bands: tuple[float, float, float, float]


@dataclass(frozen=True)
class ValidationImageSaved:
    """One validation image; `path` is relative to the run's folder."""

    step: int
    index: int
    path: str
    prompt: str
    seed: int


@dataclass(frozen=True)
class CheckpointSaved:
    """A verified checkpoint; `path` is relative to the run's folder, `why` is schedule, command, stop or end."""

    step: int
    path: str
    why: str
    bytes: int


@dataclass(frozen=True)
class CheckpointRemoved:
    """Rotation removed an older checkpoint."""

    step: int
    path: str


@dataclass(frozen=True)
class AdapterExported:
    """The adapter was written for other software; paths are relative to the run's folder."""

    step: int
    paths: tuple[str, ...]


@dataclass(frozen=True)
class MemorySampled:
    """Bytes: in use by the worker process, held for it by the device's driver, recommended by the device as most, left
    on the machine; then those of the device that tensors fill, and the machine's swap in use.
    """

    process: int
    device: int
    device_limit: int
    system_available: int
    device_tensors: int = 0  # this and swap_used: 0 in journals of before these were told
    swap_used: int = 0


@dataclass(frozen=True)
class LogRecorded:
    """A line for the log."""

    level: Level
    text: str


@dataclass(frozen=True)
class WarningRaised:
    """Something a person should know of, though the run goes on."""

    what: str
    why: str
    remedy: str


@dataclass(frozen=True)
class CommandAccepted:
    """The supervisor passed the command on to the worker."""

    command: str


@dataclass(frozen=True)
class CommandRejected:
    """The command will not be obeyed."""

    command: str
    reason: str


@dataclass(frozen=True)
class CommandCompleted:
    """The command was obeyed; `outcome` says what happened."""

    command: str
    outcome: str


@dataclass(frozen=True)
class WorkerDied:
    """The worker ended without saying goodbye."""

    cause: str
    step: int


@dataclass(frozen=True)
class WorkerStalled:
    """Nothing was heard of the worker for much longer than its own pace explains."""

    seconds: float


@dataclass(frozen=True)
class RunFinished:
    """The worker did what it was asked to, up to `step`."""

    step: int
    completed: bool


@dataclass(frozen=True)
class RunFailed:
    """The run cannot go on by itself."""

    what: str
    why: str
    remedy: str


@dataclass(frozen=True)
class UnknownEvent:
    """An event of a newer version: kept and shown, never a crash."""

    type: str
    data: dict[str, Any]


Event: TypeAlias = (
    RunStarted | WorkerStarted | StateChanged | PhaseProgressed | TrainingPrepared | RunResumed | StepCompleted
    | StepTimed | StepSkipped | MicroBatchChanged | ValidationLossMeasured | ValidationImageSaved | CheckpointSaved
    | CheckpointRemoved | AdapterExported | MemorySampled | LogRecorded | WarningRaised | CommandAccepted
    | CommandRejected | CommandCompleted | WorkerStalled | WorkerDied | RunFinished | RunFailed | UnknownEvent
)  # fmt: skip


@dataclass(frozen=True)
class Record:
    """An event as the journal keeps it: numbered from 1, dated in seconds since 1970, and with what caused it."""

    seq: int
    time: float
    event: Event
    command_id: str | None = None


@dataclass(frozen=True)
class Report:
    """An event as the worker sends it, before the supervisor numbers it."""

    event: Event
    command_id: str | None = None
    time: float = field(default_factory=time.time)
