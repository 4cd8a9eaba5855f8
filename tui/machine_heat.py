"""How hot the machine is, as far as its system tells anyone who is not root: whether heat slows it down.

On Apple Silicon `pmset -g therm` reports nothing and ProcessInfo.thermalState knows no more than "fair" under full
load; what the system itself goes by is the level that thermald publishes with notify(3), which `notifyutil` reads.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

HeatLevel = Literal["normal", "warm", "throttled"]
MACOS_KEY = "com.apple.system.thermalpressurelevel"
MACOS_COMMAND = ("notifyutil", "-g", MACOS_KEY)  # takes about 10 ms; a key that nobody publishes reads as 0
MACOS_LEVELS: dict[str, tuple[HeatLevel, str]] = {  # OSThermalNotification.h
    "0": ("normal", "nominal"), "1": ("warm", "moderate"), "2": ("throttled", "heavy"),
    "3": ("throttled", "trapping"), "4": ("throttled", "sleeping"),
}  # fmt: skip
PATIENCE = 2.0  # seconds that notifyutil may take
SLOWED_FROM = frozenset({"passive", "hot", "critical"})  # trip points; at an active one a fan starts
NEAR = 5.0  # °C below such a point


@dataclass(frozen=True)
class Heat:
    """A level, and the figures that it was read off."""

    level: HeatLevel
    text: str


class Zone(NamedTuple):
    """A place that is measured, in °C, with the temperature from which the system slows down for it."""

    name: str
    now: float
    limit: float


class HeatReader:
    """Reads the machine's heat now and then; where the system counts how often it slowed down, since the last time."""

    def __init__(self, sysfs: Path = Path("/sys")) -> None:
        self._sysfs = sysfs
        self._counted: int | None = None

    def read(self) -> Heat | None:
        """The heat now, or None where the system does not tell it. May take a moment: not for the event loop."""
        return macos_heat(_notifyutil) if sys.platform == "darwin" else self.linux_heat()

    def linux_heat(self) -> Heat | None:
        """From the kernel's zones with their trip points, and from Intel's counters of throttled cores."""
        before, self._counted = self._counted, throttle_count(self._sysfs)
        zones = sorted(zones_of(self._sysfs), key=lambda zone: zone.limit - zone.now)
        nearest = zones[0] if zones else None
        times = max(self._counted - before, 0) if self._counted is not None and before is not None else 0
        words = [f"{nearest.name} {nearest.now:.0f} °C, slows down from {nearest.limit:.0f}"] if nearest else []
        words += [f"cores were slowed down {times} times just now"] if times else []
        if times or (nearest and nearest.now >= nearest.limit):
            return Heat("throttled", "; ".join(words))
        if nearest:
            return Heat("warm" if nearest.now >= nearest.limit - NEAR else "normal", words[0])
        return None if self._counted is None else Heat("normal", "no core was slowed down just now")


def macos_heat(ask: Callable[[], str]) -> Heat | None:
    """From the answer of notifyutil: the key and its level, 0 to 4."""
    try:
        key, level = ask().split()
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    if key != MACOS_KEY or level not in MACOS_LEVELS:
        return None
    meaning, word = MACOS_LEVELS[level]
    return Heat(meaning, f"{word}, level {level} of 4")


def _notifyutil() -> str:
    return subprocess.run(
        MACOS_COMMAND, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        timeout=PATIENCE, check=True,
    ).stdout  # fmt: skip


def throttle_count(sysfs: Path) -> int | None:
    """How often cores were slowed down since the start of the system; None where it is not counted."""
    files = sysfs.glob("devices/system/cpu/cpu[0-9]*/thermal_throttle/core_throttle_count")
    counts = [count for file in files if (count := _number(file)) is not None]
    return int(sum(counts)) if counts else None


def zones_of(sysfs: Path) -> Iterator[Zone]:
    """The zones that have a temperature and a trip point from which the system slows down."""
    for folder in sorted(sysfs.glob("class/thermal/thermal_zone*")):
        now = _number(folder / "temp")
        limits = [
            limit
            for kind in folder.glob("trip_point_*_type")
            if _text(kind) in SLOWED_FROM
            and (limit := _number(folder / kind.name.replace("_type", "_temp"))) is not None
            and limit > 0  # others are set to 0 or below while they are off
        ]
        if now is not None and limits:
            yield Zone(_text(folder / "type") or folder.name, now / 1000, min(limits) / 1000)


def _number(file: Path) -> float | None:
    try:
        return float(_text(file))
    except ValueError:
        return None


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
