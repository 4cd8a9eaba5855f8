"""What this machine is, found without torch: its name, its memory, and how fast it is assumed to compute."""

import platform
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

TERA = 1e12
CPU_CORE = 0.06 * TERA  # operations per second; two cores took 14.4 s for a step of SD 1.5 at 512 px, 1.72 TFLOP
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


@dataclass(frozen=True)
class Machine:
    """The name of what will compute, and floating-point operations per second that it is assumed to reach."""

    name: str
    operations_per_second: float


@cache
def machine(cpu_only: bool) -> Machine:
    """The fastest device that a run could get here, or the CPU."""
    cores = psutil.cpu_count(logical=False) or 1
    if cpu_only:
        return Machine(f"{cores} CPU cores", cores * CPU_CORE)
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return apple(_chip())
    if NVIDIA_DRIVER.exists():
        return Machine("an NVIDIA GPU", NVIDIA * REACHED * TERA)
    return machine(cpu_only=True)


def apple(chip: str) -> Machine:
    """An Apple Silicon machine by the name of its chip, such as Apple M2 Max."""
    peak = APPLE_PEAK.get(chip.removeprefix("Apple "), OTHER_APPLE)
    return Machine(chip, peak * REACHED * TERA)


def node() -> str:
    """By what name measurements of this machine are told from those of others."""
    return platform.node()


def memory() -> tuple[int, int]:
    """Bytes of system memory: all, and what is free for programs now."""
    system = psutil.virtual_memory()
    return system.total, system.available


def _chip() -> str:
    asked = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "Apple"
