"""The console around its screens: getting about, keys, palette, colours, and what is kept between two starts."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from textual.pilot import Pilot

from engine.contract import protocol as p
from engine.contract.run_dir import RunDir, Workspace
from tests.tui.consoles import console_on, runs_console
from tui.actions import TABLE
from tui.console import ConsoleApp
from tui.navigation import Opened, ScreenName
from tui.screens.help import HelpScreen
from tui.screens.main_screen import MainScreen
from tui.screens.theme_choice import ThemeChoice
from tui.settings import Settings
from tui.themes import first_theme
from tui.widgets.navigation_bar import SCREENS, SHORT_LABELS, NavigationBar

if TYPE_CHECKING:
    from tests.tui.conftest import RecordedRun

PATIENCE = 500  # looks, 0.02 s apart


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "TEXTUAL_THEME", "SSH_CONNECTION", "TMUX"):
        monkeypatch.delenv(name, raising=False)


class Visit:
    """A console in a test, read off its screen."""

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

    async def on_screen(self, name: ScreenName) -> MainScreen:
        """Wait until a screen is shown."""

        def is_there() -> bool:
            screen = self.app.screen
            return isinstance(screen, MainScreen) and name == screen.SCREEN and screen.is_mounted

        await self.until(is_there, name)
        assert isinstance(self.app.screen, MainScreen)
        return self.app.screen


@asynccontextmanager
async def visiting(
    workspace: Workspace, settings: Settings | None = None, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[Visit]:
    app = runs_console(workspace, settings=settings)
    async with app.run_test(size=size, notifications=True) as pilot:
        visit = Visit(app, pilot)
        await visit.on_screen("runs")
        yield visit


# ---- getting about --------------------------------------------------------------------------------------------------


async def test_digits_and_clicks_show_every_screen_which_is_the_same_when_one_comes_back(
    recorded: RecordedRun,
) -> None:
    recorded.half_way()
    async with visiting(recorded.dir.workspace) as visit:
        await visit.shows("demo_noon")
        first = {}
        for number, name in enumerate(SCREENS, start=1):
            await visit.pilot.press(str(number))
            first[name] = await visit.on_screen(name)
            visit.app.screen.set_focus(None)  # a digit that is typed into a text field is no key
        labels = {entry.id: entry.label for entry in TABLE["everywhere"]}
        for name in SCREENS:
            bar = visit.app.screen.query_one(NavigationBar)
            await visit.pilot.click(NavigationBar, offset=(str(bar.render()).index(labels[name]) + 2, 0))
            assert await visit.on_screen(name) is first[name]


async def test_without_a_run_the_monitor_says_what_to_do(workspace: Workspace) -> None:
    async with visiting(workspace) as visit:
        await visit.pilot.press("3")
        await visit.shows("There is no run yet")
        await visit.on_screen("runs")


async def test_screens_bear_a_folder_without_runs(workspace: Workspace) -> None:
    names: tuple[ScreenName, ...] = ("new", "gallery", "generate", "environment")
    async with visiting(workspace, size=(80, 24)) as visit:
        for name in names:
            await visit.pilot.resize_terminal(80, 24)
            visit.app.post_message(Opened(name))
            await visit.on_screen(name)
            await visit.pilot.resize_terminal(40, 10)
            await visit.shows("Too small: 40x10")
            await visit.pilot.resize_terminal(200, 60)
            await visit.shows("1 Runs")


async def test_another_run_in_hand_makes_the_screens_of_a_run_anew(workspace: Workspace, recorded: RecordedRun) -> None:
    recorded.half_way()
    other = type(recorded)(workspace, "other")
    other.half_way()
    async with visiting(workspace) as visit:
        for run, name in ((recorded.dir, "demo_noon"), (other.dir, "other"), (recorded.dir, "demo_noon")):
            visit.app.post_message(Opened("monitor", run))
            await visit.until(lambda run=run: visit.app.run_dir == run, name)  # type: ignore[misc]
            await visit.on_screen("monitor")
            await visit.shows(f"▶ running {name}", f"6 Environment {name}")
    other.die()


async def test_a_run_whose_settings_are_damaged_is_said(workspace: Workspace, recorded: RecordedRun) -> None:
    recorded.half_way()
    recorded.dir.config_file.write_text("{")
    async with visiting(workspace) as visit:
        await visit.shows("\\? damaged")
        visit.app.post_message(Opened("monitor", RunDir(recorded.dir.path)))
        await visit.shows("not valid JSON")
        await visit.on_screen("runs")


async def test_ctrl_c_stops_nothing_and_says_so(workspace: Workspace) -> None:
    async with visiting(workspace) as visit:
        await visit.pilot.press("ctrl+c")
        await visit.shows("Ctrl-C does nothing")


# ---- palette and help -----------------------------------------------------------------------------------------------


async def test_palette_and_help_know_every_action_of_the_screen(recorded: RecordedRun) -> None:
    recorded.half_way()
    async with visiting(recorded.dir.workspace, size=(130, 60)) as visit:
        for name in SCREENS:
            await palette_and_help_know_every_action(visit, recorded.dir, name)


async def palette_and_help_know_every_action(visit: Visit, run: RunDir, name: ScreenName) -> None:
    visit.app.post_message(Opened(name, run))
    screen = await visit.on_screen(name)
    palette = {command.title for command in visit.app.get_system_commands(screen)}
    labels = {entry.id: entry.label for entry in TABLE["everywhere"]}
    elsewhere = {f"{labels[other]}: {entry.label}" for other in SCREENS if other != name for entry in TABLE[other]}
    assert palette == {entry.label for entry in (*screen.actions(), *TABLE["everywhere"])} | elsewhere
    visit.app.action_act("help")
    await visit.shows(f"Keys on {next(one.label for one in TABLE['everywhere'] if one.id == name)}")
    assert isinstance(visit.app.screen, HelpScreen)
    for entry in TABLE[name][:8]:
        await visit.shows(" ".join(map(re.escape, f"{'/'.join(entry.signs)} {entry.label}:".split())))
    await visit.pilot.press("escape")
    await visit.on_screen(name)


async def test_the_palette_does_what_it_says(workspace: Workspace) -> None:
    async with visiting(workspace) as visit:
        await visit.pilot.press("ctrl+p")
        await visit.pilot.press(*"theme")
        await visit.shows("Choose the colours")
        await visit.pilot.press("enter")
        await visit.until(lambda: isinstance(visit.app.screen, ThemeChoice), "the themes")


async def test_the_palette_does_what_another_screen_could(
    recorded: RecordedRun, obeying: Callable[[Callable[[p.Request], None]], list[p.Command]]
) -> None:
    recorded.half_way()
    taken = obeying(lambda request: recorded.tell(p.StateChanged("paused"), command_id=request.id))
    async with visiting(recorded.dir.workspace) as visit:
        await visit.shows("demo_noon")
        await visit.pilot.press("ctrl+p", *"pause")
        await visit.shows("Monitor: Pause")
        await visit.pilot.press("enter")
        await visit.on_screen("monitor")
        await visit.shows("‖ paused")
    assert taken == [p.Pause()]


# ---- keys -----------------------------------------------------------------------------------------------------------


async def test_a_key_map_changes_keys_bars_and_help_and_tells_what_does_not_apply(
    recorded: RecordedRun, tmp_path: Path
) -> None:
    recorded.half_way()
    keymap = {"runs.compare": "f2", "everywhere.environment": "m", "runs.stop": "ctrl+b", "runs.fly": "f"}
    (tmp_path / "keymap.json").write_text(json.dumps(keymap))
    async with visiting(recorded.dir.workspace, Settings(tmp_path)) as visit:
        await visit.shows("no action runs.fly", "runs.stop cannot be ctrl\\+b", "F2 Compare", "m Environment", "s Stop")
        await visit.pilot.press("c")
        await visit.pilot.press("f2")
        await visit.shows("Which two")
        await visit.pilot.press("question_mark")
        await visit.shows("F2 Compare:", "m Environment:")
        await visit.pilot.press("escape", "m")
        await visit.on_screen("environment")
    async with visiting(recorded.dir.workspace) as visit:  # without it, all is as it was
        await visit.shows("c Compare", "6 Environment")


# ---- colours and pictures -------------------------------------------------------------------------------------------


async def test_a_theme_is_shown_while_it_is_looked_for_and_kept_when_it_is_chosen(
    workspace: Workspace, tmp_path: Path
) -> None:
    async with visiting(workspace, Settings(tmp_path)) as visit:
        assert visit.app.theme == "nord"
        await visit.pilot.press("t")
        await visit.shows("nord dark", "colour-blind", "Enter keeps")
        await visit.pilot.press("down")
        await visit.until(lambda: visit.app.theme == "daylight", "the preview")
        await visit.pilot.press("escape")
        await visit.on_screen("runs")
        assert visit.app.theme == "nord" and Settings(tmp_path).theme is None
        await visit.pilot.press("t", "down", "down", "enter")
        await visit.on_screen("runs")
        assert visit.app.theme == "high-contrast"
    async with visiting(workspace, Settings(tmp_path)) as visit:
        assert visit.app.theme == "high-contrast"


async def test_a_theme_that_is_no_more_gives_way_to_the_first(workspace: Workspace) -> None:
    settings = Settings()
    settings.theme = "no-more"
    async with visiting(workspace, settings) as visit:
        assert visit.app.theme == "nord"


def test_16_colours_begin_with_the_theme_made_for_them() -> None:
    assert [first_theme(system) for system in ("standard", "256", "truecolor", None)] == [
        "high-contrast", "nord", "nord", "nord",
    ]  # fmt: skip


@pytest.mark.parametrize("theme", ["ansi-dark", "ansi-light"])
async def test_the_terminals_own_colours_do_as_well(recorded: RecordedRun, theme: str) -> None:
    recorded.half_way()
    settings = Settings()
    settings.theme = theme
    async with visiting(recorded.dir.workspace, settings) as visit:
        await visit.shows("▶ running")
        await visit.pilot.press("3")
        await visit.shows("step 37/60")


@pytest.mark.parametrize("name", ["monitor", "gallery"])
async def test_the_run_in_hand_is_named_on_every_screen_from_the_start(recorded: RecordedRun, name: ScreenName) -> None:
    recorded.half_way()
    app = console_on(recorded.dir)
    async with app.run_test(size=(120, 40)) as pilot:
        visit = Visit(app, pilot)
        await visit.shows("6 Environment +demo_noon")  # as after `attach`
        app.post_message(Opened(name))
        await visit.shows("6 Environment +demo_noon")


@pytest.mark.parametrize("theme", [None, "daylight"])
async def test_no_color_leaves_the_terminals_own_colours_everywhere(
    recorded: RecordedRun, monkeypatch: pytest.MonkeyPatch, theme: str | None
) -> None:
    recorded.half_way()
    monkeypatch.setenv("NO_COLOR", "1")
    settings = Settings()
    if theme:
        settings.theme = theme
    async with visiting(recorded.dir.workspace, settings) as visit:
        await visit.shows("▶ running")
        for name in SCREENS:
            visit.app.post_message(Opened(name, recorded.dir))
            screen = await visit.on_screen(name)
            await visit.pilot.pause()
            segments = [segment for strip in screen._compositor.render_strips() for segment in strip]
            colours = {one for segment in segments if (style := segment.style) for one in (style.color, style.bgcolor)}
            assert all(colour is None or colour.is_default for colour in colours)
            reversed_words = [segment.text for segment in segments if segment.style and segment.style.reverse]
            label = next(entry.label for entry in TABLE["everywhere"] if entry.id == name)
            assert any(label in words or SHORT_LABELS.get(name, "-") in words for words in reversed_words)


async def test_no_color_is_told_instead_of_themes_that_would_not_be_seen(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with visiting(workspace) as visit:
        await visit.pilot.press("t")
        await visit.shows("NO_COLOR is set")


async def test_no_color_reverses_the_button_with_the_focus_alone(
    recorded: RecordedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded.half_way()
    monkeypatch.setenv("NO_COLOR", "1")
    async with visiting(recorded.dir.workspace) as visit:
        await visit.shows("▶ running")
        await visit.pilot.press("s")
        await visit.shows("Stop the run")
        segments = [segment for strip in visit.app.screen._compositor.render_strips() for segment in strip]
        for words, focused in (("s Save and stop", True), ("d Do not save", False)):
            style = next(segment.style for segment in segments if words in segment.text)
            assert style and bool(style.reverse) is focused


async def test_i_shows_pictures_in_another_way_and_the_choice_is_kept(workspace: Workspace, tmp_path: Path) -> None:
    async with visiting(workspace, Settings(tmp_path)) as visit:
        await visit.pilot.press("i")
        await visit.shows("Pictures: off")
        assert visit.app.image_mode == "off" and Settings(tmp_path).image_mode == "off"
        await visit.pilot.press("i")
        assert Settings(tmp_path).image_mode == "block"


async def test_damaged_settings_are_told_once(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "console.json").write_text('{"theme": 7}')
    async with visiting(workspace, Settings(tmp_path)) as visit:
        await visit.shows("console.json", "Defaults are used")
