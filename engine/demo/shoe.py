"""Paints one casual shoe, seen from the side, on its background."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from PIL import Image

from engine.demo.canvas import Canvas, Colour, Placement, smooth
from engine.demo.palette import BLACK, WHITE, accent, mixed
from engine.demo.scene import GROUND, OVERSAMPLING, backdrop, cast_shadow, shade_downwards

Toe: TypeAlias = Literal["rubber", "tone", "plain"]
Side: TypeAlias = Literal["swoosh", "stripes", "panel", "plain"]
Closure: TypeAlias = Literal["laces", "straps", "elastic"]

CENTRE = (130.0, 150.0)  # of the shoe in the canvas's frame; the toe points right


@dataclass(frozen=True)
class Look:
    """What a shoe looks like and how it lies in the picture."""

    colour: Colour
    background: Colour
    collar: float  # height: 0 below the ankle, 1 above it
    sole: float  # thickness, in units of the frame
    sole_colour: Colour
    toe: Toe
    side: Side
    closure: Closure
    has_floor: bool
    placement: Placement

    @property
    def base(self) -> float:
        """y of the line where upper and sole meet."""
        return GROUND - self.sole

    @property
    def heel(self) -> float:
        """y of the top of the heel."""
        return self.base - 64 - 34 * self.collar

    @property
    def front(self) -> float:
        """y of the collar above the instep."""
        return self.base - 68 - 36 * self.collar

    @property
    def accent(self) -> Colour:
        """For laces and marks, so that they stand out from the upper: white, or dark on a light shoe."""
        return accent(self.colour)

    def shade(self, share: float) -> Colour:
        """The upper's colour, darker."""
        return mixed(self.colour, BLACK, share)


def paint_shoe(look: Look, resolution: int) -> Image.Image:
    """The shoe in RGB, resolution x resolution pixels."""
    canvas = Canvas(backdrop(look.background, look.has_floor, resolution * OVERSAMPLING), look.placement)
    cast_shadow(canvas, look.background, (CENTRE[0], GROUND + 1), reach=96)
    upper = _upper(canvas, look)
    _panels(canvas, look, upper)
    {"laces": _laces, "straps": _straps, "elastic": _elastic}[look.closure](canvas, look, upper)
    _light(canvas, look, upper)
    _sole(canvas, look)
    return canvas.image.reduce(OVERSAMPLING)


def _upper(canvas: Canvas, look: Look) -> Image.Image:
    """Tongue, lining and upper; returns the upper's mask."""
    base, heel, front = look.base, look.heel, look.front
    if look.closure == "laces":
        tongue = [(96, front + 16), (94, front - 8), (103, front - 15), (114, front - 8), (134, front + 20)]
        canvas.fill(smooth(tongue), mixed(look.colour, WHITE, 0.3))
    lining = [(46, heel + 3), (74, heel + 3), (104, front), (104, front + 24), (50, heel + 24)]
    canvas.fill(lining, look.shade(0.6))
    outline = smooth([
        (58, base + 8), (44, base + 8), (34, base - 12), (36, base - 34), (39, heel + 22), (37, heel + 4), (46, heel),
        (60, heel + 13), (82, heel + 17), (104, front + 1), (116, front + 7), (134, front * 0.45 + base * 0.55 - 24),
        (160, base - 36), (188, base - 29), (213, base - 19), (226, base - 2), (220, base + 8), (206, base + 8),
    ])  # fmt: skip
    canvas.fill(outline, look.colour)
    return canvas.mask(outline)


