"""Seconds of an engine step over seconds of the bare arithmetic, side by side in one run, and its peak memory."""

import os
import platform
import time
from pathlib import Path
from statistics import median

import pytest
import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from engine import device as devices
from engine.attention import set_gradient_checkpointing
from engine.clip_bpe import clip_tokenizer, read_merges
from engine.contract.config import TrainingConfig
from engine.contract.run_dir import Workspace
from engine.dataset import Sample
from engine.demo import BASE_MODEL
from engine.demo.drawing import draw_dataset
from engine.latent_cache import EmbeddingCache, LatentCache
from engine.lora import add_adapter
from engine.model import BaseModel, load_base_model
from engine.model_source import SD15_CONFIGS
from engine.noise import SampleStream
from engine.picture_digests import file_digest
from engine.preparation import Prepared, prepare
from engine.trainer import Trainer
from engine.training_data import TrainingData
from tests.tiny_base_model import write_base_model

SD15_UNET_PARAMETERS = 859_520_964
SD15_ADAPTER_PARAMETERS = 1_594_368  # rank 8 on to_q, to_k, to_v, to_out.0


@pytest.mark.timeout(1800)
def test_sd15_step(tmp_path: Path) -> None:
    """One sample of 64x64 latents through the real architecture with random weights; some minutes on two cores."""
    torch.set_num_threads(os.cpu_count() or 1)
    config = TrainingConfig(
        train_batch_size=1,
        gradient_accumulation_steps=1,
        gradient_checkpointing="attention",
        max_train_steps=10,
        device="cpu",
        dataloader_num_workers=0,
    )
    prepared = prepare_sd15(config, tmp_path)
    assert sum(parameter.numel() for parameter in prepared.base.unet.parameters()) == (
        SD15_UNET_PARAMETERS + SD15_ADAPTER_PARAMETERS
    )
    compare("SD 1.5, 64x64 latents, batch 1, fp32, attention checkpointing", prepared, rounds=2)


def test_demo_step(tmp_path: Path) -> None:
    """The demo model, where everything around the arithmetic weighs most."""
    torch.set_num_threads(1)
    draw_dataset(tmp_path / "shoes")
    config = TrainingConfig(
        pretrained_model_name_or_path=str(BASE_MODEL), train_data_dir=str(tmp_path / "shoes"), resolution=64,
        train_batch_size=4, gradient_accumulation_steps=2, gradient_checkpointing="none", device="cpu",
    )  # fmt: skip
    prepared = prepare(config, Workspace(tmp_path), lambda _: silent, lambda _: None)
    compare("demo, 16x16 latents, batch 4 x 2, fp32", prepared, rounds=40)


def silent(_done: int, _total: int) -> None:
    """No progress is shown."""


def compare(what: str, prepared: Prepared, rounds: int) -> None:
    """Alternate bare and engine steps, so that both meet the same state of the machine."""
    trainer = Trainer(prepared)
    bare, engine = [], []
    for number in range(rounds + 1):
        bare.append(bare_step(trainer))
        engine.append(trainer.step(lambda: 0.0).seconds)
        print(f"  round {number}: bare {bare[-1]:.3f} s, engine {engine[-1]:.3f} s", flush=True) if rounds < 5 else None
    ratio = median(e / b for e, b in list(zip(engine, bare, strict=True))[1:])
    peak = devices.peak_memory(prepared.device) / 2**30
    print(
        f"\n{what}: engine {median(engine[1:]):.3f} s, bare {median(bare[1:]):.3f} s, ratio {ratio:.3f}, "
        f"peak {peak:.2f} GiB; {platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    )


def bare_step(trainer: Trainer) -> float:
    """Forward and backward of one step's samples on ready tensors, nothing else; seconds."""
    config = trainer.config
    batch = trainer.data.batch(range(config.micro_batch_size), trainer.device)
    trainer.bare_unet.train()
    started = time.perf_counter()
    for _ in range(config.gradient_accumulation_steps):
        predicted = trainer.bare_unet(batch.latents, batch.timesteps, batch.embeddings, return_dict=False)[0]
        torch.autograd.backward(torch.nn.functional.mse_loss(predicted, batch.noise))
    seconds = time.perf_counter() - started
    for parameter in trainer.parameters:
        parameter.grad = None
    return seconds


def prepare_sd15(config: TrainingConfig, folder: Path) -> Prepared:
    """SD 1.5's UNet and text encoder with random weights; a tiny VAE, which has the same factor and channels."""
    write_base_model(folder / "model")
    tiny = load_base_model(str(folder / "model"), torch.float32, "auto")
    unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(SD15_CONFIGS / "unet"))
    encoder = CLIPTextModel(CLIPTextConfig.from_pretrained(SD15_CONFIGS / "text_encoder"))
    tokenizer = clip_tokenizer(read_merges(SD15_CONFIGS / "tokenizer" / "merges.txt"))
    for module in (unet, encoder):
        module.requires_grad_(False).eval()
    base = BaseModel(unet, tiny.vae, encoder, tokenizer, tiny.noise_scheduler, tiny.scheduler, "random weights", ())
    draw_dataset(folder / "shoes", count=2, resolution=config.resolution)
    images = {name: folder / f"shoes/images/{name}.png" for name in ("0001", "0002")}
    samples = [(Sample(name, path, (f"shoe {name}",)), file_digest(path)) for name, path in images.items()]
    cpu = devices.CPU.torch
    latents = LatentCache(folder / "cache", base.vae, config.resolution)
    latents.fill(samples, flips=False, threads=0, device=cpu, progress=silent)
    embeddings = EmbeddingCache(folder / "cache", tokenizer, encoder)
    embeddings.fill([caption for sample, _ in samples for caption in sample.captions], cpu, silent)
    side = config.resolution // 8
    stream = SampleStream(config.seed, len(samples), (4, side, side), 1000, False, 0.0, 0.0)
    data = TrainingData(samples, [], latents, embeddings, stream, 0.18215, 0)
    parameters = add_adapter(unet, config)
    set_gradient_checkpointing(unet, config.checkpointing_mode)
    device = devices.choose_device("cpu")
    return Prepared(config, device, devices.choose_precision("no", device), base, data, parameters)
