"""One picture in its place, and what is written to the terminal for it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageOps
from textual.app import App, ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.drivers.headless_driver import HeadlessDriver
from textual.geometry import Region
from textual.pilot import Pilot
from textual.reactive import reactive
from textual.screen import ModalScreen, Screen
from textual.widgets import Static
from textual.widgets._toast import Toast

from tui.image_mode import ImageMode
from tui.widgets.image_view import ImageView

if TYPE_CHECKING:
    from tests.tui.widgets.conftest import Terminal

pytestmark = pytest.mark.usefixtures("one_terminal")
SENT = re.compile(r"\x1b_Ga=T,U=1,i=(\d+),")
DELETED = re.compile(r"\x1b_Ga=d,d=I,i=(\d+),")
PLACED = re.compile(r"\x1b7\x1b\[(\d+);(\d+)H(\x1b\]1337;File=|\x1bP)")


class Gallery(App[None]):
    """Two pictures side by side."""

    CSS = "Horizontal { height: 1fr; } #foot { height: 1; }"
    image_mode: reactive[ImageMode] = reactive[ImageMode]("block")

    def __init__(self, mode: ImageMode) -> None:
        super().__init__()
        self.set_reactive(Gallery.image_mode, mode)

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield ImageView(id="left")
            yield ImageView(id="right")
        yield Static("foot", id="foot")


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Three pictures, the last of another shape."""
    paths = []
    for name, size, colour in (("a", (64, 64), "#c03030"), ("b", (64, 64), "#3050c0"), ("c", (96, 48), "#30a050")):
        paths.append(tmp_path / f"{name}.png")
        ImageOps.colorize(Image.linear_gradient("L").resize(size), colour, "white").save(paths[-1])
    return paths


def view(pilot: Pilot[None], name: str = "left") -> ImageView:
    return pilot.app.query_one(f"#{name}", ImageView)


async def until(pilot: Pilot[None], happened: Callable[[], bool]) -> None:
    for _ in range(500):
        await pilot.pause()
        if happened():
            return
    pytest.fail("it never happened")


async def painted(pilot: Pilot[None], *views: ImageView) -> None:
    """All is up, and written."""
    await until(pilot, lambda: all(one.is_painted for one in views))
    await pilot.pause()
    await pilot.pause()


def words(one: ImageView) -> str:
    return "\n".join(one.render_line(y).text for y in range(one.size.height))


# ---- block, off, words -----------------------------------------------------------------------------------------------


async def test_block_keeps_the_shape_in_the_middle_with_its_caption_below(pictures: list[Path]) -> None:
    async with Gallery("block").run_test(size=(40, 12)) as pilot:
        one = view(pilot)
        one.show(pictures[2], "a green thing")
        await painted(pilot, one)
        lines = words(one).splitlines()
        assert [line.count("▀") for line in lines] == [0, 0, 20, 20, 20, 20, 20, 0, 0, 0, 0]
        assert lines[-1].strip() == "a green thing"


async def test_off_says_name_and_size(pictures: list[Path], terminal: Terminal) -> None:
    async with Gallery("off").run_test(size=(60, 12)) as pilot:
        view(pilot).show(pictures[2])
        await painted(pilot, view(pilot))
        assert "c.png" in words(view(pilot))
        assert "96 × 48 pixels" in words(view(pilot))
    assert not terminal.pictures


@pytest.mark.parametrize("mode", ["block", "iterm2", "kitty", "sixel", "off"])
async def test_missing_and_torn_pictures_are_said_in_words(tmp_path: Path, mode: ImageMode) -> None:
    torn = tmp_path / "torn.png"
    Image.effect_noise((64, 64), 50).save(torn)
    torn.write_bytes(torn.read_bytes()[:500])
    async with Gallery(mode).run_test(size=(60, 12)) as pilot:
        view(pilot).show(tmp_path / "missing.png")
        view(pilot, "right").show(torn)
        await painted(pilot, view(pilot), view(pilot, "right"))
        assert "file is gone" in words(view(pilot))
        assert mode == "off" or "no whole picture" in words(view(pilot, "right"))
        view(pilot).show(None, empty="nothing drawn yet")
        assert "nothing drawn yet" in words(view(pilot))


