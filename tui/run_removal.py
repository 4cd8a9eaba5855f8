"""What belongs to a run on disk, how much it is, and how it is removed."""

import contextlib
import os
import shutil
from collections.abc import Sequence
from glob import escape
from pathlib import Path

from engine.contract.errors import RunError
from engine.contract.run_dir import RunDir, RunLock


def belongings(run: RunDir) -> list[Path]:
    """The run's folder, and its logs of every start; the cache of latents is shared with other runs and stays."""
    return [run.path, *sorted(run.workspace.logs.glob(f"*/train_{escape(run.name)}"))]


def size_of(paths: Sequence[Path]) -> int:
    """Bytes in all files under the paths; walks them, so it is for a thread."""
    total = 0
    for path in paths:
        for folder, _, files in os.walk(path):
            for name in files:
                with contextlib.suppress(OSError):  # it was removed meanwhile
                    total += (Path(folder) / name).lstat().st_size
    return total


def remove(run: RunDir) -> None:
    """Remove all that belongs to a run; takes a while, so it is for a thread.

    Raises RunError if a supervisor works on it, or if the system does not let a file go.
    """
    lock = RunLock.acquire(run)  # so that nobody resumes it meanwhile
    try:
        folder, *logs = belongings(run)
        for path in (*logs, folder):  # the folder last: until then the run is still listed and can be removed again
            shutil.rmtree(path)
        for day in {path.parent for path in logs}:
            with contextlib.suppress(OSError):  # another run of that day has logs there
                day.rmdir()
    except OSError as error:
        raise RunError(
            f"Run {run.name} could not be removed", f"{error.strerror}: {error.filename}", "Remove the rest by hand."
        ) from error
    finally:
        lock.release()
