"""Our step against that of diffusers' own script, which encodes every picture and caption anew at each step."""

import os
import platform
import time
from collections.abc import Callable
from ctypes import CDLL
from pathlib import Path
from statistics import median

import pytest
import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import AttnProcessor2_0
from torch import Tensor

from engine import device as devices
from engine.contract.config import CheckpointingMode, TrainingConfig
from engine.preparation import Prepared
from engine.trainer import Trainer
from tests.benchmarks.models import prepare_sd15

BATCH = 2
RESOLUTION = 256
ROUNDS = 3
MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of malloc.h

Act = Callable[[], object]


@pytest.mark.timeout(3600)
def test_the_way_of_the_script(tmp_path: Path) -> None:
    """Each in turn on the same weights, data ready in memory: SD 1.5's real architecture with random weights.

    The script is timed with whole blocks checkpointed, as its usual command has it, and without checkpointing.
    """
    torch.set_num_threads(os.cpu_count() or 1)  # on a single one torch takes a slow way for convolutions of 1 x 1
    config = TrainingConfig(
        resolution=RESOLUTION, train_batch_size=BATCH, gradient_accumulation_steps=1,
        gradient_checkpointing="attention", device="cpu", torch_compile=True,
    )  # fmt: skip
    prepared = prepare_sd15(config, tmp_path)
    trainer, script = Trainer(prepared), Script(prepared)

    def ours(mode: CheckpointingMode, compiled: bool) -> tuple[Act, Act]:
        changes = {"gradient_checkpointing": mode, "torch_compile": compiled}
        return lambda: begin(config.model_copy(update=changes)), lambda: trainer.step(lambda: 0.0)

    def begin(config: TrainingConfig) -> None:
        devices.keep_freed_memory(devices.CPU)  # as a worker does
        trainer.adapt(config)

    ways: dict[str, tuple[Act, Act]] = {
        "ours, attention": ours("attention", compiled=False),
        "ours, none": ours("none", compiled=False),
        "ours, none, compiled": ours("none", compiled=True),
        "script, whole blocks": (lambda: script.checkpoint_blocks(True), script.step),
        "script, none": (lambda: script.checkpoint_blocks(False), script.step),
    }
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}  # by the clock, and of the processor
    for number in range(ROUNDS + 1):  # the first one warms up, and is left out
        for name in sorted(ways, reverse=number % 2 == 1):
            choose_mode, step = ways[name]
            choose_mode()
            started, computed = time.perf_counter(), time.process_time()
            step()
            took[name].append((time.perf_counter() - started, time.process_time() - computed))
            trainer.abandon_step()
    devices.keep_freed_memory(devices.CPU)  # for what is measured after this
    print(
        f"\nSD 1.5, {RESOLUTION} px, batch {BATCH}, fp32, median of {ROUNDS}; {platform.machine()}, {os.cpu_count()} "
        f"cores, {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}"
    )
    for name, rounds in took.items():
        clock, processor = (median(one[of] for one in rounds[1:]) for of in (0, 1))
        print(f"  {name}: {clock:.2f} s a step, {processor:.2f} of the processor")
    for way in (name for name in ways if name.startswith("ours")):
        for theirs in ("script, whole blocks", "script, none"):
            pairs = list(zip(took[theirs], took[way], strict=True))[1:]
            clock, processor = (median(script[of] / own[of] for script, own in pairs) for of in (0, 1))
            print(f"  {way}: {clock:.2f} times the throughput of {theirs}; by processor time {processor:.2f}")


def forget_freed_memory() -> None:
    """What glibc's heap comes to by itself where large tensors come and go, which is how the script finds it."""
    devices.empty_cache(devices.CPU)
    if mallopt := getattr(CDLL(None), "mallopt", None):
        mallopt(devices.MMAP_MAX, 65536)  # as at the start
        mallopt(MMAP_THRESHOLD, 32 * 2**20)  # the largest to which it is raised
        mallopt(devices.TRIM_THRESHOLD, 64 * 2**20)  # always twice as much


class Script:
    """A step as examples/text_to_image/train_text_to_image_lora.py of diffusers 0.42 takes it, bare.

    What the script does beside that is left out, in its favour: reading, decoding and resizing pictures, tokenizing
    captions, and gathering the loss of all processes.
    """

    def __init__(self, prepared: Prepared) -> None:
        self._base, self._parameters = prepared.base, prepared.parameters
        self._optimizer = torch.optim.AdamW(self._parameters, lr=1e-4, weight_decay=1e-2)
        config, tokenizer = prepared.config, prepared.base.tokenizer
        self._pixels = torch.randn(config.micro_batch_size, 3, config.resolution, config.resolution).clamp(-1, 1)
        captions = [sample.captions[0] for sample, _ in prepared.data.training][: config.micro_batch_size]
        self._tokens: Tensor = tokenizer(
            captions, padding="max_length", max_length=tokenizer.model_max_length, truncation=True, return_tensors="pt"
        ).input_ids

    def checkpoint_blocks(self, whether: bool) -> None:
        """As `--gradient_checkpointing` does it, with diffusers' usual attention."""
        forget_freed_memory()
        unet = self._base.unet
        unet.set_attn_processor(AttnProcessor2_0())
        (unet.enable_gradient_checkpointing if whether else unet.disable_gradient_checkpointing)()

    def step(self) -> float:
        """Encode, add noise, predict, go back, clip, move the weights."""
        base, unet = self._base, self._base.unet.train()
        latents = base.vae.encode(self._pixels).latent_dist.sample() * base.vae.config.scaling_factor
        noise = torch.randn_like(latents)
        timesteps = torch.randint(0, base.noise_scheduler.config.num_train_timesteps, (len(latents),)).long()
        noisy = base.noise_scheduler.add_noise(latents, noise, timesteps)
        embeddings = base.text_encoder(self._tokens, return_dict=False)[0]
        predicted = unet(noisy, timesteps, embeddings, return_dict=False)[0]
        loss = F.mse_loss(predicted.float(), noise.float(), reduction="mean")
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return loss.item()
