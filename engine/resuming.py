"""Where training goes on: from the newest good checkpoint of the run, from a named one, or from the beginning."""

import shutil
from pathlib import Path

from engine.checkpoint import good_checkpoints, load_checkpoint, require_fit, verify
from engine.contract.atomic_file import remove_unfinished
from engine.contract.config import TrainingConfig
from engine.contract.errors import CheckpointError
from engine.contract.journal import replay
from engine.contract.protocol import (
    CheckpointSaved,
    Event,
    RunResumed,
    StepCompleted,
    ValidationLossMeasured,
    WarningRaised,
)
from engine.contract.run_dir import RunDir
from engine.contract.saved_adapters import step_of
from engine.inbox import Emit
from engine.trainer import Trainer


def resume(run: RunDir, config: TrainingConfig, trainer: Trainer, emit: Emit) -> None:
    """Bring a trainer to where its run was. Raises CheckpointError if the checkpoint is of other settings."""
    path = newest_good(run.checkpoints, emit)
    if path is None and (named := config.resume_from_checkpoint):
        path = _named_checkpoint(Path(named), emit)
    known = [record.event for record in replay(run.journal)]
    if path is None:
        if any(isinstance(event, StepCompleted | ValidationLossMeasured) for event in known):
            emit(RunResumed(0, "the beginning"), None)
        return
    state, saved_config = load_checkpoint(path)
    require_fit(saved_config, config, path)
    if state.data != trainer.data.digest():
        _warn(
            emit,
            "The training data are not those of the checkpoint",
            "Pictures or captions were added, removed, changed or put in another order since.",
            "The run goes on with the new data; what it learns can no longer be repeated exactly.",
        )
    trainer.restore(state)
    if path.parent == run.checkpoints and not any(_saved(event, path) for event in known):
        size = sum(file.stat().st_size for file in path.iterdir())  # of a worker that had lost its supervisor
        emit(CheckpointSaved(state.step, str(path.relative_to(run.path)), "interrupted", size), None)
    emit(RunResumed(state.step, str(path)), None)


def remove_leftovers(run: RunDir) -> None:
    """Remove what workers that were killed left half-written or half-removed; this worker is the only one there is."""
    for leftover in run.checkpoints.glob(".checkpoint-*"):
        checkpoint = run.checkpoints / leftover.name.split(".")[1]
        if leftover.suffix == ".old" and not checkpoint.exists():
            leftover.rename(checkpoint)  # killed between the two renames that replace it
        else:
            shutil.rmtree(leftover, ignore_errors=True)
    for file in (run.data_file, run.adjustments_file):
        remove_unfinished(file)
    for picture in run.validation.glob("*.tmp"):
        picture.unlink(missing_ok=True)


def _saved(event: Event, path: Path) -> bool:
    return isinstance(event, CheckpointSaved) and Path(event.path).name == path.name


def newest_good(folder: Path, emit: Emit) -> Path | None:
    """The newest checkpoint that verifies; a warning for each newer one that does not."""
    for found in good_checkpoints(folder):
        if isinstance(found, Path):
            return found
        _warn(emit, found.what, found.why, "The checkpoint before it is used.")
    return None


def _named_checkpoint(named: Path, emit: Emit) -> Path:
    """A checkpoint's own folder, or the newest good one of a checkpoints folder or of a run."""
    if step_of(named) >= 0:
        verify(named)
        return named
    found = newest_good(named, emit) or newest_good(RunDir(named).checkpoints, emit)
    if found is None:
        raise CheckpointError(
            f"There is no good checkpoint in {named}",
            "resume_from_checkpoint names no checkpoint, no run and no folder of checkpoints.",
            "Give the path of a checkpoint-<step> folder.",
        )
    return found


def _warn(emit: Emit, what: str, why: str, remedy: str) -> None:
    emit(WarningRaised(what, why, remedy), None)
