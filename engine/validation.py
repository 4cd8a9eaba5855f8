"""Validation: the loss on held-out samples with fixed noise, and images with fixed seeds from the model in memory."""

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from engine import device as devices
from engine.contract.config import TrainingConfig
from engine.fitting import images_at_once
from engine.latent_cache import EmbeddingCache
from engine.loss import loss_per_sample, prediction_target
from engine.model import BaseModel
from engine.training_data import BANDS, TrainingData

BLACK = 4 / 255  # a picture whose brightest value lies below this is black


@dataclass(frozen=True)
class GeneratedImage:
    """A picture and what made it; `fault` says why it cannot be right, if so."""

    index: int
    prompt: str
    seed: int
    image: Image.Image
    fault: str


@torch.no_grad()
def validation_loss(
    unet: Any, base: BaseModel, data: TrainingData, device: torch.device, batch_size: int, boundary: Callable[[], Any]
) -> tuple[float, tuple[float, float, float, float]]:
    """Mean loss over the held-out samples, each in all four timestep bands; and the mean of each band, low to high."""
    unet.eval()
    bands = []
    for band in range(BANDS):
        losses: list[Tensor] = []
        for first in range(0, len(data.validation), batch_size):
            boundary()
            positions = range(first, min(first + batch_size, len(data.validation)))
            batch = data.validation_batch(band, positions, device)
            noisy = base.noise_scheduler.add_noise(batch.latents, batch.noise, batch.timesteps)
            target = prediction_target(base.noise_scheduler, batch.latents, batch.noise, batch.timesteps)
            predicted = unet(noisy, batch.timesteps, batch.embeddings, return_dict=False)[0]
            losses.append(loss_per_sample(base.noise_scheduler, predicted, target, batch.timesteps, snr_gamma=None))
        bands.append(torch.cat(losses).mean().item())
    low, second, third, high = bands
    return sum(bands) / BANDS, (low, second, third, high)


def save_labelled(generated: GeneratedImage, path: Path, **labels: object) -> None:
    """Write a PNG, whole or not at all, with prompt, seed and the labels in text chunks of its own."""
    chunks = PngInfo()
    for key, value in {"prompt": generated.prompt, "seed": generated.seed, **labels}.items():
        chunks.add_itxt(key, str(value))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        generated.image.save(file, format="PNG", pnginfo=chunks)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


