"""Where the time of one step goes, every part over 1 % of it named; by torch's own profiler, on a CPU."""

import os
import platform
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch.profiler import ProfilerActivity, profile, record_function

from engine import trainer as step_module
from engine.contract.config import TrainingConfig
from engine.preparation import Prepared
from engine.trainer import Trainer
from engine.training_data import TrainingData
from tests.benchmarks.models import prepare_demo, prepare_sd15

LEAST = 0.01  # of a step
# What torch calls the work, and what a reader would.
NAMES = {
    "aten::mkldnn_convolution": "convolutions", "aten::convolution_backward": "convolutions, backward",
    "aten::addmm": "linear layers", "aten::mm": "linear layers and adapters, both ways",
    "aten::_scaled_dot_product_flash_attention_for_cpu": "attention",
    "aten::_scaled_dot_product_flash_attention_for_cpu_backward": "attention, backward",
    "aten::native_group_norm": "GroupNorm", "aten::native_group_norm_backward": "GroupNorm, backward",
    "aten::native_layer_norm": "LayerNorm", "aten::native_layer_norm_backward": "LayerNorm, backward",
    "aten::silu": "SiLU", "aten::silu_backward": "SiLU, backward",
    "aten::gelu": "GELU", "aten::gelu_backward": "GELU, backward",
    "aten::copy_": "copies into another layout", "aten::add": "additions", "aten::add_": "additions",
    "aten::mul": "products of numbers", "aten::sum": "sums", "aten::cat": "joining tensors",
    "aten::_fused_adamw_": "AdamW",
}  # fmt: skip
AROUND = "Python around the step"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("model", ["demo", "SD 1.5"])
def test_the_parts_of_a_step(tmp_path: Path, model: str) -> None:
    if model == "demo":
        prepared, steps = prepare_demo(tmp_path), 20
    else:
        torch.set_num_threads(os.cpu_count() or 1)
        config = TrainingConfig(
            resolution=256, train_batch_size=2, gradient_accumulation_steps=1, gradient_checkpointing="none",
            device="cpu",
        )  # fmt: skip
        prepared, steps = prepare_sd15(config, tmp_path), 2
    parts = parts_of_steps(prepared, steps)
    total = sum(parts.values())
    print(
        f"\n{model}, {prepared.config.resolution} px, batch {prepared.config.micro_batch_size}, fp32, {steps} steps, "
        f"{platform.machine()}, {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}: share of "
        f"{total / steps:.3f} s"
    )
    small = 0.0
    for name, seconds in parts.most_common():
        if seconds < LEAST * total:
            small += seconds
        else:
            print(f"  {seconds / total:6.1%}  {name}")
    print(f"  {small / total:6.1%}  all the rest, each below {LEAST:.0%}")


def parts_of_steps(prepared: Prepared, steps: int) -> Counter[str]:
    """Seconds of each part, without those of the parts in it."""
    trainer = Trainer(prepared)
    trainer.step(lambda: 0.0)
    with named_parts(trainer), profile(activities=[ProfilerActivity.CPU]) as profiled:
        for _ in range(steps):
            with record_function(AROUND):
                trainer.step(lambda: 0.0)
    parts: Counter[str] = Counter()
    for event in profiled.key_averages():
        parts[NAMES.get(event.key, event.key)] += event.self_cpu_time_total / 1e6
    return parts


@contextmanager
def named_parts(trainer: Trainer) -> Iterator[None]:
    """The trainer's own calls under names; what torch does in them counts for itself."""
    accelerator = trainer.accelerator
    calls: list[tuple[Any, str, str]] = [
        (TrainingData, "batch", "Python and draws: the batch"),
        (trainer, "unet", "Python: layers of the UNet, forward"),
        (step_module, "loss_per_sample", "Python: the loss"),
        (accelerator, "backward", "the way back, between its layers"),
        (accelerator, "clip_grad_norm_", "Python: clipping"),
        (trainer.optimizer, "step", "Python: AdamW"),
        (trainer, "_advance", "Python: schedule and gradients to zero"),
    ]
    with ExitStack() as stack:
        for owner, attribute, name in calls:
            stack.enter_context(patch.object(owner, attribute, named(name, getattr(owner, attribute))))
        yield


def named(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """The same call, seen by the profiler under a name."""

    @wraps(call)
    def within(*args: Any, **kwargs: Any) -> Any:
        with record_function(name):
            return call(*args, **kwargs)

    within.training = True  # type: ignore[attr-defined]  # what a step asks of the UNet
    return within
