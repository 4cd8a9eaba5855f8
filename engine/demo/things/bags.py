"""Paints what things are carried or wrapped in, and what one takes along: bags, box, gift, umbrella, book, phone."""

from random import Random

from engine.demo.canvas import Canvas, Colour, smooth
from engine.demo.palette import accent
from engine.demo.scene import GROUND
from engine.demo.things.shapes import MIDDLE, WOOD, block, both_sides, deep, light, oval

GOLD: Colour = (226, 190, 90)


def paint_handbag(canvas: Canvas, colour: Colour, _draws: Random) -> None:
    """A handbag with a high round handle, a flap and a clasp."""
    canvas.stroke(oval(MIDDLE, 100, 46, 58, 180, 360), deep(colour, 0.4), 12)
    right = [(192, 92), (200, 102), (216, 184), (206, GROUND)]
    canvas.fill(both_sides(right), colour)
    canvas.fill(smooth(both_sides([(188, 92), (204, 106), (178, 138), (144, 150)])), deep(colour, 0.14))
    canvas.fill(oval(MIDDLE, 148, 12, 12), GOLD)


def paint_backpack(canvas: Canvas, colour: Colour, _draws: Random) -> None:
    """A round-topped backpack from the front: a loop, side pockets, a big front pocket and a zip."""
    canvas.stroke(oval(MIDDLE, 38, 20, 18, 180, 360), deep(colour, 0.4), 9)
    for x in (52, 182):
        canvas.fill(block(x, 118, x + 22, 184, 9), deep(colour, 0.4))
    canvas.fill(block(66, 32, 190, GROUND, 44), colour)
    canvas.stroke([(82, 92), (174, 92)], deep(colour, 0.5), 6)
    canvas.fill(block(84, 116, 172, 182, 14), deep(colour, 0.25))
    canvas.fill(block(122, 124, 134, 146), light(colour, 0.6))


def paint_box(canvas: Canvas, colour: Colour, _draws: Random) -> None:
    """A closed cube on edge: a light top, two sides, and a strip of tape."""
    canvas.fill([(46, 86), (MIDDLE, 120), (MIDDLE, GROUND), (46, 160)], colour)
    canvas.fill([(210, 86), (MIDDLE, 120), (MIDDLE, GROUND), (210, 160)], deep(colour, 0.35))
    canvas.fill([(46, 86), (MIDDLE, 52), (210, 86), (MIDDLE, 120)], light(colour, 0.28))
    canvas.fill([(79, 72), (95, 65), (177, 100), (161, 107)], light(colour, 0.7))


def paint_gift(canvas: Canvas, colour: Colour, _draws: Random) -> None:
    """A wrapped box with a lid, a ribbon down its middle and a bow of two loops."""
    ribbon = accent(colour) if sum(colour) >= 600 else GOLD
    canvas.fill(block(60, 100, 196, GROUND), colour)
    canvas.fill(block(50, 80, 206, 110), deep(colour, 0.2))
    canvas.fill(block(115, 80, 141, GROUND), ribbon)
    for x in (98, 158):
        canvas.stroke(oval(x, 60, 26, 18), ribbon, 11)


def paint_umbrella(canvas: Canvas, colour: Colour, _draws: Random) -> None:
    """An open umbrella: a wide scalloped dome on a stick with a hook."""
    canvas.stroke([(128, 24), (128, 178)], WOOD, 9)
    canvas.stroke(oval(142, 178, 14, 15, 180, 0), WOOD, 9)
    arcs = [oval(MIDDLE + side * 50, 118, 25, 13, 360, 180) for side in (1.5, 0.5, -0.5, -1.5)]
    scallops = [point for arc in arcs for point in arc]
    canvas.fill([*oval(MIDDLE, 118, 100, 86, 180, 360), *scallops], colour)
    middle = [*oval(MIDDLE, 118, 50, 86, 180, 360), *arcs[1], *arcs[2]]
    canvas.fill(middle, deep(colour, 0.17))


def paint_book(canvas: Canvas, colour: Colour, _draws: Random) -> None:
    """A thick standing book: a cover with a title label, a dark spine on the left, pages on the right."""
    canvas.fill(block(70, 46, 194, GROUND), (232, 224, 206))
    canvas.stroke([(188, 50), (188, GROUND - 4)], (176, 164, 140), 4)
    canvas.fill(block(62, 38, 180, GROUND - 6, 3), colour)
    canvas.fill(block(62, 38, 82, GROUND - 6, 3), deep(colour, 0.45))
    canvas.fill(block(98, 64, 164, 96), accent(colour))
    canvas.stroke([(108, 80), (154, 80)], colour, 6)


def paint_phone(canvas: Canvas, colour: Colour, _draws: Random) -> None:
    """The coloured back of a mobile phone, with a round-cornered block of three lenses."""
    canvas.fill(block(78, 26, 178, GROUND, 20), deep(colour, 0.4))
    canvas.fill(block(84, 32, 172, GROUND - 6, 15), colour)
    canvas.fill(block(92, 40, 140, 92, 12), deep(colour, 0.55))
    for x, y in ((105, 54), (105, 78), (127, 66)):
        canvas.fill(oval(x, y, 8, 8), (214, 218, 226))
