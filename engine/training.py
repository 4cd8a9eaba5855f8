"""One worker's share of a run: prepare, resume, train, validate, save, export; and say what happens."""

import contextlib
import os
import time
from pathlib import Path

import psutil

from engine import device as devices
from engine.checkpoint import rotate, save_checkpoint, verify
from engine.contract import adjustments
from engine.contract import protocol as p
from engine.contract.describe import size
from engine.contract.errors import CheckpointError, ShoeloraError
from engine.contract.run_dir import RunDir
from engine.contract.saved_adapters import list_checkpoints, step_of
from engine.data_identity import require_same_data
from engine.disk_space import require_room, when_there_is_room
from engine.export import export_adapter, export_pipeline
from engine.fallback_watch import watch_fallbacks
from engine.first_cache import remove_first_cache
from engine.gradient_watch import GradientWatch
from engine.inbox import Emit, Inbox, StopRequested
from engine.phases import PhaseReporter
from engine.preparation import Prepared, prepare
from engine.process_group import ProcessGroup, Word
from engine.resuming import remove_leftovers
from engine.start_clock import StartClock
from engine.steps import Steps
from engine.tracking import Tracker
from engine.trainer import Trainer
from engine.validation_round import ValidationRound

MEMORY_INTERVAL = 2.0  # seconds between two samples of memory


def train_run(
    run: RunDir, log_dir: Path, inbox: Inbox, emit: Emit, allow_changed_data: bool = False,
    clock: StartClock | None = None,
) -> None:  # fmt: skip
    """Bring a run to its end, or to where it is asked to stop. Raises ShoeloraError if it cannot go on.

    This is the main process of the run; if there are others, each of them calls `engine.following.follow`.
    """
    clock = clock or StartClock()
    group = ProcessGroup.join(run.config())
    phases = PhaseReporter(inbox, emit)
    watch_fallbacks(emit)
    remove_leftovers(run)
    if freed := remove_first_cache(run.workspace.cache):
        emit(p.LogRecorded("info", f"{size(freed)} of cache in a format that nothing reads were deleted"), None)
    try:
        config = adjustments.apply(run.config(), adjustments.read_adjustments(run))
        require_room(run, config)
        prepared = when_there_is_room(
            "the cache",
            lambda: prepare(config, run.workspace, phases.phase, lambda warning: emit(warning, None), clock.lap),
            inbox,
            emit,
        )
        if (chosen := prepared.chosen).why:  # so that a worker to come goes on in the same way, whatever it finds
            when_there_is_room("adjustments.json", lambda: adjustments.write_adjustments(run, chosen), inbox, emit)
        data = [*prepared.data.training, *prepared.data.validation]
        when_there_is_room(
            "data.json", lambda: require_same_data(run.data_file, data, allow_changed_data, emit), inbox, emit
        )
        emit(prepared.summary(), None)
        group.agree(Word.GO_ON, 0)  # the others find everything in the cache
        loop = TrainingLoop(run, prepared, group, log_dir, inbox, emit)
        clock.lap("adapter and optimizer")
        emit(p.LogRecorded("info", str(clock)), None)
    except StopRequested as stop:
        group.agree(Word.STOP, 0)
        emit(p.StateChanged("stopping", stop.reason), stop.command_id)
        emit(p.RunFinished(max(map(step_of, list_checkpoints(run.checkpoints)), default=0), completed=False), None)
        return
    loop.run_to_end()