@dataclass(frozen=True)
class ImageSettings:
    """How images are generated; size in pixels, batches in pictures."""

    resolution: int
    inference_steps: int
    guidance_scale: float
    negative_prompt: str
    batch_size: int
    decoding_batch_size: int = 1

    @classmethod
    def of(cls, config: TrainingConfig, device: devices.Device) -> "ImageSettings":
        """The settings of a config's validation images, in the largest batches that fit into memory."""
        denoised, decoded = images_at_once(config, devices.room(device, config.num_processes))
        return cls(
            config.resolution,
            config.validation_inference_steps,
            config.validation_guidance_scale,
            config.validation_negative_prompt,
            batch_size=denoised,
            decoding_batch_size=min(decoded, denoised, devices.encoding_batch(device, config.resolution)),
        )

    def halved(self) -> "ImageSettings":
        """The same in batches of half the size."""
        return replace(
            self, batch_size=max(1, self.batch_size // 2), decoding_batch_size=max(1, self.decoding_batch_size // 2)
        )

    @property
    def is_smallest(self) -> bool:
        """Whether pictures are drawn one by one already."""
        return self.batch_size == self.decoding_batch_size == 1


@dataclass
class ImageGenerator:
    """Draws pictures with the model in memory; once memory has run out, in smaller batches from then on."""

    unet: Any  # on the device, with its adapter
    base: BaseModel
    decoder: Any  # the base model's VAE, or a small autoencoder for the same latents
    embeddings: EmbeddingCache
    settings: ImageSettings
    device: devices.Device
    decoder_stays: bool = True  # on the device, when the pictures are drawn

    def generate(self, wanted: list[tuple[str, int]], boundary: Callable[[int, int], Any]) -> Iterator[GeneratedImage]:
        """One picture for each (prompt, seed), by DPM++ 2M. `boundary(done, total)` counts denoising steps of batches.

        Seeds are those of a CPU generator, so any diffusers pipeline gives the same pictures. Prompts must be in the
        cache. Raises what the device raises when even one picture is too much for its memory.
        """
        self.unet.eval()
        done = 0
        try:
            while done < len(wanted):
                try:
                    for image in self._in_batches(wanted[done:], boundary):
                        yield replace(image, index=done)
                        done += 1
                except Exception as error:
                    if not devices.is_out_of_memory(error) or self.settings.is_smallest:
                        raise
                    self.settings = self.settings.halved()
                if done < len(wanted):  # outside of the handler, whose traceback holds the tensors
                    devices.empty_cache(self.device)
        finally:
            if not self.decoder_stays:
                devices.move(self.decoder, devices.CPU)
            devices.empty_cache(self.device)  # pictures fill more than a step, which needs blocks of other sizes

    def _in_batches(
        self, wanted: list[tuple[str, int]], boundary: Callable[[int, int], Any]
    ) -> Iterator[GeneratedImage]:
        """In as few batches as can be, of sizes as alike as can be: some kernels are made anew for each shape."""
        settings = self.settings
        pipeline = StableDiffusionPipeline(
            vae=None, text_encoder=None, tokenizer=None, unet=self.unet, safety_checker=None, feature_extractor=None,
            scheduler=DPMSolverMultistepScheduler.from_config(self.base.noise_scheduler.config),
            requires_safety_checker=False,
        )  # fmt: skip
        pipeline.set_progress_bar_config(disable=True)
        size = math.ceil(len(wanted) / math.ceil(len(wanted) / settings.batch_size))
        batches = [wanted[first : first + size] for first in range(0, len(wanted), size)]
        total = len(batches) * settings.inference_steps
        for number, batch in enumerate(batches):

            def step_ended(_: Any, step: int, __: Any, kwargs: dict[str, Any], number: int = number) -> dict[str, Any]:
                boundary(number * settings.inference_steps + step + 1, total)
                return kwargs

            latents = self._denoise(pipeline, batch, step_ended)
            for (prompt, seed), pixels in zip(batch, self._decode(latents), strict=True):
                yield GeneratedImage(0, prompt, seed, _to_image(pixels), _fault(pixels))

    @torch.no_grad()
    def _denoise(
        self, pipeline: Any, batch: list[tuple[str, int]], step_ended: Callable[..., dict[str, Any]]
    ) -> Tensor:
        """Latents (B, 4, h, w) of a batch of prompts and seeds."""
        base, settings, device = self.base, self.settings, self.device.torch
        dtype = base.unet.dtype
        factor = 2 ** (len(base.vae.config.block_out_channels) - 1)
        shape = (base.unet.config.in_channels, settings.resolution // factor, settings.resolution // factor)
        noise = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for _, seed in batch]
        positive = torch.stack([self.embeddings.get(prompt) for prompt, _ in batch])
        negative = self.embeddings.get(settings.negative_prompt).expand_as(positive)
        latents: Tensor = pipeline(
            prompt_embeds=positive.to(device, dtype),
            negative_prompt_embeds=negative.to(device, dtype),
            latents=torch.stack(noise).to(device, dtype),
            height=settings.resolution,
            width=settings.resolution,
            num_inference_steps=settings.inference_steps,
            guidance_scale=settings.guidance_scale,
            output_type="latent",
            callback_on_step_end=step_ended,
        ).images
        return latents

    @torch.no_grad()
    def _decode(self, latents: Tensor) -> Iterator[Tensor]:
        """Pixels (3, H, W) in [-1, 1] on the CPU, decoded in fp32: in fp16 the VAE of SD 1.5 overflows to black."""
        devices.move(self.decoder, self.device)
        scaled = latents.float() / self.decoder.config.scaling_factor
        for part in scaled.split(self.settings.decoding_batch_size):
            pixels: Tensor = self.decoder.decode(part).sample.cpu()
            yield from pixels


def _fault(pixels: Tensor) -> str:
    if not torch.isfinite(pixels).all():
        return "holds numbers that are not finite"
    return "is black" if pixels.max() < 2 * BLACK - 1 else ""


def _to_image(pixels: Tensor) -> Image.Image:
    values = (pixels.nan_to_num(-1).clamp(-1, 1) + 1) * 127.5
    return Image.fromarray(values.round().byte().permute(1, 2, 0).numpy())
