"""Every random draw of training: sample n is a pure function of (seed, n), drawn on the CPU."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor


@dataclass(frozen=True)
class SampleDraws:
    """What chance decides about the n-th sample of a run. Tensors are fp32 on the CPU, shaped like the latents."""

    index: int  # which training sample
    flipped: bool
    caption: float  # in [0, 1); chooses among the captions of the sample
    caption_dropped: bool
    latent_noise: Tensor  # (4, h, w), chooses a sample from the VAE's distribution
    timestep: int
    noise: Tensor  # (4, h, w), what the UNet has to predict


@dataclass(frozen=True)
class SampleStream:
    """The endless sequence of samples of a run."""

    seed: int
    size: int  # training samples in one epoch
    latent_shape: tuple[int, int, int]
    timesteps: int
    random_flip: bool
    caption_dropout: float
    noise_offset: float

    def epoch(self, n: int) -> int:
        """The epoch, counted from 0, to which the n-th sample belongs."""
        return n // self.size

    def draw(self, n: int) -> SampleDraws:
        """The n-th sample, counted from 0. Everything is drawn in every case, so that no setting shifts another."""
        order = _permutation(self.seed, self.epoch(n), self.size)
        generator = keyed_generator(self.seed, "sample", n)
        flip, caption, dropout = torch.rand(3, generator=generator).tolist()
        timestep = int(torch.randint(self.timesteps, (1,), generator=generator).item())
        latent_noise = torch.randn(self.latent_shape, generator=generator)
        noise = torch.randn(self.latent_shape, generator=generator)
        offset = torch.randn(self.latent_shape[0], 1, 1, generator=generator)
        return SampleDraws(
            index=int(order[n % self.size]),
            flipped=self.random_flip and flip < 0.5,
            caption=caption,
            caption_dropped=dropout < self.caption_dropout,
            latent_noise=latent_noise,
            timestep=timestep,
            noise=noise + self.noise_offset * offset,  # N. Guttenberg 2023, "Diffusion with offset noise"
        )


def keyed_generator(seed: int, stream: str, number: int) -> torch.Generator:
    """A CPU generator that depends on its key alone; streams of different names are independent."""
    digest = hashlib.blake2b(f"{stream}/{seed}/{number}".encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest) >> 1)  # 63 bits: every torch accepts them


@lru_cache(maxsize=2)  # a step may reach from one epoch into the next
def _permutation(seed: int, epoch: int, size: int) -> Tensor:
    return torch.randperm(size, generator=keyed_generator(seed, "epoch", epoch))