class TrainingLoop:
    """Decides what comes when; the commands of a user are obeyed at every boundary in between."""

    def __init__(
        self, run: RunDir, prepared: Prepared, group: ProcessGroup, log_dir: Path, inbox: Inbox, emit: Emit
    ) -> None:
        self._run = run
        self._prepared = prepared
        self._inbox = inbox
        self._emit = emit
        self._trainer = Trainer(prepared, log_dir, group)
        self._tracker = Tracker(self._trainer.accelerator, prepared.config, self._warn)
        self._gradients = GradientWatch()
        self._memory_sampled = 0.0
        self._steps = Steps(run, prepared, self._trainer, inbox, emit, self._save_anew)
        self._steps.begin()
        self._processes = [psutil.Process()] if group.size == 1 else psutil.Process(os.getppid()).children()
        self._round = ValidationRound(run, prepared, self._trainer, self._tracker, inbox, emit)
        inbox.actions = self

    def run_to_end(self) -> None:
        """Train until the last step is done or a stop is asked for, and write what is to be kept."""
        trainer, last = self._trainer, self._prepared.config.max_train_steps
        completed = False
        self._enter("running")
        try:
            if self._round.is_due():
                self.validate(None)
            while trainer.steps_done < last:
                done = self._steps.next()
                if isinstance(done, p.RunResumed):
                    self._round.forget()
                    continue
                if isinstance(done, p.StepCompleted):
                    self._record(done)
                if trainer.steps_done == last:
                    self._save_on_schedule("end")
                elif trainer.steps_done % trainer.config.checkpointing_steps == 0 and not trainer.skipped_in_a_row:
                    self._save_on_schedule("schedule")
                if self._round.is_due():  # after the checkpoint, so that what kills a validation loses no step
                    self.validate(None)
                elif self._round.preview_is_due():
                    self._round.preview()
            self._enter("stopping", "all steps are done")
            self._export(with_pipeline=trainer.config.save_final_pipeline)
            completed = True
        except StopRequested as stop:
            if trainer.steps_done < last:  # after the last step the others have left
                trainer.group.agree(Word.STOP, trainer.steps_done)
            self._enter("stopping", stop.reason, stop.command_id)
            if stop.save and trainer.steps_done:
                self._save_and_export(stop)
        self._tracker.close()
        self._emit(p.RunFinished(trainer.steps_done, completed), None)

    def _save_and_export(self, stop: StopRequested) -> None:
        try:
            self._save_on_schedule("stop", stop.command_id)
            self._export(with_pipeline=False)
        except StopRequested as again:  # asked for once more, while the full disk held the run
            try:
                if again.save:
                    self.save_checkpoint("stop", again.command_id)
                    return
            except (OSError, ShoeloraError):
                pass
            self._warn("The stop saved nothing", "The disk was full.", "The newest checkpoint before it holds.")

    def _enter(self, state: p.RunStateName, reason: str = "", command_id: str | None = None) -> None:
        self._inbox.state = state
        self._emit(p.StateChanged(state, reason), command_id)

    def _record(self, completed: p.StepCompleted) -> None:
        """What a completed step tells beside its own event."""
        if timed := self._trainer.clock.report(completed.step):
            self._emit(timed, None)
        self._tracker.step(completed)
        if warning := self._gradients.see(completed):
            self._emit(warning, None)
        self._sample_memory()

    def _sample_memory(self) -> None:
        now = time.monotonic()
        if now - self._memory_sampled >= MEMORY_INTERVAL:
            self._memory_sampled = now
            used = devices.memory(self._prepared.device)
            resident = 0
            for process in self._processes:
                with contextlib.suppress(psutil.Error):  # another one has left after the last step
                    resident += process.memory_info().rss
            available = psutil.virtual_memory().available
            self._emit(p.MemorySampled(resident, used.held, used.limit, available, used.tensors, _swap_used()), None)

    def _warn(self, what: str, why: str, remedy: str) -> None:
        self._emit(p.WarningRaised(what, why, remedy), None)

    # ---- what may also be commanded ---------------------------------------------------------------------------------

    def save_checkpoint(self, why: str, command_id: str | None) -> str:
        """Save the state after the last completed step, unless a good checkpoint has it already."""
        folder, step = self._run.checkpoints, self._trainer.steps_done
        existing = folder / f"checkpoint-{step}"
        if existing.exists():
            try:
                verify(existing)
                return f"{existing.name} was already saved"
            except CheckpointError as error:
                self._warn(error.what, error.why, "It is saved again.")
        return self._write_checkpoint(why, command_id)

    def _write_checkpoint(self, why: str, command_id: str | None) -> str:
        folder, step = self._run.checkpoints, self._trainer.steps_done
        saved = save_checkpoint(folder, self._trainer.state(), self._trainer.config)
        self._emit(p.CheckpointSaved(step, self._relative(saved.path), why, saved.bytes), command_id)
        for removed in rotate(folder, self._trainer.config.checkpoints_total_limit):
            self._emit(p.CheckpointRemoved(step_of(removed), self._relative(removed)), None)
        return f"{saved.path.name} saved"

    def validate(self, command_id: str | None) -> None:
        """Measure the validation loss and draw the images of the last completed step."""
        self._inbox.validation_running = True
        outcome = self._round.run(command_id)
        self._inbox.validation_ended(outcome)

    def rest(self) -> None:
        """Give back the memory that only steps need."""
        devices.empty_cache(self._prepared.device)

    # ---- what is kept -----------------------------------------------------------------------------------------------

    def _save_on_schedule(self, why: str, command_id: str | None = None) -> None:
        try:
            when_there_is_room(
                "a checkpoint", lambda: self.save_checkpoint(why, command_id), self._inbox, self._emit
            )  # fmt: skip
        except CheckpointError as error:
            self._warn(error.what, error.why, error.remedy)

    def _save_anew(self, why: str) -> None:
        when_there_is_room("a checkpoint", lambda: self._write_checkpoint(why, None), self._inbox, self._emit)

    def _export(self, with_pipeline: bool) -> None:
        """The adapter in all formats; then the merged pipeline, whose making changes the UNet in place."""
        step = self._trainer.steps_done
        paths = when_there_is_room("the adapter", self._export_adapter, self._inbox, self._emit)
        self._emit(p.AdapterExported(step, tuple(self._relative(path) for path in paths)), None)
        if with_pipeline:
            self._emit(p.PhaseProgressed("writing the merged pipeline", 0, 1), None)
            path = when_there_is_room(
                "the merged pipeline",
                lambda: export_pipeline(self._prepared.base, self._run.final_pipeline),
                self._inbox,
                self._emit,
            )
            self._emit(p.PhaseProgressed("writing the merged pipeline", 1, 1), None)
            self._emit(p.LogRecorded("info", f"Merged pipeline: {self._relative(path)}"), None)

    def _export_adapter(self) -> list[Path]:
        return export_adapter(
            self._trainer.bare_unet, self._trainer.config, self._run.lora_weights, run_name=self._run.name,
            step=self._trainer.steps_done, train_samples=len(self._prepared.data.training),
        )  # fmt: skip

    def _relative(self, path: Path) -> str:
        return str(path.relative_to(self._run.path))


def _swap_used() -> int:
    """Bytes of swap in use on the machine; 0 where the system does not tell, which no training shall end for."""
    try:
        return psutil.swap_memory().used
    except (OSError, RuntimeError):
        return 0
