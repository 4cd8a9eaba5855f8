"""The newest validation images, beside the curves."""

from collections.abc import Sequence
from pathlib import Path

from engine.contract.protocol import ValidationImageSaved
from tui.widgets.picture_grid import PictureGrid
from tui.widgets.tile_layout import Tile, distinct_captions

NO_PICTURES = "No pictures yet: the first come before step 1"
NO_VALIDATION = "This run draws no pictures: num_validation_images is 0"
TO_COME = Tile(None, "", "not drawn yet")


class Previews(PictureGrid):
    """Each with the part of its prompt that differs; an older one that stands in also with its step."""

    def __init__(self, folder: Path, expected: int, id: str | None = None) -> None:
        super().__init__(NO_PICTURES if expected else NO_VALIDATION, id=id)
        self._folder = folder
        self._expected = expected
        self._images: list[ValidationImageSaved] = []

    def show(self, images: Sequence[ValidationImageSaved]) -> None:
        """Show these images; does nothing if they are shown already."""
        if list(images) == self._images:
            return
        self._images = list(images)
        newest = max(images, key=lambda image: (image.step, image.preview), default=None)
        captions = distinct_captions([image.prompt for image in images])
        tiles = {
            image.index: Tile(self._folder / image.path, _caption(image, newest, caption))
            for image, caption in zip(images, captions, strict=True)
        }
        # Places for all that will come, so that pictures keep theirs while a validation draws one after another.
        places = max(self._expected, *(place + 1 for place in tiles)) if tiles else 0
        kind = "Previews" if newest and newest.preview else "Pictures"
        self.border_title = f"{kind} at step {newest.step}" if newest else self.BORDER_TITLE
        self.show_tiles([tiles.get(place, TO_COME) for place in range(places)])


def _caption(image: ValidationImageSaved, newest: ValidationImageSaved | None, words: str) -> str:
    """A preview is called one, and an older image has its step."""
    if image.preview:
        return f"preview: {words}"
    return words if newest and image.step == newest.step else f"step {image.step}: {words}"
