"""The studio in which shoes and things stand: the backdrop, the shadow on the ground and the light from above."""

import math

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from engine.demo.canvas import Canvas, Colour
from engine.demo.palette import BLACK, mixed

GROUND = 196.0  # y of the ground in the canvas's frame
OVERSAMPLING = 4  # painted so many times larger, then reduced, which smooths the edges


def backdrop(background: Colour, has_floor: bool, side: int) -> Image.Image:
    """The background with a floor, or a little darker towards the bottom."""
    image = Image.new("RGB", (side, side), background)
    if has_floor:
        image.paste(mixed(background, BLACK, 0.07), (0, round(side * 0.66), side, side))
    else:
        image.paste(BLACK, mask=_gradient(side).point(lambda level: level // 12))
    return image


def cast_shadow(canvas: Canvas, background: Colour, middle: tuple[float, float], reach: float) -> None:
    """A soft shadow on the ground that reaches so far to either side, darkest in the middle; in units of the frame."""
    side = canvas.image.width // OVERSAMPLING  # it has no detail to lose
    mask = Image.new("L", (side, side))
    for level, spread in ((70, 8), (130, 3)):
        turns = [step / 12 * math.pi for step in range(24)]
        oval = [(middle[0] + (reach + spread) * math.cos(t), middle[1] + spread * math.sin(t)) for t in turns]
        placed = [(x / OVERSAMPLING, y / OVERSAMPLING) for x, y in canvas.place(oval)]
        ImageDraw.Draw(mask).polygon(placed, fill=level)
    soft = mask.filter(ImageFilter.GaussianBlur(side / 45)).resize(canvas.image.size)
    canvas.image.paste(mixed(background, BLACK, 0.8), mask=soft)


def shade_downwards(image: Image.Image, within: Image.Image) -> None:
    """What lies in the mask darkens towards the bottom of the picture, as under light from above."""
    falling = _gradient(image.width).point(lambda level: max(0, level - 90) // 2)
    image.paste(BLACK, mask=ImageChops.multiply(falling, within))


def _gradient(side: int) -> Image.Image:
    """From 0 at the top to 255 at the bottom."""
    return Image.linear_gradient("L").resize((side, side))
