"""The journal of a run, events.jsonl: appended by the supervisor alone, replayed and followed by anyone."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from engine.contract.line_file import LineFile
from engine.contract.protocol import Event, Record
from engine.contract.wire import ProtocolError, decode_record, encode_record

CHUNK = 2**15  # bytes; some hundred records, few enough that Python's search for garbage stays quick
FOLLOW_INTERVAL = 0.1  # seconds between looks at the file; a person sees no difference below that


E = TypeVar("E", bound=Event)


class JournalWriter:
    """Appends numbered records. One per run at a time: the run's lock sees to it.

    Nothing raises OSError once it is open: what a full disk does not take is written in order when there is room.
    """

    def __init__(self, path: Path) -> None:
        self._lines = LineFile(path)
        self._seq = _last_number(path)

    def append(self, event: Event, command_id: str | None = None, moment: float | None = None) -> Record:
        """Write one record through to the operating system, so that it outlives this process."""
        record = Record(self._seq + 1, time.time() if moment is None else moment, event, command_id)
        self._lines.append(encode_record(record).encode())
        self._seq = record.seq
        return record

    def catch_up(self) -> None:
        """Write what a full disk has not taken, as far as there is room now."""
        self._lines.catch_up()

    def sync(self) -> None:
        """Wait until the disk has everything, so that it outlives a power cut."""
        self._lines.sync()

    def close(self) -> None:
        """Flush to disk and close."""
        self._lines.close()


class JournalReader:
    """Reads what has been appended since the last look; a line without its end is left for the next look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.damaged_lines = 0
        self.is_at_end = False  # whether the last look read all there was
        self.has_torn_end = False  # whether a line without its end was left, which nobody alive will complete

    def read_new(self, most: int = -1) -> list[Record]:
        """The complete records since the last call, of about `most` bytes; what is no record is counted and skipped."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read(most)
                if most >= 0:
                    data += file.readline()
                self.is_at_end = not file.read(1)
        except FileNotFoundError:
            self.is_at_end = True
            return []
        complete = data[: data.rfind(b"\n") + 1]
        self._offset += len(complete)
        self.has_torn_end = self.is_at_end and len(complete) < len(data)
        records = []
        for line in complete.splitlines():
            try:
                records.append(decode_record(line))
            except ProtocolError:
                self.damaged_lines += 1
        return records

    def read_all(self) -> Iterator[Record]:
        """The complete records from here to the end, without ever holding all of them."""
        self.is_at_end = False
        while not self.is_at_end:
            yield from self.read_new(CHUNK)

    def unreadable_lines(self, live: bool) -> int:
        """How many lines so far are no records; of a run that is not live, a last line without its end is one, too."""
        return self.damaged_lines + (self.has_torn_end and not live)


def _last_number(path: Path) -> int:
    """The highest number in a journal, also of a last line that lacks only its end; line by line, to stay small."""
    last = 0
    with path.open("rb") as file:
        for line in file:
            with contextlib.suppress(ProtocolError):
                last = max(last, decode_record(line).seq)
    return last


def replay(path: Path) -> list[Record]:
    """Every record of a journal; empty if there is none."""
    return JournalReader(path).read_new()


def newest(path: Path, kind: type[E]) -> E | None:
    """The last event of one kind, None if there is none; lines of other kinds are not decoded."""
    name = f'"{kind.__name__}"'.encode()
    found: E | None = None
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        for line in file:
            if name in line:
                with contextlib.suppress(ProtocolError):
                    event = decode_record(line).event
                    found = event if isinstance(event, kind) else found
    return found


def follow(path: Path, until: Callable[[], bool], after_seq: int = 0) -> Iterator[Record]:
    """Records with a higher number than `after_seq`, as they come, until `until()` is true and all has been read."""
    reader = JournalReader(path)
    while True:
        ended = until()  # asked before the read, so that nothing written until then is missed
        for record in reader.read_new():
            if record.seq > after_seq:
                yield record
        if ended:
            return
        time.sleep(FOLLOW_INTERVAL)
