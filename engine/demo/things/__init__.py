"""Household and fashion things, none of them a shoe, painted as the shoes are."""

from collections.abc import Callable
from random import Random
from typing import TypeAlias

from PIL import Image

from engine.demo.canvas import FRAME, Canvas, Colour, Placement
from engine.demo.palette import tinted
from engine.demo.scene import OVERSAMPLING, backdrop, cast_shadow, shade_downwards
from engine.demo.things import bags, clothing, furniture, kitchen, toys

Painter: TypeAlias = Callable[[Canvas, Colour, Random], None]

CENTRE = (128.0, 118.0)  # of the things in the canvas's frame
KINDS: dict[str, Painter] = {
    "mug": kitchen.paint_mug, "bottle": kitchen.paint_bottle, "box": bags.paint_box, "handbag": bags.paint_handbag,
    "backpack": bags.paint_backpack, "cap": clothing.paint_cap, "hat": clothing.paint_hat,
    "shirt": clothing.paint_shirt, "trousers": clothing.paint_trousers, "dress": clothing.paint_dress,
    "lamp": furniture.paint_lamp, "chair": furniture.paint_chair, "table": furniture.paint_table,
    "ball": toys.paint_ball, "clock": furniture.paint_clock, "book": bags.paint_book,
    "umbrella": bags.paint_umbrella, "vase": kitchen.paint_vase, "teapot": kitchen.paint_teapot,
    "car": toys.paint_car, "boat": toys.paint_boat, "pillow": furniture.paint_pillow, "pan": kitchen.paint_pan,
    "bowl": kitchen.paint_bowl, "phone": bags.paint_phone, "gift": bags.paint_gift, "sofa": furniture.paint_sofa,
    "candle": kitchen.paint_candle,
}  # fmt: skip


def paint_thing(kind: str, colour: Colour, background: Colour, draws: Random, resolution: int) -> Image.Image:
    """A thing of a kind out of KINDS, in RGB, resolution x resolution pixels; the colours are varied a little."""
    side = resolution * OVERSAMPLING
    own, behind = tinted(draws, colour, 6), tinted(draws, background, 2)
    has_floor = draws.random() < 0.4
    placement = Placement(
        CENTRE,
        is_mirrored=draws.random() < 0.5,
        degrees=draws.uniform(-5, 5),
        scale=draws.uniform(0.9, 1.08),
        shift=(draws.uniform(-7, 7), draws.uniform(4, 14)),
    )
    layer = Image.new("RGBA", (side, side))
    KINDS[kind](Canvas(layer, placement), own, draws)
    covered = layer.getchannel("A")
    image = backdrop(behind, has_floor, side)
    _cast_shadow_of(covered, image, behind)
    image.paste(layer, mask=covered)
    shade_downwards(image, covered)
    return image.reduce(OVERSAMPLING)


def _cast_shadow_of(covered: Image.Image, image: Image.Image, background: Colour) -> None:
    """A shadow as wide as what of the thing is near the ground."""
    unit = image.width / FRAME  # pixels
    bounds = covered.getbbox()
    assert bounds is not None, "every painter paints"
    bottom = bounds[3]
    left, _, right, _ = covered.crop((0, round(bottom - 24 * unit), image.width, bottom)).getbbox() or bounds
    straight = Canvas(image, Placement((FRAME / 2, FRAME / 2), False, 0, 1, (0, 0)))
    middle = ((left + right) / 2 / unit, bottom / unit - 3)
    cast_shadow(straight, background, middle, (right - left) / 2 / unit)
