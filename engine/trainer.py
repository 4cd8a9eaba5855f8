"""The optimizer step, and the state that it changes."""

import time
from collections.abc import Callable, Iterator
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from diffusers.optimization import get_scheduler

from engine import device as devices
from engine.attention import set_gradient_checkpointing
from engine.checkpoint import TrainingState
from engine.compiling import compile_anew, compile_blocks, compiled
from engine.contract.config import TrainingConfig
from engine.contract.errors import CheckpointError, NonFiniteError
from engine.contract.protocol import StepCompleted
from engine.lora import adapter_state, load_adapter_state
from engine.loss import loss_per_sample, prediction_target
from engine.preparation import Prepared
from engine.process_group import ALONE, ProcessGroup
from engine.step_clock import StepClock

MOST_OVERFLOWS = 24  # halvings of the fp16 loss scale within one step: from 65,536 to far below 1

Boundary = Callable[[], float]  # a place where commands are obeyed; returns the seconds that they took


class Trainer:
    """Adapter, optimizer and schedule. What a step does depends on config, data, seed and its number alone."""

    def __init__(self, prepared: Prepared, log_dir: Path | None = None, group: ProcessGroup = ALONE) -> None:
        config = prepared.config
        self.config = config
        self.group = group
        self.data = prepared.data
        self.device = prepared.device.torch
        self.clock = StepClock(prepared.device)
        self.noise_scheduler = prepared.base.noise_scheduler
        self.parameters = prepared.parameters
        self.steps_done = 0
        self.step_can_be_repeated = True  # if it fails now: no weight has moved, in this process or another
        self.skipped_in_a_row = 0  # steps that gave no finite number
        self.learning_rate_factor = 1.0  # lower once the run has had to go back
        self.accelerator = Accelerator(
            mixed_precision=prepared.precision.mixed_precision,
            cpu=prepared.device.name == "cpu",
            log_with="tensorboard" if log_dir else None,
            project_dir=log_dir,
        )
        optimizer = torch.optim.AdamW(
            self.parameters,
            lr=config.learning_rate,
            betas=(config.adam_beta1, config.adam_beta2),
            weight_decay=config.adam_weight_decay,
            eps=config.adam_epsilon,
            fused=devices.fuses_adamw(prepared.device),
        )
        # evaluation_mode leaves DistributedDataParallel away: a step adds up the gradients of all processes just once
        self.unet = self.accelerator.prepare_model(prepared.base.unet, evaluation_mode=True)
        self.optimizer = self.accelerator.prepare_optimizer(optimizer)
        self.schedule = get_scheduler(
            config.lr_scheduler,
            optimizer,
            num_warmup_steps=config.lr_warmup_steps,
            num_training_steps=config.max_train_steps,
        )  # counts optimizer steps, so it stays outside of accelerate, which would count processes
        if config.torch_compile:
            compile_blocks(prepared.base.unet)
        self.bare_unet = prepared.base.unet  # as it is without accelerate around it, for exports and pictures

    def step(self, boundary: Boundary) -> StepCompleted:
        """Train on the next effective batch; `boundary` is called before each micro-batch and before the sum of several
        processes.

        Raises NonFiniteError, before the optimizer has moved, if a loss or gradient is not finite.
        """
        started, held, clock = time.perf_counter(), 0.0, self.clock
        clock.start(self.steps_done + 1)
        for _ in range(MOST_OVERFLOWS):
            self.step_can_be_repeated = True
            parts = []  # the loss of each sample, weighted
            for numbers in self._micro_batches():
                held += boundary()
                clock.skip()
                if not self.unet.training:  # left so by a validation; asking every module takes milliseconds
                    self.unet.train()
                batch = self.data.batch(numbers, self.device)
                if self.config.lora_dropout:
                    torch.manual_seed(self.config.seed + numbers[0])  # the only draw that torch makes itself
                noisy = self.noise_scheduler.add_noise(batch.latents, batch.noise, batch.timesteps)
                target = prediction_target(self.noise_scheduler, batch.latents, batch.noise, batch.timesteps)
                clock.lap("data")
                with compiled(self.config.torch_compile):
                    predicted = self.unet(noisy, batch.timesteps, batch.embeddings, return_dict=False)[0]
                    loss = loss_per_sample(
                        self.noise_scheduler, predicted, target, batch.timesteps, self.config.snr_gamma
                    )
                    clock.lap("forward")
                    self.accelerator.backward(loss.sum() / self.config.effective_batch_size)
                parts.append(loss.detach())
                clock.lap("backward")
            found = torch.cat(parts)
            if self.group.size > 1:
                flat = self._flat(found)  # takes memory, and who lacks it says so at the meeting
                held += boundary()  # nobody adds up before all have come as far
                clock.skip()
                self.step_can_be_repeated = False  # the others may move theirs as soon as they have the sum
                found = self._add_up(flat)
            before = self.accelerator.clip_grad_norm_(self.parameters, self.config.max_grad_norm)
            *losses, norm = torch.cat([found, before.view(1)]).tolist()  # the one time that a GPU is waited for
            if not self._overflowed(losses, norm):
                break
        else:
            raise self._not_finite(losses, norm)
        learning_rate = self._set_learning_rate()
        self.step_can_be_repeated = False
        self.optimizer.step()
        self._advance()
        clock.lap("optimizer")
        clock.finish()
        return StepCompleted(
            step=self.steps_done,
            epoch=self.data.stream.epoch(self.samples_seen - 1),
            train_loss=sum(losses) / len(losses),
            learning_rate=learning_rate,
            gradient_norm=norm,
            seconds=time.perf_counter() - started - held,
        )

    def skip_step(self) -> None:
        """Count the next step as done without learning from it; its samples are not met again in this epoch."""
        self._advance()

    def abandon_step(self) -> None:
        """Forget the gradients of a step that could not be completed."""
        self.optimizer.zero_grad()

    def adapt(self, config: TrainingConfig) -> None:
        """Go on with another micro-batch or checkpointing mode; the effective batch has to be the same."""
        self.config = config
        set_gradient_checkpointing(self.bare_unet, config.checkpointing_mode)
        if config.torch_compile:
            compile_anew()

    def _set_learning_rate(self) -> float:
        """The schedule's rate, lowered if the run had to go back."""
        rate = float(self.schedule.get_last_lr()[0]) * self.learning_rate_factor
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _advance(self) -> None:
        self.schedule.step()
        self.optimizer.zero_grad()
        self.steps_done += 1

    @property
    def samples_seen(self) -> int:
        """Samples of all steps done so far; the number of the next sample."""
        return self.steps_done * self.config.effective_batch_size

    def _micro_batches(self) -> Iterator[range]:
        """The sample numbers of this process's share of the next step, one micro-batch after the other."""
        size = self.config.micro_batch_size
        firsts = range(self.samples_seen, self.samples_seen + self.config.effective_batch_size, size)
        for first in firsts[self.group.rank :: self.group.size]:
            yield range(first, first + size)

    def _flat(self, losses: torch.Tensor) -> torch.Tensor:
        """Gradients in one row, 6.4 MB for SD 1.5 at rank 8; behind them a place for the loss of every sample."""
        config, group = self.config, self.group
        of_all = losses.new_zeros(config.gradient_accumulation_steps, config.micro_batch_size)
        of_all[group.rank :: group.size] = losses.view(-1, config.micro_batch_size)
        return torch.cat([tensor.flatten() for tensor in (*self.gradients(), of_all)])

    def _add_up(self, flat: torch.Tensor) -> torch.Tensor:
        """Give every process the sum of all gradients; returns the losses of all samples, in their order."""
        self.group.add_up(flat)
        start = 0
        for gradient in self.gradients():
            gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
            start += gradient.numel()
        return flat[start:]

    def gradients(self) -> list[torch.Tensor]:
        """Those of the adapter that have been computed, in the order of its weights."""
        return [parameter.grad for parameter in self.parameters if parameter.grad is not None]

    def _overflowed(self, losses: list[float], norm: float) -> bool:
        """Whether the step has to be computed again with a lower fp16 loss scale. Raises if that is not the cause."""
        finite = all(map(isfinite, losses))
        if finite and isfinite(norm):
            return False
        if finite and self.accelerator.scaler is not None:
            self.optimizer.step()  # skips the update and halves the scale
            self.optimizer.zero_grad()
            return True
        raise self._not_finite(losses, norm)

    def _not_finite(self, losses: list[float], norm: float) -> NonFiniteError:
        """Names the samples whose loss is not finite, or all of the step if only a gradient is not."""
        self.optimizer.zero_grad()
        numbers = range(self.samples_seen, self.samples_seen + self.config.effective_batch_size)
        bad = [number for number, loss in zip(numbers, losses, strict=True) if not isfinite(loss)]
        samples = tuple(self.data.sample_names(bad or numbers))
        return NonFiniteError(
            f"Step {self.steps_done + 1} gave a number that is not finite",
            f"loss {sum(losses) / len(losses)}, gradient norm {norm}; samples {', '.join(samples)}.",
            "Look at the samples that are named; a lower learning_rate or mixed_precision no needs a new run.",
            samples,
        )

    # ---- state ------------------------------------------------------------------------------------------------------

    def state(self) -> TrainingState:
        """All that decides how training goes on after the last completed step."""
        names = [name for name, parameter in self.bare_unet.named_parameters() if parameter.requires_grad]
        saved = self.optimizer.optimizer.state_dict()["state"]
        optimizer = {
            f"{names[index]}.{key}": value.cpu().clone(memory_format=torch.contiguous_format)
            for index, entry in saved.items()
            for key, value in entry.items()
        }
        scaler = self.accelerator.scaler
        return TrainingState(
            step=self.steps_done,
            adapter=adapter_state(self.bare_unet),
            optimizer=optimizer,
            schedule=self.schedule.state_dict() | {"lr_lambdas": []},  # functions; they follow from the config
            scaler=scaler.state_dict() if scaler is not None else {},
            data=self.data.digest(),
            skipped_in_a_row=self.skipped_in_a_row,
            learning_rate_factor=self.learning_rate_factor,
        )

    def restore(self, state: TrainingState) -> None:
        """Go back to a saved state. Raises CheckpointError if it belongs to another adapter."""
        load_adapter_state(self.bare_unet, dict(state.adapter))
        names = [name for name, parameter in self.bare_unet.named_parameters() if parameter.requires_grad]
        entries: dict[int, dict[str, Any]] = {}
        for index, name in enumerate(names):
            prefix = f"{name}."
            # cloned, since load_state_dict keeps the tensors that it is given
            entries[index] = {k[len(prefix) :]: v.clone() for k, v in state.optimizer.items() if k.startswith(prefix)}
            if state.step and not entries[index]:
                raise CheckpointError(f"The checkpoint of step {state.step} has no optimizer state for {name}")
        inner = self.optimizer.optimizer
        inner.load_state_dict({**inner.state_dict(), "state": entries if state.step else {}})
        self.schedule.load_state_dict(dict(state.schedule) | {"lr_lambdas": self.schedule.state_dict()["lr_lambdas"]})
        if state.scaler and self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(dict(state.scaler))
        self.optimizer.zero_grad()
        self.steps_done = state.step
        self.skipped_in_a_row = state.skipped_in_a_row
        self.learning_rate_factor = state.learning_rate_factor
