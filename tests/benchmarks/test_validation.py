"""Sixteen validation images over sixteen bare denoising loops and decodes; and steps after a validation over before."""

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import torch
from diffusers import DPMSolverMultistepScheduler
from torch import Tensor

from engine.contract.config import TrainingConfig
from engine.device import CPU
from engine.preparation import Prepared
from engine.trainer import Trainer
from engine.validation import ImageGenerator, ImageSettings, save_labelled, validation_loss
from tests.benchmarks.models import prepare_demo, prepare_sd15, silent

IMAGES = 16
BLOCK = 8  # steps before and after a validation
PAIRS = 24  # of blocks

pytestmark = pytest.mark.timeout(1800)


def test_demo_images(tmp_path: Path) -> None:
    """With the preset's denoising steps, in batches as memory allows."""
    prepared = prepare_demo(tmp_path, num_validation_images=IMAGES)
    compare_images("demo, 64 px", prepared, prepared.config.validation_prompts, tmp_path, rounds=10)


def test_sd15_images(tmp_path: Path) -> None:
    """The real architecture with random weights, small and in 2 denoising steps instead of 25; some minutes."""
    torch.set_num_threads(os.cpu_count() or 1)
    config = TrainingConfig(resolution=128, validation_inference_steps=2, device="cpu")
    prepared = prepare_sd15(config, tmp_path)
    prepared.data.embeddings.fill([config.validation_negative_prompt], CPU.torch, silent)
    prompts = [caption for sample, _ in prepared.data.training for caption in sample.captions]
    compare_images("SD 1.5, 128 px", prepared, prompts, tmp_path, rounds=3)


def test_steps_after_a_validation(tmp_path: Path) -> None:
    """The loss and sixteen images between two blocks of steps; and, by turns, two blocks with nothing in between."""
    prepared = prepare_demo(
        tmp_path, train_batch_size=8, gradient_accumulation_steps=1, num_validation_images=IMAGES,
        validation_inference_steps=2,
    )  # fmt: skip
    trainer, generator = Trainer(prepared), images_of(prepared)
    wanted = [(prompt, seed) for seed, prompt in enumerate(prepared.config.validation_prompts * IMAGES)][:IMAGES]
    took: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    block(trainer)
    for number in range(2 * PAIRS):
        before, validates = block(trainer), number % 2 == 0
        if validates:
            validation_loss(trainer.unet, prepared.base, prepared.data, trainer.device, 8, lambda: None)
            list(generator.generate(wanted, silent))
        after = block(trainer)
        took[validates].append((after[0] / before[0], after[1] / before[1]))
    (clock, processor), (idle_clock, idle_processor) = (
        [median(ratios[of] for ratios in took[validates]) for of in (0, 1)] for validates in (True, False)
    )
    print(
        f"\ndemo, 64 px, batch 8, {BLOCK} steps after a validation over {BLOCK} before: ratio {clock:.3f} (of "
        f"processor time {processor:.3f}); with no validation in between {idle_clock:.3f} ({idle_processor:.3f}); "
        f"medians of {PAIRS}; {machine()}"
    )


def block(trainer: Trainer) -> tuple[float, float]:
    """Seconds of some steps, by the clock and of the processor."""
    return seconds_of(lambda: [trainer.step(lambda: 0.0) for _ in range(BLOCK)])


def images_of(prepared: Prepared) -> ImageGenerator:
    """The generator that a validation of the run has."""
    base, settings = prepared.base, ImageSettings.of(prepared.config, prepared.device)
    return ImageGenerator(base.unet, base, base.vae, prepared.data.embeddings, settings, prepared.device)


def compare_images(what: str, prepared: Prepared, prompts: list[str], folder: Path, rounds: int) -> None:
    """Bare and engine by turns, each first in every other round; the engine also writes the pictures."""
    generator = images_of(prepared)
    wanted = [(prompts[index % len(prompts)], 1000 + index) for index in range(IMAGES)]
    bare = BareImages(generator, wanted)

    def engine() -> None:
        for image in generator.generate(wanted, silent):
            save_labelled(image, folder / "pictures" / f"{image.index}.png", step=1)

    works: dict[str, Callable[[], None]] = {"bare": bare, "engine": engine}
    took: dict[str, list[tuple[float, float]]] = {"bare": [], "engine": []}
    next(generator.generate(wanted[:1], silent))  # fills caches
    for number in range(rounds):
        for name in sorted(works, reverse=number % 2 == 1):
            took[name].append(seconds_of(works[name]))
    pairs = list(zip(took["engine"], took["bare"], strict=True))
    clock, processor = (median(engine[of] / bare[of] for engine, bare in pairs) for of in (0, 1))
    drawn, floor = (median(pair[of][0] for pair in pairs) for of in (0, 1))
    settings = generator.settings
    print(
        f"\n{what}, {IMAGES} images in batches of {min(settings.batch_size, IMAGES)}, decoded by "
        f"{settings.decoding_batch_size}, {settings.inference_steps} steps with guidance: engine {drawn:.2f} s, bare "
        f"loops and decodes {floor:.2f} s, ratio {clock:.3f} (of processor time {processor:.3f}), median of {rounds}; "
        f"{machine()}"
    )


class BareImages:
    """Scheduler, UNet and decoder on tensors that are ready, in the engine's batches; nothing else."""

    def __init__(self, generator: ImageGenerator, wanted: list[tuple[str, int]]) -> None:
        self._generator = generator
        base, settings = generator.base, generator.settings
        side = settings.resolution // 2 ** (len(base.vae.config.block_out_channels) - 1)
        self._latents = torch.split(torch.randn(len(wanted), 4, side, side), settings.batch_size)
        positive = torch.stack([generator.embeddings.get(prompt) for prompt, _ in wanted])
        negative = generator.embeddings.get(settings.negative_prompt).expand_as(positive)
        batches = (torch.split(part, settings.batch_size) for part in (negative, positive))
        self._texts = [torch.cat(pair) for pair in zip(*batches, strict=True)]

    @torch.no_grad()
    def __call__(self) -> None:
        """Draw all of them."""
        generator = self._generator
        generator.unet.eval()
        for latents, text in zip(self._latents, self._texts, strict=True):
            final = self._denoised(latents, text) / generator.decoder.config.scaling_factor
            for part in torch.split(final, generator.settings.decoding_batch_size):
                generator.decoder.decode(part)

    def _denoised(self, latents: Tensor, text: Tensor) -> Tensor:
        generator = self._generator
        scheduler: Any = DPMSolverMultistepScheduler.from_config(generator.base.noise_scheduler.config)
        scheduler.set_timesteps(generator.settings.inference_steps)
        for timestep in scheduler.timesteps:
            predicted = generator.unet(torch.cat([latents] * 2), timestep, text, return_dict=False)[0]
            without, with_text = predicted.chunk(2)
            guided = without + generator.settings.guidance_scale * (with_text - without)
            latents = scheduler.step(guided, timestep, latents, return_dict=False)[0]
        return latents


def seconds_of(work: Callable[[], object]) -> tuple[float, float]:
    """By the clock, and of the processor, which another process that takes the cores does not lengthen."""
    started, computed = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - computed


def machine() -> str:
    """What it was measured on."""
    threads, load = torch.get_num_threads(), os.getloadavg()[0]
    return f"{platform.machine()}, {os.cpu_count()} cores, {threads} threads, load {load:.1f}"
