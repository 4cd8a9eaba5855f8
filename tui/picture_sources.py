"""What pictures can be drawn with: every adapter and checkpoint of the runs, and the base models alone."""

from dataclasses import dataclass
from pathlib import Path

from engine import control
from engine.contract.config import TrainingConfig
from engine.contract.config_file import load_config, presets
from engine.contract.errors import ConfigError
from engine.contract.run_dir import RunDir, Workspace, list_runs
from engine.contract.saved_adapters import saved_adapters


@dataclass(frozen=True)
class PictureSource:
    """A base model, with an adapter or without; `config` says all else, such as resolution and device."""

    key: str  # by which a choice is kept
    label: str
    config: TrainingConfig
    adapter: Path | None = None
    run: RunDir | None = None  # whose adapter it is


def picture_sources(workspace: Workspace, in_hand: RunDir | None) -> list[PictureSource]:
    """Adapters of the run in hand, then of the other runs from the newest, then the base models; reads many files."""
    runs = list_runs(workspace)[::-1]
    runs.sort(key=lambda run: run != in_hand)
    configs = {run: config for run in runs if (config := _config(run))}
    adapters = [
        PictureSource(
            f"{run.name}/{saved.path.name}",
            f"{run.name}: " + ("adapter" if saved.step is None else f"checkpoint {saved.step}"),
            config, saved.path, run,
        )
        for run, config in configs.items()
        for saved in saved_adapters(run)
    ]  # fmt: skip
    return [*adapters, *_base_models(workspace, list(configs.values()))]


def preferred(sources: list[PictureSource], kept: str, in_hand: RunDir | None) -> PictureSource | None:
    """Of the adapters of the run in hand, or of all sources if it has none: the choice that was kept, or the first."""
    offered = [source for source in sources if in_hand and source.run == in_hand] or sources
    return next((source for source in offered if source.key == kept), offered[0] if offered else None)


def _config(run: RunDir) -> TrainingConfig | None:
    """A run's config; None if the file is damaged, which the Runs screen tells."""
    try:
        return run.config()
    except ConfigError:
        return None


def _base_models(workspace: Workspace, of_runs: list[TrainingConfig]) -> list[PictureSource]:
    """Each base model once: those of runs, then those that presets name."""
    names: dict[str, str] = {}  # resolved to what a preset calls it
    configs: dict[str, TrainingConfig] = {}
    for config in of_runs:
        configs.setdefault(config.pretrained_model_name_or_path, config)
    for file in presets(workspace.root).values():
        try:
            preset = load_config(file)
        except ConfigError:
            continue
        no_data = preset.model_copy(update={"train_data_dir": ".", "resume_from_checkpoint": None})
        model = control.resolve(workspace, no_data).pretrained_model_name_or_path
        names.setdefault(model, preset.pretrained_model_name_or_path)
        configs.setdefault(model, no_data)
    return [
        PictureSource(f"base/{model}", f"base model alone: {_short(names.get(model, model))}", config)
        for model, config in configs.items()
    ]


def _short(model: str) -> str:
    return Path(model).name or model
