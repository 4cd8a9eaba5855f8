"""The pictures of one request, beside each other from the start."""

from pathlib import Path

from engine.contract.generated import GeneratedPicture
from tui.sampling_progress import SamplingProgress
from tui.widgets.picture_grid import PictureGrid
from tui.widgets.tile_layout import Tile

TO_COME = Tile(None, "", "…")


class DrawnPictures(PictureGrid):
    """Each with its seed, and what is wrong with it."""

    DEFAULT_CSS = "DrawnPictures { height: 1fr; }"

    def __init__(self) -> None:
        super().__init__("No pictures yet")

    def show(self, progress: SamplingProgress) -> None:
        """Show what was drawn so far. Once no more come, what was never drawn needs no place."""
        tiles = [_tile(picture) for picture in progress.pictures]
        to_come = 0 if progress.ended else progress.wanted - len(tiles)
        self.show_tiles([*tiles, *[TO_COME] * to_come])


def _tile(picture: GeneratedPicture) -> Tile:
    fault = f": {picture.fault}!" if picture.fault else ""
    return Tile(Path(picture.file), f"seed {picture.seed}{fault}")
