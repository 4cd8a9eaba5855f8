"""Paints what is worn: cap, hat, shirt, trousers, dress."""

from random import Random

from engine.demo.canvas import Canvas, Colour, smooth
from engine.demo.palette import accent
from engine.demo.scene import GROUND
from engine.demo.things.shapes import MIDDLE, block, both_sides, deep, light, oval


def paint_cap(canvas: Canvas, colour: Colour, _draws: Random) -> None:
    """A baseball cap, seen half from the front: a high dome, a button and a peak to the right."""
    peak = [(120, 168), (178, 158), (222, 172), (238, 190), (226, GROUND), (178, 190), (124, 186)]
    canvas.fill(oval(104, 176, 74, 92, 180, 360), colour)
    canvas.fill(oval(104, 176, 74, 14, 0, 180), colour)
    canvas.stroke([(104, 86), (122, 110), (130, 140), (132, 164)], deep(colour, 0.35), 5)
    canvas.stroke([(104, 86), (82, 106), (68, 138), (64, 170)], deep(colour, 0.35), 5)
    canvas.fill(smooth(peak), deep(colour, 0.35))
    canvas.fill(oval(104, 84, 10, 7), deep(colour, 0.45))


def paint_hat(canvas: Canvas, colour: Colour, draws: Random) -> None:
    """A hat with a wide flat brim, a dented crown and a band."""
    canvas.fill(oval(MIDDLE, 174, 104, 22), deep(colour, 0.15))
    right = [(146, 82), (168, 78), (180, 104), (184, 150), (184, 174), (150, 182)]
    crown = smooth(both_sides([(132, 88), *right]))
    canvas.fill(crown, colour)
    band = accent(colour) if draws.random() < 0.5 else deep(colour, 0.6)
    canvas.fill_within(canvas.mask(crown), block(50, 146, 206, 172), band)


def paint_shirt(canvas: Canvas, colour: Colour, draws: Random) -> None:
    """A T-shirt with short sleeves, plain, striped or with a dot."""
    right = [(152, 38), (182, 48), (222, 98), (198, 118), (180, 98), (180, GROUND)]
    outline = both_sides(right)
    canvas.fill(outline, colour)
    mark = draws.random()
    if mark < 0.25:
        for y in (110, 144):
            canvas.fill(block(76, y, 180, y + 15), accent(colour))
    elif mark < 0.5:
        canvas.fill(oval(MIDDLE, 122, 24, 24), accent(colour))
    for side in (-1, 1):
        canvas.stroke([(MIDDLE + side * 52, 98), (MIDDLE + side * 48, 74)], deep(colour, 0.35), 5)
    canvas.fill(oval(MIDDLE, 37, 25, 20, 0, 180), deep(colour, 0.5))


def paint_trousers(canvas: Canvas, colour: Colour, _draws: Random) -> None:
    """Long trousers with a belt and a gap between the legs."""
    right = [(174, 30), (188, GROUND), (146, GROUND), (129, 94)]
    canvas.fill(both_sides(right), colour)
    canvas.fill(block(81, 28, 175, 44), deep(colour, 0.5))
    canvas.fill(block(120, 28, 136, 44), (222, 186, 90))
    canvas.stroke([(128, 48), (128, 94)], deep(colour, 0.35), 5)


def paint_dress(canvas: Canvas, colour: Colour, _draws: Random) -> None:
    """A sleeveless dress: straps, a narrow waist with a sash, and a wide skirt."""
    right = [(137, 58), (146, 28), (157, 28), (164, 62), (154, 100), (184, 150), (212, GROUND - 4), (170, GROUND)]
    canvas.fill(both_sides(right), colour)
    canvas.fill(block(101, 94, 155, 110), deep(colour, 0.5))
    for x in (-40, 0, 40):
        canvas.stroke([(MIDDLE + x * 0.4, 118), (MIDDLE + x, GROUND - 8)], light(colour, 0.25), 5)
