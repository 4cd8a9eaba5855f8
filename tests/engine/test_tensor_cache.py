"""A folder of tensors that survives torn files, interruptions and other writers."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from engine import tensor_cache
from engine.contract.errors import DataError
from engine.tensor_cache import TensorCache


def numbers(first: int, count: int) -> dict[str, Tensor]:
    return {f"key{number}": torch.full((2, 3), float(number)) for number in range(first, first + count)}


def assert_holds(cache: TensorCache, tensors: dict[str, Tensor]) -> None:
    assert all(key in cache and torch.equal(cache[key], tensor) for key, tensor in tensors.items())


def test_what_was_added_is_there_at_once_and_for_the_next_process(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "cache"
    cache = TensorCache(folder)
    assert len(cache) == 0
    cache.add(numbers(0, 3))
    cache.add(numbers(3, 2))
    cache.add({})
    assert len(cache) == 5
    assert_holds(cache, numbers(0, 5))
    again = TensorCache(folder)
    assert len(again) == 5
    assert_holds(again, numbers(0, 5))
    assert "key5" not in again
    with pytest.raises(KeyError):
        again["key5"]
    assert len(list(folder.iterdir())) == 2
    assert again.damaged == []


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.int64])
def test_tensors_keep_type_and_shape_and_every_bit(tmp_path: Path, dtype: torch.dtype) -> None:
    tensor = (torch.randn(5, 7, generator=torch.Generator().manual_seed(0)) * 100).to(dtype).t()  # not contiguous
    cache = TensorCache(tmp_path)
    cache.add({"a": tensor})
    assert cache["a"].dtype == dtype
    assert torch.equal(cache["a"], tensor)


@pytest.mark.parametrize("keep", [0, 4, 40, -1])
def test_a_torn_file_is_removed_and_told_and_the_others_are_kept(tmp_path: Path, keep: int) -> None:
    cache = TensorCache(tmp_path)
    cache.add(numbers(0, 2))
    (torn,) = tmp_path.iterdir()
    cache.add(numbers(2, 2))
    torn.write_bytes(torn.read_bytes()[:keep])
    again = TensorCache(tmp_path)
    assert again.damaged == [torn]
    assert not torn.exists()
    assert "key0" not in again
    assert_holds(again, numbers(2, 2))
    again.add(numbers(0, 2))
    assert_holds(TensorCache(tmp_path), numbers(0, 4))


def test_two_writers_of_one_folder_do_not_disturb_each_other(tmp_path: Path) -> None:
    one, other = TensorCache(tmp_path), TensorCache(tmp_path)
    for first in range(0, 12, 4):
        one.add(numbers(first, 4))
        other.add(numbers(first + 2, 4))  # some of them the other one has written too
    assert_holds(one, {**numbers(0, 4), **numbers(4, 4)})
    assert_holds(TensorCache(tmp_path), numbers(0, 14))


def test_a_file_that_another_process_removes_stays_readable_where_it_is_open(tmp_path: Path) -> None:
    cache = TensorCache(tmp_path)
    cache.add(numbers(0, 2))
    for file in tmp_path.iterdir():
        file.unlink()
    assert_holds(cache, numbers(0, 2))


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["save", "flush"])
def test_an_interrupted_write_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, where: str
) -> None:
    def fails(*_: Any) -> None:
        raise error

    def tears(_: dict[str, Tensor], path: Path, **_options: object) -> None:
        path.write_bytes(b"half")
        raise error

    cache = TensorCache(tmp_path)
    cache.add(numbers(0, 2))
    before = list(tmp_path.iterdir())
    with monkeypatch.context() as patch:
        if where == "save":
            patch.setattr(tensor_cache, "save_file", tears)
        else:
            patch.setattr(os, "fsync", fails)
        with pytest.raises(type(error)):
            cache.add(numbers(2, 2))
    assert list(tmp_path.iterdir()) == before
    assert len(cache) == 2
    cache.add(numbers(2, 2))
    assert_holds(TensorCache(tmp_path), numbers(0, 4))


def test_what_a_killed_writer_left_is_not_read(tmp_path: Path) -> None:
    cache = TensorCache(tmp_path)
    cache.add(numbers(0, 2))
    (file,) = tmp_path.iterdir()
    file.rename(file.with_suffix(".tmp"))
    assert len(TensorCache(tmp_path)) == 0


@pytest.mark.parametrize("wrong", [torch.zeros(3, 2), torch.zeros(2, 3, dtype=torch.float16)])
def test_a_file_that_somebody_edited_into_other_shapes_counts_as_damaged(tmp_path: Path, wrong: torch.Tensor) -> None:
    TensorCache(tmp_path).add({"good": torch.ones(2, 3)})
    TensorCache(tmp_path).add({"also good": torch.ones(2, 3), "wrong": wrong})
    cache = TensorCache(tmp_path, (2, 3))
    assert "good" in cache and "also good" not in cache and "wrong" not in cache
    assert len(cache.damaged) == 1 and len(list(tmp_path.iterdir())) == 1


def test_a_flipped_byte_is_noticed_at_the_first_read_and_the_file_is_removed(tmp_path: Path) -> None:
    TensorCache(tmp_path).add({"a": torch.ones(4), "b": torch.zeros(4)})
    (part,) = tmp_path.iterdir()
    content = bytearray(part.read_bytes())
    content[-1] ^= 1
    part.write_bytes(content)
    cache = TensorCache(tmp_path)
    assert torch.equal(cache["a"], torch.ones(4)), "the byte is in the other tensor"
    with pytest.raises(DataError, match="is damaged") as raised:
        cache["b"]
    assert "resume" in raised.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_writer_left_is_removed_and_a_live_ones_is_not(tmp_path: Path) -> None:
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    (tmp_path / f"a.{int(dead.stdout)}.tmp").write_bytes(b"half")
    (tmp_path / f"b.{os.getppid()}.tmp").write_bytes(b"half")
    TensorCache(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"b.{os.getppid()}.tmp"]
