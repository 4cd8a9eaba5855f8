"""How hard the system must work to give out memory: macOS says it in one number, Linux as time lost in waiting."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PressureLevel = Literal["normal", "warning", "critical"]
LINUX_FILE = Path("/proc/pressure/memory")
MACOS_COMMAND = ("sysctl", "-n", "kern.memorystatus_vm_pressure_level")
MACOS_LEVELS: dict[str, PressureLevel] = {"1": "normal", "2": "warning", "4": "critical"}
PATIENCE = 2.0  # seconds that sysctl may take
SOME_WAIT, ALL_WAIT = 10.0, 5.0  # percent of the last ten seconds in which some, or all, processes waited for memory


@dataclass(frozen=True)
class Pressure:
    """A level, and the figures that it was read off."""

    level: PressureLevel
    text: str


def read_memory_pressure() -> Pressure | None:
    """The pressure now, or None where the system does not tell it. May take a moment: not for the event loop."""
    return macos_pressure(_sysctl) if sys.platform == "darwin" else linux_pressure(LINUX_FILE)


def macos_pressure(ask: Callable[[], str]) -> Pressure | None:
    """From the answer of sysctl: 1, 2 or 4."""
    try:
        answer = ask().strip()
    except (OSError, subprocess.SubprocessError):
        return None
    level = MACOS_LEVELS.get(answer)
    return Pressure(level, f"level {answer} of 4") if level else None


def _sysctl() -> str:
    return subprocess.run(
        MACOS_COMMAND, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        timeout=PATIENCE, check=True,
    ).stdout  # fmt: skip


def linux_pressure(file: Path) -> Pressure | None:
    """From the kernel's account of stalls: `some avg10=0.00 avg60=…` and `full avg10=…`, in percent."""
    try:
        rows = [line.split() for line in file.read_text().splitlines()]
        waits = {row[0]: float(row[1].removeprefix("avg10=")) for row in rows if len(row) > 1}
    except (OSError, ValueError):
        return None
    if not {"some", "full"} <= waits.keys():
        return None
    some, full = waits["some"], waits["full"]
    level: PressureLevel = "critical" if full >= ALL_WAIT else "warning" if some >= SOME_WAIT else "normal"
    return Pressure(level, f"waits {some:.0f} %")
