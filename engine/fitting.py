"""What fits into memory: what auto stands for in train_batch_size and gradient_checkpointing, and batches of pictures.

Fewest operations come first, and among equals the largest micro-batch, which keeps a GPU busiest. The effective batch
is never touched: a larger micro-batch joins samples that would have been computed one by one.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from engine.contract import adjustments
from engine.contract.adjustments import MODES, Adjustments
from engine.contract.config import CheckpointingMode, TrainingConfig
from engine.contract.describe import size
from engine.contract.errors import ConfigError
from engine.estimate import decoding_bytes, drawing_bytes, guided_samples, memory_parts, part_bytes, step_operations
from engine.machine import Room

FILLED = 0.9  # of the room at most: estimates are within 10 %
MOST_DRAWN = 16  # pictures; a GPU is busy with fewer
# Of all pictures that a CPU denoises at once: one of 512 px takes two cores 13 s a step, and a stop waits for that.
DRAWN_PIXELS = 512**2


@dataclass(frozen=True)
class Fit:
    """What a run makes of auto, with the reason; nothing where it was not asked for."""

    adjustments: Adjustments
    is_tight: bool = False  # whether even the smallest way needs more memory than there should be


def fit(config: TrainingConfig, room: Room) -> Fit:
    """Choose. The same config on the same machine gives the same, whatever else is running there."""
    if "auto" not in {config.train_batch_size, config.gradient_checkpointing}:
        return Fit(Adjustments())
    ways = sorted(_ways(config, room), key=lambda way: (step_operations(way), -way.micro_batch_size))
    needs = [memory_parts(way, room).total for way in ways]
    taken = next((index for index, need in enumerate(needs) if need <= FILLED * room.size), None)
    limit = f"the {room.owner}'s {size(room.size)}"
    if taken is None:
        least = needs.index(min(needs))
        why = f"auto: nothing fits well into {limit}; this needs least, about {size(needs[least])}"
        return Fit(_adjustments(ways[least], why), is_tight=True)
    why = f"auto: about {size(needs[taken])} of {limit}"
    if taken > 0:
        why += f"; faster would be {_words(config, ways[0])}, with {size(needs[0])}"
    return Fit(_adjustments(ways[taken], why))


def _adjustments(way: TrainingConfig, why: str) -> Adjustments:
    return Adjustments(
        train_batch_size=way.micro_batch_size,
        gradient_accumulation_steps=way.gradient_accumulation_steps,
        gradient_checkpointing=way.checkpointing_mode,
        why=why,
    )


def _ways(config: TrainingConfig, room: Room) -> Iterator[TrainingConfig]:
    """Every way to compute the same that the settings leave open and the device does rightly."""
    modes: tuple[CheckpointingMode, ...] = (config.checkpointing_mode,)
    if config.gradient_checkpointing == "auto" and not (config.lora_dropout and room.forgets_dropout):
        modes = MODES
    for mode in modes:
        for samples in _sizes(config, room):
            way = Adjustments(
                train_batch_size=samples,
                gradient_accumulation_steps=config.effective_batch_size // samples,
                gradient_checkpointing=mode,
            )
            with contextlib.suppress(ConfigError):  # out of a bound, or not to be shared by the processes
                yield adjustments.apply(config, way)


def _sizes(config: TrainingConfig, room: Room) -> list[int]:
    """Micro-batches that divide the effective batch, of no more rows than the device computes rightly."""
    if config.train_batch_size != "auto":
        return [config.micro_batch_size]
    effective, most = config.effective_batch_size, room.largest_batch(config.resolution)
    largest = effective if most is None else max(1, min(most, effective))
    return [samples for samples in range(1, largest + 1) if effective % samples == 0]


def _words(config: TrainingConfig, way: TrainingConfig) -> str:
    """The settings of a way that were auto."""
    names = ("train_batch_size", "gradient_checkpointing")
    return ", ".join(f"{name} {getattr(way, name)}" for name in names if getattr(config, name) == "auto")


def spare_bytes(config: TrainingConfig, room: Room) -> int:
    """Memory that a training step leaves free; below zero where there is too little already."""
    return round(FILLED * room.size) - memory_parts(config, room).total


def vae_may_stay(config: TrainingConfig, room: Room) -> bool:
    """Whether the VAE has room on the device between validations; else it rests on the CPU, as the text encoder does.

    The text encoder is not needed there at all: every embedding has been cached before the first step.
    """
    return part_bytes(config.pretrained_model_name_or_path, "vae") <= spare_bytes(config, room)


def images_at_once(config: TrainingConfig, room: Room) -> tuple[int, int]:
    """How many pictures fit into memory while they are denoised, and how many while they are decoded; at least one.

    A step keeps nothing while pictures are drawn, so they have the room of its activations.
    """
    parts = memory_parts(config, room)
    left = FILLED * room.size - (parts.total - parts.activations)
    most = room.largest_batch(config.resolution)
    denoised = MOST_DRAWN if most is None else min(most // guided_samples(config), MOST_DRAWN)
    if room.owner == "machine":
        denoised = min(denoised, DRAWN_PIXELS // config.resolution**2)
    return (
        max(1, min(denoised, int(left / drawing_bytes(config, room)))),
        max(1, int(left / decoding_bytes(config, room))),
    )
