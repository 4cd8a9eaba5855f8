"""The Generate screen: every action, with a tool that says what the test lets it say."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Select, Static

from engine.contract.config import TrainingConfig
from engine.contract.generated import GeneratedPicture, encode
from engine.contract.protocol import PhaseProgressed
from engine.contract.run_dir import RunDir, RunLock, Workspace, create_run
from engine.contract.saved_adapters import ADAPTER_FILE
from tests.tui.looks import in_look
from tui.console import ConsoleApp
from tui.screens.generate import GenerateScreen
from tui.screens.share_dialog import ShareDialog
from tui.settings import Settings
from tui.widgets.drawn_pictures import DrawnPictures
from tui.widgets.image_view import ImageView
from tui.widgets.sample_form import SampleForm
from tui.widgets.sample_status import SampleStatus

if TYPE_CHECKING:
    from tests.tui.conftest import RecordedRun

pytestmark = pytest.mark.usefixtures("same_everywhere")

SnapCompare = Callable[..., bool]


class FakeTool:
    """Says lines as they are put in; ends when told to, or when it is stopped."""

    def __init__(self) -> None:
        self.started: list[tuple[TrainingConfig, list[str]]] = []
        self.stops = 0
        self._said: queue.Queue[str | None] = queue.Queue()
        self._end = (0, "")

    def start(self, config: TrainingConfig, _workspace: Workspace, words: Sequence[str]) -> FakeTool:
        self.started.append((config, list(words)))
        return self

    def say(self, *said: PhaseProgressed | GeneratedPicture) -> None:
        for one in said:
            self._said.put(encode(one))

    def end(self, code: int = 0, error: str = "") -> None:
        self._end = (code, error)
        self._said.put(None)

    def lines(self) -> Iterator[str]:
        yield "a library says hello"
        while (line := self._said.get(timeout=30)) is not None:
            yield line

    def finish(self) -> tuple[int, str]:
        return self._end

    def stop(self) -> None:
        self.stops += 1
        self.end(130, "Interrupted.")


class Bench:
    """A console on its Generate screen, and the tool behind it."""

    def __init__(self, app: ConsoleApp, screen: GenerateScreen, pilot: Pilot[None], tool: FakeTool) -> None:
        self.app, self.screen, self.pilot, self.tool = app, screen, pilot, tool

    async def until(self, is_so: Callable[[], object]) -> None:
        for _ in range(1000):
            if is_so():
                await self.pilot.pause()
                return
            await self.pilot.pause(0.01)
        pytest.fail(f"it never came to that; the status says: {self.status}")

    @property
    def status(self) -> str:
        return str(self.screen.query_one(SampleStatus).visual)

    def field(self, name: str) -> Input:
        return self.screen.query_one(f"#{name}", Input)

    @property
    def pictures(self) -> list[ImageView]:
        return list(self.screen.query_one(DrawnPictures).query(ImageView))


def save_adapters(run: RunDir, *steps: int) -> None:
    for folder in (run.lora_weights, *(run.checkpoints / f"checkpoint-{step}" for step in steps)):
        folder.mkdir(parents=True)
        (folder / ADAPTER_FILE).touch()


@pytest.fixture
def ended(recorded: RecordedRun) -> RunDir:
    """A run that nobody works on any more, with an adapter and two checkpoints."""
    recorded.half_way()
    recorded.die()
    save_adapters(recorded.dir, 20, 40)
    return recorded.dir


def console(run: RunDir, settings: Settings | None = None, readonly: bool = False) -> ConsoleApp:
    return ConsoleApp(run.workspace, run, readonly, settings or Settings(), "block")


async def opened(app: ConsoleApp, pilot: Pilot[None]) -> Bench:
    """Go to the screen, with a tool of the test's, and wait until the form is filled."""
    screen = app.main_screen("generate")
    assert isinstance(screen, GenerateScreen)
    tool = FakeTool()
    screen.start_tool = tool.start
    bench = Bench(app, screen, pilot, tool)
    await pilot.press("5")
    await bench.until(lambda: app.screen is screen and screen.query_one(SampleForm).source)
    await bench.until(lambda: bench.field("steps").value)
    return bench


