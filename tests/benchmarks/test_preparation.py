"""What preparing costs: filling the cache, and starting with a full one."""

import json
import os
import platform
import queue
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from engine import device as devices
from engine.clip_bpe import clip_tokenizer, read_merges
from engine.contract import protocol as p
from engine.contract.config import TrainingConfig
from engine.contract.run_dir import RunDir, Workspace, create_run
from engine.dataset import Sample, read_dataset
from engine.inbox import Inbox
from engine.latent_cache import EmbeddingCache, LatentCache, to_tensor
from engine.model import load_base_model
from engine.model_source import SD15_CONFIGS
from engine.picture import open_picture, to_square
from engine.picture_caching import cache_pictures
from engine.picture_digests import file_digest
from engine.training import train_run

pytestmark = pytest.mark.timeout(1800)  # most of it for machines that are busy
SAMPLES = 2000
SIZE = 512


def silent(_done: int, _total: int) -> None:
    """No progress is shown."""


def where() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def write_pictures(folder: Path, count: int) -> list[tuple[Sample, str]]:
    """JPEG photos of 768 x 600 pixels and 160 KB, with captions; bytes behind a picture's end make each another one."""
    (folder / "images").mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(count):
        path = folder / "images" / f"{number:06d}.jpg"
        if number < 20:
            blotches = Image.fromarray(random.integers(0, 255, (12, 16, 3), dtype=np.uint8))
            smooth = np.asarray(blotches.resize((768, 600), Image.Resampling.BICUBIC), dtype=np.int16)
            grain = smooth + random.integers(-6, 7, smooth.shape, dtype=np.int16)
            Image.fromarray(grain.clip(0, 255).astype(np.uint8)).save(path, quality=92)
        else:
            same = folder / "images" / f"{number % 20:06d}.jpg"
            path.write_bytes(same.read_bytes() + f"{number}".encode())
    names = [f"{number:06d}" for number in range(count)]
    captions = {name: f"a professional product photo of shoe number {name} on white background" for name in names}
    (folder / "captions.json").write_text(json.dumps(captions))
    return [(sample, file_digest(sample.image)) for sample in read_dataset(folder).samples]


def sd15_vae() -> AutoencoderKL:
    """SD 1.5's architecture with random weights."""
    vae = AutoencoderKL.from_config(AutoencoderKL.load_config(SD15_CONFIGS, subfolder="vae"))
    return vae.eval().requires_grad_(False)


def small_vae() -> AutoencoderKL:
    """Encodes on one core in about ten times the time that a picture takes to decode."""
    vae = AutoencoderKL(
        block_out_channels=(8, 16, 16, 16), layers_per_block=1, norm_num_groups=8, latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    )  # fmt: skip
    return vae.eval().requires_grad_(False)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    yield
    torch.set_num_threads(before)


# ---- filling the cache ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "make", "count", "threads", "rounds"),
    [
        ("small VAE on one core", small_vae, 40, 1, 3),
        ("SD 1.5's VAE on all cores", sd15_vae, 3, os.cpu_count() or 1, 2),
    ],
)
def test_filling_takes_as_long_as_encoding(
    tmp_path: Path, what: str, make: Callable[[], AutoencoderKL], count: int, threads: int, rounds: int
) -> None:
    """Reading, checking, decoding, resizing, hashing and writing beside bare encodes of ready tensors, turn by turn.

    On a busy machine the threads that decode find no core of their own, and the clock shows it. The processor time of
    the thread that encodes does not: it is what the clock would show if they had one.
    """
    torch.manual_seed(0)
    vae, pictures = make(), write_pictures(tmp_path / "data", count)
    dataset, digests = read_dataset(tmp_path / "data"), {sample.id: digest for sample, digest in pictures}
    config = TrainingConfig(resolution=SIZE)
    ready = [to_tensor(to_square(open_picture(sample.image), SIZE))[None] for sample, _ in pictures]
    took = time.perf_counter()
    for sample, digest in pictures[:20]:
        assert file_digest(sample.image) == digest
        to_tensor(to_square(open_picture(sample.image), SIZE))
    took = (time.perf_counter() - took) / len(pictures[:20])
    bare, whole = [], []  # seconds by the clock and of the processor
    with torch_threads(threads):
        for number in range(rounds):
            bare.append(seconds(partial(encode, vae, ready)))
            cache = LatentCache(tmp_path / f"cache{number}", vae, SIZE)
            fill = partial(cache_pictures, dataset, digests, cache, config, devices.CPU, lambda _: None, silent)
            whole.append(seconds(fill))
    wall, processor = (median(w[of] / b[of] for w, b in zip(whole, bare, strict=True)) for of in (0, 1))
    print(
        f"\n{what}, {count} pictures at {SIZE} px on {where()}: encodes alone {min(bare)[0] / count:.3f} s a picture, "
        f"filling the cache {min(whole)[0] / count:.3f} s, ratio {wall:.3f}, of the encoding thread's processor time "
        f"{processor:.3f}; decoding alone takes {took:.3f} s a picture"
    )


