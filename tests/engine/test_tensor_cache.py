"""A folder of tensors that survives torn files, interruptions and other writers."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.contract.errors import DataError
from engine.record_file import RecordFile
from engine.tensor_cache import TensorCache

SHAPE = (2, 3)


def numbers(first: int, count: int) -> dict[str, Tensor]:
    return {f"key{number}": torch.full(SHAPE, float(number)) for number in range(first, first + count)}


def assert_holds(cache: TensorCache, tensors: dict[str, Tensor]) -> None:
    assert all(key in cache and torch.equal(cache[key], tensor) for key, tensor in tensors.items())


def test_what_was_added_is_there_at_once_and_for_the_next_process(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "cache"
    cache = TensorCache(folder, SHAPE)
    assert len(cache) == 0
    cache.add(numbers(0, 3))
    cache.add(numbers(3, 2))
    cache.add({})
    assert len(cache) == 5
    assert_holds(cache, numbers(0, 5))
    again = TensorCache(folder, SHAPE)
    assert len(again) == 5
    assert_holds(again, numbers(0, 5))
    assert "key5" not in again
    with pytest.raises(KeyError):
        again["key5"]
    assert again.damaged == []


def test_tensors_keep_every_bit_and_may_be_changed(tmp_path: Path) -> None:
    bits = np.random.default_rng(0).integers(0, 2**32, (3, 2), dtype=np.uint32)  # with numbers that are not finite
    tensor = torch.from_numpy(bits.view(np.float32)).t()  # not contiguous
    TensorCache(tmp_path, SHAPE).add({"a": tensor})
    cache = TensorCache(tmp_path, SHAPE)
    assert np.array_equal(cache["a"].numpy().view(np.uint32), bits.T)
    cache["a"].zero_()
    assert np.array_equal(cache["a"].numpy().view(np.uint32), bits.T)


@pytest.mark.parametrize(("keep", "lost"), [(0, 2), (4, 2), (40, 2), (-25, 2), (-24, 1), (-1, 1)])
def test_what_a_torn_file_lost_is_told_and_the_rest_is_kept(tmp_path: Path, keep: int, lost: int) -> None:
    TensorCache(tmp_path, SHAPE).add(numbers(0, 2))
    (torn,) = tmp_path.iterdir()
    content = torn.read_bytes()
    torn.unlink()
    TensorCache(tmp_path, SHAPE).add(numbers(2, 2))
    torn.write_bytes(content[:keep])
    again = TensorCache(tmp_path, SHAPE)
    assert again.damaged == [torn]
    assert len(again) == 4 - lost
    assert_holds(again, numbers(0, 2 - lost) | numbers(2, 2))
    assert TensorCache(tmp_path, SHAPE).damaged == []
    again.add(numbers(2 - lost, lost))
    assert_holds(TensorCache(tmp_path, SHAPE), numbers(0, 4))


def test_two_writers_of_one_folder_do_not_disturb_each_other(tmp_path: Path) -> None:
    one, other = TensorCache(tmp_path, SHAPE), TensorCache(tmp_path, SHAPE)
    for first in range(0, 12, 4):
        one.add(numbers(first, 4))
        other.add(numbers(first + 2, 4))  # some of them the other one has written too
    assert_holds(one, {**numbers(0, 4), **numbers(4, 4)})
    assert_holds(TensorCache(tmp_path, SHAPE), numbers(0, 14))


def test_a_file_that_somebody_removes_stays_readable_where_it_is_open(tmp_path: Path) -> None:
    cache = TensorCache(tmp_path, SHAPE)
    cache.add(numbers(0, 2))
    for file in tmp_path.iterdir():
        file.unlink()
    assert_holds(cache, numbers(0, 2))


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["write", "flush"])
def test_an_interrupted_write_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, where: str
) -> None:
    def fails(*_: Any) -> None:
        raise error

    def tears(file: RecordFile, position: int, data: bytes) -> None:
        written(file, position, data[: len(data) // 2])
        raise error

    written = RecordFile._write
    cache = TensorCache(tmp_path, SHAPE)
    cache.add(numbers(0, 2))
    with monkeypatch.context() as patch:
        if where == "write":
            patch.setattr(RecordFile, "_write", tears)
        else:
            patch.setattr(os, "fsync", fails)
        with pytest.raises(type(error)):
            cache.add(numbers(2, 2))
    for same in (cache, TensorCache(tmp_path, SHAPE)):
        assert same.damaged == [] and len(same) == 2
    cache.add(numbers(2, 2))
    assert_holds(TensorCache(tmp_path, SHAPE), numbers(0, 4))
    assert len(list(tmp_path.iterdir())) == 1


def test_what_a_killed_writer_left_is_not_read(tmp_path: Path) -> None:
    cache = TensorCache(tmp_path, SHAPE)
    cache.add(numbers(0, 2))
    (file,) = tmp_path.iterdir()
    file.rename(file.with_suffix(".tmp"))
    assert len(TensorCache(tmp_path, SHAPE)) == 0


def test_a_flipped_byte_is_noticed_at_each_read_and_the_tensor_is_lost(tmp_path: Path) -> None:
    TensorCache(tmp_path, SHAPE).add({"a": torch.ones(SHAPE), "b": torch.zeros(SHAPE)})
    (part,) = tmp_path.iterdir()
    content = bytearray(part.read_bytes())
    content[-1] ^= 1
    part.write_bytes(content)
    cache = TensorCache(tmp_path, SHAPE)
    assert torch.equal(cache["a"], torch.ones(SHAPE)), "the byte is in the other tensor"
    for _ in range(2):
        with pytest.raises(DataError, match="is damaged") as raised:
            cache["b"]
    assert "resume" in raised.value.remedy
    again = TensorCache(tmp_path, SHAPE)
    assert "a" in again and "b" not in again


def test_what_a_killed_writer_left_is_removed_and_a_live_ones_is_not(tmp_path: Path) -> None:
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    (tmp_path / f"a.{int(dead.stdout)}.tmp").write_bytes(b"half")
    (tmp_path / f"b.{os.getppid()}.tmp").write_bytes(b"half")
    TensorCache(tmp_path, SHAPE)
    assert [path.name for path in tmp_path.iterdir()] == [f"b.{os.getppid()}.tmp"]
