"""A folder of tensors by key, in safetensors files that are written whole or not at all."""

import contextlib
import os
import uuid
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from engine.atomic_folder import is_another_live_process
from engine.contract.errors import DataError


class TensorCache:
    """Tensors keyed by what they were computed from, so that any run may read what another has written.

    Each `add` makes one file. Files are memory-mapped, so only what is read takes memory. Every tensor is fp32 and has
    the same shape, if one is given; a file in which one differs was edited, and counts as damaged.
    """

    def __init__(self, folder: Path, shape: tuple[int, ...] | None = None) -> None:
        self._folder = folder
        self._shape = shape
        self._files: dict[str, tuple[Path, Any]] = {}  # key to the open file that holds it
        self._verified: set[str] = set()  # keys whose bytes were compared with their checksum
        self.damaged: list[Path] = []
        folder.mkdir(parents=True, exist_ok=True)
        for unfinished in folder.glob("*.tmp"):
            writer = unfinished.stem.rpartition(".")[2]
            if not writer.isdecimal() or not is_another_live_process(int(writer)):
                unfinished.unlink(missing_ok=True)  # its writer was killed
        for part in sorted(folder.glob("*.safetensors")):
            self._open(part)

    def _open(self, part: Path) -> None:
        """Index a file; one that is damaged is removed, and its tensors are computed anew."""
        try:
            file: Any = safe_open(part, framework="pt")
            keys = list(file.keys())
            sums = file.metadata() or {}
            sound = all(key in sums and self._fits(file.get_slice(key)) for key in keys)
        except (SafetensorError, OSError):
            sound = False
        if not sound:
            self.damaged.append(part)
            part.unlink(missing_ok=True)
            return
        self._files.update(dict.fromkeys(keys, (part, file)))

    def _fits(self, tensor: Any) -> bool:
        return self._shape is None or (tuple(tensor.get_shape()) == self._shape and tensor.get_dtype() == "F32")

    def __contains__(self, key: str) -> bool:
        return key in self._files

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, key: str) -> Tensor:
        """A tensor. Raises DataError, and removes its file, if a byte is not the one that was written."""
        part, file = self._files[key]
        tensor: Tensor = file.get_tensor(key)
        if key not in self._verified:
            if file.metadata()[key] != _checksum(tensor):
                part.unlink(missing_ok=True)
                raise DataError(
                    f"The cache file {part} is damaged",
                    "A tensor in it does not have its checksum: the disk failed, or the file was edited.",
                    "The file was removed. `shoelora-tui resume` computes it anew.",
                )
            self._verified.add(key)
        return tensor

    def add(self, tensors: Mapping[str, Tensor]) -> None:
        """Write tensors into a new file, flushed to disk before it gets its name."""
        if not tensors:
            return
        part = self._folder / f"{uuid.uuid4().hex}.safetensors"
        temporary = part.with_suffix(f".{os.getpid()}.tmp")
        try:
            whole = {key: tensor.contiguous() for key, tensor in tensors.items()}
            save_file(whole, temporary, metadata={key: _checksum(tensor) for key, tensor in whole.items()})
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(part)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        self._open(part)


def _checksum(tensor: Tensor) -> str:
    """CRC-32 of a tensor's bytes: against accidents, at 0.1 ms for the latents of SD 1.5."""
    return f"{zlib.crc32(tensor.numpy().tobytes()):08x}"
