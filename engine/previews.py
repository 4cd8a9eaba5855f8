"""Light pictures between validations: when they are drawn, how many, and in how many denoising steps; without torch."""

import math

from engine.contract.config import TrainingConfig

PREVIEWED_IMAGES = 4  # the first ones of a validation, with its prompts and seeds
INFERENCE_STEPS = 10  # with which DPM++ 2M shows what a picture will be


def is_due(config: TrainingConfig, step: int) -> bool:
    """Whether previews are drawn after a step by schedule; never where a validation draws all pictures."""
    if not config.preview_decoder or step in {0, config.max_train_steps}:
        return False
    return step % config.preview_steps == 0 and step % config.validation_steps != 0


def previews(config: TrainingConfig) -> int:
    """How often a run draws previews."""
    if not config.preview_decoder:
        return 0
    last, both = config.max_train_steps - 1, math.lcm(config.preview_steps, config.validation_steps)
    return last // config.preview_steps - last // both


def preview_inference_steps(config: TrainingConfig) -> int:
    """Denoising steps of a preview."""
    return min(INFERENCE_STEPS, config.validation_inference_steps)
