"""Outlines and tones of which the painted things are made; in units of the canvas's frame, centred on MIDDLE."""

import math

from engine.demo.canvas import FRAME, Colour, Points
from engine.demo.palette import BLACK, WHITE, mixed

MIDDLE = FRAME / 2  # x
WOOD: Colour = (150, 108, 70)
METAL: Colour = (112, 116, 124)


def oval(x: float, y: float, across: float, down: float, start: float = 0, end: float = 360) -> Points:
    """An ellipse of these half axes, or a part of it: degrees from the right, clockwise."""
    turns = [math.radians(start + (end - start) * step / 32) for step in range(33)]
    return [(x + across * math.cos(turn), y + down * math.sin(turn)) for turn in turns]


def block(left: float, top: float, right: float, bottom: float, radius: float = 0) -> Points:
    """An upright rectangle, with round corners if there is a radius."""
    if not radius:
        return [(left, top), (right, top), (right, bottom), (left, bottom)]
    corners = [(right, bottom, 0), (left, bottom, 90), (left, top, 180), (right, top, 270)]
    outline: list[tuple[float, float]] = []
    for x, y, start in corners:
        inner_x = x - math.copysign(radius, x - (left + right) / 2)
        inner_y = y - math.copysign(radius, y - (top + bottom) / 2)
        outline += oval(inner_x, inner_y, radius, radius, start, start + 90)
    return outline


def both_sides(right: Points) -> Points:
    """The outline whose right half this is, from top to bottom."""
    return [*right, *((2 * MIDDLE - x, y) for x, y in reversed(right))]


def deep(colour: Colour, share: float) -> Colour:
    """A tone that is told from the colour: darker, or lighter than what is nearly black."""
    return mixed(colour, BLACK, share) if sum(colour) > 200 else mixed(colour, WHITE, share * 0.6)


def light(colour: Colour, share: float) -> Colour:
    """The colour, lighter."""
    return mixed(colour, WHITE, share)
