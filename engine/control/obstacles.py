"""What stands against a run that was only thought of: device, paths, pictures, model, checkpoint, name, targets."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from engine import estimate as figures
from engine.contract.config import TrainingConfig
from engine.contract.errors import CheckpointError, ConfigError, DataError, RunError, ShoeloraError
from engine.contract.run_dir import Workspace
from engine.control.launching import contradictions_here, resolve

if TYPE_CHECKING:
    from engine.dataset import Dataset

PATHS = ("pretrained_model_name_or_path", "train_data_dir", "preview_decoder", "resume_from_checkpoint")
MAY_BE_NONE = {"preview_decoder", "resume_from_checkpoint"}
CAPTIONS_AND_PICTURES = ("", "images", "captions.json", "metadata.jsonl", "ids.txt")  # what of a data set may change
Found = TypeVar("Found")


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
class Inspection:
    """A config with absolute paths, its data set, and what stands in its way; no samples without a usable data set."""

    config: TrainingConfig
    samples: Samples | None
    obstacles: list[Obstacle]


def inspect(workspace: Workspace, config: TrainingConfig) -> Inspection:
    """Look at all that a config names. The demo's data set is drawn if the config names it and it is not there."""
    obstacles = [Obstacle(text.split()[0], ConfigError(text)) for text in contradictions_here(config)]
    resolved = _resolve(workspace, config, obstacles)
    samples = None if any(one.setting == "train_data_dir" for one in obstacles) else _samples(resolved, obstacles)
    _look_at_the_rest(workspace, resolved, obstacles)
    return Inspection(resolved, samples, obstacles)


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
    """Base model, preview decoder, checkpoint, run name and target modules."""

    def attempt(setting: str, look: Callable[[], Found]) -> Found | None:
        if any(one.setting == setting for one in obstacles):
            return None
        try:
            return look()
        except ShoeloraError as error:
            obstacles.append(Obstacle(setting, error))
        return None

    # the hub's library, which the command line need not load
    from engine.model_source import find_base_model, find_preview_decoder

    base = attempt("pretrained_model_name_or_path", lambda: find_base_model(config.pretrained_model_name_or_path))
    if base and (decoder := config.preview_decoder):
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
