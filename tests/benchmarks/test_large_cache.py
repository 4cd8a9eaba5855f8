"""What a cache of very many samples adds to a process, in memory and time."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from engine.record_cache import RecordCache
from engine.record_file import CAPACITY

pytestmark = pytest.mark.timeout(1800)  # most of it for machines that are busy
MANY = 200_000
MEASURE = """
import gc, sys, time
from pathlib import Path
import psutil
from engine.record_cache import RecordCache

def resident():
    gc.collect()
    return psutil.Process().memory_info().rss

folder, size, names = Path(sys.argv[1]), int(sys.argv[2]), [f"picture {n * 997 % 200_000}" for n in range(5000)]
RecordCache(folder / "empty", size)
before, started, processor = resident(), time.perf_counter(), time.process_time()
cache = RecordCache(folder, size)
wall, processor = time.perf_counter() - started, time.process_time() - processor
opened = resident() - before
started = time.process_time()
for name in names:
    assert len(cache[name]) == size
read = time.process_time() - started
print(len(cache), wall, processor, opened, resident() - before, read / len(names))
"""


def test_a_cache_of_very_many_samples(tmp_path: Path) -> None:
    """What opening it adds to a process, in memory and time; with records of 1 KiB, whose size does not matter."""
    size = 1024
    cache = RecordCache(tmp_path, size)
    for first in range(0, MANY, CAPACITY):
        numbers = range(first, min(first + CAPACITY, MANY))
        cache.add({f"picture {number}": number.to_bytes(8, "little") * (size // 8) for number in numbers})
    best: list[float] = []
    for _ in range(3):
        command = [sys.executable, "-c", MEASURE, str(tmp_path), str(size)]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        figures = [float(figure) for figure in told.split()]
        best = min(best, figures, key=lambda one: one[2]) if best else figures
    count, wall, processor, opened, after, read = best
    assert count == MANY
    where = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    print(
        f"\n{MANY:,} samples in {len(list(tmp_path.glob('*.records')))} files on {where}: opening takes "
        f"{processor / count * 1e6:.1f} us of a processor a sample ({wall / count * 1e6:.1f} us by the clock) and "
        f"{opened / count:.0f} bytes of resident memory, {after / count:.0f} after 5,000 reads of {read * 1e6:.1f} us"
    )
