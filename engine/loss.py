"""The training loss: mean squared error of the prediction, optionally weighted by min-SNR."""

import torch
from diffusers import DDPMScheduler
from torch import Tensor


def prediction_target(scheduler: DDPMScheduler, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    """What the UNet should predict: the noise, or for v-prediction the velocity (Salimans & Ho 2022). (B, 4, h, w)"""
    if scheduler.config.prediction_type == "v_prediction":
        velocity: Tensor = scheduler.get_velocity(latents, noise, timesteps)
        return velocity
    return noise


def loss_per_sample(
    scheduler: DDPMScheduler, prediction: Tensor, target: Tensor, timesteps: Tensor, snr_gamma: float | None
) -> Tensor:
    """w(t) * mean((prediction - target)^2), one value per sample, shape (B,).

    With SNR = alpha_bar / (1 - alpha_bar), w is min(SNR, gamma) / SNR for epsilon and min(SNR, gamma) / (SNR + 1) for
    v-prediction (Hang et al. 2023, arXiv:2303.09556); without gamma it is 1.
    """
    error: Tensor = (prediction.float() - target.float()).square().mean(dim=(1, 2, 3))
    if snr_gamma is None:
        return error
    alpha_bar = scheduler.alphas_cumprod.to(timesteps.device)[timesteps].float()
    snr = alpha_bar / (1 - alpha_bar)
    divisor = snr + 1 if scheduler.config.prediction_type == "v_prediction" else snr
    weight: Tensor = torch.clamp(snr, max=snr_gamma) / divisor
    return error * weight
