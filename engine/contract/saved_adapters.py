"""Which adapters a run has saved, and which one a name or a path means."""

from dataclasses import dataclass
from pathlib import Path

from engine.contract.errors import RunError
from engine.contract.run_dir import RunDir, Workspace, list_runs

ADAPTER_FILE = "adapter_model.safetensors"  # in lora_weights and in each checkpoint
NAMED_RUNS = 5  # in an error


@dataclass(frozen=True)
class SavedAdapter:
    """A folder with an adapter in it; `step` is the checkpoint's, None for what the run exported."""

    path: Path
    step: int | None


def step_of(path: Path) -> int:
    """The step in a checkpoint folder's name, or -1."""
    number = path.name.removeprefix("checkpoint-")
    return int(number) if number.isdecimal() else -1


def list_checkpoints(folder: Path) -> list[Path]:
    """Checkpoints of a run, verified or not, the newest first."""
    return sorted((path for path in folder.glob("checkpoint-*") if step_of(path) >= 0), key=step_of, reverse=True)


def saved_adapters(run: RunDir) -> list[SavedAdapter]:
    """What a run exported, then its checkpoints, the newest first; whether they are whole is seen when one is read."""
    exported = [SavedAdapter(run.lora_weights, None)] if (run.lora_weights / ADAPTER_FILE).is_file() else []
    checkpoints = [path for path in list_checkpoints(run.checkpoints) if (path / ADAPTER_FILE).is_file()]
    return [*exported, *(SavedAdapter(path, step_of(path)) for path in checkpoints)]


def find_adapter(workspace: Workspace, name_or_path: str) -> Path:
    """The absolute path of an adapter: a folder with one in it, or its file.

    A run's name or folder means what the run exported, or else its newest checkpoint. Paths are relative to the
    present folder. Raises RunError if there is none.
    """
    path = Path(name_or_path).expanduser()
    for folder in (workspace.outputs / name_or_path, path):
        if (folder / "config.json").is_file() and not (folder / ADAPTER_FILE).is_file():
            return _newest_of(RunDir(folder.resolve()))
    if path.is_file() or (path / ADAPTER_FILE).is_file():
        return path.resolve()
    if path.is_dir():
        raise RunError(
            f"There is no adapter in {path}", f"It holds no {ADAPTER_FILE}.",
            "Name a run, its lora_weights folder, or one of its checkpoints.",
        )  # fmt: skip
    having = [run.name for run in list_runs(workspace) if saved_adapters(run)]
    raise RunError(
        f"There is no adapter {name_or_path}",
        "It is neither a run's name nor a file or folder.",
        f"Runs with an adapter: {', '.join(having[-NAMED_RUNS:]) or 'none yet'}.",
    )


def _newest_of(run: RunDir) -> Path:
    if saved := saved_adapters(run):
        return saved[0].path
    raise RunError(
        f"Run {run.name} has no adapter yet",
        "It has neither exported one nor saved a checkpoint.",
        f"Save one with `shoelora-tui checkpoint {run.name}` while the run is live.",
    )
