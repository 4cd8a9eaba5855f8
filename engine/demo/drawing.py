"""Draws the demo's data set: pictures of shoes, and captions that tell the truth about them."""

import json
from pathlib import Path
from random import Random

from engine.atomic_folder import atomic_folder
from engine.captions import CAPTIONS_JSON, IDS_TXT
from engine.demo.canvas import Colour, Placement
from engine.demo.shoe import CENTRE, WHITE, Closure, Look, Side, Toe, paint_shoe

COLOURS: dict[str, Colour] = {
    "red": (204, 34, 42), "blue": (34, 82, 190), "green": (42, 140, 70), "yellow": (240, 196, 40),
    "orange": (236, 120, 34), "purple": (116, 60, 168), "pink": (238, 132, 170), "brown": (128, 80, 46),
    "black": (40, 40, 46), "white": (240, 240, 238), "grey": (134, 138, 146), "teal": (26, 148, 150),
}  # fmt: skip
BACKGROUNDS: dict[str, Colour] = {
    "white": (250, 250, 250), "grey": (194, 197, 202), "beige": (230, 214, 190), "blue": (158, 192, 230),
    "pink": (246, 208, 218), "green": (184, 216, 184), "yellow": (248, 234, 166),
}  # fmt: skip
SOLES: list[Colour] = [WHITE, WHITE, WHITE, (214, 180, 132), (62, 62, 68)]  # mostly white, some gum, some dark
TOES: list[Toe] = ["rubber", "tone", "plain"]
SIDES: list[Side] = ["swoosh", "swoosh", "stripes", "stripes", "panel", "plain"]
CLOSURES: list[Closure] = ["laces", "laces", "laces", "laces", "straps", "elastic"]
COLLARS = [0.0, 0.1, 0.2, 0.35, 0.8, 1.0]  # more low than high ones
KINDS = ["casual shoes", "casual shoes", "shoes", "sneakers"]
CAPTIONS = [
    "a professional product photo of {colour} {kind} on {background} background",
    "a professional product photo of {colour} {kind} on {background} background",
    "a photo of {colour} {kind} on a {background} background",
    "{colour} {kind}, side view, {background} background",
    "a studio photo of a pair of {colour} {kind} on {background} background",
    "product photo of {colour} {kind}, {background} background",
]


def draw_dataset(folder: Path, count: int = 96, resolution: int = 64, seed: int = 0) -> None:
    """Draw `count` pictures of resolution x resolution pixels as a data set of images/, captions.json and ids.txt.

    The folder appears when all is in it. If it has everything already it stays as it is; otherwise it is replaced.
    """
    ids = [f"{number:04d}" for number in range(1, count + 1)]
    files = [CAPTIONS_JSON, IDS_TXT, *(f"images/{identity}.png" for identity in ids)]
    if all((folder / file).is_file() for file in files):
        return
    captions: dict[str, str] = {}
    with atomic_folder(folder) as fresh:
        (fresh / "images").mkdir()
        for number, identity in enumerate(ids):
            draws = Random(f"{seed}/{identity}")
            colour = list(COLOURS)[number % len(COLOURS)]  # in turn, so that each comes equally often
            background = _background(draws, colour)
            picture = paint_shoe(_look(draws, COLOURS[colour], BACKGROUNDS[background]), resolution)
            picture.save(fresh / "images" / f"{identity}.png")
            captions[identity] = _caption(draws, colour, background)
        (fresh / CAPTIONS_JSON).write_text(json.dumps(captions, indent=1) + "\n", encoding="utf-8")
        (fresh / IDS_TXT).write_text("".join(f"{identity}\n" for identity in ids), encoding="utf-8")


def _background(draws: Random, colour: str) -> str:
    """White half of the time, and never the shoe's own colour."""
    others = [name for name in BACKGROUNDS if name != colour]
    return "white" if "white" in others and draws.random() < 0.5 else draws.choice(others)


def _look(draws: Random, colour: Colour, background: Colour) -> Look:
    closure = draws.choice(CLOSURES)
    return Look(
        colour=_tinted(draws, colour, 6),
        background=_tinted(draws, background, 2),
        collar=draws.choice(COLLARS),
        sole=draws.uniform(18, 27),
        sole_colour=draws.choice(SOLES),
        toe=draws.choice(TOES),
        side="plain" if closure == "straps" else draws.choice(SIDES),  # a mark would touch the straps
        closure=closure,
        has_floor=draws.random() < 0.4,
        placement=Placement(
            CENTRE,
            is_mirrored=draws.random() < 0.5,
            degrees=draws.uniform(-5, 5),
            scale=draws.uniform(0.94, 1.1),
            shift=(draws.uniform(-7, 7), draws.uniform(-8, 8)),
        ),
    )


def _caption(draws: Random, colour: str, background: str) -> str:
    return draws.choice(CAPTIONS).format(colour=colour, kind=draws.choice(KINDS), background=background)


def _tinted(draws: Random, colour: Colour, most: int) -> Colour:
    """A colour with at most so much added to each channel, so that no two reds are the same."""
    red, green, blue = (min(255, max(0, channel + draws.randint(-most, most))) for channel in colour)
    return red, green, blue
