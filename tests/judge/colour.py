"""Tells which of the colours that captions name an object in a picture has."""

from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.demo.palette import BLACK, COLOURS, background_for
from tests.judge.specimens import EXAMINED_BY, shoes, thing

Numbers = NDArray[np.float64]

DIFFERENT = 26.0  # from the background, in units of RGB's 0 to 255, for what is part of the object
LITTLE = 40  # pixels
NEAR = 30.0  # so far from a colour a pixel counts as 0.6, twice as far as 0.14
NEUTRAL = {"white", "grey", "black"}  # of soles, laces and marks on shoes of all colours
NEUTRAL_WEIGHT = 0.5
EXAMINED = 240  # shoes, and as many mugs
REQUIRED = 0.97


class WrongColourError(Exception):
    """Colours of drawings are told wrongly too often."""


def colour_of(picture: Image.Image) -> str:
    """The name in COLOURS that most of the object's area is near to; soles, laces and marks are the smaller part."""
    pixels = np.asarray(picture.convert("RGB"), dtype=np.float64)
    behind = _background(pixels)
    lit = _without_shading(pixels)[_object(pixels, behind)]
    if not len(lit):
        lit = pixels.reshape(-1, 3)  # nothing stands out; the colour that is there is as good as any
    palette = np.array(list(COLOURS.values()), dtype=np.float64)
    distances = np.linalg.norm(lit[:, None] - palette, axis=2)
    votes = np.exp(-0.5 * (distances / NEAR) ** 2).sum(axis=0)
    weights = [NEUTRAL_WEIGHT if name in NEUTRAL else 1.0 for name in COLOURS]
    return list(COLOURS)[int((votes * weights).argmax())]


def examine_colours() -> float:
    """Share of held-out shoes and mugs whose colour is told rightly. Raises WrongColourError if it is below 97 %."""
    examined = shoes(EXAMINED_BY + 2, EXAMINED)
    for number in range(EXAMINED):
        draws = Random(f"{EXAMINED_BY}/mug/{number}")
        colour = list(COLOURS)[number % len(COLOURS)]
        examined.append(thing("mug", colour, background_for(draws, colour), draws))
    right = sum(colour_of(specimen.picture) == specimen.colour for specimen in examined) / len(examined)
    if right < REQUIRED:
        raise WrongColourError(f"The colours of only {right:.1%} of shoes and mugs are told; 97% are required.")
    return right


def _background(pixels: Numbers) -> Numbers:
    """The background (64, 1, 3) of each row, from the columns at both edges: it darkens downwards, or has a floor."""
    edges = np.concatenate([pixels[:, :3], pixels[:, -3:]], axis=1)
    rows: Numbers = np.median(edges, axis=1)
    padded = np.pad(rows, ((2, 2), (0, 0)), mode="edge")
    smooth = np.median(np.lib.stride_tricks.sliding_window_view(padded, 5, axis=0), axis=-1)
    return smooth[:, None]


def _object(pixels: Numbers, behind: Numbers) -> NDArray[np.bool_]:
    """Mask (64, 64) of what is not background, without its edge, where colours mix, unless little were left."""
    mask: NDArray[np.bool_] = np.linalg.norm(pixels - behind, axis=2) > DIFFERENT
    padded = np.pad(mask, 1)
    inner = mask & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return inner if inner.sum() >= LITTLE else mask


def _without_shading(pixels: Numbers) -> Numbers:
    """As if the light did not fall off downwards, which it does by the same law in all drawings."""
    side = len(pixels)
    level = (np.arange(side) + 0.5) / side * 255
    share = (np.maximum(0, level - 90) / 2 / 255)[:, None, None]
    lit: Numbers = np.clip((pixels - share * np.array(BLACK)) / (1 - share), 0, 255)
    return lit
