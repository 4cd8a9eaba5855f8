"""The loss of a whole step, against a computation of its own from the formulas in the papers."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from torch import Tensor

from engine.lora import adapter_state
from engine.loss import loss_per_sample, prediction_target
from engine.preparation import Prepared
from engine.trainer import Trainer

Prepare = Callable[..., Prepared]

# beta runs linearly in its square root from 0.00085 to 0.012 over 1,000 timesteps (SD 1.5's schedule), in fp64
ALPHA_BAR = (1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2).cumprod(0)


def step_loss(trainer: Trainer) -> float:
    return trainer.step(lambda: 0.0).train_loss


def expected_loss(prepared: Prepared, base_model: Any, samples: int) -> float:
    """Mean over the samples 0 to `samples` - 1 of w(t) |target - prediction|^2, each sample by itself, one by one.

    The adapter's B is zero before the first step, so the plain base model predicts what the adapted one does.
    """
    config, data = prepared.config, prepared.data
    unet = UNet2DConditionModel.from_pretrained(base_model / "unet")
    losses = []
    for n in range(samples):
        draw = data.stream.draw(n)
        sample, digest = data.training[draw.index]
        mean, deviation = data.latents.get(digest, draw.flipped)
        latents = (mean + deviation * draw.latent_noise) * prepared.base.vae.config.scaling_factor
        caption = "" if draw.caption_dropped else sample.captions[0]
        alpha_bar = ALPHA_BAR[draw.timestep]
        signal, spread = alpha_bar.sqrt().float(), (1 - alpha_bar).sqrt().float()
        velocity = config.prediction_type == "v_prediction"
        target = signal * draw.noise - spread * latents if velocity else draw.noise
        noisy = signal * latents + spread * draw.noise
        text = data.embeddings.get(caption)
        with torch.no_grad():
            predicted: Tensor = unet(noisy[None], torch.tensor([draw.timestep]), text[None]).sample[0]
        weight = 1.0
        if config.snr_gamma is not None:
            snr = (alpha_bar / (1 - alpha_bar)).item()
            weight = min(snr, config.snr_gamma) / (snr + 1 if velocity else snr)
        losses.append(weight * (predicted - target).double().pow(2).mean().item())
    return sum(losses) / samples


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("snr_gamma", [None, 5.0])
@pytest.mark.parametrize("more", [{}, {"noise_offset": 0.3, "random_flip": True, "caption_dropout": 0.5}])
def test_the_loss_of_a_step_is_what_the_formula_says(
    prepare_tiny: Prepare, base_model_dir: Any, prediction_type: str, snr_gamma: float | None, more: dict[str, Any]
) -> None:
    prepared = prepare_tiny(prediction_type=prediction_type, snr_gamma=snr_gamma, **more)
    expected = expected_loss(prepared, base_model_dir, samples=8)
    assert step_loss(Trainer(prepared)) == pytest.approx(expected, rel=1e-6)


@pytest.fixture(scope="module")
def whole(prepare_tiny: Prepare) -> tuple[float, dict[str, Tensor]]:
    """Loss and adapter of one step on eight samples at once."""
    trainer = Trainer(prepare_tiny(train_batch_size=8, gradient_accumulation_steps=1, snr_gamma=5.0))
    return step_loss(trainer), adapter_state(trainer.bare_unet)


@pytest.mark.parametrize(("size", "count"), [(1, 8), (2, 4), (4, 2)])
def test_splitting_a_step_into_micro_batches_changes_only_rounding(
    prepare_tiny: Prepare, whole: tuple[float, dict[str, Tensor]], size: int, count: int
) -> None:
    prepared = prepare_tiny(train_batch_size=size, gradient_accumulation_steps=count, snr_gamma=5.0)
    trainer = Trainer(prepared)
    before = adapter_state(trainer.bare_unet)
    assert step_loss(trainer) == pytest.approx(whole[0], rel=1e-5)
    after = adapter_state(trainer.bare_unet)
    moved = torch.cat([(after[name] - before[name]).flatten() for name in before])
    moved_whole = torch.cat([(whole[1][name] - before[name]).flatten() for name in before])
    assert moved_whole.norm() > 0.01
    assert (moved - moved_whole).norm() <= 1e-5 * moved_whole.norm() + 1e-5
    assert all(torch.allclose(after[name], whole[1][name], rtol=1e-5, atol=1e-5) for name in after)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_min_snr_weighs_every_timestep_as_the_paper_says(prediction_type: str) -> None:
    """With an error of 1 everywhere the loss is the weight itself (Hang et al. 2023, and its appendix for v)."""
    scheduler = DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type=prediction_type
    )
    timesteps = torch.arange(0, 1000, 37)
    zeros = torch.zeros(len(timesteps), 4, 2, 2)
    snr = ALPHA_BAR[timesteps] / (1 - ALPHA_BAR[timesteps])
    capped = torch.where(snr < 5, snr, torch.full_like(snr, 5))
    expected = capped / (snr + 1) if prediction_type == "v_prediction" else capped / snr
    weights = loss_per_sample(scheduler, zeros + 1, zeros, timesteps, snr_gamma=5.0)
    assert torch.allclose(weights.double(), expected, rtol=1e-4)
    assert weights.shape == (len(timesteps),)
    assert torch.equal(loss_per_sample(scheduler, zeros + 1, zeros, timesteps, None), torch.ones(len(timesteps)))


def test_each_sample_has_a_loss_of_its_own() -> None:
    prediction = torch.tensor([0.0, 1.0, 3.0]).reshape(3, 1, 1, 1).expand(3, 4, 2, 2)
    losses = loss_per_sample(DDPMScheduler(), prediction, torch.zeros(3, 4, 2, 2), torch.tensor([1, 2, 3]), None)
    assert losses.tolist() == [0.0, 1.0, 9.0]


def test_half_precision_predictions_are_compared_in_fp32() -> None:
    prediction = torch.full((1, 4, 2, 2), 300.0, dtype=torch.float16)  # its square would overflow
    losses = loss_per_sample(DDPMScheduler(), prediction, torch.zeros(1, 4, 2, 2), torch.tensor([1]), None)
    assert losses.dtype == torch.float32
    assert losses.item() == 90_000


def test_the_target_is_the_noise_or_the_velocity() -> None:
    generator = torch.Generator().manual_seed(0)
    latents, noise = torch.randn(2, 2, 4, 2, 2, generator=generator)
    timesteps = torch.tensor([3, 700])
    schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    assert prediction_target(DDPMScheduler(**schedule), latents, noise, timesteps) is noise
    velocity = DDPMScheduler(**schedule, prediction_type="v_prediction")
    alpha_bar = ALPHA_BAR[timesteps].reshape(2, 1, 1, 1).float()
    expected = alpha_bar.sqrt() * noise - (1 - alpha_bar).sqrt() * latents
    assert torch.allclose(prediction_target(velocity, latents, noise, timesteps), expected, atol=1e-6)
