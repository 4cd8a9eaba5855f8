"""A picture file as half-blocks."""

from pathlib import Path

import pytest
from PIL import Image
from rich.color import Color

from tui.widgets.picture import PictureError, picture_strips


def test_two_pixels_in_each_cell(tmp_path: Path) -> None:
    path = tmp_path / "flag.png"
    image = Image.new("RGB", (4, 4), "#ff0000")
    image.paste("#0000ff", (0, 1, 4, 2))
    image.save(path)
    strips = picture_strips(path, 4, 2)
    assert [strip.cell_length for strip in strips] == [4, 4]
    (segment,) = strips[0]
    assert segment.text == "▀▀▀▀"
    assert segment.style is not None
    assert (segment.style.color, segment.style.bgcolor) == (Color.from_rgb(255, 0, 0), Color.from_rgb(0, 0, 255))


def test_asked_for_again_it_comes_from_memory_until_the_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "one.png"
    Image.new("RGB", (8, 8), "#00ff00").save(path)
    first = picture_strips(path, 4, 2)
    assert picture_strips(path, 4, 2) is first
    Image.new("RGB", (8, 8), "#000000").save(path)
    assert picture_strips(path, 4, 2) != first


def test_what_is_no_picture_is_said_in_few_words(tmp_path: Path) -> None:
    torn = tmp_path / "torn.png"
    Image.effect_noise((64, 64), 50).save(torn)
    torn.write_bytes(torn.read_bytes()[:500])
    for path in (torn, Path(__file__)):
        with pytest.raises(PictureError, match="no whole picture"):
            picture_strips(path, 4, 2)
    with pytest.raises(PictureError, match="file is gone"):
        picture_strips(tmp_path / "missing.png", 4, 2)


def test_only_known_formats_are_opened(tmp_path: Path) -> None:
    path = tmp_path / "picture.gif"
    Image.new("RGB", (8, 8)).save(path)
    with pytest.raises(PictureError, match="no whole picture"):
        picture_strips(path, 4, 2)
