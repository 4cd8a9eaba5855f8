"""Checkpoints: written beside, flushed, verified, renamed; the newest good one is found by its hashes."""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from engine.atomic_folder import atomic_folder
from engine.contract.config import TrainingConfig
from engine.contract.errors import CheckpointError
from engine.contract.saved_adapters import ADAPTER_FILE, list_checkpoints

FORMAT = 1
OPTIMIZER, PROGRESS, MANIFEST = "optimizer.safetensors", "progress.json", "manifest.json"
STEADY_SCHEDULES = {"constant", "constant_with_warmup"}  # the learning rate does not depend on the run's length


@dataclass(frozen=True)
class TrainingState:
    """All that decides how training goes on after `step`. Sample numbers follow from the step; no generator is kept."""

    step: int
    adapter: Mapping[str, Tensor]  # peft's names
    optimizer: Mapping[str, Tensor]  # <parameter>.<key>, as exp_avg of AdamW
    schedule: Mapping[str, Any]  # of torch's LambdaLR
    scaler: Mapping[str, Any]  # of the gradient scaler; empty without fp16
    data: str  # digest of the training samples in their order
    skipped_in_a_row: int = 0  # steps up to this one that gave no finite number
    learning_rate_factor: float = 1.0  # below 1 once the run has had to go back


@dataclass(frozen=True)
class SavedCheckpoint:
    """Where a checkpoint lies and how large it is."""

    step: int
    path: Path
    bytes: int


def save_checkpoint(folder: Path, state: TrainingState, config: TrainingConfig) -> SavedCheckpoint:
    """Write `folder`/checkpoint-<step>. Until the last rename nothing that exists is touched.

    Raises OSError if the disk is full, CheckpointError if what was read back differs from what was written.
    """
    target = folder / f"checkpoint-{state.step}"
    _require_finite(state)
    tensors = {"adapter", "optimizer"}
    scalars = {name: value for name, value in vars(state).items() if name not in tensors}
    progress = {**scalars, "config": config.model_dump()}
    contents = {
        ADAPTER_FILE: safetensors.torch.save(dict(state.adapter), metadata={"format": "pt"}),
        OPTIMIZER: safetensors.torch.save(dict(state.optimizer)),
        PROGRESS: json.dumps(progress, indent=2).encode(),
    }
    files = {name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in contents.items()}
    manifest = {"format": FORMAT, "step": state.step, "files": files}
    with atomic_folder(target, verify=verify) as fresh:
        for name, data in {**contents, MANIFEST: json.dumps(manifest, indent=2).encode()}.items():
            (fresh / name).write_bytes(data)
    return SavedCheckpoint(state.step, target, sum(file.stat().st_size for file in target.iterdir()))


def _require_finite(state: TrainingState) -> None:
    """A checkpoint is what a run goes back to, so no broken number may get into one."""
    for name, tensor in {**state.adapter, **state.optimizer}.items():
        if not torch.isfinite(tensor).all():
            raise CheckpointError(
                f"Step {state.step} is not saved: {name} holds numbers that are not finite",
                remedy="The run goes back to the checkpoint before it by itself if the next steps show the same.",
            )


def verify(path: Path) -> int:
    """Check a checkpoint against its hashes; returns the step. Raises CheckpointError saying what is wrong."""
    try:
        manifest = json.loads((path / MANIFEST).read_text())
        if manifest["format"] != FORMAT:
            raise CheckpointError(
                f"Checkpoint {path} has format {manifest['format']}", f"This version reads format {FORMAT}."
            )
        for name in (ADAPTER_FILE, OPTIMIZER, PROGRESS):
            with (path / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != manifest["files"][name]["sha256"]:
                    raise CheckpointError(f"Checkpoint {path} is damaged", f"{name} does not have its recorded hash.")
        return int(manifest["step"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"Checkpoint {path} is incomplete", f"{type(error).__name__}: {error}") from error


def good_checkpoints(folder: Path) -> Iterator[Path | CheckpointError]:
    """From the newest to the oldest: the path of each that verifies, or the error of one that does not."""
    for path in list_checkpoints(folder):
        try:
            verify(path)
            yield path
        except CheckpointError as error:
            yield error


def load_checkpoint(path: Path) -> tuple[TrainingState, dict[str, Any]]:
    """A verified checkpoint's state and the config it was made with. Raises CheckpointError."""
    verify(path)
    progress = json.loads((path / PROGRESS).read_text())
    config = progress.pop("config")
    state = TrainingState(
        adapter=safetensors.torch.load_file(path / ADAPTER_FILE),
        optimizer=safetensors.torch.load_file(path / OPTIMIZER),
        **progress,
    )
    return state, config


def require_fit(saved: Mapping[str, Any], config: TrainingConfig, path: Path) -> None:
    """Raise CheckpointError naming every setting that decides the weights and differs from the checkpoint's."""
    now = config.model_dump()
    differing = [
        f"{name}: {saved.get(name)!r} in the checkpoint, {now[name]!r} now"
        for name, field in TrainingConfig.model_fields.items()
        if not _may_change(name, field.json_schema_extra, config) and saved.get(name) != now[name]
    ]
    before = int(saved.get("train_batch_size", 0)) * int(saved.get("gradient_accumulation_steps", 0))
    if before != config.effective_batch_size:
        differing.append(f"effective batch: {before} in the checkpoint, {config.effective_batch_size} now")
    if differing:
        raise CheckpointError(
            f"Checkpoint {path.name} was made with other settings",
            "; ".join(differing) + ".",
            "Give the settings of the checkpoint, or begin without resume_from_checkpoint.",
        )


def _may_change(name: str, extra: Any, config: TrainingConfig) -> bool:
    if name == "max_train_steps":
        return config.lr_scheduler in STEADY_SCHEDULES
    return bool(extra["may_change_on_resume"])


def rotate(folder: Path, limit: int) -> list[Path]:
    """Remove the oldest checkpoints beyond `limit`, never the newest that verifies; returns what was removed."""
    newest_good = next((found for found in good_checkpoints(folder) if isinstance(found, Path)), None)
    removed = [path for path in list_checkpoints(folder)[limit:] if path != newest_good]
    for path in removed:
        # Renamed first, so that a removal cut short leaves nothing that looks like a checkpoint.
        doomed = path.with_name(f".{path.name}.removed")
        with contextlib.suppress(OSError):
            path.replace(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
    return removed