def _panels(canvas: Canvas, look: Look, upper: Image.Image) -> None:
    """What is sewn on the upper: heel counter and tab, the mark on the side, the toe cap."""
    base, heel = look.base, look.heel
    counter = [(20, base + 10), (20, base - 30), (44, base - 34), (58, base - 16), (64, base + 10)]
    canvas.fill_within(upper, smooth(counter), look.shade(0.28))
    canvas.fill_within(upper, [(30, heel - 4), (52, heel - 4), (50, heel + 14), (30, heel + 18)], look.shade(0.45))
    if look.side == "panel":
        saddle = [(84, base + 8), (98, base - 36), (120, base - 60), (148, base - 50), (146, base - 20), (152, base)]
        canvas.fill_within(upper, saddle, look.shade(0.28))
    if look.side == "stripes":
        for x in (88, 106, 124):
            stripe = [(x, base + 4), (x + 9, base + 4), (x + 27, base - 52), (x + 18, base - 52)]
            canvas.fill_within(upper, stripe, look.accent)
    if look.side == "swoosh":
        swoosh = [
            (64, base - 44), (72, base - 24), (92, base - 20), (122, base - 30), (156, base - 50),
            (126, base - 18), (96, base - 4), (72, base - 6), (60, base - 22),
        ]  # fmt: skip
        canvas.fill_within(upper, smooth(swoosh), look.accent)
    if look.toe != "plain":
        cap = [(186, base + 12), (182, base - 8), (190, base - 22), (206, base - 32), (240, base - 40), (240, base + 9)]
        canvas.fill_within(upper, smooth(cap), WHITE if look.toe == "rubber" else look.shade(0.28))


def _laces(canvas: Canvas, look: Look, upper: Image.Image) -> None:
    """Laces across a darker eyestay that follows the instep."""
    (x0, y0), (x1, y1) = (112, look.front + 9), (160, look.base - 36)
    above = [(x0 + 10, y0 - 16), (x0 - 12, y0 - 12)]
    below = [(x0 - 12, y0 + 16), (x1 - 12, y1 + 16), (x1 + 14, y1 - 4), (x1, y1 - 16)]
    canvas.fill_within(upper, above + below, look.shade(0.18))
    rows = 4 if look.collar > 0.5 else 3  # more would run together in a picture of 64 pixels
    for row in range(rows):
        share = (row + 0.3) / rows
        x, y = x0 + (x1 - x0) * share, y0 + (y1 - y0) * share
        canvas.stroke([(x - 10, y + 10), (x + 8, y - 5)], look.accent, 7)


def _straps(canvas: Canvas, look: Look, upper: Image.Image) -> None:
    """Two broad straps over the instep."""
    for x, y in ((122, look.front + 22), (148, look.base - 42)):
        strap = [(x - 22, y + 20), (x - 8, y + 26), (x + 22, y - 10), (x + 6, y - 20)]
        canvas.fill_within(upper, strap, look.accent)


def _elastic(canvas: Canvas, look: Look, upper: Image.Image) -> None:
    """A dark wedge of elastic below the ankle."""
    wedge = [(98, look.front - 4), (122, look.front + 4), (116, look.base - 34), (106, look.base - 32)]
    canvas.fill_within(upper, wedge, look.shade(0.45))


def _light(canvas: Canvas, look: Look, upper: Image.Image) -> None:
    """Light from above: the upper darkens towards the sole and shines over the toes."""
    shade_downwards(canvas.image, upper)
    base = look.base
    gloss = canvas.mask(
        smooth([(166, base - 31), (190, base - 24), (208, base - 15), (190, base - 17), (168, base - 25)])
    )
    canvas.image.paste(WHITE, mask=gloss.point(lambda level: level // 4))


def _sole(canvas: Canvas, look: Look) -> None:
    """The tread, which rises at the toe, and the midsole with a line along it."""
    base, colour = look.base, look.sole_colour
    tread = [(36, GROUND - 8), (42, GROUND), (198, GROUND), (220, GROUND - 4), (226, GROUND - 10)]
    canvas.fill(tread, mixed(colour, BLACK, 0.5))
    top = [(32, base - 5), (60, base - 1), (120, base + 1), (180, base + 1), (214, base - 4), (230, base - 9)]
    toe = [(235, base + 1), (226, GROUND - 9), (200, GROUND - 4)]
    heel = [(120, GROUND - 4), (50, GROUND - 4), (31, GROUND - 7), (28, base + 4)]
    canvas.fill(smooth(top + toe + heel), colour)
    middle = (base + GROUND) / 2
    canvas.stroke([(34, middle), (120, middle + 2), (200, middle), (229, base + 1)], mixed(colour, BLACK, 0.18), 2.5)
