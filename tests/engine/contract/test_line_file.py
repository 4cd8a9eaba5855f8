"""Lines survive a full disk: a real limit on a file's size, which the system enforces as it does a full disk."""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.contract.journal import JournalReader, JournalWriter, replay
from engine.contract.line_file import LineFile
from engine.contract.protocol import LogRecorded

Limit = Callable[[int], None]
# Runs on a file system of 64 KiB that only it can see; prints what the file holds at each stage.
ON_A_REAL_FULL_DISK = """
import os, sys
from pathlib import Path
from engine.contract.journal import JournalWriter, replay
from engine.contract.protocol import LogRecorded
folder = Path(sys.argv[1])
journal = JournalWriter(folder / "events.jsonl")
journal.append(LogRecorded("info", "before"))
try:
    with open(folder / "hog", "wb", buffering=0) as hog:
        while True:
            hog.write(bytes(1024))
except OSError as error:
    assert error.errno == 28, error
for number in range(100):
    journal.append(LogRecorded("info", str(number) + "x" * 200))
assert len(replay(folder / "events.jsonl")) < 101
(folder / "hog").unlink()
journal.close()
assert [record.seq for record in replay(folder / "events.jsonl")] == list(range(1, 102))
print("whole")
"""


@pytest.fixture
def limit() -> Iterator[Limit]:
    """Sets the greatest size that a file may have; a longer write is cut short there, the next one fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_finds_no_room_is_written_in_order_when_there_is_room(tmp_path: Path, limit: Limit) -> None:
    path = tmp_path / "log"
    lines = LineFile(path)
    lines.append(b"first")
    limit(10)
    for line in (b"second", b"third"):
        lines.append(line)
    assert path.read_bytes() == b"first\nseco"
    lines.catch_up()
    assert path.read_bytes() == b"first\nseco", "still full, and still no more than half a line"
    limit(resource.RLIM_INFINITY)
    lines.append(b"fourth")
    assert path.read_bytes() == b"first\nsecond\nthird\nfourth\n"
    lines.close()


def test_catching_up_needs_no_new_line(tmp_path: Path, limit: Limit) -> None:
    lines = LineFile(tmp_path / "log")
    limit(3)
    lines.append(b"second")
    limit(resource.RLIM_INFINITY)
    lines.catch_up()
    assert (tmp_path / "log").read_bytes() == b"second\n"
    lines.close()


def test_closing_on_a_full_disk_leaves_whole_lines_and_perhaps_half_of_one(tmp_path: Path, limit: Limit) -> None:
    path = tmp_path / "log"
    lines = LineFile(path)
    lines.append(b"first")
    limit(8)
    lines.append(b"second")
    lines.close()
    limit(resource.RLIM_INFINITY)
    again = LineFile(path)
    again.append(b"third")
    again.close()
    assert path.read_bytes() == b"first\nse\nthird\n"


def test_a_journal_has_no_gap_and_no_damage_after_a_full_disk(tmp_path: Path, limit: Limit) -> None:
    path = tmp_path / "events.jsonl"
    journal, reader = JournalWriter(path), JournalReader(path)
    for size in (1000, 1500, 1501, 4000, resource.RLIM_INFINITY):
        limit(size)
        for _ in range(10):
            journal.append(LogRecorded("info", "x" * 50))
        journal.sync()
    limit(resource.RLIM_INFINITY)
    journal.close()
    assert [record.seq for record in reader.read_new()] == [*range(1, 51)]
    assert reader.damaged_lines == 0
    assert len(replay(path)) == 50


def test_a_follower_sees_nothing_of_half_a_line(tmp_path: Path, limit: Limit) -> None:
    path = tmp_path / "events.jsonl"
    journal, reader = JournalWriter(path), JournalReader(path)
    seen = []
    for size in (150, 300, 450, resource.RLIM_INFINITY):
        limit(size)
        journal.append(LogRecorded("info", "x" * 50))
        seen += [record.seq for record in reader.read_new()]
    limit(resource.RLIM_INFINITY)
    assert seen == [1, 2, 3, 4] and reader.damaged_lines == 0
    journal.close()


@pytest.mark.skipif(not shutil.which("unshare"), reason="only Linux lets a user mount a small file system for himself")
def test_a_journal_on_a_disk_that_is_really_full(tmp_path: Path) -> None:
    mount = 'mount -t tmpfs -o size=64k none "$1" && shift && exec "$@"'
    isolated = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh", str(tmp_path)]
    if subprocess.run([*isolated, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system forbids user namespaces")
    command = [*isolated, sys.executable, "-c", ON_A_REAL_FULL_DISK, str(tmp_path)]
    root = str(Path(__file__).parents[3])
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": root})
    assert (done.stdout, done.stderr) == ("whole\n", "")
