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
STRAIGHT = Placement((FRAME / 2, FRAME / 2), is_mirrored=False, degrees=0, scale=1, shift=(0, 0))
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
    canvas = Canvas(image, STRAIGHT)
    for _ in range(draws.randint(1, 4)):
        canvas.fill(_area(draws), _any_colour(draws))
    for _ in range(draws.randint(3, 7)):
        draws.choice([_outline, _outline, _stripes, _strokes, _strokes, _strokes, _curve])(canvas, draws)
    return image.reduce(OVERSAMPLING)


def draw_stitched(number: int, resolution: int = 64, seed: int = 0) -> Image.Image:
    """The thing of this number with rows of fine strokes and stripes on it, as seams, laces and prints are."""
    draws = Random(f"{seed}/stitched/{number}")
    side = resolution * OVERSAMPLING
    plain = draw_thing(number, resolution, seed).picture
    canvas = Canvas(plain.resize((side, side), Image.Resampling.NEAREST), STRAIGHT)
    for _ in range(draws.randint(1, 3)):
        spot, width = (draws.uniform(70, FRAME - 70), draws.uniform(80, FRAME - 60)), draws.uniform(1, 2.5) * PIXEL
        turn, lean = draws.uniform(0, math.tau), draws.uniform(0.9, 2.2)
        count, length = draws.randint(2, 6), draws.uniform(12, 50)
        colour = draws.choice([(250, 250, 248), (250, 250, 248), (96, 98, 108), _any_colour(draws)])
        for start, end in _row(spot, turn, turn + lean, width * draws.uniform(1.6, 3), count, length):
            canvas.stroke([start, end], colour, width)
    return canvas.image.reduce(OVERSAMPLING)


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
    """Parallel stripes at any angle that fill an area of a contrasting colour."""
    area, colour = _area(draws), _any_colour(draws)
    canvas.fill(area, colour)
    within, other, width = canvas.mask(area), _contrasting(draws, colour), _width(draws)
    x, y = (sum(values) / len(area) for values in zip(*area, strict=True))
    turn, step = draws.uniform(0, math.tau), width * draws.uniform(1.7, 4)
    for start, end in _row((x, y), turn, turn + math.pi / 2, step, count=round(160 / step), length=240):
        right, down = width / 2 * math.cos(turn), width / 2 * math.sin(turn)
        corners = [(start[0] - right, start[1] - down), (start[0] + right, start[1] + down)]
        corners += [(end[0] + right, end[1] + down), (end[0] - right, end[1] - down)]
        canvas.fill_within(within, corners, other)


def _strokes(canvas: Canvas, draws: Random) -> None:
    """A row of short parallel strokes, mostly on a band of a contrasting colour."""
    spot, width, count, length = _spot(draws), _width(draws), draws.randint(3, 7), draws.uniform(16, 36)
    turn, step, colour = draws.uniform(0, math.tau), width * draws.uniform(1.7, 3), _any_colour(draws)
    if draws.random() < 0.7:
        [(start, end)] = _row(spot, turn + math.pi / 2, turn, step, count=1, length=count * step)
        canvas.stroke([start, end], _contrasting(draws, colour), length * draws.uniform(0.8, 1.6))
    lean = turn + math.pi / 2 + draws.uniform(-0.6, 0.6)
    for start, end in _row(spot, turn, lean, step, count, length):
        canvas.stroke([start, end], colour, width)


def _row(
    middle: tuple[float, float], turn: float, lean: float, step: float, count: int, length: float
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Ends of strokes that lie in a row along one direction and lean in another; both in radians."""
    ends = []
    for index in range(count):
        along = (index - (count - 1) / 2) * step
        x, y = middle[0] + along * math.cos(turn), middle[1] + along * math.sin(turn)
        right, down = length / 2 * math.cos(lean), length / 2 * math.sin(lean)
        ends.append(((x - right, y - down), (x + right, y + down)))
    return ends