async def test_a_file_that_comes_later_or_changes_is_shown_when_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "late.png"
    async with Gallery("block").run_test(size=(60, 12)) as pilot:
        one = view(pilot)
        one.show(path)
        await painted(pilot, one)
        Image.linear_gradient("L").save(path)
        one.show(path)
        await until(pilot, lambda: "▀" in words(one))


# ---- kitty -----------------------------------------------------------------------------------------------------------


async def test_kitty_cells_that_a_picture_leaves_open_are_of_the_ground(
    pictures: list[Path], terminal: Terminal
) -> None:
    """It keeps a picture's shape, and few pictures have that of whole cells."""
    async with Gallery("kitty").run_test(size=(60, 12)) as pilot:
        view(pilot).styles.background = "#102030"
        view(pilot).show(pictures[0])
        await painted(pilot, view(pilot))
        cells = [segment for segment in view(pilot).render_line(5) if "\U0010eeee" in segment.text]
        assert cells
        identity = int(SENT.findall(terminal.text)[0])
        for segment in cells:
            assert segment.style and segment.style.color and segment.style.bgcolor
            assert segment.style.bgcolor.triplet == (0x10, 0x20, 0x30)
            assert segment.style.color.triplet == (identity >> 16, identity >> 8 & 255, identity & 255)


async def test_kitty_every_picture_sent_is_deleted_again(pictures: list[Path], terminal: Terminal) -> None:
    async with Gallery("kitty").run_test(size=(60, 12)) as pilot:
        left, right = view(pilot), view(pilot, "right")
        for path in pictures:
            left.show(path)
            right.show(path)
            await painted(pilot, left, right)
        await pilot.resize_terminal(50, 20)
        await painted(pilot, left, right)
        right.show(None)
        await pilot.pause()
        text = terminal.text
        assert len(SENT.findall(text)) - len(DELETED.findall(text)) == 1
        assert "\U0010eeee" in words(left)
    sent, deleted = SENT.findall(terminal.text), DELETED.findall(terminal.text)
    assert len(set(sent)) == len(sent) >= 7
    assert sorted(sent) == sorted(deleted)


async def test_kitty_the_new_picture_is_up_before_the_old_one_is_deleted(
    pictures: list[Path], terminal: Terminal
) -> None:
    async with Gallery("kitty").run_test(size=(60, 12)) as pilot:
        for path in pictures[:2]:
            view(pilot).show(path)
            await painted(pilot, view(pilot))
        kinds = ["sent" if SENT.search(one) else "deleted" for one in terminal.pictures]
        assert kinds == ["sent", "sent", "deleted"]


async def test_kitty_screens_that_are_not_shown_are_cleaned_up_at_the_end(
    pictures: list[Path], terminal: Terminal
) -> None:
    class Other(Screen[None]):
        def compose(self) -> ComposeResult:
            yield ImageView(id="left")

    app = Gallery("kitty")
    async with app.run_test(size=(60, 12)) as pilot:
        app.install_screen(Other(), "other")
        await app.push_screen("other")
        one = app.screen.query_one(ImageView)
        one.show(pictures[0])
        await painted(pilot, one)
        await app.pop_screen()
        await pilot.pause()
    assert SENT.findall(terminal.text) == DELETED.findall(terminal.text) != []


