"""One picture file, opened with care, and as strips of half-blocks, two pixels in each cell."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from PIL import Image
from textual.strip import Strip

from tui.widgets.ansi_strips import strips_from_ansi

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="It seems this process is not running within a terminal")
    import term_image
    from term_image.image import BlockImage

term_image.disable_queries()  # asked from a running console, the terminal's answer would eat key strokes (FACTS)

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")  # Pillow 10 has a hole in its PSD decoder: CVE-2026-25990
PICTURES_KEPT = 256  # strips of the largest take about 1 MB


class PictureError(Exception):
    """The file is gone or no whole picture; the text fits under the place where it should be."""


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, from the head of the file. Raises PictureError as `picture_strips` does."""
    with _faults_in_words(), Image.open(path, formats=FORMATS) as file:
        size: tuple[int, int] = file.size
        return size


def open_picture(path: Path) -> Image.Image:
    """The whole picture, as RGB. Raises PictureError as `picture_strips` does."""
    with _faults_in_words(), Image.open(path, formats=FORMATS) as file:
        image: Image.Image = file.convert("RGB")
        return image


def picture_strips(path: Path, columns: int, rows: int) -> list[Strip]:
    """A picture stretched over `columns` by `rows` cells, from memory if it was asked for before.

    Raises PictureError if the file is missing, torn, or no picture.
    """
    with _faults_in_words():
        return _strips(path, path.stat().st_mtime_ns, columns, rows)


@contextmanager
def _faults_in_words() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise PictureError("file is gone") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PictureError("no whole picture") from error


@lru_cache(maxsize=PICTURES_KEPT)
def _strips(path: Path, _mtime_ns: int, columns: int, rows: int) -> list[Strip]:
    image = BlockImage(open_picture(path))
    image.set_size(columns, rows)
    return [strip.simplify() for strip in strips_from_ansi(str(image))]
