"""SHA-256 of picture files, remembered by what the file system says of a file, so that a second start reads none."""

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from engine.contract.errors import DataError
from engine.dataset import Sample
from engine.record_cache import RecordCache

TOGETHER = 64  # files that a thread reads at a time, and that are remembered at once
SETTLED = 2 * 10**9  # nanoseconds; the clock of FAT, the coarsest of all file systems, counts in these


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class PictureDigests:
    """Reads in threads, from the moment that it is made, the pictures whose digest is not known.

    A file is known by device, inode, size and times, as git knows it. One of the times is that of the last change to
    the inode, which no program can set: also a picture that was edited and got its old size and time is read again.
    """

    def __init__(self, folder: Path, samples: Sequence[Sample], threads: int) -> None:
        self._known = RecordCache(folder / "digests", hashlib.sha256().digest_size)
        self._digests = {sample.id: self._remembered(sample.image) for sample in samples}
        unknown = [sample for sample in samples if not self._digests[sample.id]]
        parts = [unknown[first : first + TOGETHER] for first in range(0, len(unknown), TOGETHER)]
        self._pool = ThreadPoolExecutor(max(1, threads))
        self._parts = [(part, self._pool.submit(_read, part)) for part in parts]

    @property
    def damaged(self) -> list[Path]:
        """Files of this memory in which something was torn."""
        return self._known.damaged

    def __enter__(self) -> "PictureDigests":
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._pool.shutdown(cancel_futures=True)

    def of_all(self, progress: Callable[[int, int], None]) -> dict[str, str]:
        """By sample id, when all are read; of a picture that cannot be read, a text that no cache knows."""
        unknown = sum(len(part) for part, _ in self._parts)
        done = 0
        for part, reading in self._parts:
            read = reading.result()
            self._digests.update(zip((sample.id for sample in part), (digest for digest, _ in read), strict=True))
            self._known.add({name: bytes.fromhex(digest) for digest, name in read if name})
            done += len(part)
            progress(done, unknown)
        return self._digests

    def _remembered(self, path: Path) -> str:
        """The digest; empty if it is not known."""
        try:
            return self._known[_name(path.stat())].hex()
        except (OSError, KeyError, DataError):
            return ""


def _read(samples: Sequence[Sample]) -> list[tuple[str, str]]:
    """The digest of each picture, and the name to remember it by: empty where that would not be safe."""
    return [_read_one(sample) for sample in samples]


def _read_one(sample: Sample) -> tuple[str, str]:
    now = time.time_ns()
    try:
        status = sample.image.stat()
        digest = file_digest(sample.image)
    except OSError:
        return f"unreadable {sample.id}", ""
    # What was written a moment ago can be written once more and keep its time.
    return digest, _name(status) if now - max(status.st_mtime_ns, status.st_ctime_ns) > SETTLED else ""


def _name(status: os.stat_result) -> str:
    return f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
