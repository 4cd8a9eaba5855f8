"""Seconds of an engine step over seconds of the bare arithmetic, side by side in one run, and its peak memory."""

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest
import torch

from engine import device as devices
from engine.contract.config import TrainingConfig
from engine.preparation import Prepared
from engine.trainer import Trainer
from tests.benchmarks.models import ADAPTER_PARAMETERS, UNET_PARAMETERS, prepare_demo, prepare_sd15

pytestmark = pytest.mark.timeout(1800)


@pytest.mark.parametrize(("resolution", "rounds"), [(256, 8), (512, 2)])
def test_sd15_step(tmp_path: Path, resolution: int, rounds: int) -> None:
    """One sample through the real architecture with random weights; some minutes on two cores."""
    torch.set_num_threads(os.cpu_count() or 1)  # on a single one torch takes a slow way for convolutions of 1 x 1
    config = TrainingConfig(
        resolution=resolution, train_batch_size=1, gradient_accumulation_steps=1, gradient_checkpointing="attention",
        device="cpu",
    )  # fmt: skip
    prepared = prepare_sd15(config, tmp_path)
    assert sum(parameter.numel() for parameter in prepared.base.unet.parameters()) == (
        UNET_PARAMETERS + ADAPTER_PARAMETERS
    )
    compare(f"SD 1.5, {resolution} px, batch 1, fp32, attention checkpointing", prepared, rounds)


@pytest.mark.parametrize(("batch", "accumulation", "rounds"), [(24, 1, 40), (4, 2, 100)])
def test_demo_step(tmp_path: Path, batch: int, accumulation: int, rounds: int) -> None:
    """As the preset has it, and in small batches, where everything around the arithmetic weighs most."""
    prepared = prepare_demo(tmp_path, train_batch_size=batch, gradient_accumulation_steps=accumulation)
    compare(f"demo, 64 px, batch {batch} x {accumulation}, fp32", prepared, rounds)


def compare(what: str, prepared: Prepared, rounds: int) -> None:
    """Bare and engine steps by turns, each first in every other round, so that both meet the same machine.

    Another process that takes the cores for a while shows by the clock; it does not in seconds of the processor.
    """
    trainer = Trainer(prepared)
    steps: dict[str, Callable[[], object]] = {
        "bare": bare_step(trainer), "engine": lambda: trainer.step(lambda: 0.0)
    }  # fmt: skip
    took: dict[str, list[tuple[float, float]]] = {"bare": [], "engine": []}
    for number in range(rounds + 1):  # the first one fills caches, and is left out
        for name in sorted(steps, reverse=number % 2 == 1):
            started, computed = time.perf_counter(), time.process_time()
            steps[name]()
            took[name].append((time.perf_counter() - started, time.process_time() - computed))
            trainer.abandon_step()
    pairs = list(zip(took["engine"], took["bare"], strict=True))[1:]
    clock, processor = (median(engine[of] / bare[of] for engine, bare in pairs) for of in (0, 1))
    engine, bare = (median(pair[of][0] for pair in pairs) for of in (0, 1))
    print(
        f"\n{what}: engine {engine:.3f} s, bare {bare:.3f} s, ratio {clock:.3f} (of processor time {processor:.3f}), "
        f"median of {rounds}; peak {devices.peak_memory(prepared.device) / 2**30:.2f} GiB; {platform.machine()}, "
        f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}"
    )


def bare_step(trainer: Trainer) -> Callable[[], object]:
    """Forward and backward of the UNet for one step's micro-batches on ready tensors, and nothing else."""
    config, unet = trainer.config, trainer.bare_unet.train()
    batch = trainer.data.batch(range(config.micro_batch_size), trainer.device)

    def step() -> None:
        for _ in range(config.gradient_accumulation_steps):
            predicted = unet(batch.latents, batch.timesteps, batch.embeddings, return_dict=False)[0]
            torch.autograd.backward(torch.nn.functional.mse_loss(predicted, batch.noise))

    return step
