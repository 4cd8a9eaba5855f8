"""What TensorBoard shows of a run, through accelerate's tracker."""

from collections.abc import Callable
from typing import Any

import numpy as np
from accelerate import Accelerator

from engine.contract.config import TrainingConfig
from engine.contract.protocol import StepCompleted
from engine.validation import GeneratedImage

Warn = Callable[[str, str, str], None]  # what, why, remedy
BAND_NAMES = ("low", "second", "third", "high")


class Tracker:
    """Writes loss, learning rate, gradient norm, validation loss and validation images.

    The run does not hang on its curves: if the disk takes no more, they end with a warning.
    """

    def __init__(self, accelerator: Accelerator, config: TrainingConfig, warn: Warn) -> None:
        self._accelerator = accelerator
        self._warn = warn
        self._broken = False
        settings = {name: _plain(value) for name, value in config.model_dump().items()}
        self._try(lambda: accelerator.init_trackers("tensorboard", config=settings))

    def step(self, completed: StepCompleted) -> None:
        """The figures of one optimizer step."""
        values = {
            "train/loss": completed.train_loss,
            "train/learning_rate": completed.learning_rate,
            "train/gradient_norm": completed.gradient_norm,
            "train/seconds_per_step": completed.seconds,
        }
        self._try(lambda: self._accelerator.log(values, step=completed.step))

    def validation_loss(self, step: int, loss: float, bands: tuple[float, ...]) -> None:
        """The validation loss, overall and by timestep band."""
        by_band = {f"validation/loss_{name}": band for name, band in zip(BAND_NAMES, bands, strict=True)}
        self._try(lambda: self._accelerator.log({"validation/loss": loss, **by_band}, step=step))

    def image(self, step: int, generated: GeneratedImage, preview: bool) -> None:
        """One validation image, or a preview of it, under the number that it has at every step."""
        kind = "preview" if preview else "image"
        pixels = {f"validation/{kind}_{generated.index:02d}": np.asarray(generated.image)[None]}  # (1, H, W, 3)
        self._try(
            lambda: self._accelerator.get_tracker("tensorboard").log_images(pixels, step, dataformats="NHWC")
        )  # fmt: skip

    def close(self) -> None:
        """Flush everything to disk."""
        # not `end_training`, which would also take leave of other processes, which have gone by then
        self._try(lambda: [tracker.finish() for tracker in self._accelerator.trackers])

    def _try(self, write: Callable[[], object]) -> None:
        if self._broken:
            return
        try:
            write()
        except OSError as error:
            self._broken = True
            self._warn("TensorBoard's curves end here", str(error), "The console and the journal have them all.")


def _plain(value: Any) -> Any:
    """TensorBoard's table of settings takes numbers, truth values and text only."""
    return value if isinstance(value, int | float | str | bool) else str(value)
