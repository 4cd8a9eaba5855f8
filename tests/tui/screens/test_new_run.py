"""The New run screen: what it says while settings are typed, what its keys do, and what it looks like."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as run_settings
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Button, Input, Select, Switch

from engine import control
from engine.contract.config import TrainingConfig
from engine.contract.config_file import find_config, load_config
from engine.contract.errors import DataError, ModelError, RunError
from engine.contract.run_dir import RunDir, RunLock, Workspace
from engine.control import Estimate, Obstacle, ToolProcess
from engine.control.estimating import Duration, Memory
from engine.control.obstacles import Samples
from engine.estimate import DiskParts, MemoryParts
from tests.tui.consoles import runs_console
from tests.tui.looks import in_look
from tests.tui.valid_configs import valid_configs
from tui import tool_feed
from tui.actions.new_run import ACTIONS
from tui.config_draft import ConfigDraft
from tui.console import ConsoleApp
from tui.screens.file_dialog import FileDialog
from tui.screens.form_questions import OverwriteQuestion, PresetQuestion, ResetQuestion
from tui.screens.monitor import MonitorScreen
from tui.screens.new_run import NewRunScreen
from tui.setting_fields import Shown, shown_config, typed
from tui.settings import Settings
from tui.widgets.config_form import ConfigForm
from tui.widgets.setting_row import SettingRow
from tui.widgets.text_list import ListTools, TextList
from tui.widgets.tool_report import ToolReport

if TYPE_CHECKING:
    from tests.tui.conftest import RecordedRun

pytestmark = pytest.mark.usefixtures("same_everywhere")

SnapCompare = Callable[..., bool]
PATIENCE = 1500  # looks, 0.02 s apart
GIB = 2**30
ESTIMATE = Estimate(
    effective_batch=16,
    samples=Samples(1891, 100, 0),
    epochs=25.4,
    memory=Memory(MemoryParts(3436308480, 6335076762, 25509888, 1610612736), 32 * GIB, "machine", 20 * GIB),
    duration=Duration(4.6, 13800, 1500, "measured by the preflight of 2026-05-28 12:00", is_measured=True),
    disk=DiskParts(702_000_000, 115_577_856, 44_040_192, 19_262_976, 4_262_755_041),
    disk_free=310 * GIB,
    adapter_parameters=1_594_368,
    adapter_bytes=6_420_992,
    obstacles=(),
)
NO_DATA = Obstacle("train_data_dir", DataError("There is no folder /pictures", "", "Name the folder of your pictures."))
NO_MODEL = Obstacle("pretrained_model_name_or_path", ModelError("The base model x/y is not on this computer"))


class FakeEngine:
    """What the form asks of the engine, answered as a test wants it."""

    def __init__(self, run: RunDir) -> None:
        self.estimate: Estimate = ESTIMATE
        self.launched: list[tuple[TrainingConfig, str]] = []
        self.refusal: Exception | None = None
        self.run = run

    def estimated(self, _: Workspace, config: TrainingConfig) -> Estimate:
        return replace(self.estimate, effective_batch=config.effective_batch_size)

    def launch(self, _: Workspace, config: TrainingConfig, preset: str) -> RunDir:
        if self.refusal:
            raise self.refusal
        self.launched.append((config, preset))
        return self.run


class FakeTool:
    """A tool that prints what it is given and ends when it is let, or stopped."""

    def __init__(self) -> None:
        self.output: list[str] = [
            "[OK] device: cpu",
            "caching latents 1/2",
            "caching latents 2/2",
            "[FAIL] data set: none",
        ]
        self.ending = (0, "")
        self.begun: list[tuple[str, TrainingConfig]] = []
        self.may_end = threading.Event()
        self.may_end.set()

    def begin(self, tool: str, config: TrainingConfig, _: Workspace, __: object = ()) -> FakeTool:
        self.begun.append((tool, config))
        return self

    def lines(self) -> Iterator[str]:
        yield from self.output
        assert self.may_end.wait(60)

    def finish(self) -> tuple[int, str]:
        return self.ending

    def stop(self) -> None:
        self.ending = (130, "Interrupted.")
        self.may_end.set()


class Form:
    """The screen in a test, read off its rows."""

    def __init__(self, app: ConsoleApp, pilot: Pilot[None], screen: NewRunScreen) -> None:
        self.app, self.pilot, self.screen = app, pilot, screen

    @property
    def text(self) -> str:
        """All that is on the screen, row by row."""
        return "\n".join(strip.text.rstrip() for strip in self.app.screen._compositor.render_strips())

    async def until(self, true: Callable[[], object], what: str) -> None:
        for _ in range(PATIENCE):
            await self.pilot.pause(0.02)
            if true():
                return
        pytest.fail(f"never came: {what}\n{self.text}")

    async def shows(self, *patterns: str) -> None:
        """Wait until all are on the screen; a blank stands for any white space."""
        for pattern in patterns:
            expression = re.compile(pattern.replace(" ", r"\s+"))
            await self.until(lambda expression=expression: expression.search(self.text), pattern)  # type: ignore[misc]

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def go_to(self, name: str) -> None:
        self.screen.query_one(ConfigForm).row(name).focus_control()
        await self.pilot.pause()

    async def write(self, name: str, text: str) -> None:
        """Replace what stands in a text field by typing."""
        await self.go_to(name)
        await self.press("end", "ctrl+u", *["space" if letter == " " else letter for letter in text])

    def row_text(self, name: str) -> str:
        """What the row itself says."""
        return self.screen.query_one(ConfigForm).row(name).render().plain

    def is_disabled(self, action: str) -> bool:
        return self.screen.query_one(f"ActionButton#{action}", Button).disabled

    @property
    def value(self) -> dict[str, Shown]:
        return self.screen.draft.values

    @property
    def report(self) -> ToolReport:
        return self.screen.query_one(ToolReport)


@pytest.fixture(autouse=True)
def engine(recorded: RecordedRun, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """An engine that estimates the same for every config and launches a run that is there already, and ended."""
    recorded.half_way()
    recorded.die()
    fake = FakeEngine(recorded.dir)
    monkeypatch.setattr(control, "estimate", fake.estimated)
    monkeypatch.setattr(control, "launch", fake.launch)
    return fake


@pytest.fixture(autouse=True)
def tool(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTool]:
    """A tool without a process."""
    fake = FakeTool()
    monkeypatch.setattr(tool_feed, "ToolProcess", fake.begin)
    yield fake
    fake.may_end.set()


@contextmanager
def live(run: RunDir) -> Iterator[None]:
    """A supervisor holds the run."""
    lock = RunLock.acquire(run)
    assert lock
    yield
    lock.release()


@asynccontextmanager
async def form_in(
    workspace: Workspace, size: tuple[int, int] = (100, 40), readonly: bool = False, settings: Settings | None = None
) -> AsyncIterator[Form]:
    """The screen, with its first estimate."""
    app = runs_console(workspace, readonly, settings)
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.press("2")
        screen = app.main_screen("new")
        assert isinstance(screen, NewRunScreen)
        form = Form(app, pilot, screen)
        await form.until(lambda: app.screen is screen, "the screen")
        await form.shows("About|about|Cannot|cannot")
        yield form


# ---- start -----------------------------------------------------------------------------------------------------------


async def test_the_demo_starts_without_any_typing(workspace: Workspace, engine: FakeEngine) -> None:
    async with form_in(workspace) as form:
        await form.press("enter", "d", "enter")
        await form.until(lambda: form.value["train_data_dir"] == "demo", "the preset")
        await form.press("f5")
        await form.until(lambda: isinstance(form.app.screen, MonitorScreen), "the monitor")
    assert engine.launched == [(load_config(find_config("demo", workspace.root)), "demo")]


async def test_what_stands_in_the_way_is_told_before_and_after_start_is_pressed(
    workspace: Workspace, engine: FakeEngine
) -> None:
    engine.estimate = replace(ESTIMATE, obstacles=(NO_DATA, NO_MODEL))
    async with form_in(workspace) as form:
        await form.shows("✗ cannot start yet", r"✗ Training pictures: There is no folder /pictures \(and 1 more\)")
        assert "! There is no folder /pictures" in form.row_text("train_data_dir")
        await form.press("f5")
        await form.shows("The run was not started", "✗ There is no folder", "→ Name the folder", "✗ The base model x/y")
        assert form.screen.query_one(ConfigForm).current == "train_data_dir"
        assert not engine.launched


async def test_beside_a_live_run_the_user_is_asked(workspace: Workspace, engine: FakeEngine) -> None:
    with live(engine.run):
        async with form_in(workspace) as form:
            await form.press("f5")
            await form.shows("Start beside a live run", "demo_noon")
            await form.press("escape")
            await form.until(lambda: form.app.screen is form.screen, "the form")
            await form.press("f5")
            await form.shows("Start beside a live run")
            assert not engine.launched
            await form.press("s")
            await form.until(lambda: isinstance(form.app.screen, MonitorScreen), "the monitor")
    assert len(engine.launched) == 1


async def test_it_is_not_said_to_start_before_anybody_has_looked(
    workspace: Workspace, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_answer = threading.Event()

    def slow(place: Workspace, config: TrainingConfig) -> Estimate:
        assert may_answer.wait(60)
        return engine.estimated(place, config)

    monkeypatch.setattr(control, "estimate", slow)
    app = runs_console(workspace)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("2")
        screen = app.main_screen("new")
        assert isinstance(screen, NewRunScreen)
        form = Form(app, pilot, screen)
        await form.shows("looking at data, model and disk")
        may_answer.set()
        await form.shows("✓ can start")


async def test_an_obstacle_is_shown_also_while_something_else_is_searched_for(
    workspace: Workspace, engine: FakeEngine
) -> None:
    engine.estimate = replace(ESTIMATE, obstacles=(NO_MODEL,))
    async with form_in(workspace, (100, 30)) as form:
        await form.press("slash", *"learning", "enter", "f5")
        row = form.screen.query_one(ConfigForm).row("pretrained_model_name_or_path")
        await form.until(lambda: row.has_focus_within and form.screen.can_view_entire(row), "the row at fault")


async def test_an_error_at_launch_is_told_and_the_form_stays(workspace: Workspace, engine: FakeEngine) -> None:
    engine.refusal = RunError("There is already a run shoes", "outputs/shoes exists.", "Choose another --run_name.")
    async with form_in(workspace) as form:
        await form.write("run_name", "shoes")
        await form.press("f5")
        await form.shows("✗ There is already a run shoes", "outputs/shoes exists", "→ Choose another")
        assert form.value["run_name"] == "shoes"
        await form.until(lambda: not form.is_disabled("start"), "the button")

        engine.refusal = PermissionError(13, "Permission denied")
        await form.press("f5")
        await form.shows("cannot be written", "Permission denied")
        await form.until(lambda: not form.is_disabled("start"), "the button")


async def test_an_error_that_nobody_foresaw_is_told_and_start_works_again(
    workspace: Workspace, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.refusal = AttributeError("no such thing")
    async with form_in(workspace) as form:
        await form.press("f5")
        await form.shows("The run could not be started", "AttributeError: no such thing")
        await form.until(lambda: not form.is_disabled("start"), "the button")

        def fail(*_: object) -> Estimate:
            raise AttributeError("no such thing")

        monkeypatch.setattr(control, "estimate", fail)
        await form.write("max_train_steps", "77")
        await form.shows("The estimate failed: AttributeError")


async def test_a_read_only_console_starts_nothing(workspace: Workspace, engine: FakeEngine) -> None:
    async with form_in(workspace, readonly=True) as form:
        await form.press("f5")
        await form.shows("--readonly")
    assert not engine.launched


# ---- typing ----------------------------------------------------------------------------------------------------------


async def test_an_error_stands_at_its_setting_and_keeps_the_run_from_starting(
    workspace: Workspace, engine: FakeEngine
) -> None:
    async with form_in(workspace) as form:
        await form.write("lora_rank", "0")
        assert "✗ must be at least 1" in form.row_text("lora_rank")
        assert form.row_text("lora_rank").startswith("✗●Rank")
        await form.shows("✗ 1 setting is wrong", "✗ Rank: must be at least 1")
        assert all(form.is_disabled(action) for action in ("start", "preflight", "check"))
        await form.go_to("seed")
        await form.press("f5")
        await form.until(lambda: form.screen.query_one(ConfigForm).current == "lora_rank", "the cursor at the error")
        await form.write("lora_rank", "4")
        assert "✗" not in form.row_text("lora_rank")
        assert not form.is_disabled("start")
    assert not engine.launched


async def test_the_estimate_follows_what_is_typed_and_a_contradiction_stands_at_both_settings(
    workspace: Workspace,
) -> None:
    async with form_in(workspace) as form:
        await form.write("train_batch_size", "4")
        await form.shows("32 samples per step", "measured by the preflight of 2026-05-28")
        await form.write("lr_warmup_steps", "4000")
        for name in ("lr_warmup_steps", "max_train_steps"):
            assert "is longer than the run" in " ".join(form.row_text(name).split())


async def test_every_kind_of_control_writes_into_the_draft(workspace: Workspace) -> None:
    async with form_in(workspace) as form:
        await form.go_to("random_flip")
        await form.press("space")
        await form.go_to("lr_scheduler")
        await form.press("enter", "down", "down", "enter")
        await form.write("snr_gamma", "5")
        await form.until(lambda: form.value["lr_scheduler"] == "linear", "the choice")
        assert form.screen.draft.config == load_config(
            find_config("training_config", workspace.root),
            {"random_flip": True, "lr_scheduler": "linear", "snr_gamma": 5},
        )
        assert "on" in form.row_text("random_flip")
        assert form.row_text("random_flip").startswith(" ●")
        await form.shows("● 3 changed")
        await form.write("snr_gamma", "")
        assert form.screen.draft.config is not None
        assert form.screen.draft.config.snr_gamma is None


async def test_the_setting_with_the_cursor_has_its_help_and_a_path_is_completed(workspace: Workspace) -> None:
    (workspace.root / "pictures" / "shoes").mkdir(parents=True)
    async with form_in(workspace) as form:
        await form.go_to("caption_dropout")
        await form.shows("Share of samples trained with an empty caption", r"\[0 to 1\]", "caption_dropout")
        await form.write("train_data_dir", "pic")
        field = form.screen.query_one(ConfigForm).row("train_data_dir").query_one(Input)
        await form.until(lambda: field._suggestion == "pictures/", "the completion")
        await form.press("right")
        assert form.value["train_data_dir"] == "pictures/"


# ---- presets ---------------------------------------------------------------------------------------------------------


async def test_reset_puts_one_or_all_settings_back(workspace: Workspace) -> None:
    async with form_in(workspace) as form:
        await form.write("lora_alpha", "3")
        await form.write("lora_rank", "99")
        await form.press("f9")
        assert (form.value["lora_rank"], form.value["lora_alpha"]) == ("8", "3")
        await form.press("f12")
        await form.until(lambda: isinstance(form.app.screen, ResetQuestion), "the question")
        await form.press("r")
        await form.until(lambda: not form.screen.draft.changes, "the reset")
        assert form.screen.query_one(ConfigForm).row("lora_alpha").query_one(Input).value == "16"


async def test_another_preset_asks_what_becomes_of_changes(workspace: Workspace) -> None:
    async with form_in(workspace) as form:
        await form.write("lora_rank", "99")
        for letter, answer, preset, rank, steps in (
            ("f", "escape", "training_config", "99", "3000"),
            ("f", "k", "fast", "99", "1500"),  # kept
            ("t", "d", "training_config", "8", "3000"),  # dropped
        ):
            await form.press("f2", letter, "enter")
            await form.until(lambda: isinstance(form.app.screen, PresetQuestion), "the question")
            await form.press(answer)
            await form.until(lambda: form.app.screen is form.screen, "the form")
            shown = form.screen.draft.name, form.value["lora_rank"], form.value["max_train_steps"]
            assert shown == (preset, rank, steps)
            assert form.screen.query_one("#preset", Select).value == preset


async def test_the_preset_chosen_last_is_there_again(workspace: Workspace) -> None:
    kept = Settings()
    async with form_in(workspace, settings=kept) as form:
        await form.press("f2", "q", "enter")
        await form.until(lambda: form.screen.draft.name == "quality", "the preset")
    async with form_in(workspace, settings=kept) as form:
        assert form.screen.draft.name == "quality"
    kept.remember("new.preset", "gone")
    async with form_in(workspace, settings=kept) as form:
        assert form.screen.draft.name == "training_config"


async def test_a_damaged_preset_is_told_and_not_taken(workspace: Workspace) -> None:
    (workspace.root / "configs").mkdir()
    (workspace.root / "configs" / "aaa.json").write_text('{"lora_rnk": 4}')
    async with form_in(workspace) as form:
        await form.press("f2", "a", "enter")
        await form.shows("Preset aaa", "aaa.json: unknown setting lora_rnk; did you mean lora_rank")
        assert form.screen.draft.name == "training_config"


# ---- search and lists ------------------------------------------------------------------------------------------------


async def test_a_search_leaves_the_settings_that_fit(workspace: Workspace) -> None:
    async with form_in(workspace) as form:

        def seen() -> set[str]:
            return {row.field.name for row in form.screen.query(SettingRow) if row.display}

        form.screen.set_focus(None)
        await form.press("slash", *"beta")
        await form.until(lambda: seen() == {"adam_beta1", "adam_beta2"}, "the two")
        await form.press("enter")
        assert form.screen.query_one(ConfigForm).current == "adam_beta1"
        await form.press("ctrl+f", *"zzz")
        await form.shows("No setting has these letters")
        await form.press("escape")
        await form.until(lambda: len(seen()) == len(TrainingConfig.model_fields), "all")


async def test_prompts_are_added_edited_moved_and_removed(workspace: Workspace) -> None:
    async with form_in(workspace) as form:

        def prompts() -> tuple[str, ...]:
            value = form.value["validation_prompts"]
            assert isinstance(value, tuple)
            return value

        first, second, *_ = before = prompts()
        await form.go_to("validation_prompts")
        await form.press("end", *"es")
        assert prompts()[0] == f"{first}es"
        await form.press("enter", *"new")
        assert prompts()[:3] == (f"{first}es", "new", second)
        await form.press("shift+up")
        assert prompts()[:3] == ("new", f"{first}es", second)
        await form.press("shift+down", "ctrl+n", "x")
        assert prompts()[:4] == (f"{first}es", "new", "x", second)
        await form.press("backspace", "backspace")
        assert prompts()[:3] == (f"{first}es", "new", second)
        for _ in range(len(prompts())):
            await form.press("ctrl+delete")
        assert prompts() == ()
        await form.shows("needs at least one text in validation_prompts")
        await form.press("a")
        assert prompts() == ("a",)
        await form.press("f9")
        assert prompts() == before
        assert form.screen.query_one(ConfigForm).row("validation_prompts").query_one(TextList).texts == before


async def test_the_mouse_can_do_what_the_keys_do_with_a_list(workspace: Workspace) -> None:
    async with form_in(workspace) as form:
        await form.go_to("lora_target_modules")
        await form.until(lambda: "+ add" in form.text, "the tools")
        tools = form.screen.query_one(ConfigForm).row("lora_target_modules").query_one(ListTools)
        await form.pilot.click(tools, offset=(2, 0))
        await form.until(
            lambda: form.value["lora_target_modules"] == ("to_q", "", "to_k", "to_v", "to_out.0"), "one more"
        )
        await form.pilot.click(tools, offset=(8, 0))
        await form.until(lambda: form.value["lora_target_modules"] == ("to_q", "to_k", "to_v", "to_out.0"), "one less")


# ---- files -----------------------------------------------------------------------------------------------------------


async def dialog(form: Form, key: str, path: str) -> None:
    """Open a dialog for a path, and answer it."""
    await form.press(key)
    await form.until(lambda: isinstance(form.app.screen, FileDialog), "the dialog")
    form.app.screen.query_one(Input).value = path
    await form.press("enter")


async def test_settings_are_saved_and_loaded(workspace: Workspace) -> None:
    saved = workspace.root / "configs" / "mine.json"
    async with form_in(workspace) as form:
        await form.write("lora_rank", "77")
        config = form.screen.draft.config
        await dialog(form, "f3", "configs/mine.json")
        await form.shows("Settings saved")
        assert load_config(saved) == config
        await form.press("f9")
        await dialog(form, "f4", "configs/mine.json")
        await form.until(lambda: form.value["lora_rank"] == "77", "the settings")
        assert form.screen.draft.name == "mine"
        assert form.screen.draft.changes == {}


async def test_a_file_is_not_overwritten_unasked(workspace: Workspace) -> None:
    there = workspace.root / "there.json"
    there.write_text("{}")
    async with form_in(workspace) as form:
        await dialog(form, "f3", "there.json")
        await form.until(lambda: isinstance(form.app.screen, OverwriteQuestion), "the question")
        await form.press("escape")
        await form.until(lambda: form.app.screen is form.screen, "the form")
        assert there.read_text() == "{}"
        await dialog(form, "f3", "there.json")
        await form.until(lambda: isinstance(form.app.screen, OverwriteQuestion), "the question")
        await form.press("o")
        await form.until(lambda: there.read_text() != "{}", "the file")
    assert load_config(there) == load_config(find_config("training_config", workspace.root))


async def test_a_file_that_cannot_be_written_or_read_is_told(workspace: Workspace) -> None:
    (workspace.root / "file").write_text("")
    (workspace.root / "bad.json").write_text(json.dumps({"lora_rank": 0, "lora_rnk": 4}))
    async with form_in(workspace) as form:
        await dialog(form, "f3", "file/x.json")
        await form.shows("The settings were not saved", "Cannot write")
        await dialog(form, "f4", "nowhere.json")
        await form.shows("Cannot read")
        await dialog(form, "f4", "bad.json")
        await form.shows("bad.json: lora_rank = 0", "bad.json: unknown setting lora_rnk; did you mean lora_rank")
        assert form.screen.draft.changes == {}
        await form.press("f4", "escape")
        assert form.app.screen is form.screen


# ---- check and preflight ---------------------------------------------------------------------------------------------


async def test_a_tool_shows_what_it_says_or_why_it_cannot_begin(
    workspace: Workspace, tool: FakeTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool.ending = (1, "There is no folder data\n  Do:  Make it.")
    async with form_in(workspace) as form:
        for key, title in (("f6", "Check"), ("f7", "Preflight")):
            await form.press(key)
            await form.shows(
                f"{title}: found a problem", "✓ device: cpu", "latents 2/2", "✗ data set: no", "Do: Make it"
            )
            assert "latents 1/2" not in form.text
            assert tool.begun[-1][1] == form.screen.draft.config
            await form.press("f8")
            await form.until(lambda: not form.report.is_shown, "the report gone")
        assert [begun for begun, _ in tool.begun] == ["environment", "preflight"]

        def refuse(*_: object) -> ToolProcess:
            raise RunError("No run here has a checkpoint", "", "Give the folder.")

        monkeypatch.setattr(tool_feed, "ToolProcess", refuse)
        await form.press("f6")
        await form.shows("Check: found a problem", "No run here has a checkpoint", "Do: Give the folder")


async def test_y_copies_the_remedies_of_a_report_one_after_the_other(workspace: Workspace, tool: FakeTool) -> None:
    fetch = "hf download owner/model --include '*.json' --include unet/diffusion_pytorch_model.safetensors"
    tool.output = ["[FAIL] data set: none", "       Do: Make it.", "[FAIL] base model: none", f"       Do: {fetch}"]
    async with form_in(workspace, (80, 24)) as form:
        await form.press("f6")
        await form.shows("Check: done; y copies the remedy", "y Copy remedy")
        await form.press("y")  # into a list of presets, which has the cursor, or to the screen
        assert form.app.clipboard == "Make it."
        await form.go_to("run_name")
        await form.press("y")
        assert form.value["run_name"] == "y" and form.app.clipboard == "Make it."
        await form.press("alt+y")
        assert form.app.clipboard == fetch
        await form.shows("The remedy 2 of 2: on the clipboard")
        await form.press("escape", "y")
        assert form.app.clipboard == "Make it."


async def test_a_refused_start_has_its_remedy_copied(workspace: Workspace, engine: FakeEngine) -> None:
    engine.estimate = replace(ESTIMATE, obstacles=(NO_DATA,))
    async with form_in(workspace) as form:
        await form.press("f5")
        await form.shows("The run was not started")
        await form.press("escape", "y")
        assert form.app.clipboard == "Name the folder of your pictures."


async def test_one_tool_runs_at_a_time_and_is_stopped_by_its_key_and_with_the_console(
    workspace: Workspace, tool: FakeTool
) -> None:
    tool.may_end.clear()
    async with form_in(workspace) as form:
        await form.press("f7")
        await form.until(lambda: tool.begun and form.report.at_work == "Preflight", "the preflight")
        await form.press("f6")
        await form.shows("One at a time")
        await form.press("f8")
        await form.shows("Preflight: stopped")
        assert form.report.at_work == ""
        assert len(tool.begun) == 1
        tool.may_end.clear()
        await form.press("f7")
        await form.until(lambda: len(tool.begun) == 2, "the preflight")
        assert not tool.may_end.is_set()
    assert tool.may_end.wait(20)


# ---- the whole -------------------------------------------------------------------------------------------------------


async def test_every_action_has_a_key_and_can_be_done(workspace: Workspace, engine: FakeEngine) -> None:
    """None of them breaks in whatever order they come, and no key is one that a multiplexer eats."""
    eaten = {f"ctrl+{letter}" for letter in "abjoszcq"}
    assert not {key for entry in ACTIONS for key in entry.keys.split(",")} & eaten
    async with form_in(workspace) as form:
        for entry in ACTIONS:
            form.screen.action_act(entry.id)
            await form.pilot.pause()
            if form.app.screen is not form.screen and not isinstance(form.app.screen, MonitorScreen):
                await form.press("escape")
    assert [preset for _, preset in engine.launched] == ["training_config"]


async def test_every_size_is_borne(workspace: Workspace) -> None:
    async with form_in(workspace) as form:
        for size in [(200, 60), (119, 39), (60, 20), (56, 14), (30, 10), (10, 4), (120, 40), (80, 24)]:
            await form.pilot.resize_terminal(*size)
            await form.pilot.pause()
            if size[0] < 56 or size[1] < 14:
                assert "Too small" in form.text
        await form.press("f7")
        await form.shows("Preflight: done")


class Bare(App[None]):
    """The form alone."""

    def __init__(self, draft: ConfigDraft, root: Path) -> None:
        super().__init__()
        self._form = ConfigForm(draft, root)

    def compose(self) -> ComposeResult:
        yield self._form


def in_the_controls(form: ConfigForm) -> dict[str, Shown]:
    """What stands in every control."""
    values: dict[str, Shown] = {}
    for row in form.query(SettingRow):
        match next(iter(row.children)):
            case TextList() as control:
                lines = [line.value for line in control.query(Input) if line.display]
                values[row.field.name] = tuple(lines) if control.texts else ()
            case Switch() | Input() as control:
                values[row.field.name] = control.value
            case Select() as control:
                values[row.field.name] = str(control.value)
    return values


@run_settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(valid_configs, min_size=6, max_size=6))
def test_any_config_shown_in_the_form_is_read_back_equal(tmp_path: Path, configs: list[TrainingConfig]) -> None:
    async def show() -> None:
        draft = ConfigDraft("first", configs[0])
        async with Bare(draft, tmp_path).run_test(size=(100, 30)) as pilot:
            form = pilot.app.query_one(ConfigForm)
            for config in configs:
                draft.begin_from("next", config)
                form.show()
                await pilot.pause()
                assert TrainingConfig.model_validate(typed(in_the_controls(form))) == config
                assert draft.values == shown_config(config)  # nothing was told that the user did not do

    asyncio.run(show())


# ---- looks -----------------------------------------------------------------------------------------------------------


async def open_form(pilot: Pilot[None]) -> None:
    """Show the screen with its first estimate, and the cursor where a setting explains itself."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    screen = app.main_screen("new")
    assert isinstance(screen, NewRunScreen)
    form = Form(app, pilot, screen)
    await form.shows("demo_noon")  # the run under the cursor, which the line on top then names
    await pilot.press("2")
    await form.until(lambda: app.screen is screen, "the screen")
    await form.shows("About|about|cannot start")
    await form.go_to("resolution")
    for field in screen.query(Input):
        field.cursor_blink = False
    await pilot.pause()


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)], ids="{0[0]}x{0[1]}".format)
def test_the_form(workspace: Workspace, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    assert snap_compare(runs_console(workspace), terminal_size=size, run_before=open_form)


@pytest.mark.parametrize("look", ["daylight", "16-colours"])
def test_errors_and_a_report(workspace: Workspace, snap_compare: SnapCompare, look: str) -> None:
    app = in_look(runs_console(workspace), look)
    assert snap_compare(app, terminal_size=(120, 40), run_before=checked_and_wrong)


def test_errors_without_colours(
    workspace: Workspace, snap_compare: SnapCompare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(runs_console(workspace), terminal_size=(120, 40), run_before=checked_and_wrong)


async def checked_and_wrong(pilot: Pilot[None]) -> None:
    """The form with what a check said, and with an error at its setting."""
    await open_form(pilot)
    app = pilot.app
    assert isinstance(app, ConsoleApp) and isinstance(app.screen, NewRunScreen)
    form = Form(app, pilot, app.screen)
    await pilot.press("f6")
    await form.shows("Check: done")
    await pilot.press("end", "ctrl+u", "5", "1")
    await form.shows("✗ must be a multiple of 8", "Resolution: must be a multiple of 8", "1 setting is wrong")
