"""The Monitor's pictures obey the way in which pictures are shown."""

from pathlib import Path

import pytest
from PIL import Image
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.reactive import reactive

from engine.contract.protocol import ValidationImageSaved
from tui.image_mode import ImageMode
from tui.widgets.previews import Previews


class Monitor(App[None]):
    """Previews alone."""

    image_mode: reactive[ImageMode] = reactive[ImageMode]("block")

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def compose(self) -> ComposeResult:
        yield Previews(self._folder, 1)


async def reads(pilot: Pilot[None], text: str) -> None:
    previews = pilot.app.query_one(Previews)
    for _ in range(500):
        await pilot.pause()
        if any(text in previews.render_line(y).text for y in range(previews.size.height)):
            return
    pytest.fail(f"{text} never came")


async def test_off_shows_names_and_every_other_mode_blocks(tmp_path: Path) -> None:
    Image.linear_gradient("L").save(tmp_path / "shoe.png")
    async with Monitor(tmp_path).run_test(size=(60, 20)) as pilot:
        pilot.app.query_one(Previews).show([ValidationImageSaved(20, 0, "shoe.png", "a shoe", 42)])
        await reads(pilot, "▀")
        for mode, text in (("off", "shoe.png"), ("kitty", "▀"), ("off", "shoe.png"), ("iterm2", "▀")):
            pilot.app.image_mode = mode  # type: ignore[attr-defined]
            await reads(pilot, text)
