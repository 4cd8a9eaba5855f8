"""One worker's share of a run: prepare, resume, train, validate, save, export; and say what happens."""

import time
from pathlib import Path

import psutil

from engine import device as devices
from engine.checkpoint import (
    good_checkpoints,
    load_checkpoint,
    require_fit,
    rotate,
    save_checkpoint,
    step_of,
    verify,
)
from engine.contract import protocol as p
from engine.contract.errors import CheckpointError
from engine.contract.run_dir import RunDir
from engine.export import export_adapter, export_pipeline
from engine.inbox import Emit, Inbox, StopRequested
from engine.latent_cache import Progress
from engine.preparation import Prepared, prepare
from engine.tracking import Tracker
from engine.trainer import Trainer
from engine.validation import GeneratedImage, ImageSettings, generate, save_labelled, validation_loss

PROGRESS_INTERVAL = 0.25  # seconds between two reports of the same phase
MEMORY_INTERVAL = 2.0  # seconds between two samples of memory
FIRST_IMAGE_SEED = 1000  # image i has seed 1000 + i, whatever the run's seed: images of two runs can be compared


def train_run(run: RunDir, log_dir: Path, inbox: Inbox, emit: Emit) -> None:
    """Bring a run to its end, or to where it is asked to stop. Raises ShoeloraError if it cannot go on."""
    reporter = PhaseReporter(inbox, emit)
    try:
        prepared = prepare(run.config(), run.workspace, reporter.phase, lambda warning: emit(warning, None))
        emit(prepared.summary(), None)
        loop = TrainingLoop(run, prepared, log_dir, inbox, emit)
    except StopRequested as stop:
        emit(p.StateChanged("stopping", stop.reason), stop.command_id)
        emit(p.RunFinished(0, completed=False), None)
        return
    loop.run_to_end()


class PhaseReporter:
    """Reports the progress of a phase, not too often, and lets commands in."""

    def __init__(self, inbox: Inbox, emit: Emit) -> None:
        self._inbox = inbox
        self._emit = emit
        self._last = 0.0

    def phase(self, name: str) -> Progress:
        """The function that reports progress of one phase."""

        def progress(done: int, total: int) -> None:
            now = time.monotonic()
            if done in {0, total} or now - self._last >= PROGRESS_INTERVAL:
                self._last = now
                self._emit(p.PhaseProgressed(name, done, total), None)
            self._inbox.poll()

        return progress


