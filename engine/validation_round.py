"""One round of validation within a run: measure, draw, save, and say so."""

import itertools
import math

from engine import device as devices
from engine.contract import protocol as p
from engine.contract.journal import replay
from engine.contract.run_dir import RunDir
from engine.disk_space import when_there_is_room
from engine.inbox import Emit, Inbox
from engine.phases import PhaseReporter
from engine.preparation import Prepared
from engine.tracking import Tracker
from engine.trainer import Trainer
from engine.training_data import BANDS
from engine.validation import GeneratedImage, ImageSettings, generate, save_labelled, validation_loss

FIRST_IMAGE_SEED = 1000  # image i has seed 1000 + i, whatever the run's seed: images of two runs can be compared


class ValidationRound:
    """Validates the last completed step of a trainer; disturbs nothing that decides the weights."""

    def __init__(
        self, run: RunDir, prepared: Prepared, trainer: Trainer, tracker: Tracker, inbox: Inbox, emit: Emit
    ) -> None:
        self._run = run
        self._prepared = prepared
        self._trainer = trainer
        self._tracker = tracker
        self._inbox = inbox
        self._emit = emit
        self._phases = PhaseReporter(inbox, emit)
        self._batch_size = prepared.config.micro_batch_size
        self._validated = -1  # the last step of which a validation was completed by this worker
        self._resumed_at = trainer.steps_done  # a worker before this one may have validated it

    def is_due(self) -> bool:
        """Whether the last completed step is to be validated by schedule and has not been, as after a crash within."""
        step, config = self._trainer.steps_done, self._trainer.config
        if step % config.validation_steps and step != config.max_train_steps:
            return False
        if step == self._resumed_at and self._was_told(step):
            return False
        return step != self._validated

    def _was_told(self, step: int) -> bool:
        """Whether the journal has the loss and every image of a step; an orphan may have drawn what nobody heard of."""
        events = [record.event for record in replay(self._run.journal)]
        measured = any(isinstance(event, p.ValidationLossMeasured) and event.step == step for event in events)
        drawn = {event.index for event in events if isinstance(event, p.ValidationImageSaved) and event.step == step}
        return measured and len(drawn) >= self._trainer.config.num_validation_images

    def forget(self) -> None:
        """The trainer went back to an earlier step: what was validated after it is void."""
        self._validated, self._resumed_at = -1, self._trainer.steps_done

    def run(self, command_id: str | None) -> str:
        """Measure the loss and draw the images, in smaller batches if memory runs out; returns what was done."""
        while True:
            try:
                outcome = self._measure_and_draw(command_id)
                break
            except Exception as error:
                if not devices.is_out_of_memory(error):
                    raise
                cause = str(error).splitlines()[0]
            devices.empty_cache(self._prepared.device)
            if self._batch_size == 1:
                remedy = "Training goes on; close other programs, or start a run with a smaller resolution."
                self._warn(f"Step {self._trainer.steps_done} could not be validated: memory ran out", cause, remedy)
                outcome = "memory ran out"
                break
            self._batch_size //= 2
        self._validated = self._trainer.steps_done
        return outcome

    def _measure_and_draw(self, command_id: str | None) -> str:
        prepared, trainer = self._prepared, self._trainer
        loss = self._measure(command_id)
        wanted = self._wanted_images()
        images = generate(
            trainer.bare_unet, prepared.base, prepared.data.embeddings, wanted,
            ImageSettings.of(trainer.config, prepared.device, self._batch_size), prepared.device,
            self._phases.phase("validation images"),
        )  # fmt: skip
        for image in images:
            self._save_image(image, command_id)
        return f"validation loss {loss:.4f} and {len(wanted)} images at step {trainer.steps_done}"

    def _measure(self, command_id: str | None) -> float:
        trainer, prepared, step = self._trainer, self._prepared, self._trainer.steps_done
        passes = itertools.count(1)
        total = BANDS * math.ceil(len(prepared.data.validation) / self._batch_size)
        progress = self._phases.phase("validation loss")
        loss, bands = validation_loss(
            trainer.unet, prepared.base, prepared.data, trainer.device, self._batch_size,
            lambda: progress(next(passes), total),
        )  # fmt: skip
        if math.isfinite(loss):
            self._emit(p.ValidationLossMeasured(step, loss, bands), command_id)
            self._tracker.validation_loss(step, loss, bands)
        else:
            self._warn(
                f"The validation loss of step {step} is not finite",
                "The weights or the base model's numbers overflowed.",
                "The run goes back by itself if training shows the same; else start one with mixed_precision no.",
            )
        return loss

    def _wanted_images(self) -> list[tuple[str, int]]:
        config = self._trainer.config
        prompts = [prompt for prompt in config.validation_prompts if prompt.strip()]
        return [(prompts[i % len(prompts)], FIRST_IMAGE_SEED + i) for i in range(config.num_validation_images)]

    def _save_image(self, generated: GeneratedImage, command_id: str | None) -> None:
        step = self._trainer.steps_done
        epoch = self._prepared.data.stream.epoch(self._trainer.samples_seen)
        path = self._run.validation_image(epoch, step, generated.index)
        when_there_is_room(
            path.name, lambda: save_labelled(generated, path, step=step, run=self._run.name), self._inbox, self._emit
        )
        relative = str(path.relative_to(self._run.path))
        event = p.ValidationImageSaved(step, generated.index, relative, generated.prompt, generated.seed)
        self._emit(event, command_id)
        self._tracker.image(step, generated)
        if generated.fault:
            self._warn(
                f"Validation image {path.name} {generated.fault}",
                "Attention or normalisation overflowed, as half precision and some MPS kernels do."
                if self._prepared.precision.label != "fp32"
                else "The adapter may have diverged, or a kernel of this device computes wrongly.",
                "Start a run with mixed_precision no; if it is no already, with a lower learning_rate.",
            )

    def _warn(self, what: str, why: str, remedy: str) -> None:
        self._emit(p.WarningRaised(what, why, remedy), None)
