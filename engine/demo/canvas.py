"""A picture that is painted with shapes given in a frame of fixed size, turned, scaled and mirrored on the way."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from PIL import Image, ImageChops, ImageDraw

Colour: TypeAlias = tuple[int, int, int]
Points: TypeAlias = Sequence[tuple[float, float]]

FRAME = 256  # side of the frame; x to the right, y down


@dataclass(frozen=True)
class Placement:
    """How the frame lies in the picture: mirrored, scaled and turned about the pivot, then shifted in units of it."""

    pivot: tuple[float, float]
    is_mirrored: bool
    degrees: float
    scale: float
    shift: tuple[float, float]


class Canvas:
    """Paints on a square image, in place."""

    def __init__(self, image: Image.Image, placement: Placement) -> None:
        self.image = image
        self.placement = placement
        self._pen = ImageDraw.Draw(image)
        self._unit = image.width / FRAME  # pixels

    def place(self, points: Points) -> list[tuple[float, float]]:
        """From the frame to pixels."""
        placement = self.placement
        (pivot_x, pivot_y), (right, down) = placement.pivot, placement.shift
        turn, mirror = math.radians(placement.degrees), -1 if placement.is_mirrored else 1
        cos, sin = math.cos(turn) * placement.scale, math.sin(turn) * placement.scale
        placed = []
        for x, y in points:
            from_x, from_y = x - pivot_x, y - pivot_y
            turned_x, turned_y = mirror * (from_x * cos - from_y * sin), from_x * sin + from_y * cos
            placed.append(((FRAME / 2 + right + turned_x) * self._unit, (pivot_y + down + turned_y) * self._unit))
        return placed

    def fill(self, points: Points, colour: Colour) -> None:
        """A filled shape."""
        self._pen.polygon(self.place(points), fill=colour)

    def fill_within(self, mask: Image.Image, points: Points, colour: Colour) -> None:
        """A filled shape of which only what lies in the mask is seen."""
        self.image.paste(colour, mask=ImageChops.darker(self.mask(points), mask))

    def stroke(self, points: Points, colour: Colour, width: float) -> None:
        """A line with round ends, its width in units of the frame."""
        placed, radius = self.place(points), width * self.placement.scale * self._unit / 2
        self._pen.line(placed, fill=colour, width=round(2 * radius), joint="curve")
        for x, y in (placed[0], placed[-1]):
            self._pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)

    def mask(self, points: Points) -> Image.Image:
        """A shape as a mask of the image's size."""
        mask = Image.new("L", self.image.size)
        ImageDraw.Draw(mask).polygon(self.place(points), fill=255)
        return mask


def smooth(points: Points) -> Points:
    """The closed Catmull-Rom curve through the points, six straight pieces between any two."""
    curve = []
    for index, (x1, y1) in enumerate(points):
        (x0, y0), (x2, y2), (x3, y3) = (points[(index + step) % len(points)] for step in (-1, 1, 2))
        for t in (0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6):
            a, b, c, d = -t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2
            curve.append(((a * x0 + b * x1 + c * x2 + d * x3) / 2, (a * y0 + b * y1 + c * y2 + d * y3) / 2))
    return curve