def picture(index: int, file: Path = Path("gone.png"), fault: str = "") -> GeneratedPicture:
    return GeneratedPicture(str(file), "red shoes", "", 42 + index, 25, 7.5, "demo", None, fault=fault)


# ---- the form ----------------------------------------------------------------------------------------------------


async def test_adapters_checkpoints_and_base_models_are_offered(ended: RunDir) -> None:
    other = create_run(ended.workspace, "boots", TrainingConfig(pretrained_model_name_or_path="their/model"))
    save_adapters(other, 7)
    app = console(ended)
    async with app.run_test() as pilot:
        bench = await opened(app, pilot)
        select = bench.screen.query_one("#source", Select)
        offered = [str(label) for label, _ in select._options]
        assert offered[1:6] == [
            "demo_noon: adapter", "demo_noon: checkpoint 40", "demo_noon: checkpoint 20", "boots: adapter",
            "boots: checkpoint 7",
        ]  # fmt: skip
        assert "base model alone: model" in offered[6:]
        assert "base model alone: demo" in offered[6:]
        assert select.value == "demo_noon/lora_weights"


async def test_a_value_that_cannot_be_used_is_named_at_once_and_nothing_is_drawn(ended: RunDir) -> None:
    app = console(ended)
    async with app.run_test() as pilot:
        bench = await opened(app, pilot)
        for field, text, said in (
            ("steps", "0", "Steps: input should be greater than or equal to 1"),
            ("seed", "x", "Seed: input should be a valid integer"),
            ("guidance", "101", "Guidance: input should be less than or equal to 100"),
            ("count", "65", "Pictures: '65' is no whole number from 1 to 64"),
            ("weight", "2.5", "Weight: '2.5' is no number from 0 to 2"),
            ("prompt", " ", "Prompt: say what to draw"),
        ):
            good = bench.field(field).value
            bench.field(field).value = text
            await pilot.pause()
            assert said in str(bench.screen.query_one("#faults", Static).visual)
            await pilot.press("escape", "g")
            await pilot.pause()
            assert app.focused is bench.field(field)
            bench.field(field).value = good
            await pilot.pause()
            assert not bench.screen.query_one("#faults").display
        assert not bench.tool.started


async def test_values_are_kept_for_the_next_start(ended: RunDir, tmp_path: Path) -> None:
    folder = tmp_path / "settings"
    app = console(ended, Settings(folder))
    async with app.run_test() as pilot:
        bench = await opened(app, pilot)
        bench.field("prompt").value = "green boots"
        bench.screen.query_one("#source", Select).value = "demo_noon/checkpoint-20"
        bench.field("count").focus()
        await pilot.press("backspace", "2", "enter")
        await bench.until(lambda: bench.tool.started)
    app = console(ended, Settings(folder))
    async with app.run_test() as pilot:
        bench = await opened(app, pilot)
        assert (bench.field("prompt").value, bench.field("count").value) == ("green boots", "2")
        assert bench.screen.query_one("#source", Select).value == "demo_noon/checkpoint-20"


# ---- the actions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["g", "ctrl+g in a field", "enter in a field", "the button"])
async def test_generate_starts_the_tool_with_what_the_form_says(ended: RunDir, way: str) -> None:
    app = console(ended)
    async with app.run_test() as pilot:
        bench = await opened(app, pilot)
        typed = {"prompt": "blue boots", "negative": "blurry", "seed": "7", "count": "3", "steps": "9", "guidance": "2"}
        for field, text in {**typed, "weight": "0.5"}.items():
            bench.field(field).value = text
        if "field" in way:
            bench.field("prompt").focus()
        await (pilot.click("#go") if way == "the button" else pilot.press(way.split()[0]))
        await bench.until(lambda: bench.tool.started)
        ((config, words),) = bench.tool.started
        assert words == [
            "--json", "--prompt=blue boots", "--count=3", f"--adapter={ended.lora_weights}", "--adapter-weight=0.5",
        ]  # fmt: skip
        assert (config.validation_negative_prompt, config.seed) == ("blurry", 7)
        assert (config.validation_inference_steps, config.validation_guidance_scale) == (9, 2)
        assert config.resolution == ended.config().resolution
        assert len(bench.pictures) == 3
        await pilot.press("escape", "g", "ctrl+g")  # one at a time
        assert len(bench.tool.started) == 1


