"""A full disk: foreseen before the start where it can be, waited out where it cannot."""

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from safetensors import SafetensorError

from engine.contract.config import TrainingConfig
from engine.contract.protocol import WarningRaised
from engine.contract.run_dir import RunDir
from engine.dataset import read_dataset
from engine.estimate import disk_parts, model_bytes, shortage
from engine.inbox import Emit, Inbox

FULL = {errno.ENOSPC, errno.EDQUOT}

Result = TypeVar("Result")


def require_room(run: RunDir, config: TrainingConfig) -> None:
    """Compare what a new run will write with what is free. Raises TrainingError if the disk would fill up.

    A run that has begun already is let through: part of what it needs is on the disk.
    """
    folder = Path(config.train_data_dir)
    if any(run.checkpoints.glob("checkpoint-*")) or not folder.is_dir():
        return
    need = disk_parts(config, model_bytes(config.pretrained_model_name_or_path), len(read_dataset(folder).samples))
    if error := shortage(config, need, shutil.disk_usage(run.path).free):
        raise error


def is_full(error: Exception) -> bool:
    """Whether an error says that the disk takes no more; safetensors tells the number in words only."""
    if isinstance(error, OSError):
        return error.errno in FULL
    return any(f"(os error {number})" in str(error) for number in FULL)


def when_there_is_room(what: str, write: Callable[[], Result], inbox: Inbox, emit: Emit) -> Result:
    """Do `write`; while the disk is full, hold the run until somebody has made room and says resume, and try again.

    `write` has to leave nothing half-written when it fails. Raises StopRequested if the run is stopped instead.
    """
    while True:
        try:
            return write()
        except (OSError, SafetensorError) as error:
            if not is_full(error):
                raise
            reason = f"the disk is full: {what} could not be written"
        emit(WarningRaised(reason, "Nothing that exists was damaged.", "Make room, then resume the run."), None)
        inbox.hold(reason)
