"""Sixels, read back by a small reader of the format."""

import re

import pytest
from PIL import Image, ImageChops

from tui.graphics import sixel


def read(sequence: str) -> Image.Image:
    """The picture that a terminal would show; unset dots are magenta."""
    head, body = re.fullmatch(r'\x1bP0;1;0q("1;1;\d+;\d+)(.*)\x1b\\', sequence, re.DOTALL).groups()  # type: ignore[union-attr]
    width, height = map(int, head.split(";")[2:])
    image = Image.new("RGB", (width, height), "#ff00ff")
    palette: dict[str, tuple[int, ...]] = {}
    x = top = 0
    colour = ""
    for token in re.finditer(r"#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|!(\d+)([?-~])|([?-~])|([$-])", body):
        if token[1]:
            palette[token[1]] = tuple(round(int(part) * 2.55) for part in token.groups()[1:4])
        elif token[5]:
            colour = token[5]
        elif token[9]:
            x, top = 0, top + (6 if token[9] == "-" else 0)
        else:
            bits, length = ord(token[7] or token[8]) - 63, int(token[6] or 1)
            for column in range(x, x + length):
                for row in range(6):
                    if bits >> row & 1:
                        image.putpixel((column, top + row), palette[colour])
            x += length
    return image


@pytest.mark.parametrize("size", [(48, 36), (7, 6), (1, 12)])
def test_what_is_drawn_is_what_is_read_back(size: tuple[int, int]) -> None:
    image = Image.merge("RGB", [Image.linear_gradient("L").resize(size), Image.radial_gradient("L").resize(size),
                                Image.new("L", size, 90)])  # fmt: skip
    difference = ImageChops.difference(read(sixel.draw(image)), image)
    assert max(maximum for _, maximum in difference.getextrema()) < 30  # type: ignore[misc]


def test_rows_that_fill_no_band_are_left_out() -> None:
    assert read(sixel.draw(Image.new("RGB", (10, 17), "#102030"))).size == (10, 12)


def test_one_colour_is_short() -> None:
    assert len(sixel.draw(Image.new("RGB", (800, 600), "#102030"))) < 1500
