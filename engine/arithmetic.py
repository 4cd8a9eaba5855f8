"""How fast a device computes at best, and whether it computes the gradients that a CPU does."""

import time
from typing import Any

import torch

from engine import device as devices
from engine.trainer import Trainer

MATRIX = 2048  # side of the square matrices whose product shows what the device can reach
PRODUCTS = 10
LATENT_SIDE = 8  # of the small input on which gradients are compared: the least that SD 1.5's UNet halves three times


def matrix_rate(device: devices.Device) -> float:
    """Floating-point operations per second that a large product of fp32 matrices reaches: the roof of any step."""
    a, b = (torch.randn(MATRIX, MATRIX, device=device.torch) for _ in range(2))
    best = float("inf")
    for _ in range(PRODUCTS):
        devices.synchronize(device)
        started = time.perf_counter()
        a @ b
        devices.synchronize(device)
        best = min(best, time.perf_counter() - started)
    return 2 * MATRIX**3 / best


def gradient_difference(trainer: Trainer, device: devices.Device) -> float:
    """How far the device's gradients are from the CPU's on one small input, as a share of their norm."""
    theirs, ours = (_gradients(trainer, where) for where in (devices.CPU, device))
    return float((ours - theirs).norm() / theirs.norm())


def _gradients(trainer: Trainer, device: devices.Device) -> torch.Tensor:
    """Gradients of all adapter weights in one row, on the CPU. The UNet stays on that device."""
    unet: Any = trainer.bare_unet
    devices.move(unet, device)
    generator = torch.Generator().manual_seed(0)
    shape = (1, unet.config.in_channels, LATENT_SIDE, LATENT_SIDE)
    latents, target = (torch.randn(shape, generator=generator).to(device.torch) for _ in range(2))
    text = torch.randn(1, 77, unet.config.cross_attention_dim, generator=generator).to(device.torch)
    predicted = unet(latents, torch.tensor([500]).to(device.torch), text, return_dict=False)[0]
    torch.autograd.backward(torch.nn.functional.mse_loss(predicted, target))
    row = torch.cat([gradient.detach().flatten().cpu() for gradient in trainer.gradients()])
    trainer.abandon_step()
    return row
