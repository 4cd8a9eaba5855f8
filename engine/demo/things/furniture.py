"""Paints what furnishes a room: lamp, chair, table, clock, pillow, sofa."""

import math
from random import Random

from engine.demo.canvas import Canvas, Colour, smooth
from engine.demo.scene import GROUND
from engine.demo.things.shapes import MIDDLE, WOOD, block, both_sides, deep, light, oval


def paint_lamp(canvas: Canvas, colour: Colour, _draws: Random) -> None:
    """A table lamp: a wide shade on a thin stand with a round foot."""
    canvas.fill(block(122, 110, 134, GROUND - 8), WOOD)
    canvas.fill(oval(MIDDLE, GROUND - 8, 42, 10), WOOD)
    canvas.fill(both_sides([(164, 30), (206, 126)]), colour)
    canvas.fill(both_sides([(201, 115), (206, 126)]), deep(colour, 0.35))


def paint_chair(canvas: Canvas, colour: Colour, _draws: Random) -> None:
    """A chair from the front: a tall back, a seat and four legs."""
    for x in (86, 158):
        canvas.fill(block(x, 140, x + 12, GROUND), deep(colour, 0.45))
    for x in (106, 140):
        canvas.fill(block(x, 140, x + 9, GROUND - 14), deep(colour, 0.6))
    canvas.fill(block(84, 100, 98, 136), deep(colour, 0.3))
    canvas.fill(block(158, 100, 172, 136), deep(colour, 0.3))
    canvas.fill(block(82, 26, 174, 108, 14), colour)
    canvas.fill(block(98, 42, 158, 92, 6), deep(colour, 0.2))
    canvas.fill(block(72, 124, 184, 152, 8), light(colour, 0.12))


def paint_table(canvas: Canvas, colour: Colour, _draws: Random) -> None:
    """A long table: a thick top, an apron and two thick legs."""
    for x in (38, 196):
        canvas.fill([(x, 110), (x + 22, 110), (x + 18, GROUND), (x + 4, GROUND)], deep(colour, 0.3))
    canvas.fill(block(36, 108, 220, 134), deep(colour, 0.18))
    canvas.fill(block(20, 84, 236, 112, 6), colour)


def paint_clock(canvas: Canvas, colour: Colour, draws: Random) -> None:
    """A round clock with a thick coloured rim, four marks and two hands."""
    ink, y = (40, 40, 46), 112
    canvas.fill(oval(MIDDLE, y, 84, 84), colour)
    canvas.fill(oval(MIDDLE, y, 56, 56), (246, 244, 236))
    for right, down in ((1, 0), (0, 1), (-1, 0), (0, -1)):
        canvas.fill(oval(MIDDLE + 46 * right, y + 46 * down, 5, 5), ink)
    hour = draws.choice([-150, -60, 30, 120])
    for degrees, length, width in ((hour, 26, 9), (-90, 40, 7)):
        turn = math.radians(degrees)
        canvas.stroke([(MIDDLE, y), (MIDDLE + length * math.cos(turn), y + length * math.sin(turn))], ink, width)


def paint_pillow(canvas: Canvas, colour: Colour, draws: Random) -> None:
    """A soft pillow with pointed corners, sometimes with a button."""
    right = [(MIDDLE, 70), (180, 66), (220, 54), (210, 92), (208, 126), (210, 158), (220, GROUND), (180, 184)]
    canvas.fill(smooth(both_sides([*right, (MIDDLE + 1, 180)])), colour)
    for x, y in ((54, 72), (202, 72), (54, 178), (202, 178)):
        canvas.stroke([(x, y), (x + (MIDDLE - x) * 0.35, y + (125 - y) * 0.35)], deep(colour, 0.22), 6)
    if draws.random() < 0.5:
        canvas.fill(oval(MIDDLE, 125, 12, 11), deep(colour, 0.4))


def paint_sofa(canvas: Canvas, colour: Colour, _draws: Random) -> None:
    """A sofa from the front: a back of two cushions, a seat, round arms and short feet."""
    for x in (38, 200):
        canvas.fill(block(x, 178, x + 16, GROUND), (80, 58, 42))
    canvas.fill(block(34, 70, 222, 160, 20), deep(colour, 0.16))
    canvas.stroke([(128, 76), (128, 128)], deep(colour, 0.45), 6)
    canvas.fill(block(40, 126, 216, 160, 8), light(colour, 0.14))
    canvas.fill(block(28, 152, 228, 184, 6), deep(colour, 0.1))
    for x in (20, 202):
        canvas.fill(block(x, 104, x + 34, 184, 15), colour)
    canvas.stroke([(52, 160), (204, 160)], deep(colour, 0.4), 5)
