"""Fits one module: averaged weights, a cosine learning rate, progress with time left, and it goes on where it was."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

AVERAGE_DECAY = 0.998  # of the weights' moving average, per step
WARM_UP = 0.01  # share of the steps
SAVED_EVERY = 120.0  # seconds
TOLD_EVERY = 100  # steps

Batch = tuple[Tensor, ...]


@dataclass(frozen=True)
class Member:
    """One of the processes that fit together; number 0 writes."""

    number: int
    count: int


@dataclass(frozen=True)
class Plan:
    """How long and how fast."""

    steps: int
    batch: int  # of all processes together
    learning_rate: float  # the highest


def fit(
    module: nn.Module, batch: Callable[[int, int, torch.Generator], Batch], plan: Plan, file: Path, member: Member
) -> None:
    """Minimise what `module` returns and write its averaged weights to `file`; a file that is there is left alone.

    `batch(step, count, draws)` gives the arguments of `module` for this process. A step's draws depend on the step and
    the process alone, so a fit that was interrupted gives what one in a single go gives.
    """
    if file.is_file():
        return
    state_file = file.with_suffix(".state")
    optimizer = torch.optim.AdamW(module.parameters(), plan.learning_rate, betas=(0.9, 0.99), weight_decay=0.01)
    average = [parameter.detach().clone() for parameter in module.parameters()]
    first = _restore(state_file, module, optimizer, average)
    fitted = DistributedDataParallel(module) if member.count > 1 else module
    progress = _Progress(file.stem, first, plan.steps, is_silent=member.number > 0)
    last_saved = time.monotonic()
    for step in range(first, plan.steps):
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate * _share(step, plan.steps)
        draws = torch.Generator().manual_seed(step * member.count + member.number)
        loss = fitted(*batch(step, plan.batch // member.count, draws))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            decay = min(AVERAGE_DECAY, (1 + step) / (10 + step))
            torch._foreach_lerp_(average, list(module.parameters()), 1 - decay)
        progress.tell(step + 1, loss.item())
        if member.number == 0 and time.monotonic() - last_saved > SAVED_EVERY:
            _save(state_file, step + 1, module, optimizer, average)
            last_saved = time.monotonic()
    if member.number == 0:
        names = [name for name, _ in module.named_parameters()]
        averages = (tensor.contiguous() for tensor in average)  # channels_last is no layout for a file
        save_file(dict(zip(names, averages, strict=True)), file)
        state_file.unlink(missing_ok=True)


def _share(step: int, steps: int) -> float:
    """Of the highest learning rate: up to it, then down along a cosine."""
    return min(1.0, (step + 1) / (WARM_UP * steps)) * (0.5 + 0.5 * math.cos(math.pi * step / steps))


def _restore(file: Path, module: nn.Module, optimizer: torch.optim.Optimizer, average: list[Tensor]) -> int:
    """Take up what was saved; returns the step to go on with."""
    if not file.is_file():
        return 0
    state = torch.load(file, weights_only=True)
    module.load_state_dict(state["module"])
    optimizer.load_state_dict(state["optimizer"])
    for tensor, saved in zip(average, state["average"], strict=True):
        tensor.copy_(saved)
    return int(state["step"])


def _save(file: Path, step: int, module: nn.Module, optimizer: torch.optim.Optimizer, average: list[Tensor]) -> None:
    state = {"step": step, "module": module.state_dict(), "optimizer": optimizer.state_dict(), "average": average}
    fresh = file.with_suffix(".new")
    torch.save(state, fresh)
    fresh.replace(file)


class _Progress:
    """One line per hundred steps: mean loss since the last line, pace and time left."""

    def __init__(self, name: str, first: int, steps: int, *, is_silent: bool) -> None:
        self._name, self._first, self._steps, self._is_silent = name, first, steps, is_silent
        self._losses: list[float] = []
        self._began = time.monotonic()

    def tell(self, step: int, loss: float) -> None:
        self._losses.append(loss)
        if self._is_silent or (step % TOLD_EVERY and step != self._steps):
            return
        pace = (time.monotonic() - self._began) / (step - self._first)  # seconds per step
        mean, self._losses = sum(self._losses) / len(self._losses), []
        left = (self._steps - step) * pace / 60
        print(f"{self._name}: step {step}/{self._steps}, loss {mean:.4f}, {pace:.3f} s/step, {left:.0f} min left",
              flush=True)  # fmt: skip
