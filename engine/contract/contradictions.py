"""Settings that each keep their own bounds and yet cannot hold together, with why and what to set."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # which asks this module when it is made
    from engine.contract.config import TrainingConfig

POLYNOMIAL_END = 1e-7  # learning rate at which diffusers' polynomial schedule ends


def contradictions(config: "TrainingConfig") -> Iterator[str]:
    """What contradicts what; each begins with a setting and names the others, for a form to show it beside them."""
    if config.lr_warmup_steps > config.max_train_steps:
        yield (
            f"lr_warmup_steps {config.lr_warmup_steps} is longer than the run, max_train_steps "
            f"{config.max_train_steps}; the learning rate would never be reached"
        )
    if config.device == "mps" and config.lora_dropout > 0 and config.checkpointing_mode != "none":
        yield (
            f"lora_dropout {config.lora_dropout} with gradient_checkpointing {config.gradient_checkpointing} gives "
            "wrong gradients on mps, which draws another dropout mask when it recomputes (pytorch #194478); "
            "set lora_dropout 0 or gradient_checkpointing auto or none"
        )
    if config.device == "mps" and config.torch_compile:
        yield (
            "torch_compile on mps: torch's compiler for Apple GPUs is a prototype, whose gradients nobody has "
            "vouched for; set torch_compile false"
        )
    if config.device == "mps" and config.num_processes > 1:
        yield (
            f"num_processes {config.num_processes} on mps: a Mac has one GPU, and two processes would only share its "
            "memory; set num_processes 1"
        )
    if config.gradient_accumulation_steps % config.num_processes:
        yield _how_to_share(config)
    if config.lr_scheduler == "polynomial" and config.learning_rate <= POLYNOMIAL_END:
        yield (
            f"learning_rate {config.learning_rate:g} is not above {POLYNOMIAL_END:g}, where the lr_scheduler "
            "polynomial ends"
        )
    if config.num_validation_images and not any(p.strip() for p in config.validation_prompts):
        yield f"num_validation_images {config.num_validation_images} needs at least one text in validation_prompts"
    if config.preview_decoder and not config.num_validation_images:
        yield (
            f"preview_decoder {config.preview_decoder} draws nothing with num_validation_images 0: previews are the "
            "first of the validation images"
        )
    if config.preview_decoder and config.preview_steps >= config.max_train_steps:
        yield (
            f"preview_steps {config.preview_steps} draws no preview before max_train_steps {config.max_train_steps}, "
            "where all images are drawn; set preview_steps lower or preview_decoder none"
        )
    elif config.preview_decoder and config.preview_steps % config.validation_steps == 0:
        yield (
            f"preview_steps {config.preview_steps} draws no preview: validation_steps {config.validation_steps} draws "
            f"all images at each of these steps; set validation_steps above {config.preview_steps}"
            + (f" or preview_steps below {config.validation_steps}" if config.validation_steps > 1 else "")
        )


def contradictions_on_a_mac(config: "TrainingConfig") -> Iterator[str]:
    """What contradicts the device that auto becomes on Apple Silicon; nothing if a device is named."""
    if config.device == "auto":
        for text in contradictions(config.model_copy(update={"device": "mps"})):
            yield f"{text}, or device cpu: auto becomes mps on this machine"


def _how_to_share(config: "TrainingConfig") -> str:
    """Why the processes cannot share the micro-batches of a step, and the nearest settings with which they can."""
    effective, processes = config.effective_batch_size, config.num_processes
    batches = [n for n in range(config.micro_batch_size, 0, -1) if effective % (n * processes) == 0]
    remedy = (
        f"train_batch_size {batches[0]} and gradient_accumulation_steps {effective // batches[0]}, which keep the "
        f"effective batch of {effective}"
        if batches
        else f"num_processes to a number that divides the effective batch of {effective}"
    )
    return (
        f"num_processes {processes} cannot share gradient_accumulation_steps {config.gradient_accumulation_steps}: "
        f"each takes as many micro-batches of a step as the others; set {remedy}"
    )
