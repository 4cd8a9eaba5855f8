"""A folder of fp32 tensors of one shape by key, that several processes fill at once and that survives torn files."""

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from engine.record_cache import RecordCache


class TensorCache:
    """Tensors keyed by what they were computed from, so that any run may read what another has written."""

    def __init__(self, folder: Path, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._records = RecordCache(folder, math.prod(shape) * torch.float32.itemsize)

    @property
    def damaged(self) -> list[Path]:
        """Files in which something was torn; that counts as never written."""
        return self._records.damaged

    def __contains__(self, key: str) -> bool:
        return key in self._records

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, key: str) -> Tensor:
        """A tensor. Raises KeyError, or DataError if a byte is not the one that was written."""
        return torch.frombuffer(bytearray(self._records[key]), dtype=torch.float32).reshape(self._shape)

    def add(self, tensors: Mapping[str, Tensor]) -> None:
        """Write tensors; they are on the disk when this returns."""
        for tensor in tensors.values():
            assert tensor.shape == self._shape and tensor.dtype == torch.float32
        self._records.add({key: tensor.numpy().tobytes() for key, tensor in tensors.items()})