async def test_kitty_an_app_that_ends_frees_its_pictures_while_its_screen_is_there(
    pictures: list[Path], terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal keeps the pictures of each of its two screens apart, so afterwards they could not be freed."""

    class Leaving(Gallery):
        def on_exit_app(self) -> None:
            for one in self.query(ImageView):
                one.take_down()

    monkeypatch.setattr(HeadlessDriver, "stop_application_mode", lambda _driver: terminal.writes.append("left"))
    app = Leaving("kitty")
    async with app.run_test(size=(60, 12)) as pilot:
        view(pilot).show(pictures[0])
        await painted(pilot, view(pilot))
        app.exit()
        await until(pilot, lambda: "left" in terminal.writes)
    before, _, after = terminal.text.partition("left")
    assert SENT.findall(before) == DELETED.findall(before) != []
    assert not DELETED.findall(after)


async def test_kitty_a_picture_is_sent_again_after_the_app_was_suspended(
    pictures: list[Path], terminal: Terminal
) -> None:
    app = Gallery("kitty")
    async with app.run_test(size=(60, 12)) as pilot:
        view(pilot).show(pictures[0])
        await painted(pilot, view(pilot))
        app.app_resume_signal.publish(app)
        await until(pilot, lambda: len(SENT.findall(terminal.text)) == 2)
    assert sorted(SENT.findall(terminal.text)) == sorted(DELETED.findall(terminal.text))


async def test_kitty_through_tmux_is_wrapped(
    pictures: list[Path], terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMUX", "/tmp/tmux-501/default,1,0")
    async with Gallery("kitty").run_test(size=(60, 12)) as pilot:
        view(pilot).show(pictures[0])
        await painted(pilot, view(pilot))
    assert all(one.startswith("\x1bPtmux;\x1b\x1b_G") and one.endswith("\x1b\x1b\\\x1b\\") for one in terminal.pictures)


async def test_without_truecolour_kitty_is_block(
    pictures: list[Path], terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("textual.constants.COLOR_SYSTEM", "256")
    async with Gallery("kitty").run_test(size=(60, 12)) as pilot:
        view(pilot).show(pictures[0])
        await painted(pilot, view(pilot))
        assert "▀" in words(view(pilot))
    assert not terminal.pictures


# ---- inline images and sixels ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["iterm2", "sixel"])
async def test_pixels_are_written_once_at_their_place(
    pictures: list[Path], terminal: Terminal, mode: ImageMode
) -> None:
    async with Gallery(mode).run_test(size=(40, 12)) as pilot:
        one = view(pilot, "right")
        one.show(pictures[2], "green")
        await painted(pilot, one)
        assert [PLACED.findall(text)[0][:2] for text in terminal.pictures] == [("3", "21")]
        assert words(one).split() == ["green"]
        for _ in range(5):
            one.show(pictures[2], "green")
            pilot.app.query_one("#foot", Static).update("something else")
            await painted(pilot, one)
        assert len(terminal.pictures) == 1, "nothing is written where nothing has changed"


@pytest.mark.parametrize("mode", ["iterm2", "sixel"])
async def test_pixels_come_back_after_whatever_painted_over_them(
    pictures: list[Path], terminal: Terminal, mode: ImageMode
) -> None:
    app = Gallery(mode)
    async with app.run_test(size=(40, 12), notifications=True) as pilot:
        one = view(pilot)
        one.show(pictures[0])
        await painted(pilot, one)

        async def written_again(disturb: Callable[[], Awaitable[object] | object]) -> bool:
            before = len(terminal.pictures)
            done = disturb()
            if isinstance(done, Awaitable):
                await done
            await painted(pilot, one)
            return len(terminal.pictures) > before

        assert await written_again(one.refresh)
        assert not await written_again(lambda: app.push_screen(ModalScreen[None]())), "it would lie over the dialog"
        assert not await written_again(one.refresh)
        assert await written_again(app.pop_screen)
        assert await written_again(lambda: pilot.resize_terminal(50, 14))
        app.notify("a message that is long enough to lie over the picture", timeout=60)
        await until(pilot, lambda: bool(pilot.app.screen.query(Toast)))
        await painted(pilot, one)
        assert pilot.app.screen.query_one(Toast).region.overlaps(one.region)
        assert await written_again(app.clear_notifications)
        one.display = False
        await pilot.pause()
        assert not await written_again(one.refresh)


async def test_pixels_over_pixels_of_the_same_size_need_no_blank_between(
    pictures: list[Path], terminal: Terminal
) -> None:
    async with Gallery("iterm2").run_test(size=(40, 12)) as pilot:
        one = view(pilot)
        one.show(pictures[0])
        await painted(pilot, one)
        terminal.writes.clear()
        one.show(pictures[1])
        await painted(pilot, one)
        assert len(terminal.writes) == len(terminal.pictures) == 1


async def test_a_place_that_is_cut_off_shows_blocks_until_it_is_whole(pictures: list[Path], terminal: Terminal) -> None:
    class Long(Gallery):
        CSS = "ImageView { height: 8; } #above { height: 10; } #below { height: 20; }"

        def compose(self) -> ComposeResult:
            with VerticalScroll():
                yield Static("above", id="above")
                yield ImageView(id="left")
                yield Static("below", id="below")

    async with Long("iterm2").run_test(size=(40, 14)) as pilot:
        one = view(pilot)
        one.show(pictures[0])
        await painted(pilot, one)
        assert "▀" in words(one)
        assert not terminal.pictures
        pilot.app.query_one(VerticalScroll).scroll_to(y=6, animate=False)
        await until(pilot, lambda: bool(terminal.pictures))
        assert "▀" not in words(one)


@pytest.mark.parametrize("change", ["smaller", "scrolled"])
async def test_a_picture_is_never_written_outside_its_place(
    pictures: list[Path], terminal: Terminal, change: str
) -> None:
    """While the one for another place is still to be drawn, the terminal keeps what it has of the last one."""

    class Long(Gallery):
        CSS = "ImageView { height: 8; width: 20; } #above { height: 3; } #below { height: 20; }"

        def compose(self) -> ComposeResult:
            with VerticalScroll():
                yield Static("above", id="above")
                yield ImageView(id="left")
                yield Static("below", id="below")

    async with Long("iterm2").run_test(size=(40, 14)) as pilot:
        one = view(pilot)
        one.show(pictures[0])
        await painted(pilot, one)
        assert len(terminal.pictures) == 1
        if change == "smaller":
            one.styles.width = one.styles.height = 6
            await until(pilot, lambda: len(terminal.pictures) > 1)
        else:
            pilot.app.query_one(VerticalScroll).scroll_to(y=5, animate=False)
            await until(pilot, lambda: "▀" in words(one))
        await painted(pilot, one)
        for text in terminal.pictures[1:]:
            row, column = map(int, PLACED.findall(text)[0][:2])
            width, height = map(int, re.findall(r"width=(\d+);height=(\d+)", text)[0])
            assert one.region.contains_region(Region(column - 1, row - 1, width, height))


async def test_sixels_need_the_size_of_a_cell(
    pictures: list[Path], terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.cell_size.cell_pixels", lambda: None)
    async with Gallery("sixel").run_test(size=(40, 12)) as pilot:
        view(pilot).show(pictures[0])
        await painted(pilot, view(pilot))
        assert "▀" in words(view(pilot))
    assert not terminal.pictures


# ---- switching -------------------------------------------------------------------------------------------------------


async def test_switching_the_mode_repaints_what_is_shown(pictures: list[Path], terminal: Terminal) -> None:
    app = Gallery("kitty")
    async with app.run_test(size=(40, 12)) as pilot:
        one = view(pilot)
        one.show(pictures[0])
        await painted(pilot, one)
        signs: dict[ImageMode, str] = {"block": "▀", "off": "a.png", "kitty": "\U0010eeee"}
        for mode, sign in signs.items():
            app.image_mode = mode
            await painted(pilot, one)
            assert sign in words(one)
        app.image_mode = "iterm2"
        await painted(pilot, one)
        assert not words(one).strip()
    text = terminal.text
    assert sorted(SENT.findall(text)) == sorted(DELETED.findall(text))


@pytest.mark.parametrize(("mode", "most"), [("iterm2", 110_000), ("kitty", 400_000), ("sixel", 400_000)])
async def test_the_bytes_of_one_picture(tmp_path: Path, terminal: Terminal, mode: ImageMode, most: int) -> None:
    """A picture of 512 pixels with much in it, on 60 by 30 cells."""
    path = tmp_path / "much.png"
    Image.effect_mandelbrot((512, 512), (-2, -1.2, 0.6, 1.2), 100).convert("RGB").save(path)
    async with Gallery(mode).run_test(size=(120, 31)) as pilot:
        view(pilot).show(path)
        await painted(pilot, view(pilot))
        size = sum(map(len, terminal.pictures))
        assert 1_000 < size < most
