"""What this machine is, found without torch: its name, its memory, and how fast it is assumed to compute."""

import platform
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import psutil

TERA = 1e12
CPU_CORE = 0.06 * TERA  # operations per second; two cores took 14.4 s for a step of SD 1.5 at 512 px, 1.72 TFLOP
SMALL_MODEL = 50_000_000  # parameters; below this, threads wait for each other longer than they compute
SMALL_RATE = 0.018 * TERA  # of the one thread that computes it: 5.0 GFLOP of the demo took 0.35 s
LAYER_SECONDS = 5e-4  # that even the smallest layer takes, forward and backward; all that counts for the demo's model
REACHED = 0.45  # of the peak; 33 to 55 % are seen in practice
# fp32 peak of Apple's GPUs in TFLOP/s, from their makers' figures.
APPLE_PEAK = {
    "M1": 2.6, "M1 Pro": 5.2, "M1 Max": 10.4, "M1 Ultra": 20.8,
    "M2": 3.6, "M2 Pro": 6.8, "M2 Max": 13.6, "M2 Ultra": 27.2,
    "M3": 4.1, "M3 Pro": 7.4, "M3 Max": 16.4, "M3 Ultra": 28.2,
    "M4": 4.6, "M4 Pro": 9.2, "M4 Max": 18.4,
}  # fmt: skip
OTHER_APPLE, NVIDIA = 5.0, 20.0  # TFLOP/s, where nothing better is known
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")
METAL_ROWS = 32_768  # of a matrix, beyond which Apple's GPUs computed wrong gradients (pytorch #177116)


@dataclass(frozen=True)
class Room:
    """What the device of a run offers. Every figure stays the same as long as the machine does."""

    size: int  # bytes, of which a run may fill most
    owner: Literal["machine", "device"]  # whose memory that is
    is_metal: bool = False  # Apple's GPU, as torch uses it

    @property
    def keeps_scores(self) -> bool:
        """Whether attention is not fused in training, and so fills memory with the scores."""
        return self.is_metal

    @property
    def forgets_dropout(self) -> bool:
        """Whether what is computed again draws another dropout mask, and so gives wrong gradients (pytorch #194478)."""
        return self.is_metal

    def largest_batch(self, resolution: int) -> int | None:
        """The most samples of square pictures that are computed rightly at once; None if there is no such bound."""
        return METAL_ROWS // (resolution // 8) ** 2 if self.is_metal else None  # a row of attention per latent pixel


@dataclass(frozen=True)
class Machine:
    """What will compute, and what is assumed of it."""

    name: str
    operations_per_second: float  # of floating-point numbers
    own_memory: int = 0  # bytes that a run may use; 0 if it is the system's
    is_metal: bool = False
    is_cpu: bool = False

    def rate(self, parameters: int) -> float:
        """Operations per second for a model of some size."""
        return SMALL_RATE if self.is_cpu and parameters < SMALL_MODEL else self.operations_per_second

    def room(self, processes: int) -> Room:
        """What one of several processes gets of it; each has a GPU of its own, but all share the system's memory."""
        if self.own_memory:
            return Room(self.own_memory, "device", self.is_metal)
        return Room(memory()[0] // processes, "machine", self.is_metal)


@cache
def machine(cpu_only: bool) -> Machine:
    """The fastest device that a run could get here, or the CPU."""
    cores = psutil.cpu_count(logical=False) or 1
    if cpu_only:
        return Machine(f"{cores} CPU cores", cores * CPU_CORE, is_cpu=True)
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return apple(_chip())
    if NVIDIA_DRIVER.exists():
        return nvidia(_nvidia_memory())
    return machine(cpu_only=True)


def nvidia(memory: int) -> Machine:
    """A machine with NVIDIA's GPUs, each of which has so many bytes; 0 if nobody tells."""
    return Machine("an NVIDIA GPU", NVIDIA * REACHED * TERA, memory)


def apple(chip: str) -> Machine:
    """An Apple Silicon machine by the name of its chip, such as Apple M2 Max."""
    peak = APPLE_PEAK.get(chip.removeprefix("Apple "), OTHER_APPLE)
    return Machine(chip, peak * REACHED * TERA, metal_memory(memory()[0]), is_metal=True)


def at_once(processes: int, *, is_cpu: bool) -> int:
    """How many micro-batches of a step are computed at the same time; a CPU is shared by all processes."""
    return 1 if is_cpu else processes


def metal_memory(total: int) -> int:
    """What Metal recommends as the most to use, of a Mac's memory: two thirds up to 32 GiB, three quarters of more."""
    return total * 2 // 3 if total <= 32 * 2**30 else total * 3 // 4


def node() -> str:
    """By what name measurements of this machine are told from those of others."""
    return platform.node()


def memory() -> tuple[int, int]:
    """Bytes of system memory: all, and what is free for programs now."""
    system = psutil.virtual_memory()
    return system.total, system.available


def _chip() -> str:
    return _said_by("/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string") or "Apple"


def _nvidia_memory() -> int:
    """Of the smallest GPU; 0 if nobody tells."""
    said = _said_by("nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits")
    return min((int(line) * 2**20 for line in said.split() if line.isdigit()), default=0)


def _said_by(*command: str) -> str:
    """What a program of the system prints; nothing if it fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
