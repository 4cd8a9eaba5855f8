"""One round of validation within a run: measure, draw, save, and say so; and light previews between two rounds."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

from engine import device as devices
from engine import previews
from engine.contract import protocol as p
from engine.contract.describe import size
from engine.contract.errors import first_line
from engine.contract.journal import replay
from engine.contract.run_dir import RunDir
from engine.disk_space import when_there_is_room
from engine.estimate import part_bytes
from engine.fitting import vae_may_stay
from engine.inbox import Emit, Inbox
from engine.phases import PhaseReporter
from engine.preparation import Prepared
from engine.tracking import Tracker
from engine.trainer import Trainer
from engine.training_data import BANDS
from engine.validation import GeneratedImage, ImageGenerator, ImageSettings, save_labelled, validation_loss

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
        self._batch_size = prepared.config.micro_batch_size  # of the loss
        self._validated = -1  # the last step of which a validation was completed by this worker
        self._resumed_at = trainer.steps_done  # a worker before this one may have validated it
        settings, device = ImageSettings.of(prepared.config, prepared.device), prepared.device
        self._full = ImageGenerator(
            trainer.bare_unet, prepared.base, prepared.base.vae, prepared.data.embeddings, settings, device,
            self._vae_stays(),
        )  # fmt: skip
        light = replace(settings, inference_steps=previews.preview_inference_steps(prepared.config))
        self._light = replace(self._full, decoder=prepared.preview_decoder, settings=light, decoder_stays=True)

    def _vae_stays(self) -> bool:
        """Whether the VAE stays on the device between validations, which is told where there is a choice."""
        config, device = self._prepared.config, self._prepared.device
        if device.name == "cpu":
            return True
        stays = vae_may_stay(config, devices.room(device, config.num_processes))
        there = size(part_bytes(config.pretrained_model_name_or_path, "vae"))
        words = f"stays on {device.name}" if stays else "rests on the CPU"
        why = f"a step leaves {'' if stays else 'no '}room for its {there}"
        self._emit(p.LogRecorded("info", f"Between validations the VAE {words}: {why}"), None)
        return stays

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
        images = [event for event in events if isinstance(event, p.ValidationImageSaved) and event.step == step]
        drawn = {event.index for event in images if not event.preview}
        return measured and len(drawn) >= self._trainer.config.num_validation_images

    def forget(self) -> None:
        """The trainer went back to an earlier step: what was validated after it is void."""
        self._validated, self._resumed_at = -1, self._trainer.steps_done

    def run(self, command_id: str | None) -> str:
        """Measure the loss and draw the images, in smaller batches if memory runs out; returns what was done."""
        if self._trainer.config is not self._prepared.config:  # a step ran out of memory in spite of the estimate
            self._full.decoder_stays = self._prepared.device.name == "cpu"
        outcome = self._unless_memory_runs_out("validated", lambda: self._measure_and_draw(command_id))
        self._validated = self._trainer.steps_done
        return outcome

    def preview_is_due(self) -> bool:
        """Whether previews of the last completed step are to be drawn, which nobody makes up for if a worker died."""
        step = self._trainer.steps_done
        if self._prepared.preview_decoder is None or step in {self._validated, self._resumed_at}:
            return False
        return previews.is_due(self._trainer.config, step)

    def preview(self) -> None:
        """Draw the first images in few steps, by the small autoencoder."""

        def draw() -> str:
            wanted = self._wanted_images()[: previews.PREVIEWED_IMAGES]
            for image in self._light.generate(wanted, self._phases.phase("validation previews")):
                self._save_image(image, None, preview=True)
            return ""

        self._unless_memory_runs_out("previewed", draw)

    def _unless_memory_runs_out(self, done: str, work: Callable[[], str]) -> str:
        """Do it; that it is too much for the memory even in the smallest batches does not end the run."""
        try:
            return work()
        except Exception as error:
            if not devices.is_out_of_memory(error):
                raise
            cause = first_line(error)
        devices.empty_cache(self._prepared.device)
        remedy = "Training goes on; close other programs, or start a run with a smaller resolution."
        self._warn(f"Step {self._trainer.steps_done} could not be {done}: memory ran out", cause, remedy)
        return "memory ran out"

    def _measure_and_draw(self, command_id: str | None) -> str:
        loss, wanted = self._measure(command_id), self._wanted_images()
        for image in self._full.generate(wanted, self._phases.phase("validation images")):
            self._save_image(image, command_id)
        return f"validation loss {loss:.4f} and {len(wanted)} images at step {self._trainer.steps_done}"

    def _measure(self, command_id: str | None) -> float:
        step = self._trainer.steps_done
        loss, bands = self._loss()
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

    def _loss(self) -> tuple[float, tuple[float, float, float, float]]:
        """The validation loss and its bands; once memory has run out, in smaller batches from then on."""
        while True:
            try:
                return self._loss_in_batches()
            except Exception as error:
                if not devices.is_out_of_memory(error) or self._batch_size == 1:
                    raise
            devices.empty_cache(self._prepared.device)  # outside of the handler, whose traceback holds the tensors
            self._batch_size //= 2

    def _loss_in_batches(self) -> tuple[float, tuple[float, float, float, float]]:
        trainer, prepared = self._trainer, self._prepared
        passes = itertools.count(1)
        total = BANDS * math.ceil(len(prepared.data.validation) / self._batch_size)
        progress = self._phases.phase("validation loss")
        return validation_loss(
            trainer.unet, prepared.base, prepared.data, trainer.device, self._batch_size,
            lambda: progress(next(passes), total),
        )  # fmt: skip

    def _wanted_images(self) -> list[tuple[str, int]]:
        config = self._trainer.config
        prompts = [prompt for prompt in config.validation_prompts if prompt.strip()]
        return [(prompts[i % len(prompts)], FIRST_IMAGE_SEED + i) for i in range(config.num_validation_images)]

    def _save_image(self, generated: GeneratedImage, command_id: str | None, preview: bool = False) -> None:
        step = self._trainer.steps_done
        epoch = self._prepared.data.stream.epoch(self._trainer.samples_seen)
        path = self._run.validation_image(epoch, step, generated.index, preview)
        labels = {"step": step, "run": self._run.name, "preview": "yes" if preview else "no"}
        when_there_is_room(path.name, lambda: save_labelled(generated, path, **labels), self._inbox, self._emit)
        relative = str(path.relative_to(self._run.path))
        event = p.ValidationImageSaved(step, generated.index, relative, generated.prompt, generated.seed, preview)
        self._emit(event, command_id)
        self._tracker.image(step, generated, preview)
        if generated.fault:
            self._warn(
                f"{'Preview' if preview else 'Validation image'} {path.name} {generated.fault}",
                "Attention or normalisation overflowed, as half precision and some MPS kernels do."
                if self._prepared.precision.label != "fp32"
                else "The adapter may have diverged, or a kernel of this device computes wrongly.",
                "Start a run with mixed_precision no; if it is no already, with a lower learning_rate.",
            )

    def _warn(self, what: str, why: str, remedy: str) -> None:
        self._emit(p.WarningRaised(what, why, remedy), None)