async def test_a_base_model_alone_has_no_weight(ended: RunDir) -> None:
    app = console(ended)
    async with app.run_test() as pilot:
        bench = await opened(app, pilot)
        select = bench.screen.query_one("#source", Select)
        select.value = next(value for label, value in select._options if str(label).startswith("base model alone"))
        await bench.until(lambda: bench.field("weight").disabled)
        await pilot.press("g")
        await bench.until(lambda: bench.tool.started)
        assert not [word for word in bench.tool.started[0][1] if "adapter" in word]


async def test_a_base_model_that_was_offered_or_chosen_before_gives_way_to_the_adapters_of_the_run_in_hand(
    recorded: RecordedRun, tmp_path: Path
) -> None:
    settings = Settings(tmp_path / "settings")
    recorded.half_way()
    app = console(recorded.dir, settings)
    async with app.run_test() as pilot:
        await opened(app, pilot)  # no adapter is there yet, so that a base model is offered
    assert settings.recall("generate.source", "") == ""
    settings.remember("generate.source", "base/anything")
    save_adapters(recorded.dir)
    app = console(recorded.dir, settings)
    async with app.run_test() as pilot:
        bench = await opened(app, pilot)
        assert bench.screen.query_one("#source", Select).value == "demo_noon/lora_weights"


async def test_with_nothing_chosen_it_says_what_to_choose(ended: RunDir) -> None:
    app = console(ended)
    async with app.run_test(notifications=True) as pilot:
        bench = await opened(app, pilot)
        bench.screen.query_one("#source", Select).clear()
        await pilot.press("g")
        await bench.until(lambda: any("Choose an adapter" in one.message for one in app._notifications))
        assert not bench.tool.started


async def test_progress_and_pictures_are_shown_as_they_come(ended: RunDir) -> None:
    app = console(ended)
    async with app.run_test(size=(120, 40)) as pilot:
        bench = await opened(app, pilot)
        await pilot.press("g")
        await bench.until(lambda: "Starting" in bench.status)
        bench.tool.say(PhaseProgressed("denoising", 5, 50))
        await bench.until(lambda: "denoising" in bench.status and "5/50  0 of 4 pictures" in bench.status)
        bench.tool.say(picture(0))
        await bench.until(lambda: bench.pictures[0]._caption == "seed 42")
        assert [view._caption for view in bench.pictures[1:]] == ["", "", ""]
        bench.tool.say(*(picture(index) for index in (1, 2, 3)))
        bench.tool.end()
        await bench.until(lambda: "✓ 4 pictures drawn" in bench.status)
        assert [view._caption for view in bench.pictures] == [f"seed {seed}" for seed in (42, 43, 44, 45)]
        await pilot.press("g")  # and again
        await bench.until(lambda: len(bench.tool.started) == 2)
        assert [view._caption for view in bench.pictures] == [""] * 4


@pytest.mark.parametrize("way", ["s", "the button"])
async def test_stop_ends_the_tool_and_keeps_what_was_drawn(ended: RunDir, way: str) -> None:
    app = console(ended)
    async with app.run_test() as pilot:
        bench = await opened(app, pilot)
        await pilot.press("s")  # nothing is at work
        await pilot.press("g")
        await bench.until(lambda: bench.tool.started)
        bench.tool.say(picture(0))
        await bench.until(lambda: bench.pictures[0]._caption)
        await (pilot.press("s") if way == "s" else pilot.click("#go"))
        await bench.until(lambda: "! Stopped; 1 picture drawn" in bench.status)
        assert bench.tool.stops == 1
        assert len(bench.pictures) == 1


async def test_leaving_the_console_stops_the_tool(ended: RunDir) -> None:
    app = console(ended)
    async with app.run_test() as pilot:
        bench = await opened(app, pilot)
        await pilot.press("g")
        await bench.until(lambda: bench.tool.started)
        await pilot.press("q")
    assert bench.tool.stops == 1


async def test_random_puts_another_seed(ended: RunDir) -> None:
    app = console(ended)
    async with app.run_test() as pilot:
        bench = await opened(app, pilot)
        seeds = {bench.field("seed").value}
        for _ in range(3):
            await pilot.press("r")
            seeds.add(bench.field("seed").value)
        assert len(seeds) == 4
        assert all(0 <= int(seed) < 2**32 for seed in seeds)


