"""A folder of records under every damage a disk can do, and under several writers."""

import fcntl
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.contract.errors import DataError
from engine.record_cache import RecordCache
from engine.record_file import CAPACITY, TABLE

SIZE = 16
COUNT = 20


def record(number: int) -> bytes:
    return number.to_bytes(8, "little") * 2


def records(first: int, count: int) -> dict[str, bytes]:
    return {f"picture {number}": record(number) for number in range(first, first + count)}


def assert_holds(cache: RecordCache, wanted: dict[str, bytes]) -> None:
    assert {name: cache[name] for name in wanted} == wanted


def test_what_a_file_cannot_take_goes_into_another(tmp_path: Path) -> None:
    cache = RecordCache(tmp_path, SIZE)
    cache.add(records(0, CAPACITY - 1))
    cache.add(records(CAPACITY - 1, 3))
    assert len(list(tmp_path.iterdir())) == 2
    for same in (cache, RecordCache(tmp_path, SIZE)):
        assert len(same) == CAPACITY + 2
        assert_holds(same, records(0, 3) | records(CAPACITY - 3, 5))


def test_a_cache_takes_few_bytes_of_memory_for_each_record_whatever_its_size(tmp_path: Path) -> None:
    count = 3 * CAPACITY
    cache = RecordCache(tmp_path, 1024)
    for first in range(0, count, CAPACITY):
        cache.add({f"picture {number}": bytes(1024) for number in range(first, first + CAPACITY)})
    del cache
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        cache = RecordCache(tmp_path, 1024)
        assert cache["picture 1"] == bytes(1024)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(cache) == count
    assert taken / count < 40


def test_writers_one_after_the_other_share_a_file(tmp_path: Path) -> None:
    """So the number of files does not grow with the number of runs."""
    for first in range(0, 30, 3):
        RecordCache(tmp_path, SIZE).add(records(first, 3))
    assert len(list(tmp_path.iterdir())) == 1
    assert_holds(RecordCache(tmp_path, SIZE), records(0, 30))


def test_a_writer_that_was_stopped_holds_up_nobody(tmp_path: Path) -> None:
    cache = RecordCache(tmp_path, SIZE)
    cache.add(records(0, 2))
    (path,) = tmp_path.iterdir()
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        cache.add(records(2, 2))
        assert_holds(cache, records(0, 4))
        assert_holds(RecordCache(tmp_path, SIZE), records(0, 4))
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_on_its_way_to_the_disk_is_not_taken_for_damage(tmp_path: Path) -> None:
    """Half an entry, while its writer has the lock; when nobody has, it is what a killed writer left."""
    RecordCache(tmp_path, SIZE).add(records(0, 2))
    (path,) = tmp_path.iterdir()
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(2 * 32)
        file.write(b"half")
        file.flush()
        cache = RecordCache(tmp_path, SIZE)
        assert cache.damaged == [] and len(cache) == 2
    cache = RecordCache(tmp_path, SIZE)
    assert cache.damaged == [path] and len(cache) == 2
    cache.add(records(2, 2))
    again = RecordCache(tmp_path, SIZE)
    assert again.damaged == []
    assert_holds(again, records(0, 4))


def test_processes_that_fill_a_folder_at_once_lose_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[1])\n"
        "from engine.record_cache import RecordCache\n"
        "cache, first = RecordCache(pathlib.Path(sys.argv[2]), 16), int(sys.argv[3])\n"
        "for n in range(first, first + 60, 3):\n"
        "    cache.add({f'picture {m}': m.to_bytes(8, 'little') * 2 for m in range(n, n + 4)})\n"
    )
    root = Path(__file__).resolve().parents[2]
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(root), str(tmp_path), str(first)]) for first in (0, 30, 60)
    ]
    assert [process.wait() for process in started] == [0, 0, 0]
    cache = RecordCache(tmp_path, SIZE)
    assert cache.damaged == [] and len(cache) == 121
    assert_holds(cache, records(0, 121))


def assert_nothing_wrong_is_read(folder: Path) -> None:
    """Each record is missing, or found damaged at the first read, or right; and what is lost can be written anew."""
    cache = RecordCache(folder, SIZE)
    lost = {}
    for name, wanted in records(0, COUNT).items():
        try:
            assert cache[name] == wanted
        except (KeyError, DataError):
            lost[name] = wanted
    again = RecordCache(folder, SIZE)
    assert again.damaged == [] and not any(name in again for name in lost)
    again.add(lost)
    assert_holds(RecordCache(folder, SIZE), records(0, COUNT))


def filled(folder: Path) -> Path:
    cache = RecordCache(folder, SIZE)
    cache.add(records(0, COUNT - 7))
    cache.add(records(COUNT - 7, 7))
    (path,) = folder.iterdir()
    return path


@settings(max_examples=25, deadline=None)
@given(length=st.integers(0, TABLE + COUNT * SIZE - 1) | st.integers(TABLE, TABLE + COUNT * SIZE - 1))
def test_a_file_cut_anywhere_gives_nothing_wrong(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    folder = tmp_path_factory.mktemp("cut")
    path = filled(folder)
    with path.open("r+b") as file:
        file.truncate(length)
    assert RecordCache(folder, SIZE).damaged == [path]
    assert_nothing_wrong_is_read(folder)


USED = st.integers(0, COUNT * 32 - 1) | st.integers(TABLE, TABLE + COUNT * SIZE - 1)


@settings(max_examples=40, deadline=None)
@given(position=USED | st.integers(0, TABLE - 1), flip=st.integers(1, 255), zeros=st.integers(0, 100))
def test_bytes_changed_anywhere_give_nothing_wrong(
    tmp_path_factory: pytest.TempPathFactory, position: int, flip: int, zeros: int
) -> None:
    """One other byte, and behind it zeros, as a disk leaves them that has a file's length but not its bytes."""
    folder = tmp_path_factory.mktemp("changed")
    path = filled(folder)
    content = bytearray(path.read_bytes())
    content[position] ^= flip
    end = min(len(content), position + 1 + zeros)
    content[position + 1 : end] = bytes(end - position - 1)
    path.write_bytes(content)
    assert_nothing_wrong_is_read(folder)


def test_a_file_of_records_of_another_size_holds_none_of_ours(tmp_path: Path) -> None:
    filled(tmp_path)
    assert len(RecordCache(tmp_path, SIZE // 2)) == 0
