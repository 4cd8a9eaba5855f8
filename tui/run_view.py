"""RunView: the events of one run folded into what the screen, `status` and `runs` show; no Textual in it."""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TypeAlias

from engine.contract import protocol as p
from engine.contract.describe import describe
from engine.contract.journal import JournalReader
from engine.contract.run_dir import RunDir
from engine.contract.run_state import RunState
from tui import pace
from tui.phase_pace import PhasePace
from tui.run_log import LogLine, log_line
from tui.step_history import StepHistory

LOG_LINES = 5000
MEMORY_SAMPLES = 200  # the worker takes one every two seconds: more than the last five minutes
NOT_OF_THE_WORKER = p.WorkerStalled | p.CommandAccepted | p.CommandRejected | p.LogRecorded  # or not surely
Setback: TypeAlias = p.MicroBatchChanged | p.WorkerDied | p.StepSkipped


@dataclass(frozen=True)
class NotedWarning:
    """A warning, when it was raised, and the last step completed before it."""

    time: float
    step: int
    warning: p.WarningRaised


@dataclass(frozen=True)
class LostSteps:
    """Steps that were done and are void, since the run went on from an earlier one."""

    first: int
    last: int


@dataclass
class RunView:
    """What is known of a run after the records applied so far."""

    name: str
    max_train_steps: int
    validation_steps: int = 0  # from one validation by schedule to the next; 0 where nobody asks for the time left
    state: RunState = RunState.PREPARING
    state_reason: str = ""
    phase: p.PhaseProgressed | None = None
    phase_pace: PhasePace = field(default_factory=PhasePace)
    steps: StepHistory = field(default_factory=StepHistory)
    lost: list[LostSteps] = field(default_factory=list)
    timed: p.StepTimed | None = None
    validation_losses: list[p.ValidationLossMeasured] = field(default_factory=list)
    validation_seconds: float = 0.0  # spent on losses and images so far
    images: list[p.ValidationImageSaved] = field(default_factory=list)
    checkpoints: list[p.CheckpointSaved] = field(default_factory=list)
    saved_at: dict[str, float] = field(default_factory=dict)  # a checkpoint's path to seconds since 1970
    exported: tuple[str, ...] = ()
    noted: list[NotedWarning] = field(default_factory=list)
    memory: p.MemorySampled | None = None
    first_memory: p.MemorySampled | None = None  # since the run was last started
    memory_samples: deque[tuple[float, p.MemorySampled]] = field(default_factory=lambda: deque(maxlen=MEMORY_SAMPLES))
    setbacks: list[tuple[int, Setback]] = field(default_factory=list)  # each with the last step completed before it
    prepared: p.TrainingPrepared | None = None
    failure: p.RunFailed | None = None
    pending: dict[str, str] = field(default_factory=dict)  # command id to command, accepted and not yet obeyed
    last_answer: str = ""
    log: deque[LogLine] = field(default_factory=lambda: deque(maxlen=LOG_LINES))
    logged: int = 0  # lines ever put into the log, also those that it has dropped since
    supervisor_pid: int | None = None
    worker_pid: int | None = None
    restarts: int = 0
    log_dir: str = ""
    stalled_since: float | None = None  # seconds since 1970; when a stalled worker was last heard of
    started: float | None = None  # seconds since 1970; the first record
    last_seq: int = 0
    last_time: float = 0.0
    unreadable_lines: int = 0  # of the journal

    def apply(self, record: p.Record) -> None:
        """Take one record into account; records come in the order of their numbers."""
        event, since_last = record.event, record.time - self.last_time
        self.last_seq, self.last_time = record.seq, record.time
        match event:  # what comes with the steps is most of a journal, and nothing else is to be done about it
            case p.StepCompleted():
                self.steps.append(event)
            case p.MemorySampled():
                self.memory = event
                self.first_memory = self.first_memory or event
                self.memory_samples.append((record.time, event))
            case p.StepTimed():
                self.timed = event
            case _:
                self._take_in(record, since_last)
                return
        self.stalled_since = None

    def _take_in(self, record: p.Record, since_last: float) -> None:
        """What comes now and then: a line in the log, and what it changes."""
        event = record.event
        if line := log_line(record):
            self.log.append(line)
            self.logged += 1
        if pace.is_validation(event) and self.state is RunState.RUNNING:
            self.validation_seconds += max(since_last, 0.0)
        if not isinstance(event, NOT_OF_THE_WORKER):
            self.stalled_since = None
        match event:
            case p.WorkerStalled():
                self.stalled_since = record.time - event.seconds
            case p.RunStarted():
                self.supervisor_pid, self.log_dir, self.failure, self.restarts = (
                    event.supervisor_pid, event.log_dir, None, 0,
                )  # fmt: skip
                self.max_train_steps = event.max_train_steps
                self.started = self.started or record.time
                self.first_memory = None
            case p.WorkerStarted():
                self.worker_pid, self.restarts, self.phase = event.pid, event.restarts, None
            case p.StateChanged():
                self.phase_pace.rest()
                self.state, self.state_reason = RunState(event.state), event.reason
                if self.state.is_final:
                    self.phase, self.last_answer = None, ""
                    self.pending.clear()
            case p.PhaseProgressed():
                self.phase = None if event.done >= event.total else event
                self.phase_pace.see(record.time, event)
            case p.TrainingPrepared():
                self.prepared = event
            case p.RunResumed():
                self._take_back(event.from_step)
            case p.ValidationLossMeasured():
                self.validation_losses = [one for one in self.validation_losses if one.step != event.step] + [event]
            case p.ValidationImageSaved():
                self.images.append(event)
            case p.CheckpointSaved():
                self.checkpoints = [c for c in self.checkpoints if c.path != event.path] + [event]
                self.saved_at[event.path] = record.time
            case p.CheckpointRemoved():
                self.checkpoints = [c for c in self.checkpoints if c.path != event.path]
            case p.AdapterExported():
                self.exported = event.paths
            case p.MicroBatchChanged() | p.WorkerDied() | p.StepSkipped():
                self.setbacks.append((self.step, event))
            case p.WarningRaised():
                self.noted.append(NotedWarning(record.time, self.step, event))
            case p.CommandAccepted():
                self.pending[record.command_id or ""] = event.command
            case p.CommandRejected() | p.CommandCompleted():
                self.pending.pop(record.command_id or "", None)
                self.last_answer = describe(event)
            case p.RunFailed():
                self.failure = event
            case _:
                pass

    def _take_back(self, from_step: int) -> None:
        """Forget what was reported after the step from which training goes on."""
        if self.step > from_step:
            self.lost.append(LostSteps(from_step + 1, self.step))
            self.steps.take_back(from_step)
        self.validation_losses = [loss for loss in self.validation_losses if loss.step <= from_step]
        self.images = [image for image in self.images if image.step <= from_step]

    def conclude(self, live: bool) -> None:
        """Take into account whether a supervisor held the run's lock before the last records were read."""
        if not live and not self.state.is_final:
            self.state, self.phase, self.stalled_since, self.last_answer = RunState.INTERRUPTED, None, None, ""
            self.pending.clear()

    @property
    def is_unreadable(self) -> bool:
        """Whether there is a journal of which nothing can be read, so that nothing is known of the run."""
        return self.unreadable_lines > 0 and self.last_seq == 0

    def newest_log(self, after: int) -> list[LogLine]:
        """The lines that came after the first `after` ones, as far as they are still kept."""
        new = min(self.logged - after, len(self.log))
        return list(self.log)[len(self.log) - new :] if new > 0 else []

    @property
    def stalled_seconds(self) -> float | None:
        """How long nothing was heard of a worker that is called stalled, up to now; None if it is not."""
        return None if self.stalled_since is None else max(0.0, time.time() - self.stalled_since)

    @property
    def step(self) -> int:
        """The last completed step."""
        return self.steps.numbers[-1] if self.steps else 0

    @property
    def warnings(self) -> list[p.WarningRaised]:
        """Every warning so far, oldest first."""
        return [noted.warning for noted in self.noted]

    @property
    def shares(self) -> dict[str, float]:
        """Seconds of a step by what they went to, as last measured; empty before that."""
        timed = self.timed
        if timed is None:
            return {}
        return {
            "data": timed.data, "forward": timed.forward, "backward": timed.backward, "optimizer": timed.optimizer,
        }  # fmt: skip

    @property
    def time_shares(self) -> list[pace.Share]:
        """Where the time of the whole run goes, validation included."""
        return pace.shares(self.steps, self.shares, self.validation_seconds)

    @property
    def steps_per_minute(self) -> float | None:
        """Pace over the last steps, without pauses and validations; None before the first step."""
        return pace.now(self.steps)

    @property
    def eta_seconds(self) -> float | None:
        """Time left at the present pace, with validations as long as those so far; None when nobody trains."""
        steps_per_minute = self.steps_per_minute
        holds = self.state is RunState.PAUSED or self.state.is_final or self.stalled_since is not None
        if steps_per_minute is None or holds:
            return None
        training = (self.max_train_steps - self.step) * 60 / steps_per_minute
        each = self.validation_seconds / len(self.validation_losses) if self.validation_losses else 0.0
        return training + each * pace.validations_left(self.step, self.max_train_steps, self.validation_steps)


def new_view(run: RunDir) -> RunView:
    """A view of a run of which no record was applied yet. Raises ConfigError if its config.json is damaged."""
    config = run.config()
    return RunView(run.name, config.max_train_steps, config.validation_steps)


def view_run(run: RunDir) -> RunView:
    """A view of everything recorded so far, with `interrupted` concluded from the free lock."""
    live = run.is_live()  # asked first: a run that ends in between has then recorded its last state
    view = new_view(run)
    reader = JournalReader(run.journal)
    for record in reader.read_all():
        view.apply(record)
    view.conclude(live)
    view.unreadable_lines = reader.unreadable_lines(live)
    return view
