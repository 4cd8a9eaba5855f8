"""Commands and events: everything that crosses a process boundary, as frozen structs of plain values."""

import time
import uuid
from typing import Any, Literal, TypeAlias

from msgspec import Struct, field

RunStateName: TypeAlias = Literal["preparing", "running", "paused", "stopping", "finished", "stopped", "failed"]
Level: TypeAlias = Literal["info", "warning", "error"]


# ---- commands, imperative -------------------------------------------------------------------------------------------


class Pause(Struct, frozen=True):
    """Hold still at the next boundary; the model and the gradients so far are kept."""


class Resume(Struct, frozen=True):
    """Go on after a pause."""


class SaveCheckpoint(Struct, frozen=True):
    """Save the state after the last completed step now."""


class Validate(Struct, frozen=True):
    """Measure the validation loss and draw the validation images now."""


class Stop(Struct, frozen=True):
    """End the run; with `save`, a checkpoint and the adapter are written first."""

    save: bool = True


class RestartWorker(Struct, frozen=True):
    """End the worker by force and start another from the newest good checkpoint; the way out when it hangs."""


Command: TypeAlias = Pause | Resume | SaveCheckpoint | Validate | Stop | RestartWorker


class Request(Struct, frozen=True):
    """A command with the id by which its outcome is recognised."""

    command: Command
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])


# ---- events, past tense ---------------------------------------------------------------------------------------------


class RunStarted(Struct, frozen=True):
    """A supervisor took charge of the run; a resumed run has several of these."""

    run: str
    supervisor_pid: int
    max_train_steps: int
    log_dir: str


class WorkerStarted(Struct, frozen=True):
    """A worker process was started; `restarts` counts the ones that died before it under this supervisor."""

    pid: int
    restarts: int


class StateChanged(Struct, frozen=True):
    """The run is now in `state`."""

    state: RunStateName
    reason: str = ""


class PhaseProgressed(Struct, frozen=True):
    """`done` of `total` units of a phase that is not a step: loading, caching, validation, export."""

    phase: str
    done: int
    total: int


class TrainingPrepared(Struct, frozen=True):
    """Data and model are ready; what was chosen, and why."""

    device: str
    device_reason: str
    dtype: str
    dtype_reason: str
    train_samples: int
    validation_samples: int
    skipped_samples: int
    trainable_parameters: int
    train_batch_size: int = 0
    gradient_accumulation_steps: int = 0
    gradient_checkpointing: str = ""
    memory_reason: str = ""  # of these three, where they were auto


class RunResumed(Struct, frozen=True):
    """Training goes on from a checkpoint; steps after `from_step` that were reported before are void."""

    from_step: int
    checkpoint: str


class StepCompleted(Struct, frozen=True):
    """One optimizer step. `train_loss` is the mean over its samples, `gradient_norm` the norm before clipping."""

    step: int
    epoch: int
    train_loss: float
    learning_rate: float
    gradient_norm: float
    seconds: float


class StepTimed(Struct, frozen=True):
    """Where the time of a step goes: mean seconds of its parts over the steps measured since the last such event."""

    step: int
    data: float
    forward: float
    backward: float
    optimizer: float


class StepSkipped(Struct, frozen=True):
    """A step gave a number that is not finite, so the weights stayed as they were; `samples` are ids."""

    step: int
    samples: tuple[str, ...]
    why: str


class MicroBatchChanged(Struct, frozen=True):
    """Memory ran out, so the same effective batch is computed in another way from here on."""

    train_batch_size: int
    gradient_accumulation_steps: int
    gradient_checkpointing: str
    why: str


class ValidationLossMeasured(Struct, frozen=True):
    """Mean loss on held-out samples with fixed noise; `bands` are the four quarters of the timesteps, low to high."""

    step: int
    loss: float
    bands: tuple[float, float, float, float]


class ValidationImageSaved(Struct, frozen=True):
    """One validation image; `path` is relative to the run's folder."""

    step: int
    index: int
    path: str
    prompt: str
    seed: int
    preview: bool = False  # drawn in few steps and decoded by the small autoencoder, between validations


class CheckpointSaved(Struct, frozen=True):
    """A verified checkpoint; `path` is relative to the run's folder, `why` is schedule, command, stop or end."""

    step: int
    path: str
    why: str
    bytes: int


class CheckpointRemoved(Struct, frozen=True):
    """Rotation removed an older checkpoint."""

    step: int
    path: str


class AdapterExported(Struct, frozen=True):
    """The adapter was written for other software; paths are relative to the run's folder."""

    step: int
    paths: tuple[str, ...]


class MemorySampled(Struct, frozen=True):
    """Bytes: in use by the worker process, held for it by the device's driver, recommended by the device as most, left
    on the machine; then those of the device that tensors fill, and the machine's swap in use.
    """

    process: int
    device: int
    device_limit: int
    system_available: int
    device_tensors: int = 0  # this and swap_used: 0 in journals of before these were told
    swap_used: int = 0


class LogRecorded(Struct, frozen=True):
    """A line for the log."""

    level: Level
    text: str


class WarningRaised(Struct, frozen=True):
    """Something a person should know of, though the run goes on."""

    what: str
    why: str
    remedy: str


class CommandAccepted(Struct, frozen=True):
    """The supervisor passed the command on to the worker."""

    command: str


class CommandRejected(Struct, frozen=True):
    """The command will not be obeyed."""

    command: str
    reason: str


class CommandCompleted(Struct, frozen=True):
    """The command was obeyed; `outcome` says what happened."""

    command: str
    outcome: str


ENDED_ON_COMMAND = "it was ended on command, to be started again"  # the cause of a death that nobody needs to look into


class WorkerDied(Struct, frozen=True):
    """The worker ended without saying goodbye."""

    cause: str
    step: int


class WorkerStalled(Struct, frozen=True):
    """Nothing was heard of the worker for much longer than its own pace explains."""

    seconds: float


class RunFinished(Struct, frozen=True):
    """The worker did what it was asked to, up to `step`."""

    step: int
    completed: bool


class RunFailed(Struct, frozen=True):
    """The run cannot go on by itself."""

    what: str
    why: str
    remedy: str


class UnknownEvent(Struct, frozen=True):
    """An event of a newer version: kept and shown, never a crash."""

    type: str
    data: dict[str, Any]


Event: TypeAlias = (
    RunStarted | WorkerStarted | StateChanged | PhaseProgressed | TrainingPrepared | RunResumed | StepCompleted
    | StepTimed | StepSkipped | MicroBatchChanged | ValidationLossMeasured | ValidationImageSaved | CheckpointSaved
    | CheckpointRemoved | AdapterExported | MemorySampled | LogRecorded | WarningRaised | CommandAccepted
    | CommandRejected | CommandCompleted | WorkerStalled | WorkerDied | RunFinished | RunFailed | UnknownEvent
)  # fmt: skip


class Record(Struct, frozen=True):
    """An event as the journal keeps it: numbered from 1, dated in seconds since 1970, and with what caused it."""

    seq: int
    time: float
    event: Event
    command_id: str | None = None


class Report(Struct, frozen=True):
    """An event as the worker sends it, before the supervisor numbers it."""

    event: Event
    command_id: str | None = None
    time: float = field(default_factory=time.time)