def seconds(act: Callable[[], object]) -> tuple[float, float]:
    """By the clock, and of the processor in this thread."""
    started, computed = time.perf_counter(), time.thread_time()
    act()
    return time.perf_counter() - started, time.thread_time() - computed


@torch.no_grad()
def encode(vae: AutoencoderKL, pictures: list[Tensor]) -> None:
    for pixels in pictures:
        distribution = vae.encode(pixels).latent_dist
        assert torch.isfinite(distribution.mean).all() and torch.isfinite(distribution.std).all()


def test_what_batches_gain_on_a_cpu() -> None:
    """Processor seconds, since another process may take the cores meanwhile."""
    torch.manual_seed(0)
    vae, pixels = sd15_vae(), torch.randn(8, 3, 256, 256)
    best = dict.fromkeys((1, 2, 4, 8), float("inf"))
    with torch_threads(os.cpu_count() or 1), torch.no_grad():
        for _ in range(2):
            for batch in best:
                started = time.process_time()
                vae.encode(pixels[:batch])
                best[batch] = min(best[batch], (time.process_time() - started) / batch)
    gains = ", ".join(f"{batch} at once {seconds:.2f} s" for batch, seconds in best.items())
    print(f"\nSD 1.5's VAE at 256 px on {where()}, processor seconds a picture: {gains}")


# ---- starting with a full cache -------------------------------------------------------------------------------------


def test_a_second_start(tmp_path: Path) -> None:
    """All that 2,000 pictures, captions and encoders of SD 1.5's size cost once everything is in the cache."""
    model, workspace = tmp_path / "model", Workspace(tmp_path)
    write_base_model(model)
    pictures = write_pictures(tmp_path / "data", SAMPLES)
    config = TrainingConfig(
        pretrained_model_name_or_path=str(model), train_data_dir=str(tmp_path / "data"), device="cpu",
        gradient_checkpointing="none",
    )  # fmt: skip
    fill_by_hand(workspace, config, pictures)
    print(f"\n{SAMPLES} samples, all in the cache, on {where()}; the first time every picture is read once:")
    for number in range(5):
        processor = time.process_time()
        ready = start(create_run(workspace, f"run{number}", config), tmp_path / "log")
        print(f"  {ready}; all cores computed for {time.process_time() - processor:.1f} s")
        if number == 0:  # younger pictures are not remembered
            time.sleep(max(0.0, 2.1 - (time.time() - pictures[-1][0].image.stat().st_ctime)))


class ReadyError(Exception):
    """Raised when everything is ready for the first step."""


def start(run: RunDir, log_dir: Path) -> str:
    """Do what a worker does up to its first step; returns what it says of that."""

    def emit(event: p.Event, _: str | None = None) -> None:
        if isinstance(event, p.WarningRaised):
            pytest.fail(f"{event}")
        if isinstance(event, p.LogRecorded) and event.text.startswith("Ready"):
            raise ReadyError(event.text)

    with pytest.raises(ReadyError) as ready:
        train_run(run, log_dir, Inbox(queue.Queue(), emit), emit)
    return str(ready.value)


def fill_by_hand(workspace: Workspace, config: TrainingConfig, pictures: list[tuple[Sample, str]]) -> None:
    """Put made-up latents and embeddings where a first start would have put real ones."""
    base = load_base_model(config.pretrained_model_name_or_path, torch.float32, "auto")
    latents = LatentCache(workspace.cache, base.vae, SIZE)
    embeddings = EmbeddingCache(workspace.cache, base.tokenizer, base.text_encoder)
    texts = ["", config.validation_negative_prompt, *config.validation_prompts]
    texts += [caption for sample, _ in pictures for caption in sample.captions]
    keys = [key for key, _ in embeddings._tokenized(texts)]
    for tensors, names, shape in (
        (latents._tensors, [digest for _, digest in pictures], (2, 4, SIZE // 8, SIZE // 8)),
        (embeddings._tensors, keys, (77, 768)),
    ):
        for first in range(0, len(names), 100):
            tensors.add(dict.fromkeys(names[first : first + 100], torch.ones(shape)))


def write_base_model(folder: Path) -> None:
    """VAE and text encoder of SD 1.5's size beside a small UNet; random weights."""
    tokenizer = clip_tokenizer(read_merges(SD15_CONFIGS / "tokenizer" / "merges.txt"))
    unet = UNet2DConditionModel(
        sample_size=64, block_out_channels=(32, 64), layers_per_block=1, cross_attention_dim=768, norm_num_groups=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=4,
    )  # fmt: skip
    text_encoder = CLIPTextModel(CLIPTextConfig.from_pretrained(SD15_CONFIGS / "text_encoder"))
    parts = {"unet": unet, "vae": sd15_vae(), "text_encoder": text_encoder, "tokenizer": tokenizer}
    for name, part in parts.items():
        part.save_pretrained(folder / name)
    shutil.copytree(SD15_CONFIGS / "scheduler", folder / "scheduler")
    shutil.copy(SD15_CONFIGS / "model_index.json", folder)
