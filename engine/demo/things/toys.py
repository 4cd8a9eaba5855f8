"""Paints what is played with: ball, car, boat."""

from random import Random

from engine.demo.canvas import Canvas, Colour
from engine.demo.palette import accent
from engine.demo.scene import GROUND
from engine.demo.things.shapes import MIDDLE, WOOD, block, deep, light, oval

GLASS: Colour = (196, 222, 236)


def paint_ball(canvas: Canvas, colour: Colour, draws: Random) -> None:
    """A ball with a highlight, sometimes with two curved seams."""
    y = GROUND - 74
    outline = oval(MIDDLE, y, 74, 74)
    canvas.fill(outline, colour)
    if draws.random() < 0.6:
        for side, start in ((-1, -50), (1, 130)):
            canvas.stroke(oval(MIDDLE + side * 92, y, 60, 60, start, start + 100), accent(colour), 8)
    canvas.fill(oval(MIDDLE, y - 48, 20, 11), light(colour, 0.55))


def paint_car(canvas: Canvas, colour: Colour, _draws: Random) -> None:
    """A small car from the side: two windows, two wheels and a lamp."""
    body = [
        (20, 172), (20, 136), (34, 128), (66, 124), (90, 80), (104, 76), (156, 76), (168, 80), (196, 124),
        (226, 130), (236, 144), (236, 172),
    ]  # fmt: skip
    canvas.fill(body, colour)
    canvas.fill([(84, 122), (101, 90), (124, 90), (124, 122)], GLASS)
    canvas.fill([(134, 122), (134, 90), (157, 90), (177, 122)], GLASS)
    canvas.fill(block(20, 160, 236, 174), deep(colour, 0.3))
    canvas.fill(oval(228, 144, 7, 8), (252, 232, 150))
    for x in (70, 188):
        canvas.fill(oval(x, 170, 27, 26), (36, 36, 40))
        canvas.fill(oval(x, 170, 11, 11), (204, 204, 208))


def paint_boat(canvas: Canvas, colour: Colour, _draws: Random) -> None:
    """A sailing boat: a hull and two sails of a lighter tone."""
    canvas.fill(block(120, 22, 128, 152), WOOD)
    canvas.fill([(134, 28), (210, 136), (134, 138)], light(colour, 0.22))
    canvas.fill([(114, 48), (114, 138), (54, 136)], light(colour, 0.4))
    canvas.fill([(24, 148), (232, 148), (200, GROUND), (62, GROUND)], colour)
    canvas.fill([(24, 148), (232, 148), (225, 160), (31, 160)], deep(colour, 0.4))
