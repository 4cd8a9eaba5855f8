"""adjustments.json: what a run made of its own settings: of auto at its start, and of others when memory ran out."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from engine.contract.atomic_file import write_atomically
from engine.contract.config import CheckpointingMode, TrainingConfig
from engine.contract.config_file import read_settings
from engine.contract.errors import ConfigError
from engine.contract.protocol import MicroBatchChanged
from engine.contract.run_dir import RunDir

MODES: tuple[CheckpointingMode, ...] = ("none", "attention", "full")  # each needs less memory than the one before
MEMORY_RAN_OUT = "Memory ran out"


class Adjustments(BaseModel):
    """Settings that replace those of config.json, and the reason; None leaves a setting as it is there."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    train_batch_size: int | None = Field(None, ge=1)
    gradient_accumulation_steps: int | None = Field(None, ge=1)
    gradient_checkpointing: CheckpointingMode | None = None
    why: str = ""

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.train_batch_size is None) != (self.gradient_accumulation_steps is None):
            raise ValueError("train_batch_size and gradient_accumulation_steps change together or not at all")
        return self


def read_adjustments(run: RunDir) -> Adjustments:
    """What a run has adjusted so far; nothing if it has no such file. Raises ConfigError naming file and field."""
    path = run.adjustments_file
    if not path.exists():
        return Adjustments()
    settings = read_settings(path)
    try:
        return Adjustments.model_validate(settings)
    except ValidationError as error:
        fault = error.errors()[0]
    field = f"{fault['loc'][0]} = {fault['input']!r}: " if fault["loc"] else ""
    raise ConfigError(
        f"{path} cannot be used", f"{field}{fault['msg']}.", "Delete the file; config.json then holds alone."
    )


def write_adjustments(run: RunDir, adjustments: Adjustments) -> None:
    """Keep them for every worker to come. Raises OSError if the disk takes no more."""
    write_atomically(run.adjustments_file, adjustments.model_dump_json(indent=2) + "\n")


def apply(config: TrainingConfig, adjustments: Adjustments) -> TrainingConfig:
    """The settings that a worker uses. Raises ConfigError if the effective batch would change or they contradict."""
    changes = adjustments.model_dump(exclude={"why"}, exclude_none=True)
    try:
        adjusted = TrainingConfig.model_validate({**config.model_dump(), **changes})
    except ValidationError as error:
        why = str(error.errors()[0]["msg"])
    else:
        if adjusted.effective_batch_size == config.effective_batch_size:
            return adjusted
        why = f"The effective batch would be {adjusted.effective_batch_size}, not {config.effective_batch_size}."
    raise ConfigError(
        "adjustments.json does not fit config.json",
        why,
        "Delete adjustments.json; config.json then holds alone.",
    )


def next_smaller(config: TrainingConfig) -> Adjustments | None:
    """The next way to need less memory for the same effective batch; None if there is none.

    First the micro-batch is halved, or cut to the largest size below that which divides the effective batch; at batch
    size 1 the next mode of gradient checkpointing is taken.
    """
    batch, effective, mode = config.micro_batch_size, config.effective_batch_size, config.checkpointing_mode
    smaller = [(size, mode) for size in range(batch // 2, 0, -1) if effective % size == 0]
    smaller += [(batch, stronger) for stronger in MODES[MODES.index(mode) + 1 :]]
    for size, checkpointing in smaller:
        adjustments = Adjustments(
            train_batch_size=size,
            gradient_accumulation_steps=effective // size,
            gradient_checkpointing=checkpointing,
            why=MEMORY_RAN_OUT,
        )
        try:
            apply(config, adjustments)
        except ConfigError:
            continue  # out of the bounds of a setting, or wrong on this device
        return adjustments
    return None


def changed(adjustments: Adjustments, config: TrainingConfig) -> MicroBatchChanged:
    """The event that tells of adjustments to a config."""
    adjusted = apply(config, adjustments)
    return MicroBatchChanged(
        adjusted.micro_batch_size,
        adjusted.gradient_accumulation_steps,
        adjusted.checkpointing_mode,
        adjustments.why,
    )
