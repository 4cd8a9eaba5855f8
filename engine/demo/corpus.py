"""Draws what the demo model is trained on: captioned things that are no shoes, and scribbles of fine lines."""

import math
from dataclasses import dataclass
from random import Random

from PIL import Image

from engine.demo.canvas import FRAME, Canvas, Colour, Placement, Points, smooth
from engine.demo.palette import BACKGROUNDS, COLOURS, background_for
from engine.demo.scene import OVERSAMPLING
from engine.demo.things import KINDS, paint_thing

FULL = [
    "a professional product photo of {thing} on {background} background",
    "a professional product photo of {thing} on {background} background",
    "a photo of {thing} on a {background} background",
    "{bare}, side view, {background} background",
    "a studio photo of {thing} on {background} background",
    "product photo of {thing}, {background} background",
]
WITHOUT_BACKGROUND = "a photo of {thing}"
WITHOUT_COLOUR = "a photo of {colourless} on a {background} background"
PIXEL = FRAME / 64  # of a picture of 64 x 64, in units of the frame


@dataclass(frozen=True)
class Example:
    """A picture in RGB, and what is in it; the caption may leave out the colour or the background."""

    picture: Image.Image
    caption: str
    kind: str
    colour: str
    background: str


def draw_thing(number: int, resolution: int = 64, seed: int = 0) -> Example:
    """The thing of this number, the same each time; the kinds come in turn."""
    draws = Random(f"{seed}/thing/{number}")
    kind = list(KINDS)[number % len(KINDS)]
    colour = draws.choice(list(COLOURS))
    background = background_for(draws, colour)
    caption = _caption(draws, kind, colour, background)
    picture = paint_thing(kind, COLOURS[colour], BACKGROUNDS[background], draws, resolution)
    return Example(picture, caption, kind, colour, background)


def _caption(draws: Random, kind: str, colour: str, background: str) -> str:
    chance = draws.random()
    template = WITHOUT_BACKGROUND if chance < 0.15 else WITHOUT_COLOUR if chance < 0.2 else draws.choice(FULL)
    bare = f"{colour} {kind}"
    thing, colourless = _with_article(bare), _with_article(kind)
    if kind == "trousers":
        pair = "a pair of " if draws.random() < 0.5 else ""
        thing, colourless = pair + bare, pair + kind
    return template.format(thing=thing, colourless=colourless, bare=bare, background=background)


def _with_article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def draw_scribble(number: int, resolution: int = 64, seed: int = 0) -> Image.Image:
    """The scribble of this number in RGB, the same each time: areas, then outlines, stripes, strokes and thin lines."""
    draws = Random(f"{seed}/scribble/{number}")
    side = resolution * OVERSAMPLING
    first, second = _any_colour(draws), _any_colour(draws)
    image = Image.new("RGB", (side, side), first)
    if draws.random() < 0.4:
        slope = Image.linear_gradient("L").rotate(draws.choice([0, 90, 180, 270])).resize((side, side))
        image.paste(second, mask=slope)
    straight = Placement((FRAME / 2, FRAME / 2), is_mirrored=False, degrees=0, scale=1, shift=(0, 0))
    canvas = Canvas(image, straight)
    for _ in range(draws.randint(1, 4)):
        canvas.fill(_area(draws), _any_colour(draws))
    for _ in range(draws.randint(3, 7)):
        draws.choice([_outline, _stripes, _strokes, _strokes, _curve, _curve])(canvas, draws)
    return image.reduce(OVERSAMPLING)


def _any_colour(draws: Random) -> Colour:
    """Half of the time white, black or a colour that has a name, so that lines stand out as in product photos."""
    if draws.random() < 0.5:
        return draws.choice([(250, 250, 248), (30, 30, 36), *COLOURS.values()])
    return draws.randint(0, 255), draws.randint(0, 255), draws.randint(0, 255)


def _contrasting(draws: Random, colour: Colour) -> Colour:
    while abs(sum(other := _any_colour(draws)) - sum(colour)) < 200:
        pass
    return other


def _width(draws: Random) -> float:
    """Of a thin line: 1 to 2.5 pixels of a picture of 64 x 64."""
    return draws.uniform(1, 2.5) * PIXEL


def _spot(draws: Random) -> tuple[float, float]:
    return draws.uniform(20, FRAME - 20), draws.uniform(20, FRAME - 20)


def _area(draws: Random) -> Points:
    """A smooth blob, or a polygon."""
    (x, y), reach, corners = _spot(draws), draws.uniform(25, 100), draws.randint(3, 8)
    points = []
    for corner in range(corners):
        turn, radius = corner / corners * math.tau, reach * draws.uniform(0.4, 1)
        points.append((x + radius * math.cos(turn), y + radius * math.sin(turn)))
    return smooth(points) if draws.random() < 0.6 else points


def _outline(canvas: Canvas, draws: Random) -> None:
    area, colour = _area(draws), _any_colour(draws)
    canvas.fill(area, colour)
    canvas.stroke([*area, area[0]], _contrasting(draws, colour), _width(draws))


def _curve(canvas: Canvas, draws: Random) -> None:
    """A thin line, straight or bent."""
    points = [_spot(draws) for _ in range(draws.randint(2, 4))]
    curve = smooth(points)[: 6 * (len(points) - 1)] if len(points) > 2 else points
    canvas.stroke(curve, _any_colour(draws), _width(draws))


def _stripes(canvas: Canvas, draws: Random) -> None:
    """Parallel stripes at any angle on an area of a contrasting colour."""
    area, colour = _area(draws), _any_colour(draws)
    canvas.fill(area, colour)
    _row(canvas, draws, _contrasting(draws, colour), length=draws.uniform(40, 90))


def _strokes(canvas: Canvas, draws: Random) -> None:
    """A row of short parallel strokes, as long as they would be on a seam."""
    _row(canvas, draws, _any_colour(draws), length=draws.uniform(16, 36))


def _row(canvas: Canvas, draws: Random, colour: Colour, length: float) -> None:
    """Parallel strokes, side by side along a line that need not be square to them."""
    (x, y), width, count = _spot(draws), _width(draws), draws.randint(3, 7)
    turn = draws.uniform(0, math.tau)
    lean = turn + math.pi / 2 + draws.uniform(-0.5, 0.5)
    step = width * draws.uniform(1.7, 3)
    for index in range(count):
        along = (index - (count - 1) / 2) * step
        from_x, from_y = x + along * math.cos(turn), y + along * math.sin(turn)
        right, down = length / 2 * math.cos(lean), length / 2 * math.sin(lean)
        canvas.stroke([(from_x - right, from_y - down), (from_x + right, from_y + down)], colour, width)
