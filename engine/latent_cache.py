"""Latents of pictures and embeddings of captions: computed once by VAE and text encoder, then read from disk."""

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from PIL import Image
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from engine.contract.errors import DataError, ModelError
from engine.dataset import Sample
from engine.model import fingerprint
from engine.picture import PictureError, open_picture, to_square
from engine.picture_digests import file_digest
from engine.tensor_cache import TensorCache

TRANSFORM = "square1"  # changes with the way a picture is made into a tensor
WRITTEN_TOGETHER = 32  # 4 MiB of SD 1.5 latents: what an interruption by force can lose
TOKENIZED_TOGETHER = 1024  # texts; a tenth of a second
MANY_TEXTS = 10_000  # take so long to look up that somebody may ask for something meanwhile
KEYS_KEPT = 8192  # of texts that a step asks for again and again

Progress = Callable[[int, int], None]  # done, total; may raise to end the work


def to_tensor(image: Image.Image) -> Tensor:
    """An RGB picture as float32 of shape (3, height, width) in [-1, 1]."""
    pixels = np.asarray(image, dtype=np.float32) / 127.5 - 1
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def changed(sample: Sample, reason: str) -> DataError:
    """The error about a picture that is no longer what it was a moment ago."""
    return DataError(
        f"{sample.image} changed while it was read for the cache", reason, "Leave the data alone, then resume the run."
    )


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
        """Files in which something was torn; it is computed anew."""
        return self._tensors.damaged

    def has(self, digest: str, flips: bool) -> bool:
        """Whether nothing needs to be computed for a picture."""
        return all(_latent_key(digest, flipped) in self._tensors for flipped in _orientations(flips))

    def get(self, digest: str, flipped: bool) -> Tensor:
        """Mean and standard deviation of one picture."""
        return self._tensors[_latent_key(digest, flipped)]

    def fill(
        self, samples: Iterable[tuple[Sample, str]], flips: bool, threads: int, device: torch.device,
        progress: Progress, batch: int = 1,
    ) -> dict[str, str]:  # fmt: skip
        """Encode what is missing, on a device; returns why pictures could not be read, by their digests.

        Always `batch` pictures are encoded at once, blank ones if there are no more, so that the kernels are the same
        and a latent never depends on which others were missing. Raises ModelError if the VAE returns a number that is
        not finite, and DataError if a picture is no longer the one of its digest.
        """
        missing = {digest: sample for sample, digest in samples if not self.has(digest, flips)}
        unreadable: dict[str, str] = {}
        if not missing:
            return unreadable
        self._vae.to(device)
        fresh: dict[str, Tensor] = {}
        done = 0
        with closing(_decoded(missing, self._resolution, threads, batch, unreadable)) as pictures:
            wanted = (
                (digest, flipped, picture.flip(-1) if flipped else picture)
                for digest, picture in pictures
                for flipped in _orientations(flips)
                if _latent_key(digest, flipped) not in self._tensors
            )
            try:
                while group := list(islice(wanted, batch)):
                    progress(min(done + len(unreadable), len(missing)), len(missing))
                    fresh |= self._encode(group, batch, device)
                    done += sum(flipped == flips for _, flipped, _ in group)
                    if len(fresh) >= WRITTEN_TOGETHER:
                        self._tensors.add(fresh)
                        fresh = {}
            finally:
                self._tensors.add(fresh)  # an interruption keeps what was computed
                self._vae.to("cpu")
        progress(len(missing), len(missing))
        return unreadable

    @torch.no_grad()
    def _encode(self, group: list[tuple[str, bool, Tensor]], batch: int, device: torch.device) -> dict[str, Tensor]:
        blank = torch.zeros_like(group[0][2])
        pixels = torch.stack([picture for _, _, picture in group] + [blank] * (batch - len(group)))
        distribution = self._vae.encode(pixels.to(device)).latent_dist
        latents = torch.stack([distribution.mean, distribution.std], dim=1).float().cpu()
        encoded = {}
        for (digest, flipped, _), latent in zip(group, latents[: len(group)], strict=True):
            if not torch.isfinite(latent).all():
                raise ModelError(
                    "The VAE returned numbers that are not finite",
                    f"Seen with the picture of SHA-256 {digest[:12]}.",
                    "The base model's VAE is damaged or the device computes wrongly; try --device cpu to tell which.",
                )
            encoded[_latent_key(digest, flipped)] = latent
        return encoded


