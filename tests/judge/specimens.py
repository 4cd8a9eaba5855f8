"""The drawings from which the judge learns and by which it is examined: other ones than the base model has seen."""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from engine.captions import CAPTIONS_JSON
from engine.contract.config_file import read_settings
from engine.demo.corpus import draw_thing
from engine.demo.drawing import draw_dataset
from engine.demo.palette import BACKGROUNDS, COLOURS
from engine.demo.things import KINDS, paint_thing

SIDE = 64  # pixels
SHOE = "shoe"
LEARNT_FROM, EXAMINED_BY = 20_000_000, 30_000_000  # number of the first drawing; the base model's lie below
TOLD = re.compile(rf"({'|'.join(COLOURS)}) (?:casual shoes|shoes|sneakers)\b.* ({'|'.join(BACKGROUNDS)}) background")


@dataclass(frozen=True)
class Specimen:
    """A picture of 64 x 64 pixels in RGB and the truth about it; `kind` is one of KINDS or "shoe"."""

    picture: Image.Image
    kind: str
    colour: str
    background: str


def things(first: int, count: int) -> list[Specimen]:
    """Drawings of all kinds in turn."""
    drawn = (draw_thing(number, SIDE) for number in range(first, first + count))
    return [Specimen(one.picture, one.kind, one.colour, one.background) for one in drawn]


def shoes(seed: int, count: int) -> list[Specimen]:
    """Shoes as the demo's data set has them, from another seed; the colours come in turn."""
    drawn = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "shoes"
        draw_dataset(folder, count, SIDE, seed)
        for identity, caption in read_settings(folder / CAPTIONS_JSON).items():
            told = TOLD.search(caption)
            assert told, f"a caption that names no colour or no background: {caption}"
            with Image.open(folder / "images" / f"{identity}.png") as file:
                drawn.append(Specimen(file.convert("RGB"), SHOE, told[1], told[2]))
    return drawn


def thing(kind: str, colour: str, background: str, draws: Random) -> Specimen:
    """A thing of this kind in these colours."""
    picture = paint_thing(kind, COLOURS[colour], BACKGROUNDS[background], draws, SIDE)
    return Specimen(picture, kind, colour, background)


def any_kind(draws: Random) -> str:
    """One of the kinds, no shoe."""
    return draws.choice(list(KINDS))


def to_tensor(pictures: list[Image.Image]) -> Tensor:
    """Pictures as bytes, shape (N, 3, 64, 64)."""
    return torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures])).permute(0, 3, 1, 2).contiguous()
