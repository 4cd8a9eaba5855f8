"""Faults of disk, pipe and device, inside the processes of one trial; Python imports this by itself from PYTHONPATH.

It does nothing unless SHOELORA_TORTURE names a plan: a JSON file with the workspace that is watched and the faults to
come. Nothing of the code under test is touched, only what lies below it: the system's write and open, the file writer
of safetensors, and torch's attention kernel. A fault that comes once leaves a marker, so that the next process is
spared; its time is that of the fault.
"""

import builtins
import errno
import fnmatch
import importlib.abc
import importlib.machinery
import importlib.util
import io
import json
import os
import signal
import stat
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

OUT_OF_MEMORY = {
    "mps": "MPS backend out of memory (MPS allocated: 18.01 GB, other allocations: 1.20 GB, max allowed: 18.13 GB). "
    "Tried to allocate 512.00 MB on private pool.",
    "cuda": "CUDA out of memory. Tried to allocate 512.00 MiB. GPU 0 has a total capacity of 23.64 GiB.",
    "cpu": "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
    "allocate 536870912 bytes. Error code 12 (Cannot allocate memory)",
}

write, open_descriptor, make_folder, open_file = os.write, os.open, os.mkdir, io.open  # as the system has them


class Faults:
    """The plan of one trial, and what has come true of it in this process."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._workspace = plan["workspace"]
        self._spared: list[str] = plan["spared"]
        self._full = plan["disk_full"]
        self._refused = plan["refused"]
        self._faults: list[dict[str, Any]] = plan["faults"]
        self._seen: Counter[int] = Counter()  # by the position of a fault: what might have become it so far
        self._paths: dict[int, str] = {}  # of descriptors opened for writing

    # ---- the disk ---------------------------------------------------------------------------------------------------

    def watched(self, file: Any) -> str | None:
        """The path behind a path or descriptor, if it lies in the trial's workspace."""
        path = self._paths.get(file) if isinstance(file, int) else os.path.abspath(os.fsdecode(file))  # noqa: PTH100
        return path if path and path.startswith(f"{self._workspace}/") else None

    def remember(self, descriptor: int, path: str) -> None:
        """So that a later write to the descriptor is known."""
        self._paths[descriptor] = path

    def require_room(self, path: str) -> None:
        """Raise what a full disk raises, and note whom it met."""
        if os.path.exists(self._full) and not any(fnmatch.fnmatch(path, spared) for spared in self._spared):  # noqa: PTH110
            descriptor = open_descriptor(self._refused, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            write(descriptor, f"{path}\n".encode())
            os.close(descriptor)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    def tears(self, kind: str, path: str) -> dict[str, Any] | None:
        """The fault that this write becomes, if it does."""
        for position, fault in enumerate(self._faults):
            if fault["kind"] == kind and fnmatch.fnmatch(path, fault.get("pattern", "*")):
                self._seen[position] += 1
                if self._seen[position] == fault["nth"] and not Path(fault["marker"]).exists():
                    return fault
        return None

    def write(self, path: str, data: Any, through: Callable[[Any], int]) -> int:
        """Write to a file of the workspace, as far as the plan lets it."""
        self.require_room(path)
        if fault := self.tears("torn write", path):
            through(bytes(data)[: len(data) // 2])
            self.die(fault)
        return through(data)

    def die(self, fault: dict[str, Any]) -> None:
        """What kill -9 does, at this very place."""
        Path(fault["marker"]).touch()
        os.kill(os.getpid(), signal.SIGKILL)

    # ---- the device -------------------------------------------------------------------------------------------------

    def attention(self, kernel: Callable[..., Any]) -> Callable[..., Any]:
        """The attention kernel on a device that runs out of memory or computes wrongly, in training steps only."""
        import torch

        def attend(query: Any, *args: Any, **kwargs: Any) -> Any:
            result = kernel(query, *args, **kwargs)
            if torch.is_grad_enabled():
                for position, fault in enumerate(self._faults):
                    if fault["kind"] == "out of memory" and self._exhausts(position, fault, query.shape[0]):
                        text = OUT_OF_MEMORY[fault["text"]]
                        raise (torch.OutOfMemoryError if fault["text"] == "cuda" else RuntimeError)(text)
                    if fault["kind"] == "not a number" and self._miscomputes(position, fault, query):
                        result = result * float("nan")
            return result

        return attend

    def _exhausts(self, position: int, fault: dict[str, Any], batch: int) -> bool:
        """Once at the n-th call, or always above a batch size."""
        if "above" in fault:
            return batch > int(fault["above"])
        self._seen[position] += 1
        if self._seen[position] != fault["nth"] or Path(fault["marker"]).exists():
            return False
        Path(fault["marker"]).touch()
        return True

    def _miscomputes(self, position: int, fault: dict[str, Any], query: Any) -> bool:
        """For certain queries, so that a step that is repeated fails again; or during a number of calls, once."""
        if "remainder" in fault:
            checksum = zlib.crc32(query.detach().contiguous().numpy().tobytes())
            return bool(checksum % fault["modulus"] == fault["remainder"])
        if Path(fault["marker"]).exists():
            return False
        self._seen[position] += 1
        if self._seen[position] >= fault["last"]:
            Path(fault["marker"]).touch()
        return bool(fault["first"] <= self._seen[position] <= fault["last"])


class TornFile(io.FileIO):
    """A file of the workspace that can be torn or find no room."""

    faults: Faults
    path: str

    def write(self, data: Any) -> int:
        """As io.FileIO."""
        return self.faults.write(self.path, data, super().write)


def install(faults: Faults) -> None:
    """Lay the faults over the system's calls and over the two libraries once they are imported."""

    def open_with_faults(
        file: Any, mode: str = "r", buffering: int = -1, encoding: Any = None, errors: Any = None, newline: Any = None,
        closefd: bool = True, opener: Any = None,
    ) -> Any:  # fmt: skip
        path = faults.watched(file)
        if path is None or not set(mode) & set("wax+"):
            return open_file(file, mode, buffering, encoding, errors, newline, closefd, opener)
        if not isinstance(file, int) and not Path(path).exists():
            faults.require_room(path)
        raw = TornFile(file, mode.replace("b", "").replace("t", ""), closefd, opener)
        raw.faults, raw.path = faults, path
        if buffering == 0:
            return raw
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        if "b" in mode:
            return buffered
        return io.TextIOWrapper(buffered, encoding, errors, newline, line_buffering=buffering == 1)

    def open_descriptor_with_faults(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        name = None if kwargs.get("dir_fd") is not None else faults.watched(path)
        if name and flags & os.O_CREAT and not Path(name).exists():
            faults.require_room(name)
        descriptor = open_descriptor(path, flags, *args, **kwargs)
        faults.remember(descriptor, name if name and flags & (os.O_WRONLY | os.O_RDWR) else "")
        return descriptor

    def make_folder_with_faults(path: Any, *args: Any, **kwargs: Any) -> None:
        if name := faults.watched(path):
            faults.require_room(name)
        make_folder(path, *args, **kwargs)

    def write_with_faults(descriptor: int, data: Any) -> int:
        # What else a worker writes into a pipe goes to Python's keeper of semaphores.
        is_message = IS_WORKER and not bytes(data[:12]).lstrip(b"UN").startswith(b"REGISTER")
        if is_message and stat.S_ISFIFO(os.fstat(descriptor).st_mode) and (fault := faults.tears("torn message", "")):
            write(descriptor, bytes(data)[: len(data) // 2])
            faults.die(fault)
        return write(descriptor, data)

    io.open = builtins.open = open_with_faults
    os.open = open_descriptor_with_faults
    os.mkdir = make_folder_with_faults
    os.write = write_with_faults

    def tear_safetensors(module: ModuleType) -> None:
        serialize = module.serialize_file  # its writer is no Python, so the disk's faults come from here

        def serialize_file(tensors: Any, filename: Any, *args: Any, **kwargs: Any) -> None:
            path = faults.watched(filename)
            if path is not None:
                try:
                    faults.require_room(path)
                except OSError:
                    text = "Error while serializing: I/O error: No space left on device (os error 28)"
                    raise sys.modules["safetensors"].SafetensorError(text) from None
            serialize(tensors, filename, *args, **kwargs)
            if path is not None and (fault := faults.tears("torn write", path)):
                os.truncate(path, os.stat(path).st_size // 2)  # noqa: PTH116
                faults.die(fault)

        module.serialize_file = serialize_file  # type: ignore[attr-defined]

    def wear_out_the_device(module: ModuleType) -> None:
        kernel = module.scaled_dot_product_attention
        module.scaled_dot_product_attention = faults.attention(kernel)  # type: ignore[attr-defined]

    changes = {"safetensors.torch": tear_safetensors, "torch.nn.functional": wear_out_the_device}
    sys.meta_path.insert(0, AfterImport(changes))


class AfterImport(importlib.abc.MetaPathFinder):
    """Changes a module when it has been imported, so that nothing is imported earlier than it would be."""

    def __init__(self, changes: Mapping[str, Callable[[ModuleType], None]]) -> None:
        self._changes = changes

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The usual way, with the change added after the module's own code."""
        if name not in self._changes:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute, change = spec.loader.exec_module, self._changes[name]

            def exec_module(module: ModuleType) -> None:
                execute(module)
                change(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


IS_WORKER = "--multiprocessing-fork" in sys.orig_argv

if "SHOELORA_TORTURE" in os.environ:
    install(Faults(json.loads(Path(os.environ["SHOELORA_TORTURE"]).read_text())))
