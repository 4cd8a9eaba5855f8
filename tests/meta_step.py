"""A training step on meta tensors, which have shapes and no memory: what it would hold at most, and its operations."""

import json
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler, UNet2DConditionModel
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from engine.attention import set_gradient_checkpointing
from engine.contract.config import CheckpointingMode, TrainingConfig
from engine.lora import add_adapter
from engine.loss import loss_per_sample, prediction_target

TEXT_TOKENS = 77
# What autocast does on mps and cuda to the functions that a UNet calls (ATen/autocast_mode.h).
IN_HALF = ("linear", "conv2d", "scaled_dot_product_attention")
IN_FP32 = ("layer_norm", "group_norm")


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the storages that exist, each once, and remembers the most."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.most = 0
        self._seen: set[int] = set()

    def see(self, tensor: Tensor) -> None:
        """Count a tensor's storage until it is gone."""
        storage = tensor.untyped_storage()
        if storage._cdata not in self._seen:
            self._seen.add(storage._cdata)
            self.now += storage.nbytes()
            self.most = max(self.most, self.now)
            weakref.finalize(storage, self._forget, storage._cdata, storage.nbytes())

    def _forget(self, identity: int, size: int) -> None:
        self._seen.remove(identity)
        self.now -= size

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self.see(leaf)
        return result


@dataclass(frozen=True)
class Kernels:
    """What tells one device from another: how attention is computed, and what autocast makes of numbers."""

    keep_scores: bool = True  # as on mps; the meta device does so by itself
    half: bool = False

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Compute as this device would, also what a checkpoint computes again on the way back."""
        casts: dict[Tensor, Tensor] = {}  # of the adapter's weights, which autocast keeps

        def cast(value: Any, dtype: torch.dtype) -> Any:
            if not isinstance(value, Tensor) or not value.is_floating_point() or value.dtype == dtype:
                return value
            if value.is_leaf and value.requires_grad:
                return casts.setdefault(value, value.to(dtype))
            return value.to(dtype)

        def replacement(name: str) -> Any:
            original, dtype = getattr(F, name), torch.float16 if name in IN_HALF else torch.float32

            def call(*args: Any, **kwargs: Any) -> Any:
                if self.half:
                    args = tuple(cast(value, dtype) for value in args)
                    kwargs = {key: cast(value, dtype) for key, value in kwargs.items()}
                if name == "scaled_dot_product_attention" and not self.keep_scores:
                    return torch.ops.aten._scaled_dot_product_efficient_attention(*args[:3], None, True)[0]
                return original(*args, **kwargs)

            return call

        with patch.multiple(F, **{name: replacement(name) for name in (*IN_HALF, *IN_FP32)}):
            yield


class MetaStep:
    """Forward and backward of one micro-batch as the trainer does them, of a UNet that a diffusers config describes."""

    def __init__(self, unet_config: Path, config: TrainingConfig, kernels: Kernels) -> None:
        self._kernels = kernels
        with torch.device("meta"):
            unet = UNet2DConditionModel.from_config(json.loads(unet_config.read_text()))
        self._unet = unet.requires_grad_(False).to(torch.float16 if kernels.half else torch.float32)
        self._adapter = add_adapter(self._unet, config)
        self._unet.train()

    def peak(self, mode: CheckpointingMode, batch: int, resolution: int) -> int:
        """The most bytes that exist at a time, the weights and the adapter's gradients among them."""
        with LiveBytes() as live:
            for tensor in (*self._unet.parameters(), *self._unet.buffers()):
                live.see(tensor)
            self._run(mode, batch, resolution)
        return int(live.most)

    def operations(self, mode: CheckpointingMode, batch: int, resolution: int) -> int:
        """Floating-point operations, by torch's own count."""
        with FlopCounterMode(display=False) as counter:
            self._run(mode, batch, resolution)
        return int(counter.get_total_flops())

    def _run(self, mode: CheckpointingMode, batch: int, resolution: int) -> None:
        set_gradient_checkpointing(self._unet, mode)
        scheduler, side = DDPMScheduler(), resolution // 8
        latents, noise = (torch.empty(batch, 4, side, side, device="meta") for _ in range(2))
        embeddings = torch.empty(batch, TEXT_TOKENS, self._unet.config.cross_attention_dim, device="meta")
        timesteps = torch.zeros(batch, dtype=torch.long, device="meta")
        with self._kernels.in_place():
            noisy = scheduler.add_noise(latents, noise, timesteps)
            target = prediction_target(scheduler, latents, noise, timesteps)
            predicted = self._unet(noisy, timesteps, embeddings, return_dict=False)[0].float()
            loss = loss_per_sample(scheduler, predicted, target, timesteps, snr_gamma=None)
            torch.autograd.backward(loss.sum())
        for parameter in self._adapter:
            parameter.grad = None
