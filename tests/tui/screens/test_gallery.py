"""The Gallery: every action, a live run, pictures drawn on request, and what it looks like."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from textual.pilot import Pilot
from textual.widgets import Static

from engine.contract import protocol as p
from engine.contract.generated import GeneratedPicture, write_list
from engine.contract.run_dir import RunDir, Workspace
from tests.tui.looks import in_look
from tui.actions.gallery import ACTIONS
from tui.console import ConsoleApp
from tui.navigation import Opened
from tui.screens.gallery import GalleryScreen
from tui.screens.monitor import MonitorScreen
from tui.settings import Settings
from tui.widgets.image_view import ImageView
from tui.widgets.picture_wall import PictureWall
from tui.widgets.scrubber import Scrubber
from tui.widgets.wall_and_large import WallAndLarge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.tui.conftest import RecordedRun

pytestmark = pytest.mark.usefixtures("same_everywhere")

SnapCompare = Callable[..., bool]


class Visit:
    """A console on its Gallery."""

    def __init__(self, pilot: Pilot[None]) -> None:
        self.pilot = pilot
        assert isinstance(pilot.app, ConsoleApp)
        self.app = pilot.app

    @property
    def screen(self) -> GalleryScreen:
        screen = self.app.main_screen("gallery")
        assert isinstance(screen, GalleryScreen)
        return screen

    @property
    def head(self) -> str:
        return str(self.screen.query_one("#head", Static).visual)

    @property
    def details(self) -> str:
        return str(self.screen.query_one("#details", Static).visual)

    @property
    def tiles(self) -> list[str]:
        """What is to be read of each tile that is shown: caption, or the words in place of a picture."""
        shown = [view for view in self.screen.query(ImageView) if view.display]
        return [
            " ".join(text for y in range(view.size.height) if (text := view.render_line(y).text.strip(" ▀")))
            for view in shown
        ]

    @property
    def is_painted(self) -> bool:
        return self.screen.query_one(WallAndLarge).is_painted

    async def until(self, is_so: Callable[[], object]) -> None:
        for _ in range(1000):
            if is_so():
                await self.pilot.pause()
                return
            await self.pilot.pause(0.01)
        pytest.fail(f"it never came to that: {self.head!r} {self.details!r} {self.tiles}")

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.until(lambda: self.is_painted)


@asynccontextmanager
async def visit(
    run: RunDir | None, workspace: Workspace, settings: Settings | None = None, size: tuple[int, int] = (100, 30)
) -> AsyncIterator[Visit]:
    app = ConsoleApp(workspace, None, False, settings or Settings(), "block")
    async with app.run_test(size=size, notifications=True) as pilot:
        one = Visit(pilot)
        app.post_message(Opened("gallery", run))
        await one.until(lambda: app.screen is one.screen)
        yield one


@asynccontextmanager
async def three_validations(recorded: RecordedRun, **options: object) -> AsyncIterator[Visit]:
    """A live run with pictures at the steps 0, 20 and 60."""
    recorded.half_way()
    recorded.validate(60)
    async with visit(recorded.dir, recorded.dir.workspace, **options) as one:  # type: ignore[arg-type]
        await one.until(lambda: "step 60" in one.head and one.is_painted)
        yield one


def messages(one: Visit) -> str:
    return "\n".join(f"{note.title}: {note.message}" for note in one.app._notifications)


def generate(workspace: Workspace, name: str, prompts: list[str], fault: str = "") -> Path:
    """A folder as the sample tool writes it."""
    folder = workspace.outputs / "samples" / name
    folder.mkdir(parents=True)
    pictures = []
    for index, prompt in enumerate(prompts):
        path = folder / f"{index:02d}.png"
        Image.linear_gradient("L").resize((64, 64)).save(path)
        pictures.append(
            GeneratedPicture(
                str(path), prompt, "blurry", 7 + index, 25, 7.5, "base", "outputs/a/lora_weights", 0.8, fault
            )
        )
    write_list(folder, pictures)
    return folder


# ---- scrubbing -------------------------------------------------------------------------------------------------------


async def test_all_prompts_are_scrubbed_together_through_the_steps(recorded: RecordedRun) -> None:
    async with three_validations(recorded) as one:
        assert "3/3" in one.head and "follows" in one.head
        assert len(one.tiles) == 4
        moves = [
            ("left", "step 20"), ("left", "step 0 (base)"), ("left", "step 0 (base)"), ("right", "step 20"),
            ("end", "step 60"), ("right", "step 60"), ("home", "step 0 (base)"),
        ]  # fmt: skip
        for key, title in moves:
            await one.press(key)
            assert title in one.head
            shown = [view._path for view in one.screen.query(ImageView) if view.display]
            step = int(title.split()[1])
            assert [path.name[-7:-4] for path in shown if path] == ["_00", "_01", "_02", "_03"]
            assert all(path and f"step{step:06d}" in path.name for path in shown)
        assert "2 newer, End" in one.head


async def test_prompt_seed_and_step_of_the_chosen_picture_are_shown(recorded: RecordedRun) -> None:
    async with three_validations(recorded) as one:
        assert "red casual shoes" in one.details and "seed 42" in one.details and "step 60" in one.details
        await one.press("down", "down")
        assert "green shoes" in one.details and "seed 44" in one.details
        assert [tile.startswith("▸") for tile in one.tiles] == [False, False, True, False]
        await one.press("up", "left")
        assert "blue sneakers" in one.details and "seed 43" in one.details and "step 20" in one.details
        await one.press(*["down"] * 9)
        assert "black casual shoes" in one.details


async def test_a_click_on_the_line_of_steps_goes_there(recorded: RecordedRun) -> None:
    async with three_validations(recorded) as one:
        for at, title in ((1, "step 0"), (50, "step 20"), (97, "step 60")):
            await one.pilot.click(Scrubber, offset=(at, 0))
            await one.until(lambda title=title: title in one.head)  # type: ignore[misc]


# ---- a live run ------------------------------------------------------------------------------------------------------


async def test_it_follows_a_live_run_at_the_end_and_stays_where_the_user_has_scrubbed_back(
    recorded: RecordedRun,
) -> None:
    recorded.start()
    async with visit(recorded.dir, recorded.dir.workspace) as one:
        await one.until(lambda: "first come before step 1" in " ".join(one.tiles))
        recorded.validate(0)
        await one.until(lambda: "step 0 (base)" in one.head)
        recorded.validate(20, count=2)
        await one.until(lambda: "step 20" in one.head and one.is_painted)
        assert "not drawn yet" in one.tiles[3]
        await one.press("left")
        recorded.validate(20)
        recorded.validate(40)
        await one.until(lambda: "1/3" in one.head and "2 newer" in one.head)
        await one.press("end")
        recorded.validate(60)
        await one.until(lambda: "step 60" in one.head)


async def test_steps_that_are_void_after_a_resume_go(recorded: RecordedRun) -> None:
    async with three_validations(recorded) as one:
        recorded.tell(p.RunResumed(20, "checkpoints/checkpoint-20"))
        await one.until(lambda: "step 20" in one.head and "2/2" in one.head)


async def test_pictures_that_come_while_another_screen_is_shown_are_there_on_return(recorded: RecordedRun) -> None:
    recorded.half_way()
    async with visit(recorded.dir, recorded.dir.workspace) as one:
        await one.until(lambda: "step 20" in one.head)
        await one.pilot.press("1")
        recorded.validate(60)
        await one.until(lambda: len(one.screen.browsing.sheets) == 3)
        await one.pilot.press("4")
        await one.until(lambda: "step 60" in one.head and one.is_painted)


async def test_a_picture_that_is_drawn_anew_at_the_same_step_replaces_the_old_one(recorded: RecordedRun) -> None:
    async with three_validations(recorded) as one:
        first = one.screen.query(ImageView).first()
        before = [first.render_line(y).text for y in range(first.size.height)]
        path = recorded.dir.validation_image(60 // 11, 60, 0)
        Image.linear_gradient("L").save(path)
        recorded.tell(p.ValidationImageSaved(60, 0, str(path.relative_to(recorded.dir.path)), "red", 42))
        await one.until(lambda: [first.render_line(y).text for y in range(first.size.height)] != before)


async def test_previews_have_a_sheet_of_their_own_with_no_places_for_what_is_never_drawn(recorded: RecordedRun) -> None:
    async with three_validations(recorded) as one:
        path = recorded.dir.validation_image(60 // 11, 60, 0, preview=True)
        Image.linear_gradient("L").save(path)
        relative = str(path.relative_to(recorded.dir.path))
        recorded.tell(p.ValidationImageSaved(60, 0, relative, "red", 42, preview=True))
        await one.until(lambda: "step 60, preview" in one.head and "4/4" in one.head)
        assert len(one.tiles) == 1
        assert path.name in one.details
        await one.press("left")
        assert len(one.tiles) == 4


async def test_the_chosen_place_comes_back_after_previews_that_do_not_reach_it(recorded: RecordedRun) -> None:
    async with three_validations(recorded) as one:
        await one.press("down", "down")
        path = recorded.dir.validation_image(70 // 11, 70, 0, preview=True)
        Image.linear_gradient("L").save(path)
        recorded.tell(p.ValidationImageSaved(70, 0, str(path.relative_to(recorded.dir.path)), "red", 42, preview=True))
        await one.until(lambda: "step 70, preview" in one.head and path.name in one.details)
        recorded.validate(80)
        await one.until(lambda: "step 80" in one.head and "green shoes" in one.details)
        assert [tile.startswith("▸") for tile in one.tiles] == [False, False, True, False]


# ---- large, compared -------------------------------------------------------------------------------------------------


async def test_one_picture_large_and_all_again(recorded: RecordedRun) -> None:
    async with three_validations(recorded) as one:
        await one.press("down", "enter")
        assert one.tiles == ["step 60"]
        await one.press("left")
        assert one.tiles == ["step 20"]
        assert "seed 43" in one.details
        await one.press("escape")
        assert len(one.tiles) == 4
        await one.press("enter", "enter")
        assert len(one.tiles) == 4


async def test_escape_goes_from_all_pictures_to_the_monitor(recorded: RecordedRun) -> None:
    async with three_validations(recorded) as one:
        await one.press("enter", "escape", "escape")
        await one.until(lambda: isinstance(one.pilot.app.screen, MonitorScreen))


async def test_a_click_chooses_and_a_double_click_shows_it_large(recorded: RecordedRun) -> None:
    async with three_validations(recorded) as one:
        third = list(one.screen.query(ImageView))[2]
        await one.pilot.click(third)
        await one.until(lambda: "green shoes" in one.details)
        await one.pilot.double_click(third)
        await one.until(lambda: one.tiles == ["step 60"])
        assert "green shoes" in one.details


async def test_side_by_side_with_the_base_model_and_with_any_step(recorded: RecordedRun) -> None:
    async with three_validations(recorded) as one:
        await one.press("c")
        assert one.tiles == ["A  step 0 (base)", "B  step 60"]
        await one.press("left", "a")
        assert one.tiles == ["A  step 20", "B  step 20"]
        await one.press("right")
        assert one.tiles == ["A  step 20", "B  step 60"]
        await one.press("b")
        assert one.tiles == ["A  step 0 (base)", "B  step 60"]
        await one.press("c")
        assert len(one.tiles) == 4


async def test_flipping_shows_a_in_the_same_place_and_back(recorded: RecordedRun) -> None:
    async with three_validations(recorded) as one:
        await one.press("space")
        assert "A: step 0 (base)" in one.head
        assert "step 0" in one.details
        await one.press("space")
        assert "step 60" in one.details
        await one.press("enter", "space")
        assert one.tiles == ["A  step 0 (base)"]
        await one.press("escape")
        assert "step 60" in one.details
        assert len(one.tiles) == 4


async def test_the_base_is_offered_only_where_it_was_drawn(recorded: RecordedRun) -> None:
    recorded.start()
    recorded.validate(20)
    async with visit(recorded.dir, recorded.dir.workspace) as one:
        await one.until(lambda: "step 20" in one.head)
        assert "base" not in {entry.id for entry in one.screen.actions()}
        await one.press("b", "c")
        assert one.tiles == ["A  step 20", "B  step 20"]


# ---- outside ---------------------------------------------------------------------------------------------------------


async def test_open_outside_says_the_path_where_that_cannot_be(
    recorded: RecordedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    def open_once(path: Path) -> str:
        opened.append(path)
        return "There is no desktop here." if len(opened) == 1 else ""

    monkeypatch.setattr("tui.screens.path_errands.open_outside", open_once)
    async with three_validations(recorded) as one:
        path = recorded.dir.validation_image(5, 60, 0)
        await one.press("o")
        assert "There is no desktop here." in messages(one) and str(path) in messages(one)
        await one.press("o")
        assert "Opened outside" in messages(one)
        assert opened == [path, path]


async def test_copy_puts_the_path_on_the_clipboard(recorded: RecordedRun) -> None:
    async with three_validations(recorded) as one:
        await one.press("left", "y")
        assert one.app.clipboard == str(recorded.dir.validation_image(1, 20, 0))


async def test_a_picture_to_come_can_be_neither_opened_nor_copied(recorded: RecordedRun) -> None:
    recorded.start()
    recorded.validate(0, count=1)
    async with visit(recorded.dir, recorded.dir.workspace) as one:
        await one.until(lambda: "step 0" in one.head)
        await one.press("down", "y")
        assert "not drawn yet" in messages(one)
        assert not one.app.clipboard


# ---- drawn on request ------------------------------------------------------------------------------------------------


async def test_pictures_drawn_on_request_are_the_second_source(recorded: RecordedRun) -> None:
    workspace = recorded.dir.workspace
    generate(workspace, "20261123-100000", ["a red shoe", "a blue hat"])
    async with three_validations(recorded) as one:
        await one.press("v")
        await one.until(lambda: len(one.tiles) == 2 and one.is_painted)
        assert "20261123-100000" in one.head
        assert "a red shoe" in one.details
        for known in ("seed 7", "25 steps", "guidance 7.5", "outputs/a/lora_weights", "0.8", "blurry"):
            assert known in one.details
        await one.press("v")
        assert "step 60" in one.head


async def test_new_ones_appear_by_themselves_and_pictures_without_a_list_too(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.screens.gallery.LOOK_INTERVAL", 0.05)
    async with visit(None, workspace) as one:
        assert "No run in hand" in " ".join(one.tiles)
        await one.press("v")
        await one.until(lambda: "No pictures drawn on request yet" in " ".join(one.tiles))
        generate(workspace, "20261123-100000", ["a red shoe"], fault="is black")
        await one.until(lambda: "is black" in one.details)
        folder = workspace.outputs / "samples" / "20261123-110000"
        folder.mkdir()
        (folder / "samples.json").write_text("[{")
        Image.linear_gradient("L").save(folder / "00.png")
        await one.until(lambda: "20261123-110000" in one.head)
        assert "prompt unknown" in one.details


async def test_missing_and_torn_pictures_are_said_in_words(recorded: RecordedRun) -> None:
    recorded.half_way()
    recorded.dir.validation_image(1, 20, 0).unlink()
    torn = recorded.dir.validation_image(1, 20, 1)
    torn.write_bytes(torn.read_bytes()[:80])
    async with visit(recorded.dir, recorded.dir.workspace) as one:
        await one.until(lambda: "step 20" in one.head and one.is_painted)
        assert "file is gone" in one.tiles[0]
        assert "no whole picture" in one.tiles[1]


# ---- the rest --------------------------------------------------------------------------------------------------------


async def test_source_and_view_are_kept(recorded: RecordedRun) -> None:
    settings = Settings()
    async with three_validations(recorded, settings=settings) as one:
        await one.press("c")
    async with visit(recorded.dir, recorded.dir.workspace, settings) as one:
        await one.until(lambda: one.tiles == ["A  step 0 (base)", "B  step 60"])
        await one.press("v")
    async with visit(recorded.dir, recorded.dir.workspace, settings) as one:
        await one.until(lambda: "No pictures drawn on request yet" in " ".join(one.tiles))


async def test_a_run_that_draws_no_pictures_says_so(workspace: Workspace) -> None:
    from engine.contract.config import TrainingConfig
    from engine.contract.run_dir import create_run

    run = create_run(workspace, "blind", TrainingConfig(num_validation_images=0))
    async with visit(run, workspace) as one:
        await one.until(lambda: "num_validation_images is 0" in " ".join(one.tiles))


async def test_more_pictures_than_fit_are_on_pages_with_the_chosen_one(workspace: Workspace) -> None:
    generate(workspace, "many", [f"thing {index}" for index in range(30)])
    settings = Settings()
    settings.remember("gallery.source", "generated")
    async with visit(None, workspace, settings, size=(60, 20)) as one:
        await one.until(lambda: "thing 0" in one.details and one.is_painted)
        on_page = len(one.tiles)
        assert 2 <= on_page < 30
        await one.press(*["down"] * on_page)
        assert f"thing {on_page}" in one.details
        assert any(tile.startswith("▸") for tile in one.tiles)
        assert one.screen.query_one(PictureWall).page == (on_page, 2 * on_page)


async def test_every_key_and_every_size_is_survived_with_nothing_there(workspace: Workspace) -> None:
    async with visit(None, workspace) as one:
        for entry in ACTIONS:
            await one.press(entry.keys.split(",")[0])
        for size in ((20, 5), (56, 14), (300, 80), (1, 1), (100, 30)):
            await one.pilot.resize_terminal(*size)
            await one.pilot.pause()


# ---- looks -----------------------------------------------------------------------------------------------------------


def shows(run: RunDir, *keys: str) -> Callable[[Pilot[None]], object]:
    async def prepare(pilot: Pilot[None]) -> None:
        one = Visit(pilot)
        pilot.app.post_message(Opened("gallery", run))
        await one.until(lambda: pilot.app.screen is one.screen and "step 60" in one.head and one.is_painted)
        await one.press(*keys)
        await pilot.pause()

    return prepare


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)], ids="{0[0]}x{0[1]}".format)
def test_all_pictures(recorded: RecordedRun, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    recorded.half_way()
    recorded.validate(60)
    app = ConsoleApp(recorded.dir.workspace, None, False, Settings(), "block")
    assert snap_compare(app, terminal_size=size, run_before=shows(recorded.dir, "down"))


@pytest.mark.parametrize("look", ["daylight", "16-colours"])
def test_in_other_colours(recorded: RecordedRun, snap_compare: SnapCompare, look: str) -> None:
    recorded.half_way()
    recorded.validate(60)
    app = in_look(ConsoleApp(recorded.dir.workspace, None, False, Settings(), "block"), look)
    assert snap_compare(app, terminal_size=(80, 24), run_before=shows(recorded.dir, "down"))


@pytest.mark.parametrize(
    ("keys", "theme"), [(("c",), "nord"), (("left", "enter"), "daylight")], ids=["compared", "large-light"]
)
def test_other_views(recorded: RecordedRun, snap_compare: SnapCompare, keys: tuple[str, ...], theme: str) -> None:
    recorded.half_way()
    recorded.validate(60)
    app = ConsoleApp(recorded.dir.workspace, None, False, Settings(), "block")
    app.theme = theme
    assert snap_compare(app, terminal_size=(80, 24), run_before=shows(recorded.dir, *keys))
