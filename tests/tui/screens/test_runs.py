"""The Runs screen: what it shows of each run, what its keys do, and what it looks like."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from textual.pilot import Pilot

from engine.contract import protocol as p
from engine.contract.errors import RunError
from engine.contract.run_dir import RunDir, RunLock, Workspace
from tests.tui.consoles import runs_console
from tests.tui.looks import in_look
from tui.console import ConsoleApp
from tui.run_line import RunTracker
from tui.screens.compare import CompareScreen
from tui.screens.monitor import MonitorScreen
from tui.screens.runs import RunsScreen
from tui.settings import Settings
from tui.widgets.compare_plot import ComparePlot
from tui.widgets.run_card import RunCard
from tui.widgets.run_table import RunTable

if TYPE_CHECKING:
    from tests.tui.conftest import RecordedRun

pytestmark = pytest.mark.usefixtures("same_everywhere")

Obeying = Callable[[Callable[[p.Request], None]], list[p.Command]]
Make = Callable[[str, str], "RecordedRun"]
SnapCompare = Callable[..., bool]
PATIENCE = 500  # looks, 0.02 s apart
NOON = 1_780_000_000.0  # seconds since 1970
KINDS = ("damaged", "failed", "interrupted", "stopped", "finished", "stalled", "paused", "preparing", "running")


@pytest.fixture(autouse=True)
def the_same_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """On which the runs were started."""
    monkeypatch.setattr("tui.run_words.today", lambda: time.localtime(NOON))


@pytest.fixture
def make(workspace: Workspace, recorded: RecordedRun) -> Iterator[Make]:
    """Makes runs of a kind, each a minute younger than the one before; none is left over from `recorded`."""
    kind_of_run = type(recorded)
    recorded.die()
    for file in sorted(recorded.dir.path.iterdir()):
        file.unlink()
    recorded.dir.path.rmdir()
    runs: list[RecordedRun] = []

    def one(name: str, kind: str) -> RecordedRun:
        run = kind_of_run(workspace, name)
        runs.append(run)
        run.start()
        if kind == "preparing":
            run.tell(p.PhaseProgressed("caching latents", 40, 96))
        else:
            tell(run, kind)
        if kind not in {"running", "paused", "stalled", "preparing"}:
            run.die()
        for file in (run.dir.config_file, run.dir.lock):
            os.utime(file, (NOON + 60 * len(runs),) * 2)
        return run

    yield one
    for run in runs:
        run.die()


def tell(run: RecordedRun, kind: str) -> None:
    run.half_way()
    ends: dict[str, list[p.Event]] = {
        "paused": [p.StateChanged("paused")],
        "stalled": [p.WorkerStalled(42.0)],
        "stopped": [p.StateChanged("stopping"), p.StateChanged("stopped")],
        "failed": [p.RunFailed("The loss is not finite", "NaN.", "Lower it."), p.StateChanged("failed")],
    }
    run.tell(*ends.get(kind, []))
    if kind == "finished":
        run.finish()
    if kind == "damaged":
        run.dir.config_file.write_text("{")


class Visit:
    """A console on its Runs screen, read off the screen."""

    def __init__(self, app: ConsoleApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def text(self) -> str:
        return "\n".join(strip.text.rstrip() for strip in self.app.screen._compositor.render_strips())

    async def shows(self, *patterns: str) -> None:
        """Wait until all patterns are on the screen; a blank stands for any white space."""
        for pattern in patterns:
            found = re.compile(pattern.replace(" ", r"\s+")).search
            await self.until(lambda found=found: bool(found(self.text)), pattern)  # type: ignore[misc]

    async def until(self, true: Callable[[], bool], what: str) -> None:
        for _ in range(PATIENCE):
            await self.pilot.pause(0.02)
            if true():
                return
        pytest.fail(f"never came: {what}\n{self.text}")


@asynccontextmanager
async def visiting(
    workspace: Workspace, size: tuple[int, int] = (100, 30), readonly: bool = False, settings: Settings | None = None
) -> AsyncIterator[Visit]:
    app = runs_console(workspace, readonly, settings)
    async with app.run_test(size=size, notifications=True) as pilot:
        visit = Visit(app, pilot)
        await visit.shows("1 Runs")
        yield visit


# ---- what it shows --------------------------------------------------------------------------------------------------


async def test_every_state_has_its_word_and_its_sign_and_the_newest_run_is_on_top(
    workspace: Workspace, make: Make
) -> None:
    for kind in KINDS:
        make(f"a_{kind}", kind)
    async with visiting(workspace) as visit:
        await visit.shows(
            "a_running +▶ running +37/60 +0.2354 ↓0.2946 42.9 37s", "a_preparing +◌ preparing", "a_paused +‖ paused",
            "a_stalled +▷ stalled", "a_finished +✓ finished", "a_stopped +■ stopped", "a_interrupted +! interrupted",
            "a_failed +✗ failed", "a_damaged +\\? damaged",
        )  # fmt: skip
        rows = [line.split()[0] for line in visit.text.splitlines() if re.match(" *a_.* ", line)]
        assert rows == [f"a_{kind}" for kind in reversed(KINDS)]


async def test_it_follows_what_the_runs_do_and_sees_new_ones(workspace: Workspace, make: Make) -> None:
    run = make("first", "running")
    async with visiting(workspace) as visit:
        await visit.shows("first +▶ running +37/60")
        run.steps(38, 41)
        await visit.shows("first +▶ running +41/60")
        make("second", "running")
        await visit.shows("second +▶ running")
        run.finish()
        run.die()
        await visit.shows("first +✓ finished +60/60")
        assert visit.app.screen.query_one(RunTable).chosen.run.name == "first"  # type: ignore[union-attr]


def test_a_run_that_was_resumed_comes_back_to_life(make: Make) -> None:
    run = make("shoes", "stopped")
    tracker = RunTracker(run.dir)
    assert tracker.look().state and not tracker.look().is_live
    lock = RunLock.acquire(run.dir)
    run.start()
    assert tracker.look().is_live
    lock.release()


async def test_without_a_run_it_says_how_to_begin(workspace: Workspace) -> None:
    async with visiting(workspace, (60, 20)) as visit:
        await visit.shows("no run here yet", "2 New run: choose the preset demo", "\\? Help")


async def test_where_it_is_wide_the_run_under_the_cursor_has_its_picture(workspace: Workspace, make: Make) -> None:
    make("shoes", "failed")
    async with visiting(workspace, (140, 40)) as visit:
        await visit.shows("✗ failed: The loss is not finite", "outputs/shoes", "▀", "black casual")


async def test_80_columns_and_24_rows_show_picture_details_and_every_key(workspace: Workspace, make: Make) -> None:
    for kind in KINDS[1:]:
        make(f"a_{kind}", kind)
    make("shoes", "finished")
    async with visiting(workspace, (80, 24)) as visit:
        await visit.shows("a_failed +✗", "✓ finished: all steps are done", "since \\S+ \\S+ in outputs/shoes", "▀")
        await visit.shows("Enter Open", "c Compare", "o Folder", "y Copy path", "d Delete", "\\? Help", "q Detach")
        await visit.pilot.resize_terminal(60, 20)
        await visit.shows("✓ finished 42.9 steps/min all steps are done", "Enter Open", "q Detach")
        assert "▀" not in visit.text and "in outputs/shoes" not in visit.text


async def test_a_run_whose_folder_was_renamed_is_listed_opened_and_deleted_alone(
    workspace: Workspace, make: Make
) -> None:
    long, odd = "x" * 120, "my [best] run *"
    for name in ("plain", long, odd):
        run = make(name.replace("*", "").replace("[", "").replace("]", "").strip(), "finished")
        run.dir.path.rename(workspace.outputs / name)
    logs = [workspace.logs / "2026-05-28" / f"train_{name}" for name in ("plain", odd)]
    for folder in logs:
        folder.mkdir(parents=True)
    async with visiting(workspace) as visit:
        await visit.shows("my \\[best\\] run \\* ✓ finished", "xxx…xxxxxxx ✓ finished", "plain ✓ finished")
        await visit.pilot.press("enter")
        await visit.shows("Finished at step 60")
        assert visit.app.run_dir and visit.app.run_dir.name == odd
        await visit.pilot.press("1")
        await visit.shows("d Delete")
        await visit.pilot.press("d")
        await visit.shows("Delete the run\\?", "train_my \\[best\\] run \\*")
        await visit.pilot.press("x")
        await visit.until(lambda: "best" not in visit.text.replace("\n", ""), "one run less")
    assert [folder.exists() for folder in logs] == [True, False]


async def test_a_damaged_journal_is_told_with_how_much_of_it(workspace: Workspace, make: Make) -> None:
    garbage, torn = make("garbage", "interrupted"), make("torn", "interrupted")
    garbage.dir.journal.write_bytes(random.Random(7).randbytes(4096).replace(b"\n", b"") + b"\n\x00\n")
    with torn.dir.journal.open("ab") as file:
        file.write(b'{"seq": 99, "time": 17')
    async with visiting(workspace, (100, 40)) as visit:
        await visit.shows("torn ! interrupted 37/60", "garbage \\? damaged", "1 line of its journal cannot be read")
        await visit.pilot.press("down")
        await visit.shows("nothing of the \\d+ lines of its journal can be read")
        await visit.pilot.press("enter")
        await visit.shows(
            "\\? The journal is damaged", "nothing of the \\d+ lines of its journal", "shoelora-tui resume garbage"
        )
        await visit.pilot.press("d")
        await visit.shows("! The journal is damaged", "Look whether the disk is sound")
        await visit.pilot.press("escape", "1", "up", "enter")
        await visit.shows("Interrupted at step 37", "1 line of its journal cannot be read")


# ---- what its keys do -----------------------------------------------------------------------------------------------


async def test_enter_shows_the_run_on_the_monitor_and_1_comes_back_to_it(workspace: Workspace, make: Make) -> None:
    make("older", "finished")
    make("newer", "running")
    async with visiting(workspace) as visit:
        await visit.shows("older")
        await visit.pilot.press("down", "enter")
        await visit.shows("✓ finished", "Finished at step 60")
        assert isinstance(visit.app.screen, MonitorScreen)
        assert visit.app.run_dir and visit.app.run_dir.name == "older"
        await visit.pilot.press("1")
        await visit.shows("newer +▶")
        assert visit.app.screen.query_one(RunTable).chosen.run.name == "older"  # type: ignore[union-attr]


async def test_a_click_chooses_and_a_second_one_opens(workspace: Workspace, make: Make) -> None:
    make("older", "finished")
    make("newer", "running")
    async with visiting(workspace) as visit:
        await visit.shows("older")
        await visit.pilot.click(RunTable, offset=(8, 2))
        await visit.until(lambda: visit.app.screen.query_one(RunTable).cursor_row == 1, "the cursor")
        await visit.pilot.click(RunTable, offset=(8, 2))
        await visit.until(lambda: isinstance(visit.app.screen, MonitorScreen), "the Monitor")


async def test_resume_starts_an_ended_run_and_says_if_that_fails(
    workspace: Workspace, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make("shoes", "interrupted")
    asked: list[RunDir] = []

    def restart(one: RunDir) -> None:
        asked.append(one)
        raise RunError("The supervisor did not start", "It said nothing.")

    monkeypatch.setattr("engine.control.restart", restart)
    async with visiting(workspace) as visit:
        await visit.shows("! interrupted", "r Resume")
        await visit.pilot.press("r")
        await visit.until(lambda: asked == [run.dir], "the restart")
        await visit.shows("The supervisor did not start", "It said nothing\\.")


async def test_resume_lets_a_paused_run_go_on_and_stop_asks_how(recorded: RecordedRun, obeying: Obeying) -> None:
    recorded.half_way()
    recorded.tell(p.StateChanged("paused"))
    taken = obeying(lambda _request: None)
    async with visiting(recorded.dir.workspace) as visit:
        await visit.shows("‖ paused", "r Resume", "s Stop")
        await visit.pilot.press("r")
        await visit.until(lambda: taken == [p.Resume()], "the command")
        await visit.pilot.press("s")
        await visit.shows("Stop the run\\?", "d Do not save")
        await visit.pilot.press("d")
        await visit.until(lambda: taken == [p.Resume(), p.Stop(save=False)], "the second command")


@pytest.mark.parametrize(
    ("kind", "key", "words"),
    [
        ("running", "d", "A live run is never deleted"),
        ("finished", "s", "Only a run that is at work"),
        ("finished", "r", "Only what is paused"),
    ],
)
async def test_what_is_not_possible_now_says_why(
    workspace: Workspace, make: Make, kind: str, key: str, words: str
) -> None:
    run = make("shoes", kind)
    async with visiting(workspace) as visit:
        await visit.shows("shoes")
        await visit.pilot.press(key)
        await visit.shows(words)
    assert run.dir.config_file.exists()


@pytest.mark.parametrize("key", ["r", "s", "d"])
async def test_a_reader_changes_nothing(workspace: Workspace, make: Make, key: str) -> None:
    make("shoes", "finished")
    async with visiting(workspace, readonly=True) as visit:
        await visit.shows("shoes")
        await visit.pilot.press(key)
        await visit.shows("without --readonly")
        assert isinstance(visit.app.screen, RunsScreen)


async def test_delete_names_what_goes_and_leaves_everything_else(workspace: Workspace, make: Make) -> None:
    run, other = make("shoes", "finished"), make("boots", "finished")
    logs = [workspace.logs / day / f"train_{name}" / "120000" for day, name in
            (("2026-05-28", "shoes"), ("2026-05-29", "shoes"), ("2026-05-29", "boots"))]  # fmt: skip
    for folder in (*logs, workspace.cache):
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"x" * 2**20)
    async with visiting(workspace) as visit:
        await visit.shows("boots")
        await visit.pilot.press("down", "d")
        await visit.shows("Delete the run\\?", "shoes, 2.\\d MiB", "outputs/shoes", "2026-05-29/train_shoes")
        await visit.pilot.press("enter")  # on Cancel, which has the focus
        await visit.until(lambda: isinstance(visit.app.screen, RunsScreen), "the end of the question")
        assert run.dir.path.exists()
        await visit.pilot.press("d")
        await visit.shows("Delete the run\\?", "x Delete it")
        await visit.pilot.press("x")
        await visit.shows("logs are gone")
        await visit.until(lambda: not re.search(r"shoes +✓", visit.text), "one run less")
    assert not run.dir.path.exists() and other.dir.path.exists()
    assert [folder.exists() for folder in logs] == [False, False, True]
    assert not (workspace.logs / "2026-05-28").exists() and workspace.cache.exists()


@pytest.mark.parametrize("key", ["d", "delete"])
async def test_a_key_held_down_asks_and_deletes_nothing(workspace: Workspace, make: Make, key: str) -> None:
    run = make("shoes", "finished")
    async with visiting(workspace) as visit:
        await visit.shows("shoes")
        await visit.pilot.press(key)
        await visit.shows("Delete the run\\?")
        await visit.pilot.press(*[key] * 5)
        await visit.pilot.press("escape")
        await visit.until(lambda: isinstance(visit.app.screen, RunsScreen), "the end of the question")
        assert visit.app.run_dir is None and "gone" not in visit.text
    assert run.dir.config_file.exists()


async def test_a_deleted_run_is_let_go_by_the_other_screens(workspace: Workspace, make: Make) -> None:
    make("boots", "finished")
    make("shoes", "finished")
    async with visiting(workspace) as visit:
        await visit.shows("shoes")
        await visit.pilot.press("enter")
        await visit.shows("Finished at step 60")
        await visit.pilot.press("1")
        await visit.shows("d Delete")
        await visit.pilot.press("d")
        await visit.shows("Delete the run\\?")
        await visit.pilot.press("x")
        await visit.until(lambda: visit.app.run_dir is None, "the end of the run in hand")
        await visit.until(lambda: not re.search(r"shoes +✓", visit.text), "one run less")
        await visit.pilot.press("3")
        await visit.shows("Finished at step 60", "boots")


async def test_the_filter_looks_at_names_and_states_and_is_kept(
    workspace: Workspace, make: Make, tmp_path: Path
) -> None:
    for kind in ("finished", "failed", "running"):
        make(f"a_{kind}", kind)
    folder = tmp_path / "settings"
    async with visiting(workspace, settings=Settings(folder)) as visit:
        await visit.shows("a_failed")
        await visit.pilot.press("slash", *"fai")
        await visit.shows("1 of 3", "a_failed")
        assert "a_running" not in visit.text
        await visit.pilot.press(*["backspace"] * 3, *"a_f", "enter")
        await visit.shows("2 of 3")
        await visit.pilot.press("down", "enter")
        await visit.shows("Finished at step 60")
    async with visiting(workspace, settings=Settings(folder)) as visit:
        await visit.shows("2 of 3", "a_finished")
        await visit.pilot.press("slash", *"zzz")
        await visit.shows("Nothing matches")
        await visit.pilot.press("escape")
        await visit.shows("a_running")


async def test_two_marked_runs_are_compared(workspace: Workspace, make: Make) -> None:
    make("older", "finished")
    make("newer", "failed")
    async with visiting(workspace, (120, 40)) as visit:
        await visit.shows("older")
        await visit.pilot.press("c")
        await visit.shows("Which two\\?")
        await visit.pilot.press("space", "down", "space", "c")
        await visit.shows("Two runs", "◆\\S* newer ✗ failed 37/60", "○\\S* older ✓ finished 60/60", "validation 0.1373")
        await visit.shows("0.20┤", "All settings are the same", "l logarithmic scale")
        await visit.pilot.press("l")
        await visit.shows("0.5┤", "0.2┤")
        assert "0.20┤" not in visit.text
        await visit.pilot.press("l")
        await visit.shows("0.20┤")
        await visit.pilot.press("escape")
        await visit.shows("● +older", "● +newer")


async def test_a_run_that_goes_away_while_it_is_compared_is_said(workspace: Workspace, make: Make) -> None:
    make("older", "finished")
    newer = make("newer", "failed")
    async with visiting(workspace) as visit:
        await visit.shows("older")
        await visit.pilot.press("space", "down")
        newer.dir.journal.unlink()
        await visit.pilot.press("c")
        await visit.shows("A run is gone")
        assert not isinstance(visit.app.screen, CompareScreen)


async def test_the_path_is_copied_and_the_folder_opened_or_named(
    workspace: Workspace, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make("shoes", "finished")
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22")
    async with visiting(workspace) as visit:
        await visit.shows("shoes")
        await visit.pilot.press("y")
        assert visit.app.clipboard == str(run.dir.path)
        await visit.pilot.press("o")
        await visit.shows("other end", "y copies the path")


async def test_keys_for_other_screens_take_the_run_under_the_cursor_along(workspace: Workspace, make: Make) -> None:
    make("older", "finished")
    make("newer", "running")
    async with visiting(workspace) as visit:
        await visit.shows("older")
        await visit.pilot.press("down", "3")
        await visit.until(
            lambda: visit.app.run_dir is not None and visit.app.run_dir.name == "older", "the run in hand"
        )


async def test_bears_every_size(workspace: Workspace, make: Make) -> None:
    for kind in KINDS:
        make(f"a_{kind}", kind)
    async with visiting(workspace) as visit:
        await visit.shows("a_damaged")
        for width, height in [(10, 4), (40, 12), (56, 14), (60, 20), (80, 24), (120, 40), (200, 60), (240, 70)]:
            await visit.pilot.resize_terminal(width, height)
            await visit.pilot.pause()
            rows = visit.text.split("\n")
            assert len(rows) == height and max(map(len, rows)) <= width
            await visit.shows("Too small" if width < 56 else "a_running +▶ running +37/60")


# ---- what it looks like ---------------------------------------------------------------------------------------------


async def settle(pilot: Pilot[None]) -> None:
    """Wait until all runs are on the screen, and the picture where it is wide."""
    for _ in range(PATIENCE):
        await pilot.pause(0.02)
        card = pilot.app.screen.query_one(RunCard)
        if pilot.app.screen.query_one(RunTable).row_count == len(KINDS) and (not card.display or card.is_painted):
            await pilot.pause()
            return
    pytest.fail("the runs never came")


@pytest.fixture
def all_kinds(make: Make) -> None:
    """A run of every kind, with names as they are given by default."""
    for number, kind in enumerate(KINDS):
        make(f"a_{kind}" if number % 2 else f"training_config_20260528-12000{number}", kind)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)], ids="{0[0]}x{0[1]}".format)
@pytest.mark.usefixtures("all_kinds")
def test_all_kinds_of_runs(workspace: Workspace, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    assert snap_compare(runs_console(workspace), terminal_size=size, run_before=settle)


@pytest.mark.parametrize("look", ["daylight", "high-contrast", "colour-blind", "16-colours", "256-colours"])
@pytest.mark.usefixtures("all_kinds")
def test_in_other_colours(workspace: Workspace, snap_compare: SnapCompare, look: str) -> None:
    app = in_look(runs_console(workspace), look)
    assert snap_compare(app, terminal_size=(120, 40), run_before=settle)


@pytest.mark.usefixtures("all_kinds")
def test_without_colours(workspace: Workspace, snap_compare: SnapCompare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(runs_console(workspace), terminal_size=(120, 40), run_before=settle)


def test_no_run_yet(workspace: Workspace, snap_compare: SnapCompare) -> None:
    async def look(pilot: Pilot[None]) -> None:
        for _ in range(20):
            await pilot.pause(0.02)

    assert snap_compare(runs_console(workspace), run_before=look)


def test_a_comparison(workspace: Workspace, make: Make, snap_compare: SnapCompare) -> None:
    make("older", "finished")
    make("newer", "running")

    async def compare(pilot: Pilot[None]) -> None:
        for _ in range(PATIENCE):
            await pilot.pause(0.02)
            if pilot.app.screen.query_one(RunTable).row_count == 2:
                break
        await pilot.press("space", "down", "c")
        for _ in range(PATIENCE):
            await pilot.pause(0.02)
            if pilot.app.screen.query_one(ComparePlot)._strips:
                break

    assert snap_compare(runs_console(workspace), terminal_size=(120, 40), run_before=compare)
