"""What the console costs a person who waits for it, and the machine on which it runs; in real processes."""

import os
import platform
import statistics
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from tests.benchmarks.bare_terminal import SIZE, BareTerminal
from tests.benchmarks.long_run import STEPS, long_run, training

pytestmark = pytest.mark.timeout(600)  # most of it for machines that are busy
STARTS = 5
LOOKED_AT = 15.0  # seconds
SETTLED = 3.0  # seconds after which a console has nothing left to do of its start
TYPED = "abcdefghijkl"
MIB = 2**20


def best(seconds: Sequence[float]) -> str:
    """The quickest, and the one in the middle."""
    return f"{min(seconds):.2f} s (median {statistics.median(seconds):.2f})"


def slowest(seconds: Iterable[float]) -> str:
    """The one in the middle, the one that 95 % stay below, and the slowest."""
    waits = sorted(one * 1e3 for one in seconds)
    return f"median {waits[len(waits) // 2]:.0f} ms, 95 % {waits[int(len(waits) * 0.95)]:.0f}, slowest {waits[-1]:.0f}"


def test_starting_and_attaching_to_a_long_run(tmp_path: Path) -> None:
    run = long_run(tmp_path)
    shown, first, all_of_it, memory = [], [], [], 0
    for _ in range(STARTS + 1):
        with BareTerminal(tmp_path) as console:
            shown.append(console.until("Runs") - console.started)
    with training(run, 1, STEPS + 1):
        for _ in range(STARTS + 1):
            with BareTerminal(tmp_path, "attach", run.name) as console:
                first.append(console.until("Monitor") - console.started)
                all_of_it.append(console.until(f"step {STEPS // 100}") - console.started)
                console.rest(SETTLED)
                memory = console.memory
    print(  # without the first ones, for which Python had to compile
        f"\n{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, best of {STARTS}:\n"
        f"first paint after {best(shown[1:])}\n"
        f"attach to {STEPS:,} steps, {run.journal.stat().st_size / MIB:.0f} MiB: first paint after {best(first[1:])}, "
        f"all of it after {best(all_of_it[1:])}; then {memory / MIB:.0f} MiB in memory"
    )


@pytest.mark.parametrize(("steps", "pace"), [(500, 0.0), (500, 0.2), (500, 5.0), (STEPS, 5.0)])
def test_looking_at_a_run(tmp_path: Path, steps: int, pace: float) -> None:
    run = long_run(tmp_path, steps)
    with training(run, pace or 1e-6, steps + 1), BareTerminal(tmp_path, "attach", run.name) as console:
        console.until(f"step {steps // 100}")  # and what was done meanwhile
        console.rest(SETTLED)
        cpu, received, began = console.cpu, console.received, time.perf_counter()
        console.rest(LOOKED_AT)
        seconds = time.perf_counter() - began
        share, rate = (console.cpu - cpu) / seconds, (console.received - received) / seconds / 1024
    what = f"live, {pace:g} steps a second after {steps:,}" if pace else "idle"
    print(f"\n{what} at {SIZE[0]}x{SIZE[1]}: {share:.1%} of a core, {rate:.1f} KiB/s")


def test_a_key_while_events_flood(tmp_path: Path) -> None:
    run = long_run(tmp_path, 5_000)
    waits = []
    with training(run, 1_000, 5_001), BareTerminal(tmp_path, "attach", run.name) as console:
        console.until("step 5")
        console.rest(SETTLED)
        for _ in range(20):
            for answer in ("by schedule", "No warnings", "saved (sched"):
                waits.append(console.answer("w", answer))
                console.rest(0.15)
    print(f"\na key while 1,000 steps a second come: {slowest(waits)}")


@pytest.mark.parametrize("pause", [0.03, 0.4])
def test_a_key_in_the_form(tmp_path: Path, pause: float) -> None:
    """Letters in the first field, as a key that is held down sends them, and so slowly that each is judged."""
    waits = []
    with BareTerminal(tmp_path) as console:
        console.until("Runs")
        console.press("2")
        console.until("Preset")
        console.rest(SETTLED)
        for key in ("\t", "\t", "\x1b[F"):  # over the presets and the search, and to the end
            console.press(key)
            console.rest(0.3)
        for letter in range(len(TYPED)):
            waits.append(console.answer(TYPED[letter], TYPED[max(0, letter - 4) : letter + 1]))
            console.rest(pause)
    print(f"\na letter in the form, {pause:g} s after the one before: {slowest(waits)}")
