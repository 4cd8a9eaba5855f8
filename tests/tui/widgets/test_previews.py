"""The Monitor's pictures: a place for each, and in it whatever way of showing pictures there is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from PIL import Image
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.reactive import reactive

from engine.contract.protocol import ValidationImageSaved
from tui.image_mode import ImageMode
from tui.widgets.image_view import ImageView
from tui.widgets.previews import NO_PICTURES, NO_VALIDATION, Previews

if TYPE_CHECKING:
    from tests.tui.widgets.conftest import Terminal

pytestmark = pytest.mark.usefixtures("one_terminal")
PROMPTS = ("a photo of red shoes", "a photo of blue boots", "a photo of green clogs", "a photo of black pumps")


class Monitor(App[None]):
    """Previews alone."""

    CSS = "Previews { height: 1fr; }"
    image_mode: reactive[ImageMode] = reactive[ImageMode]("block")

    def __init__(self, folder: Path, expected: int = 4) -> None:
        super().__init__()
        self._folder = folder
        self._expected = expected

    def compose(self) -> ComposeResult:
        yield Previews(self._folder, self._expected)


def saved(folder: Path, index: int, step: int = 20) -> ValidationImageSaved:
    name = f"{step}_{index}.png"
    Image.linear_gradient("L").resize((64, 64)).save(folder / name)
    return ValidationImageSaved(step, index, name, PROMPTS[index], 42)


def previews(pilot: Pilot[None]) -> Previews:
    return pilot.app.query_one(Previews)


def places(pilot: Pilot[None]) -> list[str]:
    """What is to be read in each place, from left to right and down."""
    return [" ".join(" ".join(view.render_line(y).text for y in range(view.size.height)).split())
            for view in pilot.app.query(ImageView)]  # fmt: skip


async def until(pilot: Pilot[None], happened: Callable[[], bool]) -> None:
    for _ in range(500):
        await pilot.pause(0.01)
        if happened():
            await pilot.pause()
            return
    pytest.fail(f"it never happened: {places(pilot)}")


async def shown(pilot: Pilot[None], *images: ValidationImageSaved) -> list[str]:
    previews(pilot).show(images)
    await until(pilot, lambda: previews(pilot).is_painted)
    return [words.replace("▀", "").strip() for words in places(pilot)]


@pytest.mark.parametrize(("expected", "words"), [(4, NO_PICTURES), (0, NO_VALIDATION)])
async def test_words_say_why_there_are_none(tmp_path: Path, expected: int, words: str) -> None:
    async with Monitor(tmp_path, expected).run_test(size=(60, 20)) as pilot:
        assert words in "\n".join(str(child.render()) for child in previews(pilot).children if child.display)
        assert previews(pilot).border_title == "Pictures"


async def test_a_picture_keeps_its_place_while_others_come(tmp_path: Path) -> None:
    async with Monitor(tmp_path).run_test(size=(60, 20)) as pilot:
        assert await shown(pilot, saved(tmp_path, 1)) == [
            "not drawn yet", "blue boots", "not drawn yet", "not drawn yet",
        ]  # fmt: skip
        views = list(pilot.app.query(ImageView))
        regions = [view.region for view in views]
        assert len({region.size for region in regions}) == 1
        assert await shown(pilot, *(saved(tmp_path, index) for index in range(4))) == [
            "red shoes", "blue boots", "green clogs", "black pumps",
        ]  # fmt: skip
        assert [view.region for view in pilot.app.query(ImageView)] == regions
        assert list(pilot.app.query(ImageView)) == views


async def test_an_older_picture_that_stands_in_says_so(tmp_path: Path) -> None:
    async with Monitor(tmp_path, 2).run_test(size=(60, 20)) as pilot:
        assert await shown(pilot, saved(tmp_path, 0, 40), saved(tmp_path, 1, 20)) == [
            "red shoes", "step 20: blue boots",
        ]  # fmt: skip
        assert previews(pilot).border_title == "Pictures at step 40"


async def test_a_preview_is_called_one(tmp_path: Path) -> None:
    async with Monitor(tmp_path, 2).run_test(size=(60, 20)) as pilot:
        light = replace(saved(tmp_path, 0, 40), preview=True)
        assert await shown(pilot, light, saved(tmp_path, 1, 20)) == ["preview: red shoes", "step 20: blue boots"]
        assert previews(pilot).border_title == "Previews at step 40"


async def test_they_scroll_where_they_would_become_too_small(tmp_path: Path) -> None:
    async with Monitor(tmp_path).run_test(size=(26, 10)) as pilot:
        await shown(pilot, *(saved(tmp_path, index) for index in range(4)))
        assert previews(pilot).max_scroll_y > 0
        await pilot.resize_terminal(60, 24)
        await until(pilot, lambda: previews(pilot).is_painted and previews(pilot).max_scroll_y == 0)


@pytest.mark.parametrize(
    ("mode", "sign"), [("kitty", "\x1b_Ga=T"), ("iterm2", "\x1b]1337;File="), ("sixel", "\x1bP0;1;0q")]
)
async def test_pixels_where_the_terminal_shows_them(
    tmp_path: Path, terminal: Terminal, mode: ImageMode, sign: str
) -> None:
    async with Monitor(tmp_path).run_test(size=(60, 20)) as pilot:
        await shown(pilot, *(saved(tmp_path, index) for index in range(4)))
        assert not terminal.pictures
        pilot.app.image_mode = mode  # type: ignore[attr-defined]
        await until(pilot, lambda: terminal.text.count(sign) == 4)
        assert not any("▀" in words for words in places(pilot))
        pilot.app.image_mode = "off"  # type: ignore[attr-defined]
        await until(pilot, lambda: "20_0.png" in places(pilot)[0])
