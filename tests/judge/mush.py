"""Pictures of nothing in particular, so that the judge learns to say that it sees none of the things it knows."""

from random import Random

import torch
from PIL import Image, ImageFilter
from torch import Tensor
from torch.nn import functional as F

from engine.demo.corpus import draw_scribble
from tests.judge.distortion import bent
from tests.judge.specimens import SIDE, Specimen, any_kind, thing, to_tensor

DEFORMED = 7.0, 14.0  # pixels; a thing bent by so much is no longer one
SEAM = 6  # pixels in which one half goes over into the other


def mush(specimens: list[Specimen], seed: int) -> Tensor:
    """As many pictures, in bytes, shape (N, 3, 64, 64), of every sort in turn, made from what the specimens show."""
    draws, noise = Random(f"{seed}/mush"), torch.Generator().manual_seed(seed)
    sorts = [_scribble, _halves, _ghost, _halves, _blob, _halves, _deformed, _shuffled, _deformed, _smeared]
    made = [sorts[number % len(sorts)](specimen, draws, noise) for number, specimen in enumerate(specimens)]
    return (torch.stack(made).clamp(0, 1) * 255).round().byte()


def _scribble(_: Specimen, draws: Random, __: torch.Generator) -> Tensor:
    return _values(draw_scribble(draws.randrange(1 << 40), SIDE))


def _halves(specimen: Specimen, draws: Random, _: torch.Generator) -> Tensor:
    """One thing's left half glued to another's right half, or one above the other, in the same colours."""
    first, second = _values(specimen.picture), _values(_other(specimen, draws).picture)
    if draws.random() < 0.5:
        first, second = second, first
    ramp = ((torch.arange(SIDE) - draws.uniform(0.42, 0.58) * SIDE) / draws.uniform(1, SEAM)).clamp(0, 1)
    return torch.lerp(first, second, ramp if draws.random() < 0.5 else ramp[:, None])


def _ghost(specimen: Specimen, draws: Random, _: torch.Generator) -> Tensor:
    """Two things in one place, each half seen through."""
    return torch.lerp(
        _values(specimen.picture), _values(_other(specimen, draws).picture), torch.tensor(draws.uniform(0.4, 0.6))
    )


def _blob(specimen: Specimen, draws: Random, noise: torch.Generator) -> Tensor:
    """Soft shapes without a meaning in the specimen's colours: its darker or lighter parts where noise is high."""
    values = _values(specimen.picture)
    knots = torch.rand(1, 1, draws.randint(3, 9), draws.randint(3, 9), generator=noise)
    field = F.interpolate(knots, size=(SIDE, SIDE), mode="bicubic", align_corners=True)[0]
    mask = ((field - draws.uniform(0.4, 0.7)) * draws.uniform(2, 14)).clamp(0, 1)
    return torch.lerp(values[:, :1, :1].expand_as(values), values[:, SIDE // 2, SIDE // 2].view(3, 1, 1), mask)


def _deformed(specimen: Specimen, draws: Random, noise: torch.Generator) -> Tensor:
    return bent(_values(specimen.picture)[None], torch.tensor([draws.uniform(*DEFORMED)]), noise)[0]


def _shuffled(specimen: Specimen, draws: Random, _: torch.Generator) -> Tensor:
    """The four quarters in another order."""
    half, values = SIDE // 2, _values(specimen.picture)
    quarters = [values[:, y : y + half, x : x + half] for y in (0, half) for x in (0, half)]
    order = draws.choice([(3, 2, 1, 0), (2, 3, 0, 1), (1, 0, 3, 2), (1, 2, 3, 0)])
    a, b, c, d = (quarters[index] for index in order)
    return torch.cat([torch.cat([a, b], dim=2), torch.cat([c, d], dim=2)], dim=1)


def _smeared(specimen: Specimen, draws: Random, _: torch.Generator) -> Tensor:
    """So blurred that nothing can be told."""
    return _values(specimen.picture.filter(ImageFilter.GaussianBlur(draws.uniform(6, 12))))


def _other(specimen: Specimen, draws: Random) -> Specimen:
    while (kind := any_kind(draws)) == specimen.kind:
        pass
    return thing(kind, specimen.colour, specimen.background, draws)


def _values(picture: Image.Image) -> Tensor:
    """Shape (3, 64, 64) in [0, 1]."""
    return to_tensor([picture])[0].float() / 255
