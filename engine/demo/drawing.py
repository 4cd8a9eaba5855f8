"""Draws the demo's data set: pictures of shoes, and captions that tell the truth about them."""

import json
from pathlib import Path
from random import Random

from engine.atomic_folder import atomic_folder
from engine.captions import CAPTIONS_JSON, IDS_TXT
from engine.demo.canvas import Colour, Placement
from engine.demo.palette import BACKGROUNDS, COLOURS, WHITE, background_for, tinted
from engine.demo.shoe import CENTRE, Closure, Look, Side, Toe, paint_shoe

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
            background = background_for(draws, colour)
            picture = paint_shoe(_look(draws, COLOURS[colour], BACKGROUNDS[background]), resolution)
            picture.save(fresh / "images" / f"{identity}.png")
            captions[identity] = _caption(draws, colour, background)
        (fresh / CAPTIONS_JSON).write_text(json.dumps(captions, indent=1) + "\n", encoding="utf-8")
        (fresh / IDS_TXT).write_text("".join(f"{identity}\n" for identity in ids), encoding="utf-8")


def _look(draws: Random, colour: Colour, background: Colour) -> Look:
    closure = draws.choice(CLOSURES)
    return Look(
        colour=tinted(draws, colour, 6),
        background=tinted(draws, background, 2),
        collar=draws.choice(COLLARS),
        sole=draws.uniform(18, 27),
        sole_colour=draws.choice(SOLES),
        toe=draws.choice(TOES),
        side="plain" if closure == "straps" else draws.choice(SIDES),  # a mark would touch the straps
        closure=closure,
        has_floor=draws.random() < 0.4,
        placement=Placement(
            CENTRE,
            is_mirrored=False,  # as in a catalogue, every toe points the same way
            degrees=draws.uniform(-5, 5),
            scale=draws.uniform(0.94, 1.1),
            shift=(draws.uniform(-7, 7), draws.uniform(-8, 8)),
        ),
    )


def _caption(draws: Random, colour: str, background: str) -> str:
    return draws.choice(CAPTIONS).format(colour=colour, kind=draws.choice(KINDS), background=background)
