"""Sixels: bands six pixels high, in 256 colours; they live in the cells and go when the cells are written."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

COLOURS = 256
BAND = 6  # rows of pixels
EMPTY = 63  # the character of no dot, to which the bits of the six rows are added


def draw(image: Image.Image) -> str:
    """Show a picture at the cursor, a dot for a pixel; rows that fill no band are left out."""
    width, height = image.width, image.height // BAND * BAND
    few = image.convert("RGB").crop((0, 0, width, height)).quantize(COLOURS, dither=Image.Dither.FLOYDSTEINBERG)
    palette = np.asarray(few.getpalette(), dtype=np.int64).reshape(-1, 3) * 100 // 255  # in per cent
    pixels = np.asarray(few)
    used = np.unique(pixels)
    colours = "".join(f"#{index};2;{';'.join(map(str, palette[index]))}" for index in used)
    bands = "-".join(_band(pixels[top : top + BAND]) for top in range(0, height, BAND))
    return f'\x1bP0;1;0q"1;1;{width};{height}{colours}{bands}\x1b\\'


def _band(pixels: NDArray[np.uint8]) -> str:
    """Six rows (6, W) of palette numbers: for each colour in them a line of dots, each line over the one before."""
    colours, numbers = np.unique(pixels, return_inverse=True)
    width = pixels.shape[1]
    dots = np.full((len(colours), width), EMPTY, dtype=np.int64)
    for bit, row in enumerate(numbers.reshape(pixels.shape)):
        dots[row, np.arange(width)] += 1 << bit
    return "$".join(f"#{colour}{line}" for colour, line in zip(colours, _lines(dots), strict=True))


def _lines(dots: NDArray[np.int64]) -> list[str]:
    """Characters (colours, W), with repetitions counted; empty columns at the end of a line are left out."""
    begins = np.diff(dots, axis=1, prepend=-1) != 0
    lines = []
    for line, begin in zip(dots, begins, strict=True):
        starts = np.flatnonzero(begin)
        lengths = np.diff(starts, append=len(line)).tolist()
        codes = line[starts].tolist()
        if codes[-1] == EMPTY:
            codes.pop()
        lines.append(
            "".join(
                chr(code) * length if length < 4 else f"!{length}{chr(code)}"
                for code, length in zip(codes, lengths, strict=False)
            )
        )
    return lines
