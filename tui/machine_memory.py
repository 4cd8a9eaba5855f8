"""The memory of this machine now: what is used, what is left, swap and pressure."""

from dataclasses import dataclass

import psutil

from tui.memory_pressure import Pressure, read_memory_pressure


@dataclass(frozen=True)
class MachineMemory:
    """Bytes, and the pressure where the system tells it."""

    total: int
    available: int
    swap_total: int
    swap_used: int
    pressure: Pressure | None = None

    @property
    def used(self) -> int:
        """Bytes that cannot be had without taking them from somebody."""
        return self.total - self.available


def read_machine_memory() -> MachineMemory:
    """A reading; may take some milliseconds, so it is for a thread."""
    memory = psutil.virtual_memory()
    try:
        swap = psutil.swap_memory()
        total, used = swap.total, swap.used
    except (OSError, RuntimeError):  # a system that does not tell
        total = used = 0
    return MachineMemory(memory.total, memory.available, total, used, read_memory_pressure())