def _orientations(flips: bool) -> tuple[bool, ...]:
    return (False, True) if flips else (False,)


def _latent_key(digest: str, flipped: bool) -> str:
    return f"{digest}-flipped" if flipped else digest


def _decoded(
    missing: Mapping[str, Sample], resolution: int, threads: int, batch: int, unreadable: dict[str, str]
) -> Generator[tuple[str, Tensor]]:
    """Digest and pixels (3, r, r) of each picture, decoded in threads while others are encoded.

    Pictures that cannot be read are left out, and the reasons put into `unreadable`.
    """

    def decode(digest: str, sample: Sample) -> Tensor | str:
        try:
            pixels = to_tensor(to_square(open_picture(sample.image), resolution))
        except PictureError as error:
            return error.what
        try:
            if file_digest(sample.image) == digest:
                return pixels
            reason = "Its content is another one now."
        except OSError as error:
            reason = str(error)
        raise changed(sample, reason)

    waiting: deque[tuple[str, Future[Tensor | str]]] = deque()
    left = iter(missing.items())
    pool = ThreadPoolExecutor(max(1, threads))
    try:
        while True:
            for digest, sample in islice(left, batch + 2 * threads - len(waiting)):
                waiting.append((digest, pool.submit(decode, digest, sample)))
            if not waiting:
                return
            digest, decoding = waiting.popleft()
            pixels = decoding.result()
            if isinstance(pixels, str):
                unreadable[digest] = pixels
            else:
                yield digest, pixels
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
        self._key = lru_cache(KEYS_KEPT)(lambda text: self._tokenized([text])[0][0])

    @property
    def damaged(self) -> list[Path]:
        """Files in which something was torn; it is computed anew."""
        return self._tensors.damaged

    def _tokenized(self, texts: Sequence[str]) -> list[tuple[str, Tensor]]:
        """Key and token ids (1, 77) of each text; what is too long is cut off, as the pipelines do."""
        tokens: Tensor = self._tokenizer(
            list(texts), padding="max_length", max_length=self._tokenizer.model_max_length, truncation=True,
            return_tensors="pt",
        ).input_ids  # fmt: skip
        return [(hashlib.sha256(row.numpy().tobytes()).hexdigest(), row[None]) for row in tokens]

    def get(self, text: str) -> Tensor:
        """The embedding of a text that `fill` has seen."""
        return self._tensors[self._key(text)]

    def fill(self, texts: Sequence[str], device: torch.device, progress: Progress) -> None:
        """Encode what is missing, one by one, on a device. Raises ModelError if a result is not finite."""
        missing = self._missing(list(dict.fromkeys(texts)), progress)
        if not missing:
            return
        encoder: nn.Module = self._encoder  # transformers types its own `to` wrongly
        encoder.to(device)
        fresh: dict[str, Tensor] = {}
        try:
            for done, (key, text) in enumerate(missing.items()):
                progress(done, len(missing))
                fresh[key] = self._encode(self._tokenized([text])[0][1].to(device))
                if len(fresh) >= WRITTEN_TOGETHER:
                    self._tensors.add(fresh)
                    fresh = {}
        finally:
            self._tensors.add(fresh)
            encoder.to("cpu")
        progress(len(missing), len(missing))

    def _missing(self, texts: Sequence[str], progress: Progress) -> dict[str, str]:
        """The texts that have no embedding, by their keys."""
        missing: dict[str, str] = {}
        for first in range(0, len(texts), TOKENIZED_TOGETHER):
            some = texts[first : first + TOKENIZED_TOGETHER]
            keys = [key for key, _ in self._tokenized(some)]
            missing |= {key: text for key, text in zip(keys, some, strict=True) if key not in self._tensors}
            if len(texts) > MANY_TEXTS:
                progress(first, len(texts))
        return missing

    @torch.no_grad()
    def _encode(self, tokens: Tensor) -> Tensor:
        embedding: Tensor = self._encoder(tokens).last_hidden_state[0].float().cpu()
        if not torch.isfinite(embedding).all():
            raise ModelError(
                "The text encoder returned numbers that are not finite",
                remedy="The base model's text encoder is damaged, or the device computes wrongly; try --device cpu.",
            )
        return embedding
