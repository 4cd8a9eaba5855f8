"""Inline images of iTerm2 and WezTerm, through term-image; they live in the cells and go when the cells are written."""

import warnings

from PIL import Image

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="It seems this process is not running within a terminal")
    from term_image.image import ITerm2Image

JPEG_QUALITY = 85  # a 60x30 picture takes about 100 KB then


class InlineImage(ITerm2Image):  # type: ignore[misc]  # term-image has no types
    """term-image's, told how many pixels to send instead of asking the terminal for the size of a cell."""

    pixels = (0, 0)

    def _get_render_size(self) -> tuple[int, int]:
        return self.pixels


InlineImage.forced_support = True  # decided before the app ran
InlineImage.read_from_file = False  # scaled down first
InlineImage.jpeg_quality = JPEG_QUALITY


def draw(image: Image.Image, columns: int, rows: int) -> str:
    """Show a picture, stretched over cells to the right of the cursor and below."""
    inline = InlineImage(image)
    inline.pixels = image.size
    inline.set_size(columns, rows)
    text = format(inline, "1.1+W")
    return text[text.index("\x1b]1337;") :]  # without term-image's own way to the place
