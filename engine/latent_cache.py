"""Latents of pictures and embeddings of captions: computed once by VAE and text encoder, then read from disk."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from PIL import Image
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from engine.contract.errors import DataError, ModelError
from engine.dataset import Sample
from engine.model import fingerprint
from engine.picture import PictureError, open_picture, to_square
from engine.tensor_cache import TensorCache

TRANSFORM = "square1"  # changes with the way a picture is made into a tensor
TENSORS_PER_FILE = 32  # 4 MiB of SD 1.5 latents: what an interruption can lose

Progress = Callable[[int, int], None]  # done, total; may raise to end the work


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def to_tensor(image: Image.Image) -> Tensor:
    """An RGB picture as float32 of shape (3, height, width) in [-1, 1]."""
    pixels = np.asarray(image, dtype=np.float32) / 127.5 - 1
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


class LatentCache:
    """The VAE's mean and standard deviation for each picture, shape (2, 4, h, w), fp32, before the scaling factor.

    Keyed by the picture's content, the transform and the VAE's weights, so a moved or renamed picture is found, and a
    changed one is not.
    """

    def __init__(self, folder: Path, vae: AutoencoderKL, resolution: int) -> None:
        self._vae = vae
        self._resolution = resolution
        side = resolution // 2 ** (len(vae.config.block_out_channels) - 1)
        self._tensors = TensorCache(
            folder / f"latents-{TRANSFORM}-{resolution}-{fingerprint(vae)[:16]}",
            (2, vae.config.latent_channels, side, side),
        )

    @property
    def damaged(self) -> list[Path]:
        """Files that were torn and have been removed."""
        return self._tensors.damaged

    def has(self, digest: str, flips: bool) -> bool:
        """Whether nothing needs to be computed for a picture."""
        return all(_latent_key(digest, flipped) in self._tensors for flipped in _orientations(flips))

    def get(self, digest: str, flipped: bool) -> Tensor:
        """Mean and standard deviation of one picture."""
        return self._tensors[_latent_key(digest, flipped)]

    def fill(
        self, samples: Sequence[tuple[Sample, str]], flips: bool, threads: int, device: torch.device, progress: Progress
    ) -> None:
        """Encode what is missing. Pictures are encoded one by one, so that the result does not depend on which others
        were missing. Raises ModelError if the VAE returns a number that is not finite.
        """
        missing = [(sample, digest) for sample, digest in samples if not self.has(digest, flips)]
        fresh: dict[str, Tensor] = {}
        try:
            for done, (digest, picture) in enumerate(_decoded(missing, self._resolution, threads)):
                progress(done, len(missing))
                for flipped in _orientations(flips):
                    pixels = picture.flip(-1) if flipped else picture
                    fresh[_latent_key(digest, flipped)] = self._encode(pixels.to(device), digest)
                if len(fresh) >= TENSORS_PER_FILE:
                    self._tensors.add(fresh)
                    fresh = {}
        finally:
            self._tensors.add(fresh)  # an interruption keeps what was computed
        if missing:
            progress(len(missing), len(missing))

    @torch.no_grad()
    def _encode(self, pixels: Tensor, digest: str) -> Tensor:
        distribution = self._vae.encode(pixels[None]).latent_dist
        latents = torch.cat([distribution.mean, distribution.std]).float().cpu()
        if not torch.isfinite(latents).all():
            raise ModelError(
                "The VAE returned numbers that are not finite",
                f"Seen with the picture of SHA-256 {digest[:12]}.",
                "The base model's VAE is damaged or the device computes wrongly; try --device cpu to tell which.",
            )
        return latents


def _orientations(flips: bool) -> tuple[bool, ...]:
    return (False, True) if flips else (False,)


def _latent_key(digest: str, flipped: bool) -> str:
    return f"{digest}-flipped" if flipped else digest


def _decoded(samples: Sequence[tuple[Sample, str]], resolution: int, threads: int) -> Iterator[tuple[str, Tensor]]:
    """Digest and pixels (3, r, r) of each picture, decoded in threads a few pictures ahead."""

    def decode(sample: Sample, digest: str) -> Tensor:
        try:
            if file_digest(sample.image) == digest:
                return to_tensor(to_square(open_picture(sample.image), resolution))
            reason = "its content is another one now"
        except (PictureError, OSError) as error:
            reason = str(error)
        raise DataError(
            f"{sample.image} changed while it was read for the cache",
            reason,
            "Leave the data alone, then resume the run.",
        )

    if threads == 0:
        yield from ((digest, decode(sample, digest)) for sample, digest in samples)
        return
    ahead: deque[tuple[str, Future[Tensor]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for sample, digest in samples:
                ahead.append((digest, pool.submit(decode, sample, digest)))
                if len(ahead) > 2 * threads:
                    first, future = ahead.popleft()
                    yield first, future.result()
            while ahead:
                first, future = ahead.popleft()
                yield first, future.result()
        finally:
            pool.shutdown(cancel_futures=True)


class EmbeddingCache:
    """The text encoder's last hidden state for each text, shape (77, width), fp32; keyed by tokens and weights."""

    def __init__(self, folder: Path, tokenizer: CLIPTokenizer, text_encoder: CLIPTextModel) -> None:
        self._tokenizer = tokenizer
        self._encoder = text_encoder
        self._tensors = TensorCache(
            folder / f"embeddings-{fingerprint(text_encoder)[:16]}",
            (tokenizer.model_max_length, text_encoder.config.hidden_size),
        )

    @property
    def damaged(self) -> list[Path]:
        """Files that were torn and have been removed."""
        return self._tensors.damaged

    def _tokens(self, text: str) -> tuple[str, Tensor]:
        """Key and token ids (1, 77) of a text; what is too long is cut off, as the pipelines do."""
        tokens: Tensor = self._tokenizer(
            text, padding="max_length", max_length=self._tokenizer.model_max_length, truncation=True,
            return_tensors="pt",
        ).input_ids  # fmt: skip
        return hashlib.sha256(tokens.numpy().tobytes()).hexdigest(), tokens

    def get(self, text: str) -> Tensor:
        """The embedding of a text that `fill` has seen."""
        return self._tensors[self._tokens(text)[0]]

    def fill(self, texts: Sequence[str], device: torch.device, progress: Progress) -> None:
        """Encode what is missing, one by one. Raises ModelError if a result is not finite."""
        wanted = dict(self._tokens(text) for text in dict.fromkeys(texts))
        missing = {key: tokens for key, tokens in wanted.items() if key not in self._tensors}
        fresh: dict[str, Tensor] = {}
        try:
            for done, (key, tokens) in enumerate(missing.items()):
                progress(done, len(missing))
                fresh[key] = self._encode(tokens.to(device))
                if len(fresh) >= TENSORS_PER_FILE:
                    self._tensors.add(fresh)
                    fresh = {}
        finally:
            self._tensors.add(fresh)
        if missing:
            progress(len(missing), len(missing))

    @torch.no_grad()
    def _encode(self, tokens: Tensor) -> Tensor:
        embedding: Tensor = self._encoder(tokens).last_hidden_state[0].float().cpu()
        if not torch.isfinite(embedding).all():
            raise ModelError(
                "The text encoder returned numbers that are not finite",
                remedy="The base model's text encoder is damaged, or the device computes wrongly; try --device cpu.",
            )
        return embedding
