"""The colours that the demo's pictures and captions name, and how a colour is varied."""

from random import Random

from engine.demo.canvas import Colour

COLOURS: dict[str, Colour] = {
    "red": (204, 34, 42), "blue": (34, 82, 190), "green": (42, 140, 70), "yellow": (240, 196, 40),
    "orange": (236, 120, 34), "purple": (116, 60, 168), "pink": (238, 132, 170), "brown": (128, 80, 46),
    "black": (40, 40, 46), "white": (240, 240, 238), "grey": (134, 138, 146), "teal": (26, 148, 150),
}  # fmt: skip
BACKGROUNDS: dict[str, Colour] = {
    "white": (250, 250, 250), "grey": (194, 197, 202), "beige": (230, 214, 190), "blue": (158, 192, 230),
    "pink": (246, 208, 218), "green": (184, 216, 184), "yellow": (248, 234, 166),
}  # fmt: skip
BLACK: Colour = (16, 16, 20)
WHITE: Colour = (250, 250, 248)


def background_for(draws: Random, colour: str) -> str:
    """The name of a background: white half of the time, and never the thing's own colour."""
    others = [name for name in BACKGROUNDS if name != colour]
    return "white" if "white" in others and draws.random() < 0.5 else draws.choice(others)


def tinted(draws: Random, colour: Colour, most: int) -> Colour:
    """A colour with at most so much added to each channel, so that no two reds are the same."""
    red, green, blue = (min(255, max(0, channel + draws.randint(-most, most))) for channel in colour)
    return red, green, blue


def mixed(colour: Colour, other: Colour, share: float) -> Colour:
    """A colour with a share of another."""
    red, green, blue = (round(own * (1 - share) + foreign * share) for own, foreign in zip(colour, other, strict=True))
    return red, green, blue


def accent(colour: Colour) -> Colour:
    """For marks that stand out from a colour: white, or dark on a light one."""
    return WHITE if sum(colour) < 600 else (96, 98, 108)
