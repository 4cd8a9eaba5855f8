"""What TensorBoard shows of a run, through accelerate's tracker."""

from typing import Any

import numpy as np
from accelerate import Accelerator

from engine.contract.config import TrainingConfig
from engine.contract.protocol import StepCompleted
from engine.validation import GeneratedImage

BAND_NAMES = ("low", "second", "third", "high")


class Tracker:
    """Writes loss, learning rate, gradient norm, validation loss and validation images."""

    def __init__(self, accelerator: Accelerator, config: TrainingConfig) -> None:
        self._accelerator = accelerator
        accelerator.init_trackers("tensorboard", config={k: _plain(v) for k, v in config.model_dump().items()})

    def step(self, completed: StepCompleted) -> None:
        """The figures of one optimizer step."""
        values = {
            "train/loss": completed.train_loss,
            "train/learning_rate": completed.learning_rate,
            "train/gradient_norm": completed.gradient_norm,
            "train/seconds_per_step": completed.seconds,
        }
        self._accelerator.log(values, step=completed.step)

    def validation_loss(self, step: int, loss: float, bands: tuple[float, ...]) -> None:
        """The validation loss, overall and by timestep band."""
        by_band = {f"validation/loss_{name}": band for name, band in zip(BAND_NAMES, bands, strict=True)}
        self._accelerator.log({"validation/loss": loss, **by_band}, step=step)

    def image(self, step: int, generated: GeneratedImage) -> None:
        """One validation image under the number that it has at every step."""
        pixels = np.asarray(generated.image)[None]  # (1, H, W, 3)
        tracker = self._accelerator.get_tracker("tensorboard")
        tracker.log_images({f"validation/image_{generated.index:02d}": pixels}, step, dataformats="NHWC")

    def close(self) -> None:
        """Flush everything to disk."""
        self._accelerator.end_training()


def _plain(value: Any) -> Any:
    """TensorBoard's table of settings takes numbers, truth values and text only."""
    return value if isinstance(value, int | float | str | bool) else str(value)
