"""What the demo's models are asked to draw: every kind, shoes, and what must not be forgotten."""

from dataclasses import dataclass

from engine.demo.palette import BACKGROUNDS, COLOURS
from engine.demo.things import KINDS
from tests.judge.specimens import SHOE

THINGS = [
    "a professional product photo of {thing} on {background} background",
    "a photo of {thing} on a {background} background",
    "a studio photo of {thing} on {background} background",
    "{bare}, side view, {background} background",
]
SHOES_ON_WHITE = "a professional product photo of {colour} casual shoes on white background"
SHOES = [
    "a photo of {colour} shoes on a {background} background",
    "{colour} sneakers, side view, {background} background",
    "a studio photo of a pair of {colour} casual shoes on {background} background",
]
FIRST_SEED = 1000


@dataclass(frozen=True)
class Asked:
    """A prompt, the seed of its noise, and what the picture should show."""

    prompt: str
    seed: int
    kind: str
    colour: str
    background: str


def every_kind(each: int = 4) -> list[Asked]:
    """So many pictures of each of the kinds in varied colours, every other one on white."""
    return [asked for row, kind in enumerate(KINDS) for asked in _pictures_of(kind, row, each)]


def one_kind(kind: str, count: int = 8) -> list[Asked]:
    """So many pictures of one kind in different colours, every other one on white."""
    return _pictures_of(kind, 0, count)


def shoes() -> list[Asked]:
    """24 prompts: each colour once as people ask for product photos, on white, and once in other words."""
    asked = []
    for row, colour in enumerate(COLOURS):
        on_white = _background("white", colour)
        other = _background(_others(row), colour)
        first = SHOES_ON_WHITE.replace("white", on_white).format(colour=colour)
        second = SHOES[row % len(SHOES)].format(colour=colour, background=other)
        asked.append(Asked(first, FIRST_SEED + 2 * row, SHOE, colour, on_white))
        asked.append(Asked(second, FIRST_SEED + 2 * row + 1, SHOE, colour, other))
    return asked


def _pictures_of(kind: str, row: int, count: int) -> list[Asked]:
    asked = []
    for column in range(count):
        colour = list(COLOURS)[(row + 5 * column) % len(COLOURS)]
        background = _background("white" if column % 2 == 0 else _others(row + column), colour)
        bare = f"{colour} {kind}"
        thing = f"a pair of {bare}" if kind == "trousers" else f"{'an' if bare[0] in 'aeiou' else 'a'} {bare}"
        prompt = THINGS[column % len(THINGS)].format(thing=thing, bare=bare, background=background)
        asked.append(Asked(prompt, FIRST_SEED + 100 * (row + 1) + column, kind, colour, background))
    return asked


def _others(number: int) -> str:
    """Backgrounds other than white, in turn."""
    names = [name for name in BACKGROUNDS if name != "white"]
    return names[number % len(names)]


def _background(wanted: str, colour: str) -> str:
    """A thing on a background of its own colour is in no training picture: it stands on beige then."""
    return "beige" if wanted == colour else wanted
