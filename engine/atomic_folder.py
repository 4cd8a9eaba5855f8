"""Write a folder so that it appears whole or not at all, and an older one goes only when the new one is complete."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_folder(
    folder: Path, *, replace: bool = True, verify: Callable[[Path], object] | None = None
) -> Iterator[Path]:
    """A new empty folder to write into; when the block ends well it is flushed to disk and takes `folder`'s place.

    `verify` looks at what was flushed and raises if it may not do so. Without `replace`, a folder that another process
    finished meanwhile is kept and the new one dropped. After an exception nothing has changed. What processes that
    died here left over is removed first.
    """
    _remove_leftovers(folder)
    fresh = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    fresh.mkdir(parents=True)
    try:
        yield fresh
        _flush(fresh)
        if verify:
            verify(fresh)
        if replace and folder.exists():
            folder.rename(old)  # a full folder cannot be renamed over another
        try:
            fresh.rename(folder)
        except OSError:
            if replace or not folder.exists():
                raise
            shutil.rmtree(fresh)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        if old.exists() and not folder.exists():
            old.rename(folder)
        raise
    _flush_entry(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _remove_leftovers(folder: Path) -> None:
    """Half-written folders, which may be gigabytes, of processes that are gone, and of this one.

    An old folder whose place is empty goes back there: its process died between the two renames.
    """
    for leftover in folder.parent.glob(f".{folder.name}.*"):
        name, _, kind = leftover.name.rpartition(".")
        process = name.rpartition(".")[2]
        if kind in {"new", "old"} and process.isdecimal() and not is_another_live_process(int(process)):
            if kind == "old" and not folder.exists():
                leftover.rename(folder)
            else:
                shutil.rmtree(leftover, ignore_errors=True)


def is_another_live_process(process: int) -> bool:
    """Whether a process with this id lives and is not this one."""
    if process == os.getpid():
        return False
    with contextlib.suppress(PermissionError):  # it lives, but is somebody else's
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
    return True


def _flush(folder: Path) -> None:
    """Wait until the disk has every file below a folder, and their names."""
    for path in [folder, *folder.rglob("*")]:
        _flush_entry(path)


def _flush_entry(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
