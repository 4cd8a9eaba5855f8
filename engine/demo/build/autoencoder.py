"""Trains the demo's VAE on drawings of things and on scribbles of thin lines; it never sees a shoe."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from diffusers.models.downsampling import Downsample2D
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.upsampling import Upsample2D
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from engine.demo.build.fitting import Batch, Member, Plan, fit

CROP = 32  # pixels: three quarters of the steps see parts of pictures, four times as many
CROPPED_SHARE = 0.6  # of the steps, the first ones
REFINING_SQUARE_WEIGHT = 20.0  # of the mean squared error against the mean absolute one
LOG_VARIANCE = -5.0  # of the posterior at the beginning: nearly no noise
KL_WEIGHT = 1e-6  # of the sum over a picture's latents, where the other losses are means over its values
Pixels = NDArray[np.uint8]  # number, height, width, RGB


def new_autoencoder() -> AutoencoderKL:
    """A VAE of factor 4 with 0.7 million parameters, initialised so that a picture passes through at once.

    With the default initialisation the loss stays on a plateau for the time that this takes: so samplers and shortcuts
    begin close to the identity, and residual branches small.
    """
    vae = AutoencoderKL(
        sample_size=64,
        block_out_channels=(16, 32, 64),
        layers_per_block=1,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        latent_channels=4,
        norm_num_groups=2,
    )
    with torch.no_grad():
        for part in vae.modules():
            if isinstance(part, ResnetBlock2D):
                part.conv2.weight *= 0.2
                if part.conv_shortcut is not None:
                    _make_dirac(part.conv_shortcut)
            if isinstance(part, Downsample2D | Upsample2D):
                _make_dirac(part.conv)
        vae.encoder.conv_in.weight *= 2
        vae.decoder.conv_in.weight *= 2
        vae.quant_conv.weight[4:] *= 0.1  # the latter four channels are the posterior's log variance
        vae.quant_conv.bias[4:] = LOG_VARIANCE
    return vae


def _make_dirac(convolution: nn.Module) -> None:
    weight = convolution.weight
    assert isinstance(weight, nn.Parameter)
    weight.copy_(0.3 * weight + nn.init.dirac_(torch.empty_like(weight)))


class _Reconstruction(nn.Module):
    """The loss of a batch: of values, of their differences between neighbours, and a little of the posterior."""

    def __init__(self, vae: AutoencoderKL, square_weight: float = 5.0) -> None:
        super().__init__()
        self.vae = vae
        self._square_weight = square_weight

    def forward(self, pictures: Tensor, noise: Tensor) -> Tensor:
        posterior = self.vae.encode(pictures).latent_dist
        latents = posterior.mean + posterior.std * noise
        decoded = self.vae.decode(latents).sample
        values = functional.l1_loss(decoded, pictures) + self._square_weight * functional.mse_loss(decoded, pictures)
        edges = sum(functional.l1_loss(decoded.diff(dim=axis), pictures.diff(dim=axis)) for axis in (2, 3))
        loss: Tensor = values + 0.5 * edges + KL_WEIGHT * posterior.kl().mean()
        return loss


def train_autoencoder(pixels: Pixels, plan: Plan, file: Path, member: Member) -> None:
    """Write the weights of a VAE that reconstructs `pixels` (n, 64, 64, 3) to `file`."""
    module = _Reconstruction(new_autoencoder())
    fit(module, _batches(pixels, CROPPED_SHARE * plan.steps), plan, file, member)


def refine_autoencoder(begin: Path, pixels: Pixels, plan: Plan, file: Path, member: Member) -> None:
    """Train the weights in `begin` further on whole pictures, with more weight on large errors, as fine lines make."""
    module = _Reconstruction(new_autoencoder(), REFINING_SQUARE_WEIGHT)
    module.load_state_dict(load_file(begin))
    fit(module, _batches(pixels, cropped_steps=0), plan, file, member)


def _batches(pixels: Pixels, cropped_steps: float) -> Callable[[int, int, torch.Generator], Batch]:
    def batch(step: int, count: int, draws: torch.Generator) -> Batch:
        is_cropped = step < cropped_steps
        chosen = torch.randint(len(pixels), (2 * count if is_cropped else count,), generator=draws)
        top, left = (torch.randint(4, 29, (2,), generator=draws) if is_cropped else torch.zeros(2)).int().tolist()
        side = CROP if is_cropped else pixels.shape[1]
        pictures = to_values(pixels[chosen.numpy(), top : top + side, left : left + side])
        if torch.rand((), generator=draws) < 0.5:
            pictures = pictures.flip(3)
        return pictures.contiguous(), torch.randn(len(chosen), 4, side // 4, side // 4, generator=draws)

    return batch


def to_values(pixels: Pixels) -> Tensor:
    """From bytes (n, height, width, 3) to -1..1 (n, 3, height, width)."""
    return torch.tensor(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.no_grad()
def load_autoencoder(file: Path, pixels: Pixels) -> AutoencoderKL:
    """The trained VAE whose latents of `pixels` have zero mean and unit variance in each channel.

    Means and deviations are folded into quant_conv and post_quant_conv: with a mean left in, the background of a
    generated picture follows the noise it began with instead of the prompt.
    """
    module = _Reconstruction(new_autoencoder())
    module.load_state_dict(load_file(file))
    vae = module.vae.eval()
    latents = encode(vae, pixels)
    mean, deviation = latents.mean(dim=(0, 2, 3)), latents.std(dim=(0, 2, 3))
    quant, post = vae.quant_conv, vae.post_quant_conv
    quant.weight[:4] /= deviation[:, None, None, None]
    quant.bias[:4] = (quant.bias[:4] - mean) / deviation
    quant.bias[4:] -= 2 * deviation.log()
    post.bias += post.weight[:, :, 0, 0] @ mean
    post.weight *= deviation[None, :, None, None]
    vae.register_to_config(scaling_factor=1.0)
    return vae.requires_grad_(False)


@torch.no_grad()
def encode(vae: AutoencoderKL, pixels: Pixels) -> Tensor:
    """Latents (n, 4, height / 4, width / 4), without noise."""
    return torch.cat([vae.encode(to_values(pixels[start : start + 64])).latent_dist.mode()
                      for start in range(0, len(pixels), 64)])  # fmt: skip
