"""fp16 training on a CPU, where the product refuses it: what accelerate sets up on a GPU, for tests of its numbers."""

import torch
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.utils import convert_outputs_to_fp32

from engine.trainer import Trainer


def scale_losses(trainer: Trainer) -> torch.amp.GradScaler:
    """Loss scaling as accelerate sets it up for fp16, which it does on no CPU."""
    scaler = torch.amp.GradScaler("cpu", init_scale=65_536.0)
    inner = trainer.optimizer.optimizer
    trainer.optimizer = AcceleratedOptimizer(inner, scaler=scaler)
    trainer.accelerator.scaler = scaler
    trainer.accelerator.unscale_gradients = lambda: scaler.unscale_(inner)
    return scaler


def compute_in_fp16(trainer: Trainer) -> None:
    """What the UNet computes becomes fp16 but where autocast keeps fp32, and what it returns fp32."""
    forward = torch.autocast("cpu", torch.float16)(trainer.unet.forward)
    trainer.unet.forward = convert_outputs_to_fp32(forward)
