"""From sample numbers to batches on the device: latents, noise, timesteps and caption embeddings."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.dataset import Sample
from engine.latent_cache import EmbeddingCache, LatentCache
from engine.noise import SampleStream, keyed_generator

BANDS = 4  # quarters of the timesteps in which the validation loss is told apart


@dataclass(frozen=True)
class Batch:
    """What one forward pass needs. B samples; all on the device, all fp32 but the timesteps."""

    latents: Tensor  # (B, 4, h, w), scaled to about unit variance
    noise: Tensor  # (B, 4, h, w)
    timesteps: Tensor  # (B,), int64
    embeddings: Tensor  # (B, 77, width)


@dataclass(frozen=True)
class TrainingData:
    """Samples with the digests of their pictures, and the caches that hold what they became."""

    training: Sequence[tuple[Sample, str]]
    validation: Sequence[tuple[Sample, str]]
    latents: LatentCache
    embeddings: EmbeddingCache
    stream: SampleStream
    scaling_factor: float  # of the VAE's latents
    skipped: int

    def digest(self) -> str:
        """SHA-256 over the training samples in their order: the same data trains the same adapter."""
        lines = [f"{digest} {sample.captions}" for sample, digest in self.training]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def batch(self, numbers: Sequence[int], device: torch.device) -> Batch:
        """The samples with these numbers, counted from 0 over the whole run."""
        draws = [self.stream.draw(number) for number in numbers]
        latents, embeddings = [], []
        for draw in draws:
            sample, digest = self.training[draw.index]
            mean, deviation = self.latents.get(digest, draw.flipped)
            latents.append((mean + deviation * draw.latent_noise) * self.scaling_factor)
            caption = sample.captions[int(draw.caption * len(sample.captions))]
            embeddings.append(self.embeddings.get("" if draw.caption_dropped else caption))
        return _to_device(latents, [d.noise for d in draws], [d.timestep for d in draws], embeddings, device)

    def sample_names(self, numbers: Sequence[int]) -> list[str]:
        """The ids of the samples with these numbers, for messages."""
        return [self.training[self.stream.draw(number).index][0].id for number in numbers]

    def validation_batch(self, band: int, positions: Sequence[int], device: torch.device) -> Batch:
        """Held-out samples with noise and timesteps that are the same at every measurement.

        The timesteps of a band are spread evenly over its quarter. Latents are the VAE's mean.
        """
        quarter = self.stream.timesteps // BANDS
        latents, noise, timesteps, embeddings = [], [], [], []
        for position in positions:
            sample, digest = self.validation[position]
            mean = self.latents.get(digest, flipped=False)[0]
            generator = keyed_generator(self.stream.seed, f"validation-{band}", position)
            latents.append(mean * self.scaling_factor)
            noise.append(torch.randn(mean.shape, generator=generator))
            timesteps.append(band * quarter + (2 * position + 1) * quarter // (2 * len(self.validation)))
            embeddings.append(self.embeddings.get(sample.captions[0]))
        return _to_device(latents, noise, timesteps, embeddings, device)


def _to_device(
    latents: list[Tensor], noise: list[Tensor], timesteps: list[int], embeddings: list[Tensor], device: torch.device
) -> Batch:
    return Batch(
        torch.stack(latents).to(device),
        torch.stack(noise).to(device),
        torch.tensor(timesteps).to(device),
        torch.stack(embeddings).to(device),
    )
