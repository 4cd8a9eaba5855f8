"""Paints what stands in a kitchen: mug, bottle, vase, teapot, pan, bowl, candle."""

from random import Random

from engine.demo.canvas import Canvas, Colour, smooth
from engine.demo.palette import accent
from engine.demo.scene import GROUND
from engine.demo.things.shapes import METAL, MIDDLE, block, both_sides, deep, light, oval


def paint_mug(canvas: Canvas, colour: Colour, draws: Random) -> None:
    """A straight mug with a ring for a handle, sometimes with a stripe."""
    canvas.stroke(oval(172, 140, 34, 32, -100, 100), deep(colour, 0.15), 14)
    canvas.fill(block(66, 88, 172, GROUND, 14), colour)
    if draws.random() < 0.4:
        canvas.fill(block(66, 134, 172, 154), accent(colour))
    canvas.fill(oval(119, 90, 53, 13), light(colour, 0.3))
    canvas.fill(oval(119, 92, 44, 9), deep(colour, 0.55))


def paint_bottle(canvas: Canvas, colour: Colour, draws: Random) -> None:
    """A tall bottle with a narrow neck, a cap and a label."""
    right = [(142, 46), (143, 80), (158, 94), (168, 108), (170, 126), (170, 186), (166, GROUND)]
    canvas.fill(both_sides(right), colour)
    canvas.fill(block(109, 28, 147, 50, 4), deep(colour, 0.5))
    canvas.fill(block(86, 136, 170, 168), accent(colour))
    if draws.random() < 0.5:
        canvas.fill(block(100, 147, 156, 157), colour)
    canvas.fill(block(97, 110, 105, 128, 3), light(colour, 0.5))


def paint_vase(canvas: Canvas, colour: Colour, draws: Random) -> None:
    """A big-bellied vase with a narrow neck and a flaring rim, sometimes with a band."""
    right = [(154, 40), (146, 64), (172, 104), (180, 134), (168, 170), (154, GROUND)]
    outline = smooth(both_sides([(150, 36), *right, (140, GROUND + 1)]))
    canvas.fill(outline, colour)
    if draws.random() < 0.5:
        canvas.fill_within(canvas.mask(outline), block(60, 120, 200, 138), accent(colour))
    canvas.fill(oval(MIDDLE, 39, 27, 7), deep(colour, 0.55))


def paint_teapot(canvas: Canvas, colour: Colour, _draws: Random) -> None:
    """A round pot with a spout on the right, a handle on the left and a lid with a knob."""
    canvas.stroke(oval(68, 138, 34, 30, 70, 290), deep(colour, 0.2), 12)
    spout = [(162, 164), (186, 150), (200, 112), (222, 98), (226, 106), (214, 128), (202, 164), (172, 184)]
    canvas.fill(smooth(spout), deep(colour, 0.12))
    canvas.fill(block(92, 180, 164, GROUND, 4), deep(colour, 0.4))
    canvas.fill(oval(MIDDLE, 142, 62, 48), colour)
    canvas.fill(oval(MIDDLE, 102, 34, 12), deep(colour, 0.35))
    canvas.fill(oval(MIDDLE, 84, 11, 11), deep(colour, 0.35))
    canvas.fill(oval(104, 124, 14, 9), light(colour, 0.5))


def paint_pan(canvas: Canvas, colour: Colour, _draws: Random) -> None:
    """A frying pan seen from above, its handle to the right."""
    canvas.fill(block(140, 122, 236, 142, 9), (58, 58, 64) if sum(colour) > 200 else METAL)
    canvas.fill(oval(92, 132, 66, 64), colour)
    canvas.fill(oval(92, 132, 48, 46), deep(colour, 0.18))
    canvas.stroke(oval(92, 132, 38, 36, 190, 250), light(colour, 0.4), 6)


def paint_bowl(canvas: Canvas, colour: Colour, draws: Random) -> None:
    """A wide half-round bowl on a foot, sometimes with a stripe."""
    canvas.fill(block(98, 180, 158, GROUND, 3), deep(colour, 0.3))
    belly = oval(MIDDLE, 104, 86, 84, 0, 180)
    canvas.fill(belly, colour)
    if draws.random() < 0.4:
        canvas.fill_within(canvas.mask(belly), block(30, 136, 226, 152), accent(colour))
    canvas.fill(oval(MIDDLE, 104, 86, 22), light(colour, 0.3))
    canvas.fill(oval(MIDDLE, 106, 75, 16), deep(colour, 0.5))


def paint_candle(canvas: Canvas, colour: Colour, _draws: Random) -> None:
    """A thick burning candle on a dish."""
    canvas.fill(oval(MIDDLE, GROUND - 9, 72, 11), METAL)
    canvas.stroke([(128, 74), (128, 92)], (50, 44, 40), 6)
    canvas.fill(smooth([(128, 24), (141, 56), (128, 76), (115, 56)]), (250, 160, 40))
    canvas.fill(smooth([(128, 46), (134, 62), (128, 74), (122, 62)]), (255, 226, 120))
    canvas.fill(block(86, 90, 170, GROUND - 8, 4), colour)
    canvas.fill(oval(MIDDLE, 91, 42, 10), light(colour, 0.45))
