"""What the console costs: reading a long run, a frame of its plot, attaching, following a live run, answering a key."""

import fcntl
import math
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest

from engine.contract import protocol as p
from engine.contract.config import TrainingConfig
from engine.contract.journal import JournalWriter, read_records
from engine.contract.run_dir import RunDir, RunLock, Workspace, create_run
from engine.contract.wire import encode_record
from tui.curves import TABS
from tui.plot_figure import Look, draw
from tui.plot_window import Window
from tui.run_view import RunView

pytestmark = pytest.mark.timeout(600)  # most of it for machines that are busy
STEPS = 100_000
SIZE = (120, 40)
LIVE = 15.0  # seconds
SETTLED = 3.0  # seconds after which a console has nothing left to do of its start


def long_run(folder: Path, steps: int = STEPS) -> RunDir:
    """A run of many steps, with what else a worker tells of them."""
    run = create_run(Workspace(folder), "long", TrainingConfig(max_train_steps=2 * steps))
    events: list[p.Event] = [p.RunStarted("long", 1, 2 * steps, "logs"), p.StateChanged("running")]
    for step in range(1, steps + 1):
        loss = 0.12 + 0.4 * math.exp(-step / 15_000) + 0.06 * math.sin(step * 2.4) ** 2
        events.append(p.StepCompleted(step, step // 11, loss, 2e-3 * (1 - step / 80 / steps), 0.5, 1.4))
        if step % 10 == 0:
            events.append(p.StepTimed(step, 0.01, 0.4, 0.9, 0.05))
        if step % 500 == 0:
            events.append(p.ValidationLossMeasured(step, loss, (loss * 0.4, loss * 0.8, loss * 1.2, loss * 1.6)))
            events.append(p.CheckpointSaved(step, f"checkpoints/checkpoint-{step}", "schedule", 220_000))
    with run.journal.open("w") as file:
        file.writelines(encode_record(p.Record(seq, float(seq), event)) + "\n" for seq, event in enumerate(events, 1))
    return run


def best(act: Callable[[], object], times: int = 3) -> float:
    """Seconds of the quickest of several times."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        act()
        taken.append(time.perf_counter() - started)
    return min(taken)


def test_a_long_run(tmp_path: Path) -> None:
    run = long_run(tmp_path)
    view = RunView("long", 2 * STEPS)

    def fold() -> RunView:
        folded = RunView("long", 2 * STEPS)
        for record in read_records(run.journal):
            folded.apply(record)
        return folded

    decoding = best(lambda: sum(1 for _ in read_records(run.journal)))
    whole = best(fold)
    before = psutil.Process().memory_info().rss
    view = fold()
    print(
        f"\n{STEPS:,} steps, {run.journal.stat().st_size / 2**20:.1f} MiB of journal: read {decoding:.2f} s, "
        f"read and folded {whole:.2f} s, {(psutil.Process().memory_info().rss - before) / 2**20:.0f} MiB more in memory"
    )
    for width, height in [(44, 10), (60, 22), (72, 52), (140, 60)]:
        first, last = Window().bounds(view.step)
        frames = []
        for tab in TABS:
            look = Look(tab, first, last, cursor=STEPS // 2)
            frames.append(f"{tab.id} {best(partial(draw, view, look, width, height)) * 1e3:.1f} ms")
        print(f"frame {width}x{height}: {', '.join(frames)}")


class Terminal:
    """A console at the other end of a pseudo terminal."""

    def __init__(self, *arguments: str, cwd: Path) -> None:
        main, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
        environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "XDG_CONFIG_HOME": str(cwd)}
        for name in ("SSH_CONNECTION", "SSH_TTY", "NO_COLOR", "TMUX"):
            environment.pop(name, None)
        self.started = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tui.cli", *arguments], stdin=child, stdout=child, stderr=child, env=environment,
            cwd=Path(__file__).parents[2], start_new_session=True,
        )  # fmt: skip
        os.close(child)
        self._main = main
        self.received = 0

    def until(self, text: str, patience: float = 100.0) -> float:
        """Read until a text comes; returns the moment."""
        seen, end = b"", time.perf_counter() + patience
        while time.perf_counter() < end:
            seen = seen[-1000:] + self.read(0.02)
            if text.encode() in seen:
                return time.perf_counter()
        pytest.fail(f"never came: {text}")

    def read(self, seconds: float) -> bytes:
        """What comes within some time."""
        end, data = time.perf_counter() + seconds, b""
        while (left := end - time.perf_counter()) > 0:
            if select.select([self._main], [], [], left)[0]:
                data += os.read(self._main, 65536)
                if data:
                    break
        self.received += len(data)
        return data

    def rest(self, seconds: float) -> None:
        """Read and drop what comes."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            self.read(0.1)

    def press(self, key: str) -> None:
        """Type."""
        os.write(self._main, key.encode())

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        times = psutil.Process(self._process.pid).cpu_times()
        return times.user + times.system

    def close(self) -> None:
        """Leave."""
        self._process.terminate()
        self._process.wait(10)
        os.close(self._main)


@contextmanager
def attached(run: RunDir) -> Iterator[Terminal]:
    """A console on a run."""
    terminal = Terminal("--workspace", str(run.workspace.root), "attach", run.name, cwd=run.workspace.root)
    yield terminal
    terminal.close()


@contextmanager
def training(run: RunDir, steps_per_second: float, first: int) -> Iterator[None]:
    """A worker that does steps until the end."""
    ended = threading.Event()

    def tell() -> None:
        writer, step = JournalWriter(run.journal), first
        while not ended.wait(1 / steps_per_second):
            loss = 0.1 + 0.02 * math.sin(step * 2.4)
            writer.append(p.StepCompleted(step, step // 11, loss, 1e-4, 0.5, 1 / steps_per_second))
            if step % 10 == 0:
                writer.append(p.StepTimed(step, 0.001, 0.04, 0.05, 0.009))
                writer.append(p.MemorySampled(1_503_238_553 + step * 4096, 0, 0, 9_341_553_868))
            step += 1
        writer.close()

    lock = RunLock.acquire(run)
    thread = threading.Thread(target=tell)
    thread.start()
    yield
    ended.set()
    thread.join()
    if lock:
        lock.release()


def test_attaching_to_a_long_run(tmp_path: Path) -> None:
    run = long_run(tmp_path)
    with training(run, 1, STEPS + 1), attached(run) as terminal:
        painted = terminal.until("Monitor") - terminal.started
        shown = terminal.until(f"step {STEPS // 100}") - terminal.started
        print(f"\nattach to {STEPS:,} steps: first paint after {painted:.2f} s, all of it after {shown:.2f} s")


@pytest.mark.parametrize(("steps", "pace"), [(500, 0.2), (500, 5.0), (STEPS, 5.0)])
def test_following_a_live_run(tmp_path: Path, steps: int, pace: float) -> None:
    run = long_run(tmp_path, steps)
    with training(run, pace, steps + 1), attached(run) as terminal:
        terminal.until(f"step {steps // 100}")  # and what was done meanwhile
        terminal.rest(SETTLED)
        cpu, received, started = terminal.cpu(), terminal.received, time.perf_counter()
        terminal.rest(LIVE)
        seconds = time.perf_counter() - started
        share, rate = (terminal.cpu() - cpu) / seconds, (terminal.received - received) / seconds / 1024
        print(
            f"\nlive at {SIZE[0]}x{SIZE[1]}, {pace:g} steps a second after {steps:,}: "
            f"{share:.1%} of a core, {rate:.1f} KiB/s"
        )


def test_a_key_while_events_flood(tmp_path: Path) -> None:
    run = long_run(tmp_path, 5_000)
    with training(run, 1_000, 5_001), attached(run) as terminal:
        terminal.until("step 5")
        terminal.rest(SETTLED)
        waits = []
        for _ in range(15):
            for key, answer in (("w", "by schedule"), ("w", "No warnings"), ("w", "saved (sched")):
                pressed = time.perf_counter()
                terminal.press(key)
                waits.append(terminal.until(answer) - pressed)
                terminal.rest(0.15)
        waits.sort()
        print(
            f"\na key while 1,000 steps a second come: answered after {waits[len(waits) // 2] * 1e3:.0f} ms, "
            f"95 % within {waits[int(len(waits) * 0.95)] * 1e3:.0f} ms, the slowest {waits[-1] * 1e3:.0f} ms"
        )