class TrainingLoop:
    """Decides what comes when; the commands of a user are obeyed at every boundary in between."""

    def __init__(self, run: RunDir, prepared: Prepared, log_dir: Path, inbox: Inbox, emit: Emit) -> None:
        self._run = run
        self._config = prepared.config
        self._prepared = prepared
        self._inbox = inbox
        self._emit = emit
        self._phases = PhaseReporter(inbox, emit)
        self._trainer = Trainer(prepared, log_dir)
        self._tracker = Tracker(self._trainer.accelerator, self._config)
        self._process = psutil.Process()
        self._memory_sampled = 0.0
        self._resume()
        inbox.actions = self

    def run_to_end(self) -> None:
        """Train until the last step is done or a stop is asked for, and write what is to be kept."""
        trainer, config = self._trainer, self._config
        self._emit(p.StateChanged("running"), None)
        try:
            if trainer.steps_done == 0:
                self.validate(None)
            while trainer.steps_done < config.max_train_steps:
                self._report_step(trainer.step(self._inbox.poll))
                last = trainer.steps_done == config.max_train_steps
                if last or trainer.steps_done % config.validation_steps == 0:
                    self.validate(None)
                if not last and trainer.steps_done % config.checkpointing_steps == 0:
                    self.save_checkpoint("schedule", None)
        except StopRequested as stop:
            self._emit(p.StateChanged("stopping", stop.reason), stop.command_id)
            if stop.save and trainer.steps_done:
                self.save_checkpoint("stop", stop.command_id)
                self._export_adapter()
        else:
            self._emit(p.StateChanged("stopping", "all steps are done"), None)
            self.save_checkpoint("end", None)
            self._export_adapter()
            self._export_pipeline()
        self._tracker.close()
        self._emit(p.RunFinished(trainer.steps_done, trainer.steps_done == config.max_train_steps), None)

    # ---- resuming ---------------------------------------------------------------------------------------------------

    def _resume(self) -> None:
        """Go on from the newest good checkpoint of the run, else from the one that the config names, else begin."""
        path = self._newest_good(self._run.checkpoints)
        if path is None and (named := self._config.resume_from_checkpoint):
            path = self._named_checkpoint(Path(named))
        if path is None:
            return
        state, saved_config = load_checkpoint(path)
        require_fit(saved_config, self._config, path)
        if state.data != self._trainer.data.digest():
            self._warn(
                "The training data are not those of the checkpoint",
                "Pictures or captions were added, removed or changed since.",
                "The run goes on with the new data; what it learns can no longer be repeated exactly.",
            )
        self._trainer.restore(state)
        self._emit(p.RunResumed(state.step, str(path)), None)

    def _newest_good(self, folder: Path) -> Path | None:
        for found in good_checkpoints(folder):
            if isinstance(found, Path):
                return found
            self._warn(found.what, found.why, "The checkpoint before it is used; delete the damaged one.")
        return None

    def _named_checkpoint(self, named: Path) -> Path:
        """A checkpoint's own folder, or the newest good one of a checkpoints folder or of a run."""
        if step_of(named) >= 0:
            verify(named)
            return named
        found = self._newest_good(named) or self._newest_good(RunDir(named).checkpoints)
        if found is None:
            raise CheckpointError(
                f"There is no good checkpoint in {named}",
                "resume_from_checkpoint names no checkpoint, no run and no folder of checkpoints.",
                "Give the path of a checkpoint-<step> folder.",
            )
        return found

    # ---- reports ----------------------------------------------------------------------------------------------------

    def _report_step(self, completed: p.StepCompleted) -> None:
        self._emit(completed, None)
        self._tracker.step(completed)
        now = time.monotonic()
        if now - self._memory_sampled >= MEMORY_INTERVAL:
            self._memory_sampled = now
            used = devices.memory(self._prepared.device)
            resident = self._process.memory_info().rss
            available = psutil.virtual_memory().available
            self._emit(p.MemorySampled(resident, used.allocated, used.limit, available), None)

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
        saved = save_checkpoint(folder, self._trainer.state(), self._config)
        self._emit(p.CheckpointSaved(step, self._relative(saved.path), why, saved.bytes), command_id)
        for removed in rotate(folder, self._config.checkpoints_total_limit):
            self._emit(p.CheckpointRemoved(step_of(removed), self._relative(removed)), None)
        return f"{saved.path.name} saved"

    def validate(self, command_id: str | None) -> None:
        """Measure the validation loss and draw the images of the last completed step."""
        self._inbox.validation_running = True
        trainer, prepared, step = self._trainer, self._prepared, self._trainer.steps_done
        batch_size = self._config.train_batch_size
        loss, bands = validation_loss(
            trainer.unet, prepared.base, prepared.data, trainer.device, batch_size, self._inbox.poll
        )
        self._emit(p.ValidationLossMeasured(step, loss, bands), command_id)
        self._tracker.validation_loss(step, loss, bands)
        wanted = self._wanted_images()
        images = generate(
            trainer.bare_unet, prepared.base, prepared.data.embeddings, wanted, ImageSettings.of(self._config),
            prepared.device, self._phases.phase("validation images"),
        )  # fmt: skip
        for image in images:
            self._save_image(image, command_id)
        self._inbox.validation_ended(f"validation loss {loss:.4f} and {len(wanted)} images at step {step}")

    def _wanted_images(self) -> list[tuple[str, int]]:
        prompts = [prompt for prompt in self._config.validation_prompts if prompt.strip()]
        count = self._config.num_validation_images
        return [(prompts[index % len(prompts)], FIRST_IMAGE_SEED + index) for index in range(count)]

    def _save_image(self, generated: GeneratedImage, command_id: str | None) -> None:
        step = self._trainer.steps_done
        epoch = self._prepared.data.stream.epoch(self._trainer.samples_seen)
        path = self._run.validation_image(epoch, step, generated.index)
        save_labelled(generated, path, step=step, run=self._run.name)
        event = p.ValidationImageSaved(step, generated.index, self._relative(path), generated.prompt, generated.seed)
        self._emit(event, command_id)
        self._tracker.image(step, generated)
        if generated.fault:
            self._warn(
                f"Validation image {path.name} {generated.fault}",
                "Attention or normalisation overflowed, as half precision and some MPS kernels do."
                if self._prepared.precision.label != "fp32"
                else "The adapter may have diverged, or a kernel of this device computes wrongly.",
                "Set mixed_precision to no; if it is no already, lower learning_rate and go back to a checkpoint.",
            )

    # ---- the end ----------------------------------------------------------------------------------------------------

    def _export_adapter(self) -> None:
        paths = export_adapter(
            self._trainer.bare_unet, self._config, self._run.lora_weights, run_name=self._run.name,
            step=self._trainer.steps_done, train_samples=len(self._prepared.data.training),
        )  # fmt: skip
        relative = tuple(self._relative(path) for path in paths)
        self._emit(p.AdapterExported(self._trainer.steps_done, relative), None)

    def _export_pipeline(self) -> None:
        """Merging changes the UNet in place, so this comes last."""
        if self._config.save_final_pipeline:
            progress = self._phases.phase("writing the merged pipeline")
            progress(0, 1)
            path = export_pipeline(self._prepared.base, self._run.final_pipeline)
            progress(1, 1)
            self._emit(p.LogRecorded("info", f"Merged pipeline: {self._relative(path)}"), None)

    def _relative(self, path: Path) -> str:
        return str(path.relative_to(self._run.path))
