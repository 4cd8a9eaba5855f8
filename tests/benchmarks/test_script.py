"""Our step against that of diffusers' own script, which encodes every picture and caption anew at each step."""

import os
import platform
import time
from pathlib import Path
from statistics import median
from typing import Literal, get_args

import pytest
import torch

from engine import device as devices
from engine.attention import set_gradient_checkpointing
from engine.contract.config import CheckpointingMode, TrainingConfig
from engine.trainer import Trainer
from tests.benchmarks.models import prepare_sd15
from tests.benchmarks.script_alone import Blocks, ScriptAlone

BATCH = 2
RESOLUTION = 256
ROUNDS = 3

Way = Literal["attention", "none", "none, compiled"]
OURS: tuple[Way, ...] = get_args(Way)
THEIRS: tuple[Blocks, ...] = get_args(Blocks)


@pytest.mark.timeout(3600)
def test_the_way_of_the_script(tmp_path: Path) -> None:
    """By turns on weights of the same shapes, data ready in memory: SD 1.5's real architecture with random weights.

    The script is timed with whole blocks checkpointed, as its usual command has it, and without checkpointing.
    """
    torch.set_num_threads(os.cpu_count() or 1)
    config = TrainingConfig(
        resolution=RESOLUTION, train_batch_size=BATCH, gradient_accumulation_steps=1, device="cpu", torch_compile=True
    )
    trainer = Trainer(prepare_sd15(config, tmp_path))
    took: dict[str, list[tuple[float, float]]] = {
        name: [] for name in (*OURS, *(f"script {blocks}" for blocks in THEIRS))
    }
    with ScriptAlone(config, tmp_path / "script") as script:
        script.step("none")
        for number in range(ROUNDS):
            for way in OURS if number % 2 else reversed(OURS):
                took[way].append(our_step(trainer, config, way))
            for blocks in THEIRS if number % 2 else reversed(THEIRS):
                took[f"script {blocks}"].append(script.step(blocks))
    print(
        f"\nSD 1.5, {RESOLUTION} px, batch {BATCH}, fp32, median of {ROUNDS}; {platform.machine()}, {os.cpu_count()} "
        f"cores, {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}"
    )
    for name, rounds in took.items():
        clock, processor = (median(one[of] for one in rounds) for of in (0, 1))
        print(f"  {name}: {clock:.2f} s a step, {processor:.2f} of the processor")
    for way in OURS:
        for theirs in (f"script {blocks}" for blocks in THEIRS):
            pairs = list(zip(took[theirs], took[way], strict=True))
            clock, processor = (median(script[of] / own[of] for script, own in pairs) for of in (0, 1))
            print(f"  {way}: {clock:.2f} times the throughput of {theirs}; by processor time {processor:.2f}")


def our_step(trainer: Trainer, config: TrainingConfig, way: Way) -> tuple[float, float]:
    """The second of two steps, as those of a run follow each other; then the script has the memory."""
    mode: CheckpointingMode = "attention" if way == "attention" else "none"
    trainer.config = config.model_copy(
        update={"gradient_checkpointing": mode, "torch_compile": way.endswith("compiled")}
    )
    set_gradient_checkpointing(trainer.bare_unet, mode)  # `adapt` would have everything compiled anew
    trainer.step(lambda: 0.0)
    started, computed = time.perf_counter(), time.process_time()
    trainer.step(lambda: 0.0)
    took = time.perf_counter() - started, time.process_time() - computed
    devices.empty_cache(devices.CPU)
    return took
