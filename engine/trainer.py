"""The optimizer step, and the state that it changes."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from diffusers.optimization import get_scheduler

from engine.checkpoint import TrainingState
from engine.contract.errors import CheckpointError, TrainingError
from engine.contract.protocol import StepCompleted
from engine.lora import adapter_state, load_adapter_state
from engine.loss import loss_per_sample, prediction_target
from engine.preparation import Prepared

MOST_OVERFLOWS = 24  # halvings of the fp16 loss scale within one step: from 65,536 to far below 1

Boundary = Callable[[], float]  # a place where commands are obeyed; returns the seconds that they took


class Trainer:
    """Adapter, optimizer and schedule. What a step does depends on config, data, seed and its number alone."""

    def __init__(self, prepared: Prepared, log_dir: Path | None = None) -> None:
        config = prepared.config
        self.config = config
        self.data = prepared.data
        self.device = prepared.device.torch
        self.noise_scheduler = prepared.base.noise_scheduler
        self.parameters = prepared.parameters
        self.steps_done = 0
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
        )
        self.unet, self.optimizer = self.accelerator.prepare(prepared.base.unet, optimizer)
        self.schedule = get_scheduler(
            config.lr_scheduler,
            optimizer,
            num_warmup_steps=config.lr_warmup_steps,
            num_training_steps=config.max_train_steps,
        )  # counts optimizer steps, so it stays outside of accelerate, which would count processes
        self.bare_unet = prepared.base.unet  # as it is without accelerate around it, for exports and pictures

    def step(self, boundary: Boundary) -> StepCompleted:
        """Train on the next effective batch; `boundary` is called before each micro-batch.

        Raises TrainingError, before the optimizer has moved, if a loss or gradient is not finite.
        """
        started, held = time.perf_counter(), 0.0
        for _ in range(MOST_OVERFLOWS):
            total = torch.zeros((), device=self.device)
            for numbers in self._micro_batches():
                held += boundary()
                self.unet.train()  # a validation at the boundary has left it in evaluation mode
                batch = self.data.batch(numbers, self.device)
                if self.config.lora_dropout:
                    torch.manual_seed(self.config.seed + numbers[0])  # the only draw that torch makes itself
                noisy = self.noise_scheduler.add_noise(batch.latents, batch.noise, batch.timesteps)
                target = prediction_target(self.noise_scheduler, batch.latents, batch.noise, batch.timesteps)
                predicted = self.unet(noisy, batch.timesteps, batch.embeddings, return_dict=False)[0]
                losses = loss_per_sample(
                    self.noise_scheduler, predicted, target, batch.timesteps, self.config.snr_gamma
                )
                loss = losses.sum() / self.config.effective_batch_size
                self.accelerator.backward(loss)
                total += loss.detach()
            norm = self.accelerator.clip_grad_norm_(self.parameters, self.config.max_grad_norm)
            learning_rate = self.schedule.get_last_lr()[0]
            if not self._overflowed(total, norm):
                break
        else:
            raise self._not_finite(total, norm)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad()
        self.steps_done += 1
        return StepCompleted(
            step=self.steps_done,
            epoch=self.data.stream.epoch(self.samples_seen - 1),
            train_loss=total.item(),
            learning_rate=learning_rate,
            gradient_norm=norm.item(),
            seconds=time.perf_counter() - started - held,
        )

    @property
    def samples_seen(self) -> int:
        """Samples of all steps done so far; the number of the next sample."""
        return self.steps_done * self.config.effective_batch_size

    def _micro_batches(self) -> Iterator[range]:
        """The sample numbers of the next step, one micro-batch after the other."""
        size = self.config.train_batch_size
        for first in range(self.samples_seen, self.samples_seen + self.config.effective_batch_size, size):
            yield range(first, first + size)

    def _overflowed(self, loss: torch.Tensor, norm: torch.Tensor) -> bool:
        """Whether the step has to be computed again with a lower fp16 loss scale. Raises if that is not the cause."""
        if torch.isfinite(loss) and torch.isfinite(norm):
            return False
        if self.accelerator.scaler is not None and torch.isfinite(loss):
            self.optimizer.step()  # skips the update and halves the scale
            self.optimizer.zero_grad()
            return True
        self.optimizer.zero_grad()
        raise self._not_finite(loss, norm)

    def _not_finite(self, loss: torch.Tensor, norm: torch.Tensor) -> TrainingError:
        numbers = range(self.samples_seen, self.samples_seen + self.config.effective_batch_size)
        return TrainingError(
            f"Step {self.steps_done + 1} gave a number that is not finite",
            f"loss {loss.item()}, gradient norm {norm.item()}; samples {', '.join(self.data.sample_names(numbers))}.",
            "Lower learning_rate, or use mixed_precision no; then resume from the last checkpoint.",
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
        for group, rate in zip(inner.param_groups, self.schedule.get_last_lr(), strict=True):
            group["lr"] = rate
        if state.scaler and self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(dict(state.scaler))
        self.optimizer.zero_grad()
        self.steps_done = state.step
