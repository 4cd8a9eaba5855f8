"""What a run would need and cost, and what stands against it, told while its settings are still being chosen."""

import shutil
from dataclasses import dataclass, field, replace
from typing import Literal

from engine import estimate as figures
from engine import machine
from engine.contract.adjustments import Adjustments, apply
from engine.contract.config import TrainingConfig
from engine.contract.run_dir import Workspace
from engine.control.obstacles import Obstacle, Samples, inspect
from engine.fitting import fit
from engine.machine import Machine
from engine.measured_pace import Measured, Work, measured_here


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak against a limit, and whose that is."""

    parts: figures.MemoryParts
    limit: int
    limit_of: Literal["machine", "device"]
    available: int
    limit_by: str = ""  # the measurement that told it, where the machine by itself seems another


@dataclass(frozen=True)
class Duration:
    """Seconds, and where they come from: a measurement, or a count of operations."""

    step: float
    training: float
    validation: float
    source: str
    is_measured: bool


@dataclass(frozen=True)
class Estimate:
    """All that can be said of a run before it starts. Sizes are bytes; `samples` is None without a usable data set."""

    effective_batch: int
    samples: Samples | None
    epochs: float | None
    memory: Memory
    duration: Duration
    disk: figures.DiskParts
    disk_free: int
    adapter_parameters: int
    adapter_bytes: int
    obstacles: tuple[Obstacle, ...]
    chosen: Adjustments = field(default_factory=Adjustments)  # what auto would become, and why


def estimate(workspace: Workspace, config: TrainingConfig) -> Estimate:
    """Estimate a run of this config. Decodes no picture and loads no torch, but reads folders: not for an event loop.

    The demo's data set is drawn if the config names it and it is not there.
    """
    inspected = inspect(workspace, config)
    samples, obstacles = inspected.samples, inspected.obstacles
    measured = measured_here(workspace)
    here, told_by = _computing(inspected.config, measured)
    room = here.room(config.num_processes)
    chosen = fit(inspected.config, room).adjustments
    resolved = apply(inspected.config, chosen)
    base_bytes = figures.model_bytes(resolved.pretrained_model_name_or_path)
    used = samples.training + samples.held_out if samples else 0
    seen = config.max_train_steps * config.effective_batch_size
    disk, disk_free = figures.disk_parts(resolved, base_bytes, used), shutil.disk_usage(workspace.root).free
    if error := figures.shortage(resolved, disk, disk_free):
        obstacles.append(Obstacle(_largest(disk), error))
    return Estimate(
        effective_batch=config.effective_batch_size,
        samples=samples,
        epochs=seen / samples.training if samples and samples.training else None,
        memory=Memory(figures.memory_parts(resolved, room), room.size, room.owner, machine.memory()[1], told_by),
        duration=_duration(resolved, here, measured),
        disk=disk,
        disk_free=disk_free,
        adapter_parameters=figures.adapter_parameters(resolved),
        adapter_bytes=figures.adapter_bytes(resolved),
        obstacles=tuple(obstacles),
        chosen=chosen,
    )


def _largest(disk: figures.DiskParts) -> str:
    """The setting that decides the largest part of what is written."""
    parts = {
        "train_data_dir": disk.cache,
        "checkpoints_total_limit": disk.checkpoints,
        "num_validation_images": disk.images,
        "lora_rank": disk.adapter,
        "save_final_pipeline": disk.pipeline,
    }
    return max(parts, key=lambda setting: parts[setting])


def _computing(config: TrainingConfig, measured: list[Measured]) -> tuple[Machine, str]:
    """What a run would use: what a preflight or a bench used here, else what can be told without torch.

    They know whether torch uses the GPU that has a driver, and find one whose driver does not show, as under WSL.
    Where the machine is another by them, the one that says so is told.
    """
    seeming = machine.machine(cpu_only=config.device == "cpu")
    used = next((one for one in measured if one.peak_memory and one.work.device == config.device), None)
    if used is None:
        return seeming, ""
    if not used.memory_limit:
        here = machine.machine(cpu_only=True)
    elif seeming.is_cpu:
        here = machine.nvidia(used.memory_limit)
    else:
        here = replace(seeming, own_memory=used.memory_limit)
    return here, used.source if here != seeming else ""


def _duration(config: TrainingConfig, here: Machine, measured: list[Measured]) -> Duration:
    """From the same work if it was ever measured here; else operations at a measured rate; else at an assumed one."""
    work, operations = Work.of(config), figures.step_operations(config)
    at_once = machine.at_once(config.num_processes, is_cpu=here.is_cpu)
    for one in measured:
        if one.work == work:
            alone = one.seconds * config.gradient_accumulation_steps
            source = f"measured by {one.source}"
            return _lasting(config, alone / at_once, operations / alone, source, is_measured=True)
    for one in measured:
        if one.work.is_comparable(work):
            rate = _operations(config, one) / one.seconds
            source = f"computed from operations, at the rate of {one.source}"
            return _lasting(config, operations / rate / at_once, rate, source, is_measured=False)
    rate = here.rate(figures.base_parameters(config))
    alone = figures.step_seconds(config, rate)
    source = f"computed from operations, {here.name} at an assumed {rate / machine.TERA:.2g} TFLOP/s"
    return _lasting(config, alone / at_once, operations / alone, source, is_measured=False)


def _operations(config: TrainingConfig, one: Measured) -> float:
    """Operations of the micro-batch that was measured."""
    changes = {
        "resolution": one.work.resolution,
        "train_batch_size": one.work.train_batch_size,
        "gradient_checkpointing": one.work.gradient_checkpointing,
        "gradient_accumulation_steps": 1,
    }
    return figures.step_operations(config.model_copy(update=changes))


def _lasting(config: TrainingConfig, pace: float, rate: float, source: str, *, is_measured: bool) -> Duration:
    """`rate` is operations per second of one process, for the images; `pace` is seconds per step of all of them."""
    validation = figures.drawing_operations(config) / rate
    return Duration(pace, pace * config.max_train_steps, validation, source, is_measured)
