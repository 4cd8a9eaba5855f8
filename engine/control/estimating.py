"""What a run would need and cost, and what stands against it, told while its settings are still being chosen."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from engine import estimate as figures
from engine import machine
from engine.contract.adjustments import Adjustments, apply
from engine.contract.config import TrainingConfig
from engine.contract.errors import CheckpointError, ConfigError, DataError, RunError, ShoeloraError
from engine.contract.run_dir import Workspace
from engine.control.launching import resolve
from engine.fitting import fit
from engine.measured_pace import Measured, Work, measured_here

if TYPE_CHECKING:
    from engine.dataset import Dataset

PATHS = ("pretrained_model_name_or_path", "train_data_dir", "preview_decoder", "resume_from_checkpoint")
MAY_BE_NONE = {"preview_decoder", "resume_from_checkpoint"}
CAPTIONS_AND_PICTURES = ("", "images", "captions.json", "metadata.jsonl", "ids.txt")  # what of a data set may change


@dataclass(frozen=True)
class Obstacle:
    """Why a run could not start or would end at once, and the setting that is to blame."""

    setting: str
    error: ShoeloraError


@dataclass(frozen=True)
class Samples:
    """How the data set is used; what cannot be used is left out."""

    training: int
    held_out: int
    left_out: int


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak against a limit, and whose that is."""

    parts: figures.MemoryParts
    limit: int
    limit_of: Literal["machine", "device"]
    available: int


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
    obstacles: list[Obstacle] = []
    resolved = _resolve(workspace, config, obstacles)
    samples = None if any(one.setting == "train_data_dir" for one in obstacles) else _samples(resolved, obstacles)
    _look_at_the_rest(workspace, resolved, obstacles)
    measured = measured_here(workspace)
    room = _room(resolved, measured)
    chosen = fit(resolved, room).adjustments
    resolved = apply(resolved, chosen)
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
        memory=Memory(figures.memory_parts(resolved, room), room.size, room.owner, machine.memory()[1]),
        duration=_duration(resolved, measured),
        disk=disk,
        disk_free=disk_free,
        adapter_parameters=figures.adapter_parameters(resolved),
        adapter_bytes=figures.adapter_bytes(resolved),
        obstacles=tuple(obstacles),
        chosen=chosen,
    )


def _resolve(workspace: Workspace, config: TrainingConfig, obstacles: list[Obstacle]) -> TrainingConfig:
    """The config with absolute paths; a path that cannot be one is replaced by one where nothing is."""
    changes: dict[str, str | None] = {}
    for setting in PATHS:
        try:
            (workspace.root / Path(getattr(config, setting) or "").expanduser()).resolve().exists()
        except (OSError, RuntimeError, ValueError) as error:  # too long, ~nobody, a zero byte
            obstacles.append(Obstacle(setting, ConfigError("This can be no path here", str(error))))
            changes[setting] = None if setting in MAY_BE_NONE else str(workspace.outputs / "nowhere")
    config = config.model_copy(update=changes)
    try:
        return resolve(workspace, config)
    except RunError as error:  # of latest, where there is nothing
        obstacles.append(Obstacle("resume_from_checkpoint", error))
    except OSError as error:  # the demo's pictures cannot be drawn
        why = f"{error.strerror}: {error.filename}"
        obstacles.append(Obstacle("train_data_dir", DataError("The demo's pictures cannot be written", why)))
        config = config.model_copy(update={"train_data_dir": str(workspace.outputs)})
    return resolve(workspace, config.model_copy(update={"resume_from_checkpoint": None}))


def _samples(config: TrainingConfig, obstacles: list[Obstacle]) -> Samples | None:
    from engine.dataset import held_out_count, require_usable  # NumPy, which the command line need not load

    folder = Path(config.train_data_dir)
    try:
        dataset = _dataset(folder, tuple(_moment(folder / name) for name in CAPTIONS_AND_PICTURES))
        total = len(dataset.samples)
        held_out = held_out_count(total, config.validation_split)
        require_usable(dataset, config.effective_batch_size, held_out)
    except DataError as error:
        obstacles.append(Obstacle("train_data_dir", error))
        return None
    return Samples(total - held_out, held_out, dataset.bad)


@lru_cache(maxsize=4)
def _dataset(folder: Path, _moments: tuple[int, ...]) -> "Dataset":
    """The data set as it is at these moments of change; read again when one of them is another."""
    from engine.dataset import read_dataset

    return read_dataset(folder)


def _moment(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _look_at_the_rest(workspace: Workspace, config: TrainingConfig, obstacles: list[Obstacle]) -> None:
    """Base model, checkpoint, run name and target modules."""

    def attempt(setting: str, look: Callable[[], object]) -> None:
        if any(one.setting == setting for one in obstacles):
            return
        try:
            look()
        except ShoeloraError as error:
            obstacles.append(Obstacle(setting, error))

    # the hub's library, which the command line need not load
    from engine.model_source import find_base_model, find_preview_decoder

    attempt("pretrained_model_name_or_path", lambda: find_base_model(config.pretrained_model_name_or_path))
    if (decoder := config.preview_decoder) and "pretrained_model_name_or_path" not in {o.setting for o in obstacles}:
        base = find_base_model(config.pretrained_model_name_or_path)
        attempt("preview_decoder", lambda: find_preview_decoder(decoder, base))
    attempt("resume_from_checkpoint", lambda: _require_checkpoint(config))
    attempt("run_name", lambda: _require_free_name(workspace, config))
    attempt("lora_target_modules", lambda: _require_targets(config))


def _require_checkpoint(config: TrainingConfig) -> None:
    if config.resume_from_checkpoint and not Path(config.resume_from_checkpoint).is_dir():
        raise CheckpointError(
            f"There is no folder {config.resume_from_checkpoint}",
            remedy="Give the path of a checkpoint-<step> folder, or latest.",
        )


def _require_free_name(workspace: Workspace, config: TrainingConfig) -> None:
    if config.run_name and (workspace.outputs / config.run_name).exists():
        raise RunError(f"There is already a run {config.run_name}", remedy="Choose another name, or leave it empty.")


def _require_targets(config: TrainingConfig) -> None:
    layers = figures.model_layers(config)
    if unknown := [target for target in config.lora_target_modules if not layers.targets([target])]:
        raise ConfigError(
            f"The UNet has no module {', '.join(unknown)} that can carry an adapter",
            "A name must be the ending, at a dot, of a Linear or Conv2d layer's name.",
            "Usual: to_q to_k to_v to_out.0, and for more capacity proj_in proj_out ff.net.0.proj ff.net.2.",
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


def _room(config: TrainingConfig, measured: list[Measured]) -> machine.Room:
    """What a run could use here; of a device, its own limit where a preflight has learnt it."""
    room = machine.machine(cpu_only=config.device == "cpu").room(config.num_processes)
    known = next((one.memory_limit for one in measured if one.memory_limit and one.work.device == config.device), None)
    return replace(room, size=known, owner="device") if known else room


def _duration(config: TrainingConfig, measured: list[Measured]) -> Duration:
    """From the same work if it was ever measured here; else operations at a measured rate; else at an assumed one."""
    work, operations = Work.of(config), figures.step_operations(config)
    here = machine.machine(cpu_only=config.device == "cpu")
    at_once = here.at_once(config.num_processes)
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
