"""`python -m tests.pictures --into DIR`: trains the demo, goes through the console, and pictures every screen of it."""

import argparse
import asyncio
import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input, Select

from engine import control
from engine.contract import protocol as p
from engine.contract.config import TrainingConfig
from engine.contract.config_file import find_config, load_config
from engine.contract.run_dir import RunDir, Workspace
from tests.pictures.svg import drawn
from tui.console import ConsoleApp
from tui.environment_check import CheckResult, EnvironmentCheck
from tui.navigation import ScreenName
from tui.run_view import view_run
from tui.screens.environment import EnvironmentScreen
from tui.screens.main_screen import MainScreen
from tui.settings import Settings

SIZE = (120, 36)  # of the terminal in a picture
SHOWN = 6  # pictures of each validation: as many as fill the room for them
PATIENCE = 1200  # seconds; all of it takes twelve minutes on two cores that have other things to do
PIXELS = "▀"
SOURCE = Path(__file__).parents[2]
PROMPT = "a professional product photo of red sneakers on yellow background"


class DiscreetCheck(EnvironmentCheck):
    """The check of this machine, without its folders and the name of its system."""

    def __init__(self, config: TrainingConfig, workspace: Workspace) -> None:
        super().__init__(config, workspace)
        self._names = {
            str(workspace.root): "~/shoes", str(SOURCE): "~/shoelora-tui", platform.platform(): platform.system()
        }  # fmt: skip

    def results(self) -> list[CheckResult]:
        """As they are told, but for those names."""
        results = super().results()
        for name, instead in self._names.items():
            results = [replace(result, text=result.text.replace(name, instead)) for result in results]
        return results


class Console(ConsoleApp):
    """The console, which checks discreetly."""

    def _make(self, name: ScreenName) -> MainScreen:
        if name == "environment":
            return EnvironmentScreen(self.workspace, self.run_dir, begin_check=DiscreetCheck)
        return super()._make(name)


class Studio:
    """A console without a terminal, and the folder for its pictures."""

    def __init__(self, pilot: Pilot[None], folder: Path) -> None:
        self._pilot = pilot
        self._folder = folder

    @property
    def text(self) -> str:
        """All that is on the screen."""
        return "\n".join(strip.text for strip in self._pilot.app.screen._compositor.render_strips())

    async def until(self, *words: str, pixels: int = 0) -> None:
        """Wait for words, and for pictures of so many cells."""
        await self.until_true(lambda: all(w in self.text for w in words) and self.text.count(PIXELS) >= pixels)

    async def until_true(self, is_so: Callable[[], bool]) -> None:
        """Look again and again."""
        for _ in range(PATIENCE * 5):
            await self._pilot.pause(0.2)
            if is_so():
                await self._pilot.pause(1.0)  # what is read on threads comes when it comes
                return
            if not self._pilot.app.is_running:
                break
        raise SystemExit(f"It never came to that:\n{self.text}")

    async def press(self, *keys: str) -> None:
        """As a user does."""
        await self._pilot.press(*keys)

    def keep(self, name: str) -> None:
        """Write the picture."""
        file = self._folder / f"{name}.svg"
        file.write_text(drawn(self._pilot.app.screen._compositor.render_strips()), encoding="utf-8")
        print(f"{file}: {file.stat().st_size / 1000:.0f} kB", flush=True)


async def take_pictures(app: ConsoleApp, run: RunDir, folder: Path) -> None:
    """Go from screen to screen: first while the run is at work, then with what it made."""
    async with app.run_test(size=SIZE) as pilot:
        studio = Studio(pilot, folder)
        await studio.until_true(lambda: view_run(run).step >= 130)
        await studio.until("Pictures at step", pixels=300)
        studio.keep("monitor")
        await studio.press("1")
        await studio.until("running", "stopped", "finished", pixels=100)
        studio.keep("runs")
        await studio.press("2")
        await studio.until("Preset")
        app.screen.query_one("#preset", Select).value = "demo"
        await studio.until("can start", "Memory", "Disk")
        studio.keep("new_run")
        await studio.until_true(lambda: view_run(run).state.is_final)
        await studio.press("4")
        await studio.until("step 200", pixels=500)
        studio.keep("gallery")
        await studio.press("5")
        await studio.until("Prompt")
        app.screen.query_one("#prompt", Input).value = PROMPT
        await studio.press("g")
        await studio.until("✓ 4 pictures drawn", pixels=500)
        studio.keep("generate")
        await studio.press("6")
        await studio.until("ready to train")
        studio.keep("environment")


def earlier_runs(workspace: Workspace, config: TrainingConfig) -> None:
    """One that is finished and one that was stopped, so that the list of runs has something to tell apart."""
    short = control.launch(workspace, config.model_copy(update={"max_train_steps": 40}), "demo")
    wait(lambda: view_run(short).state.is_final)
    stopped = control.launch(workspace, config, "demo")
    wait(lambda: view_run(stopped).step >= 20)
    control.send_and_wait(stopped, p.Stop(save=True))
    wait(lambda: view_run(stopped).state.is_final)


def wait(is_so: Callable[[], bool]) -> None:
    """Look again and again."""
    for _ in range(PATIENCE):
        if is_so():
            return
        time.sleep(1.0)
    raise SystemExit("A run never came so far; its log is in logs/.")


def main() -> None:
    """Pictures of the same terminal on every machine; times, paces and the machine's own facts differ."""
    parser = argparse.ArgumentParser(prog="python -m tests.pictures", description=__doc__)
    parser.add_argument("--into", type=Path, required=True, help="the folder for the pictures")
    folder = parser.parse_args().into.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("NO_COLOR", "TEXTUAL_THEME", "SSH_CONNECTION", "TMUX", "STY", "TERM_PROGRAM", "LC_TERMINAL"):
        os.environ.pop(name, None)
    os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    with tempfile.TemporaryDirectory(prefix="shoes-") as place:
        os.chdir(place)  # paths on the screen are told from here
        workspace = Workspace(Path(place).resolve())
        config = load_config(find_config("demo", workspace.root), {"num_validation_images": SHOWN})
        earlier_runs(workspace, config)
        run = control.launch(workspace, config, "demo")
        app = Console(workspace, run, False, Settings(), "block", "shown everywhere")
        asyncio.run(take_pictures(app, run, folder))


if __name__ == "__main__":
    main()
