"""A step as diffusers' own script takes it, in a process of its own: told with what checkpointing, it says how long."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import AttnProcessor2_0
from torch import Tensor

from engine.contract.config import TrainingConfig
from engine.preparation import Prepared
from tests.benchmarks.answering_process import AnsweringProcess
from tests.benchmarks.models import prepare_sd15

Blocks = Literal["whole", "none"]  # checkpointed


class ScriptAlone(AnsweringProcess):
    """Has weights like the trainer's, and the heap that every program finds."""

    def __init__(self, config: TrainingConfig, folder: Path) -> None:
        folder.mkdir()
        super().__init__(__name__, config.model_dump_json(), str(folder))

    def step(self, checkpointed: Blocks) -> tuple[float, float]:
        """Do a step; seconds by the clock, and of the processor."""
        clock, processor = self.ask(checkpointed)
        return clock, processor


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


def main(config: TrainingConfig, folder: Path) -> None:
    """Answer each line with a step."""
    torch.set_num_threads(os.cpu_count() or 1)  # on a single one torch takes a slow way for convolutions of 1 x 1
    script = Script(prepare_sd15(config, folder, keeps_freed_memory=False))
    for line in sys.stdin:
        script.checkpoint_blocks(line.strip() == "whole")
        started, computed = time.perf_counter(), time.process_time()
        script.step()
        print(json.dumps([time.perf_counter() - started, time.process_time() - computed]), flush=True)


if __name__ == "__main__":
    main(TrainingConfig.model_validate_json(sys.argv[1]), Path(sys.argv[2]))
