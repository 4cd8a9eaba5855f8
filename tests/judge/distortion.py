"""Bends, moves, softens and tints pictures, as generated ones differ from drawings; much bending makes mush of them."""

import torch
from torch import Tensor
from torch.nn import functional as F

KNOTS = 6  # of the field that bends, along each side


def bent(pictures: Tensor, pixels: Tensor, draws: torch.Generator) -> Tensor:
    """Pictures (N, 3, H, W) whose parts are moved at random, by `pixels` (N) as standard deviation."""
    count, _, side, _ = pictures.shape
    knots = torch.randn(count, 2, KNOTS, KNOTS, generator=draws) * pixels.view(-1, 1, 1, 1) * 2 / side
    field = F.interpolate(knots, size=(side, side), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    straight = torch.eye(2, 3).expand(count, 2, 3)
    return _sampled(pictures, F.affine_grid(straight, list(pictures.shape), align_corners=False) + field)


def moved(pictures: Tensor, draws: torch.Generator) -> Tensor:
    """Mirrored or not, shifted by up to 4 pixels, scaled by up to 8 %."""
    count, side = len(pictures), pictures.shape[-1]
    grid = torch.zeros(count, 2, 3)
    scale = 1 + _spread((count,), 0.08, draws)
    grid[:, 0, 0] = scale * (torch.randint(0, 2, (count,), generator=draws) * 2 - 1)
    grid[:, 1, 1] = scale * (1 + _spread((count,), 0.06, draws))
    grid[:, :, 2] = _spread((count, 2), 4 * 2 / side, draws)
    return _sampled(pictures, F.affine_grid(grid, list(pictures.shape), align_corners=False))


def softened(pictures: Tensor, draws: torch.Generator) -> Tensor:
    """A part of each picture's sharpness is taken away, and noise of up to 4 % is added."""
    kernel = torch.tensor([1.0, 4, 6, 4, 1]) / 16
    weights = torch.outer(kernel, kernel).expand(3, 1, 5, 5)
    blurred = F.conv2d(F.pad(pictures, (2, 2, 2, 2), mode="replicate"), weights, groups=3)
    share = (torch.rand(len(pictures), 1, 1, 1, generator=draws) * 1.6 - 0.4).clamp(0, 1)
    amount = torch.rand(len(pictures), 1, 1, 1, generator=draws) * 0.04
    return torch.lerp(pictures, blurred, share) + amount * torch.randn(pictures.shape, generator=draws)


def tinted(pictures: Tensor, draws: torch.Generator) -> Tensor:
    """Each channel brighter or darker by up to 12 %, contrast changed by up to 15 %."""
    count = len(pictures)
    contrast = 1 + _spread((count, 1, 1, 1), 0.15, draws)
    middle = pictures.mean(dim=(1, 2, 3), keepdim=True)
    return (pictures - middle) * contrast + middle * (1 + _spread((count, 3, 1, 1), 0.12, draws))


def _spread(shape: tuple[int, ...], most: float, draws: torch.Generator) -> Tensor:
    return (torch.rand(shape, generator=draws) * 2 - 1) * most


def _sampled(pictures: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