async def test_edit_goes_to_the_prompt_and_escape_leaves_it(ended: RunDir) -> None:
    app = console(ended)
    async with app.run_test() as pilot:
        bench = await opened(app, pilot)
        bench.field("prompt").value = ""
        await pilot.press("e", "g", "s", "5", "escape", "r")
        assert bench.field("prompt").value == "gs5"
        assert app.focused is None


async def test_view_opens_the_gallery_on_what_was_just_drawn(ended: RunDir) -> None:
    samples = ended.workspace.outputs / "samples"
    for name in ("older", "newer"):
        (samples / name).mkdir(parents=True)
        (samples / name / "00.png").write_bytes(ended.validation_image(1, 20, 0).read_bytes())
    os.utime(samples / "older", (1, 1))
    other = create_run(ended.workspace, "boots", TrainingConfig())
    save_adapters(other)
    app = console(ended)
    async with app.run_test() as pilot:
        bench = await opened(app, pilot)

        def gallery_says(*words: str) -> bool:
            head = app.screen.query("#head")
            return app.main_screen("gallery") is app.screen and all(
                word in str(head.first(Static).visual) for word in words
            )

        await pilot.press("v")
        await bench.until(lambda: gallery_says("step 20"))
        await pilot.press("v", "left")
        await bench.until(lambda: gallery_says("older"))
        await pilot.press("c", "v", "5")
        await bench.until(lambda: app.screen is bench.screen)
        bench.screen.query_one("#source", Select).value = "boots/lora_weights"
        await pilot.press("g")
        await bench.until(lambda: bench.tool.started)
        bench.tool.say(picture(0, samples / "newer" / "00.png"))
        bench.tool.end()
        await bench.until(lambda: "drawn" in bench.status)
        await pilot.press("v")
        await bench.until(lambda: gallery_says("newer", "2/2", "follows"))
        assert len([view for view in app.screen.query(ImageView) if view.display]) == 1, "all of them, not a comparison"
        await pilot.press("5")
        await bench.until(lambda: app.screen is bench.screen and "drawn" in bench.status)


# ---- what can go wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        (
            1,
            "[WARN] something else\n       why\n\nThe adapter x does not fit this base model\n"
            "  Why: 64 of 64 tensors differ.\n  Do:  Name the other one.",
            ["✗ The adapter x does not fit this base model", "64 of 64 tensors differ.", "→ Name the other one."],
        ),
        (1, "\nNo space left on device: /x/00.png", ["✗ No space left on device: /x/00.png"]),
        (-9, "", ["✗ The tool was killed", "memory ran out", "→ "]),
        (1, "Traceback (most recent call last):\n  File x\nKeyError: 'a'", ["fault of this program", "KeyError: 'a'"]),
        (3, "", ["✗ The tool ended with code 3"]),
    ],
)
async def test_an_error_is_told_in_place(ended: RunDir, code: int, error: str, said: list[str]) -> None:
    app = console(ended)
    async with app.run_test() as pilot:
        bench = await opened(app, pilot)
        await pilot.press("g")
        await bench.until(lambda: bench.tool.started)
        bench.tool.end(code, error)
        await bench.until(lambda: "✗" in bench.status)
        assert all(part in bench.status for part in said)
        assert "File x" not in bench.status
        assert bench.pictures == []


async def test_a_tool_that_cannot_be_started_is_told(ended: RunDir) -> None:
    def start(*_: object) -> FakeTool:
        raise OSError(12, "Cannot allocate memory")

    app = console(ended)
    async with app.run_test() as pilot:
        bench = await opened(app, pilot)
        bench.screen.start_tool = start
        await pilot.press("g")
        await bench.until(lambda: "✗ The tool cannot be started: Cannot allocate memory" in bench.status)


