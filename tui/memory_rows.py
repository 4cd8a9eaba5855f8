"""The rows of the memory panel: each a part of a whole, in figures, in words and over the last minutes; no Textual."""

from collections.abc import Sequence
from dataclasses import dataclass

from tui.machine_memory import MachineMemory
from tui.memory_pressure import PressureLevel
from tui.run_view import RunView

SPAN = 300.0  # seconds of history
GAP = 30.0  # seconds without a sample that are bridged; the worker takes one with each step
HIGH, FULL = 0.8, 0.95  # shares from which a part is called so
MUCH_SWAP = 2**30  # bytes
LEVELS = " ▁▂▃▄▅▆▇█"
FINEST = len(LEVELS) - 1  # steps in a cell's height
PRESSURE_SHARES: dict[PressureLevel, float] = {"normal": 0.1, "warning": 0.6, "critical": 1.0}
FINE, IS_HIGH, IS_FULL = ("✓ fine", "success"), ("! high", "warning"), ("✗ full", "error")
PRESSURE_WORDS: dict[PressureLevel, tuple[str, str]] = {
    "normal": ("✓ normal", "success"), "warning": ("! warning", "warning"), "critical": ("✗ critical", "error"),
}  # fmt: skip
Reading = tuple[float, MachineMemory]  # seconds since 1970
Past = Sequence[tuple[float, float]]  # seconds since 1970, share


@dataclass(frozen=True)
class MemoryRow:
    """One row; `tone` is success, warning, error, or nothing where there is nothing to judge."""

    name: str
    limit: int  # bytes; 0 where there is none
    figures: str
    share: float
    words: str
    tone: str
    past: Past


def memory_rows(view: RunView | None, readings: Sequence[Reading]) -> list[MemoryRow]:
    """Those of the run, as far as it has told any; then those of the machine."""
    return [*run_rows(view, readings), *(machine_rows(readings) if readings else ())]


def run_rows(view: RunView | None, readings: Sequence[Reading]) -> list[MemoryRow]:
    """What tensors fill of the device, what its driver holds, and the worker process."""
    if view is None or view.memory is None:
        return []
    memory, samples, ended = view.memory, view.memory_samples, view.state.is_final
    rows = []
    if limit := memory.device_limit:
        allocated = [(time, one.device_tensors / limit) for time, one in samples]
        driver = [(time, one.device / limit) for time, one in samples]
        if memory.device_tensors:
            rows.append(_row("allocated", memory.device_tensors, limit, allocated, ended, judged=False))
        rows.append(_row("driver", memory.device, limit, driver, ended))
    total = readings[-1][1].total if readings else 0
    past = [(time, one.process / total) for time, one in samples] if total else []
    return [*rows, _row("process", memory.process, total, past, ended, judged=False)]


def machine_rows(readings: Sequence[Reading]) -> list[MemoryRow]:
    """System, swap and pressure; `readings` is not empty."""
    now = readings[-1][1]
    rows = [_row("system", now.used, now.total, [(time, one.used / one.total) for time, one in readings])]
    if now.swap_total:
        past = [(time, one.swap_used / one.swap_total if one.swap_total else 0.0) for time, one in readings]
        swap = _row("swap", now.swap_used, now.swap_total, past)
        words, tone = ("! swaps", "warning") if now.swap_used >= MUCH_SWAP else FINE
        rows.append(MemoryRow("swap", now.swap_total, swap.figures, swap.share, words, tone, past))
    else:
        rows.append(MemoryRow("swap", 0, "there is none", 0.0, "", "", ()))
    if now.pressure:
        words, tone = PRESSURE_WORDS[now.pressure.level]
        past = [(time, PRESSURE_SHARES[one.pressure.level]) for time, one in readings if one.pressure]
        rows.append(MemoryRow("pressure", 0, now.pressure.text, past[-1][1], words, tone, past))
    return rows


def _row(name: str, used: int, limit: int, past: Past, ended: bool = False, judged: bool = True) -> MemoryRow:
    share = used / limit if limit else 0.0
    figures = f"{used / 2**30:.1f} of {limit / 2**30:.1f} GiB" if limit else f"{used / 2**30:.1f} GiB"
    words, tone = IS_FULL if share >= FULL else IS_HIGH if share >= HIGH else FINE
    if ended:
        words, tone = "■ ended", ""
    return MemoryRow(name, limit, figures, share, words if judged or ended else "", tone if judged else "", past)


def spark(past: Past, now: float, columns: int, rows: int = 1) -> list[str]:
    """The shares of the last minutes as lines from top to bottom; blank where for long nothing was measured."""
    shares = _bridged(_columns(past, now, columns))
    heights = [None if share is None else max(1, round(min(share, 1.0) * rows * FINEST)) for share in shares]
    return [
        "".join(LEVELS[0 if height is None else min(max(height - row * FINEST, 0), FINEST)] for height in heights)
        for row in reversed(range(rows))
    ]


def _columns(past: Past, now: float, columns: int) -> list[float | None]:
    """The highest share of each column, the newest at the right."""
    highest: list[float | None] = [None] * columns
    for time, share in past:
        column = columns - 1 - int((now - time) / SPAN * columns)
        if 0 <= now - time < SPAN and 0 <= column < columns:
            highest[column] = max(highest[column] or 0.0, share)
    return highest


def _bridged(shares: Sequence[float | None]) -> list[float | None]:
    """Short gaps filled with the share before them."""
    filled: list[float | None] = []
    last = -len(shares)
    for column, share in enumerate(shares):
        if share is not None:
            gap = column - last - 1
            if gap and gap * SPAN / len(shares) <= GAP:
                filled[-gap:] = [shares[last]] * gap
            last = column
        filled.append(share)
    return filled
