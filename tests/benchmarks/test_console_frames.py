"""What one frame of the console costs, and the reading of a long run before the first: in this process."""

import gc
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from engine.contract.journal import JournalReader
from engine.contract.run_dir import RunDir
from tests.benchmarks.long_run import STEPS, long_run, training
from tests.tui.consoles import console_on, monitor_of
from tui.actions import TABLE
from tui.app import SEARCHES
from tui.console import ConsoleApp
from tui.curves import TABS
from tui.plot_figure import Look, draw
from tui.plot_window import Window
from tui.run_view import RunView
from tui.widgets.navigation_bar import SCREENS
from tui.widgets.run_plot import RunPlot

pytestmark = pytest.mark.timeout(600)
TIMES = 5
SETTLED = 1.5  # seconds after which a screen has all that it reads


def seconds(act: Callable[[], object]) -> float:
    """How long something takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def best(act: Callable[[], object]) -> float:
    """Seconds of the quickest of several times."""
    return min(seconds(act) for _ in range(TIMES))


@pytest.fixture
def little_garbage() -> Iterator[None]:
    """Garbage is searched for as often as in a console, and not among all that tests have loaded."""
    usual = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*SEARCHES)
    yield
    gc.set_threshold(*usual)
    gc.unfreeze()


def fold(run: RunDir) -> RunView:
    """All that is known of a run."""
    view = RunView(run.name, 2 * STEPS)
    for record in JournalReader(run.journal).read_all():
        view.apply(record)
    return view


def test_a_long_run(tmp_path: Path) -> None:
    run = long_run(tmp_path)
    reading = best(lambda: sum(1 for _ in JournalReader(run.journal).read_all()))
    replay = best(lambda: fold(run))
    before = psutil.Process().memory_info().rss
    view = fold(run)
    print(
        f"\n{STEPS:,} steps, {view.last_seq:,} records: read {reading:.2f} s, read and folded {replay:.2f} s, "
        f"{(psutil.Process().memory_info().rss - before) / 2**20:.0f} MiB more in memory"
    )
    for width, height in [(44, 10), (60, 22), (72, 52), (140, 60)]:
        first, last = Window().bounds(view.step)
        frames = []
        for tab in TABS:
            look = Look(tab, first, last, cursor=STEPS // 2)
            frames.append(f"{tab.id} {best(partial(draw, view, look, width, height)) * 1e3:.1f} ms")
        print(f"plot {width}x{height}: {', '.join(frames)}")


@pytest.mark.usefixtures("little_garbage")
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_every_screen(tmp_path: Path, size: tuple[int, int]) -> None:
    run = long_run(tmp_path)
    keys = {entry.id: entry.keys for entry in TABLE["everywhere"]}
    frames = []
    with training(run, 0.1, STEPS + 1):
        app = console_on(run)
        async with app.run_test(size=size) as pilot:
            while monitor_of(app).view.step < STEPS:
                await pilot.pause(0.1)
            for name in SCREENS:
                await pilot.press(keys[name])
                await pilot.pause(SETTLED)
                frames.append(f"{name} {min(frame(app) for _ in range(TIMES)) * 1e3:.0f} ms")
    print(f"\nframe {size[0]}x{size[1]}, a run of {STEPS:,} steps in hand: {', '.join(frames)}")


def frame(app: ConsoleApp) -> float:
    """Seconds to draw, lay out and paint a screen of which nothing was kept."""
    screen = app.screen
    for widget in screen.walk_children(with_self=True):
        widget.refresh(layout=True)

    def paint() -> None:
        for plot in screen.query(RunPlot):
            plot.choose(plot.tab)
        screen._refresh_layout(screen.size)
        for strip in screen._compositor.render_strips():
            strip.render(app.console)

    return seconds(paint)