async def test_pictures_that_cannot_be_right_are_marked(ended: RunDir) -> None:
    app = console(ended)
    async with app.run_test() as pilot:
        bench = await opened(app, pilot)
        bench.field("count").value = "1"
        await pilot.press("g")
        await bench.until(lambda: bench.tool.started)
        bench.tool.say(picture(0, fault="is black"))
        bench.tool.end(1, "[WARN] 00.png is black; try mixed_precision no.")
        await bench.until(lambda: "! 1 picture drawn, 1 cannot be right" in bench.status)
        assert bench.pictures[0]._caption == "seed 42: is black!"


async def test_nothing_is_drawn_in_a_console_that_only_looks(ended: RunDir) -> None:
    app = console(ended, readonly=True)
    async with app.run_test() as pilot:
        bench = await opened(app, pilot)
        await pilot.press("g")
        await bench.until(lambda: app._notifications)
        assert not bench.tool.started


# ---- beside a live run -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["g", "escape"])
async def test_beside_a_live_run_on_the_same_device_the_user_is_asked(ended: RunDir, answer: str) -> None:
    lock = RunLock.acquire(ended)
    app = console(ended)
    try:
        async with app.run_test() as pilot:
            bench = await opened(app, pilot)
            assert "demo_noon is live on this device" in bench.status
            await pilot.press("g")
            await bench.until(lambda: isinstance(app.screen, ShareDialog))
            assert not bench.tool.started
            await pilot.press(answer)
            await bench.until(lambda: app.screen is bench.screen)
            await bench.until(lambda: len(bench.tool.started) == (answer == "g"))
    finally:
        lock.release()


async def test_a_live_run_on_another_device_is_no_matter(ended: RunDir) -> None:
    theirs = create_run(ended.workspace, "boots", TrainingConfig(device="cuda"))
    ours = create_run(ended.workspace, "shoes", TrainingConfig(device="cpu"))
    save_adapters(ours)
    lock = RunLock.acquire(theirs)
    app = console(ours)
    try:
        async with app.run_test() as pilot:
            bench = await opened(app, pilot)
            assert "is live" not in bench.status
            await pilot.press("g")
            await bench.until(lambda: bench.tool.started)
    finally:
        lock.release()


# ---- how it looks ------------------------------------------------------------------------------------------------


async def test_a_tiny_window_says_what_it_needs_and_how_far_it_is(ended: RunDir) -> None:
    app = console(ended)
    async with app.run_test(size=(80, 24)) as pilot:
        bench = await opened(app, pilot)
        await pilot.press("g")
        await bench.until(lambda: bench.tool.started)
        for size in ((50, 12), (20, 5), (1, 1), (200, 60), (50, 12)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        bench.tool.say(PhaseProgressed("denoising", 5, 50))
        words = bench.screen.query_one("#too-small", Static)
        await bench.until(lambda: "5/50" in str(words.visual))
        assert "needs 56x14" in str(words.visual)


SIZES = pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)], ids="{0[0]}x{0[1]}".format)


@SIZES
def test_pictures_half_done(ended: RunDir, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    async def half(pilot: Pilot[None]) -> None:
        assert isinstance(pilot.app, ConsoleApp)
        bench = await opened(pilot.app, pilot)
        await pilot.press("g")
        await bench.until(lambda: bench.tool.started)
        for index in range(3):
            bench.tool.say(picture(index, ended.validation_image(1, 20, index)))
        bench.tool.say(PhaseProgressed("denoising", 38, 50))
        pane = bench.screen.query_one(DrawnPictures)
        await bench.until(lambda: "38/50  3 of 4" in bench.status and pane.is_painted and bench.pictures[2]._caption)

    assert snap_compare(console(ended), terminal_size=size, run_before=half)


@pytest.mark.parametrize("look", ["nord", "daylight", "16-colours"])
def test_an_error(ended: RunDir, snap_compare: SnapCompare, look: str) -> None:
    async def fail(pilot: Pilot[None]) -> None:
        assert isinstance(pilot.app, ConsoleApp)
        bench = await opened(pilot.app, pilot)
        bench.field("steps").value = "12"
        await pilot.press("g")
        await bench.until(lambda: bench.tool.started)
        bench.tool.end(1, "\nThe adapter x does not fit\n  Why: Other widths.\n  Do:  Name the other one.")
        await bench.until(lambda: "✗" in bench.status)
        bench.field("steps").value = "0"
        await pilot.pause()

    assert snap_compare(in_look(console(ended), look), run_before=fail)
