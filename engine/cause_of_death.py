"""Why a worker died: by a signal, by an exit code, or because the system ran out of memory."""

import contextlib
import os
import signal
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
SCARCE = 0.05  # share of the machine's memory; less than that left, macOS ends the largest process
HINTS = {"SIGABRT": "; a Metal or C++ assertion does that", "SIGSEGV": "; a fault in native code"}


class MemoryWatch:
    """Decides whether a SIGKILL came from the system because memory ran out. Begun when the worker starts."""

    def __init__(self) -> None:
        self._kills = memory_kills()
        self._available: int | None = None  # bytes that the whole machine had left, as last told by the worker

    def sampled(self, available: int) -> None:
        """The worker has told how many bytes the machine has left."""
        self._available = available

    def killed(self, exitcode: int | None) -> bool:
        """Whether the end of the worker was the system's answer to a lack of memory."""
        if exitcode != -signal.SIGKILL:
            return False
        now = memory_kills()
        if now is not None and self._kills is not None:
            return now > self._kills
        return self._available is not None and self._available < SCARCE * machine_memory()


def memory_kills() -> int | None:
    """How many processes Linux has ended for lack of memory: those of this one's own group where that is told.

    None where the system does not count, as on macOS.
    """
    with contextlib.suppress(OSError):
        for line in (PROC / "self" / "cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers in {"", "memory"}:
                for name in ("memory.events", "memory.oom_control"):  # version 2, version 1
                    counted = _counter(CGROUPS / controllers / path.lstrip("/") / name)
                    if counted is not None:
                        return counted
    return _counter(PROC / "vmstat")


def _counter(path: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        for line in path.read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return None


def machine_memory() -> int:
    """Bytes of memory that the machine has."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def describe_exit(exitcode: int | None, memory_ran_out: bool = False) -> str:
    """Why a process ended, in words."""
    if exitcode is None or exitcode >= 0:
        return f"it exited with code {exitcode}"
    try:
        name = signal.Signals(-exitcode).name
    except ValueError:
        name = f"signal {-exitcode}"  # one of the real-time signals, which have no names
    if memory_ran_out:
        return f"it was ended by {name}, since the system ran out of memory"
    return f"it was ended by {name}{HINTS.get(name, '')}"
