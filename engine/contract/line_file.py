"""A file to which whole lines are appended, and which survives a full disk."""

import contextlib
import os
from collections import deque
from pathlib import Path


class LineFile:
    """Writes each line through to the operating system; keeps what the disk does not take until it does."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._backlog: deque[bytes] = deque()
        self._torn_at: int | None = None  # length of the file before a line of which only a part was written
        length = self._length()
        if length and os.pread(self._descriptor, 1, length - 1) != b"\n":
            self._backlog.append(b"\n")  # a last line that a crash tore must not swallow the next one
            self.catch_up()

    def append(self, line: bytes) -> None:
        """Write a line, without its end; if the disk does not take it now, it is kept and written in its turn."""
        self._backlog.append(line + b"\n")
        self.catch_up()

    def catch_up(self) -> None:
        """Write what could not be written before, as far as there is room for whole lines."""
        with contextlib.suppress(OSError):  # no space, quota, a failing disk: tried again at the next call
            while self._backlog:
                self._mend()
                self._write(self._backlog[0])
                self._backlog.popleft()

    def sync(self) -> None:
        """Wait until the disk has everything that was written, so that it outlives a power cut."""
        with contextlib.suppress(OSError):
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Write what there is room for, flush to disk and close."""
        self.catch_up()
        self.sync()
        os.close(self._descriptor)

    def _write(self, line: bytes) -> None:
        self._torn_at = self._length()
        while line:
            line = line[os.write(self._descriptor, line) :]
        self._torn_at = None

    def _mend(self) -> None:
        """Cut off the part of a line that a full disk has left."""
        if self._torn_at is not None:
            os.ftruncate(self._descriptor, self._torn_at)
            self._torn_at = None

    def _length(self) -> int:
        return os.fstat(self._descriptor).st_size
