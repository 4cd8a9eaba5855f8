"""A folder of records by name that several processes fill at once, and that survives torn files."""

import hashlib
import uuid
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from engine.atomic_folder import is_another_live_process
from engine.contract.errors import DataError
from engine.record_file import CAPACITY, FOUND, KEY, Found, RecordFile


class RecordCache:
    """Records of `size` bytes each, named by what they were computed from, so that any run may read another's.

    In memory is a sorted index alone, 32 bytes a record. Records are read by their place and not mapped into memory:
    the pages that an epoch touches would count as memory of the worker, and a file that somebody cuts while it is
    mapped kills the process.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self._folder = folder
        self._size = size
        self._files: list[RecordFile] = []
        self._keys, self._places = np.empty(0, FOUND["key"]), np.empty(0, FOUND["place"])  # sorted by key, none twice
        self.damaged: list[Path] = []  # files in which something was torn; that counts as never written
        folder.mkdir(parents=True, exist_ok=True)
        for unfinished in folder.glob("*.tmp"):
            writer = unfinished.stem.rpartition(".")[2]
            if not writer.isdecimal() or not is_another_live_process(int(writer)):
                unfinished.unlink(missing_ok=True)  # its writer was killed
        self._take(*(self._open(path) for path in sorted(folder.glob("*.records"))))

    def _open(self, path: Path) -> Found:
        file = RecordFile(path, self._size)
        if file.is_cut_to_nothing():
            self.damaged.append(path)
            path.unlink(missing_ok=True)
            return np.empty(0, FOUND)
        found, was_damaged = file.records()
        if was_damaged:
            self.damaged.append(path)
        self._files.append(file)
        return self._numbered(found, len(self._files) - 1)

    @staticmethod
    def _numbered(found: Found, file: int) -> Found:
        """With slots that count through all files."""
        found["place"]["slot"] += file * CAPACITY
        return found

    def _take(self, *found: Found) -> None:
        """Put records into the index; of two with the same key it has one."""
        keys = np.concatenate([self._keys, *(part["key"] for part in found)])
        places = np.concatenate([self._places, *(part["place"] for part in found)])
        self._keys, chosen = np.unique(keys, return_index=True)
        self._places = places[chosen]

    def __contains__(self, name: str) -> bool:
        return self._find(name) is not None

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, name: str) -> bytes:
        """A record. Raises KeyError, or DataError if a byte is not the one that was written."""
        position = self._find(name)
        if position is None:
            raise KeyError(name)
        checksum, place = self._places[position].tolist()
        file, slot = self._files[place // CAPACITY], place % CAPACITY
        record: bytes = file.read(slot)
        if len(record) < self._size or zlib.crc32(record) != checksum:
            file.strike(slot)
            raise DataError(
                f"The cache file {file.path} is damaged",
                "A record in it does not have its checksum: the disk failed, or the file was edited.",
                "The record was struck out. `shoelora-tui resume` computes it anew.",
            )
        return record

    def _find(self, name: str) -> int | None:
        key = np.frombuffer(_key(name), self._keys.dtype)
        position = int(np.searchsorted(self._keys, key)[0])
        return position if np.array_equal(self._keys[position : position + 1], key) else None

    def add(self, records: Mapping[str, bytes]) -> None:
        """Write records; they are on the disk when this returns."""
        left = [(_key(name), record) for name, record in records.items()]
        while left:
            written = self._append(left)
            self._take(written)
            left = left[len(written) :]

    def _append(self, records: list[tuple[bytes, bytes]]) -> Found:
        """Those records that the first file with room takes, or a new one."""
        for number, file in enumerate(self._files):
            if len(written := file.append(records)):
                return self._numbered(written, number)
        self._files.append(RecordFile.create(self._folder / f"{uuid.uuid4().hex}.records", self._size))
        return self._numbered(self._files[-1].append(records), len(self._files) - 1)


def _key(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:KEY]
