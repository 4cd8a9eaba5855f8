"""One file of records of one size behind a table of their keys: it only grows, and what is torn in it is noticed."""

import fcntl
import os
import weakref
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

CAPACITY = 8192  # records in a file; with SD 1.5's latents at 512 px that is 1 GiB
KEY = 24  # bytes of a key
ENTRY = np.dtype([("key", f"S{KEY}"), ("sum", "<u4"), ("check", "<u4")])  # 32 bytes: none lies across two disk blocks
TABLE = CAPACITY * ENTRY.itemsize  # bytes before the first record
STRUCK = bytes(KEY)  # in the place of the key of a record that was found damaged
PLACE = np.dtype([("sum", "<u4"), ("slot", "<u4")])  # where a record lies, and the CRC-32 of its bytes
FOUND = np.dtype([("key", f"S{KEY}"), ("place", PLACE)])

Found: TypeAlias = NDArray[Any]  # structured as FOUND


class RecordFile:
    """Slots for records of `size` bytes, filled in order and never used twice.

    The table has for each slot the key, the CRC-32 of the record, and the CRC-32 of the entry itself. A record is on
    the disk before its entry is, so a writer that is killed leaves nothing that counts. Several processes may have the
    file open: one at a time appends, and nobody moves what is there.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self._size = size
        self._file = path.open("r+b", buffering=0)
        weakref.finalize(self, self._file.close)

    @classmethod
    def create(cls, path: Path, size: int) -> "RecordFile":
        """An empty file; it gets its name when its table is on the disk."""
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        with temporary.open("xb") as file:
            file.truncate(TABLE)
            os.fsync(file.fileno())
        temporary.rename(path)
        return cls(path, size)

    def is_cut_to_nothing(self) -> bool:
        """Whether the file is too short to hold any record."""
        return self._length() < TABLE

    def records(self) -> tuple[Found, bool]:
        """All good records; and whether there were others, which are struck out now.

        Whether a record has the bytes that belong to its entry is not looked at before it is read.
        """
        found, damaged, _ = self._read_table()
        if damaged:
            with self._locked() as alone:  # otherwise they may be on their way to the disk at this moment
                found, damaged, _ = self._read_table() if alone else (found, [], 0)
                self.strike(*damaged)
        return found, bool(damaged)

    def read(self, slot: int) -> bytes:
        """A record; shorter than it should be if the file was cut."""
        return os.pread(self._file.fileno(), self._size, TABLE + slot * self._size)

    def append(self, records: Sequence[tuple[bytes, bytes]]) -> Found:
        """Write keys and records; returns those for which there was room: none while another process appends."""
        with self._locked() as alone:
            first = self._read_table()[2] if alone else CAPACITY
            fitting = records[: CAPACITY - first]
            if fitting:
                self._write(TABLE + first * self._size, b"".join(record for _, record in fitting))
                os.fsync(self._file.fileno())
                self._write(first * ENTRY.itemsize, b"".join(self._entry(key, record) for key, record in fitting))
                os.fsync(self._file.fileno())
        rows = [(key, (zlib.crc32(record), first + number)) for number, (key, record) in enumerate(fitting)]
        return np.array(rows, FOUND)

    def strike(self, *slots: int) -> None:
        """Mark records as damaged, for everyone who opens the file from now on."""
        for slot in slots:
            self._write(slot * ENTRY.itemsize, self._entry(STRUCK, b""))
        os.fsync(self._file.fileno())

    def _entry(self, key: bytes, record: bytes) -> bytes:
        entry = key + zlib.crc32(record).to_bytes(4, "little")
        return entry + zlib.crc32(entry, self._size).to_bytes(4, "little")  # holds for records of this size alone

    def _read_table(self) -> tuple[Found, list[int], int]:
        """The good records, the slots of damaged ones, and the first slot that nobody has written to."""
        raw = os.pread(self._file.fileno(), TABLE, 0)
        written = np.flatnonzero(np.frombuffer(raw, "<u8").reshape(CAPACITY, -1).any(axis=1))
        table, whole = np.frombuffer(raw, ENTRY), (self._length() - TABLE) // self._size
        good: list[int] = []
        damaged: list[int] = []
        for slot in written.tolist():
            entry = raw[slot * ENTRY.itemsize : (slot + 1) * ENTRY.itemsize]
            if zlib.crc32(entry[:-4], self._size) != int.from_bytes(entry[-4:], "little"):
                damaged.append(slot)
            elif not entry.startswith(STRUCK):
                (good if slot < whole else damaged).append(slot)
        found = np.empty(len(good), FOUND)
        found["key"], found["place"]["sum"], found["place"]["slot"] = table["key"][good], table["sum"][good], good
        return found, damaged, int(written[-1]) + 1 if len(written) else 0

    def _length(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        """Whether this process alone may write; never waits, since another one may have been stopped while writing."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _write(self, position: int, data: bytes) -> None:
        self._file.seek(position)
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]
