"""The optimizer step and its state: what changes the weights, what must not, and what stops a step."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from msgspec import structs
from torch import Tensor

from engine import device as devices
from engine.checkpoint import TrainingState, load_checkpoint, save_checkpoint
from engine.contract.errors import CheckpointError, DeviceError, TrainingError
from engine.contract.protocol import StepCompleted
from engine.lora import adapter_state
from engine.preparation import Prepared
from engine.trainer import Trainer
from engine.validation import validation_loss
from tests.loss_scaling import scale_losses

Prepare = Callable[..., Prepared]


def no_boundary() -> float:
    return 0.0


def train(trainer: Trainer, steps: int) -> list[StepCompleted]:
    return [trainer.step(no_boundary) for _ in range(steps)]


def assert_equal(one: TrainingState, other: TrainingState) -> None:
    """Bit for bit, and in the plain values."""
    for mine, yours in ((one.adapter, other.adapter), (one.optimizer, other.optimizer)):
        assert mine.keys() == yours.keys()
        assert not [name for name in mine if not torch.equal(mine[name], yours[name])]
    assert (one.step, one.schedule, one.scaler, one.data) == (other.step, other.schedule, other.scaler, other.data)


def test_a_step_reports_what_it_did(prepare_tiny: Prepare) -> None:
    trainer = Trainer(prepare_tiny())
    reports = train(trainer, 3)
    assert [report.step for report in reports] == [1, 2, 3]
    assert [report.epoch for report in reports] == [0, 0, 1]  # 16 samples in an epoch, 8 in a step
    assert all(math.isfinite(report.train_loss) and report.gradient_norm > 0 for report in reports)
    assert trainer.samples_seen == 24


def test_the_loss_falls(prepare_tiny: Prepare) -> None:
    prepared = prepare_tiny(learning_rate=1e-2)
    trainer = Trainer(prepared)

    def held_out() -> float:
        return validation_loss(trainer.unet, prepared.base, prepared.data, trainer.device, 8, no_boundary)[0]

    before = held_out()
    train(trainer, 12)
    assert held_out() < before - 0.003


def test_the_boundary_comes_before_each_micro_batch_and_its_time_is_not_the_steps(prepare_tiny: Prepare) -> None:
    called = []

    def boundary() -> float:
        called.append(1)
        return 1000.0

    report = Trainer(prepare_tiny(train_batch_size=2, gradient_accumulation_steps=4)).step(boundary)
    assert len(called) == 4
    assert report.seconds == pytest.approx(-4000, abs=100)


# ---- clipping -----------------------------------------------------------------------------------------------------


def gradient_norm_at_the_optimizer(trainer: Trainer) -> list[float]:
    """Filled, by a hook of torch's own, with the norm over all adapter weights that AdamW gets to see."""
    norms: list[float] = []

    def look(optimizer: Any, *_: object) -> None:
        gradients = [parameter.grad for group in optimizer.param_groups for parameter in group["params"]]
        norms.append(torch.cat([gradient.flatten() for gradient in gradients]).norm().item())

    trainer.optimizer.optimizer.register_step_pre_hook(look)
    return norms


def test_clipping_clips_and_the_norm_before_it_is_reported(prepare_tiny: Prepare) -> None:
    free = Trainer(prepare_tiny(max_grad_norm=1e6))
    free_norms = gradient_norm_at_the_optimizer(free)
    unclipped = free.step(no_boundary).gradient_norm
    assert free_norms == [pytest.approx(unclipped, rel=1e-5)]

    bound = unclipped / 10
    clipped = Trainer(prepare_tiny(max_grad_norm=bound))
    norms = gradient_norm_at_the_optimizer(clipped)
    reports = train(clipped, 3)
    assert reports[0].gradient_norm == pytest.approx(unclipped, rel=1e-6)
    assert all(report.gradient_norm > bound for report in reports)
    assert norms == [pytest.approx(bound, rel=1e-3)] * 3


# ---- numbers that are not finite ----------------------------------------------------------------------------------


def test_a_latent_that_is_not_finite_stops_the_step_before_the_optimizer_and_names_the_samples(
    prepare_tiny: Prepare,
) -> None:
    prepared = prepare_tiny()
    sample, poisoned = prepared.data.training[prepared.data.stream.draw(5).index]

    class Poisoned:
        def get(self, digest: str, flipped: bool) -> Tensor:
            latents = prepared.data.latents.get(digest, flipped)
            return latents * math.nan if digest == poisoned else latents

    trainer = Trainer(prepared)
    before = trainer.state()
    trainer.data = replace(prepared.data, latents=Poisoned())  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match=r"Step 1 .* not finite") as raised:
        trainer.step(no_boundary)
    assert "loss nan" in raised.value.why
    assert sample.id in raised.value.why
    assert "learning_rate" in raised.value.remedy
    assert_equal(trainer.state(), before)

    trainer.data = prepared.data  # nothing of the bad step is left in the gradients
    trainer.step(no_boundary)
    undisturbed = Trainer(prepare_tiny())
    undisturbed.step(no_boundary)
    assert_equal(trainer.state(), undisturbed.state())


def test_a_gradient_that_is_not_finite_stops_the_step_though_the_loss_is_finite(prepare_tiny: Prepare) -> None:
    trainer = Trainer(prepare_tiny())
    before = trainer.state()
    overflow(trainer.parameters[-1], times=1)
    with pytest.raises(TrainingError, match="not finite") as raised:
        trainer.step(no_boundary)
    assert "loss nan" not in raised.value.why
    assert_equal(trainer.state(), before)


def test_an_adapter_weight_that_is_not_finite_stops_the_step(prepare_tiny: Prepare) -> None:
    trainer = Trainer(prepare_tiny())
    with torch.no_grad():
        trainer.parameters[0][0, 0] = math.inf
    with pytest.raises(TrainingError, match="not finite"):
        trainer.step(no_boundary)
    assert trainer.steps_done == 0


# ---- loss scaling -------------------------------------------------------------------------------------------------


def overflow(parameter: Tensor, times: int) -> None:
    """Let the gradient of the next so many micro-batches overflow."""
    left = iter(range(times))
    parameter.register_hook(  # type: ignore[no-untyped-call]  # torch's own gap
        lambda gradient: gradient * math.inf if next(left, None) is not None else gradient
    )


def test_an_overflow_of_scaled_gradients_repeats_the_step_with_a_lower_scale(prepare_tiny: Prepare) -> None:
    plain, scaled = (Trainer(prepare_tiny(gradient_accumulation_steps=1)) for _ in range(2))
    scaler = scale_losses(scaled)
    overflow(scaled.parameters[0], times=3)
    expected, report = plain.step(no_boundary), scaled.step(no_boundary)
    assert scaler.get_scale() == 65_536 / 8
    assert report.step == 1
    assert report.train_loss == expected.train_loss
    assert report.gradient_norm == pytest.approx(expected.gradient_norm, rel=1e-5)
    before, after = adapter_state(plain.bare_unet), adapter_state(scaled.bare_unet)
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in before)


def test_gradients_that_overflow_at_every_scale_end_the_run_with_a_reason(prepare_tiny: Prepare) -> None:
    trainer = Trainer(prepare_tiny(train_batch_size=1, gradient_accumulation_steps=1))
    scale_losses(trainer)
    before = adapter_state(trainer.bare_unet)
    overflow(trainer.parameters[0], times=10_000)
    with pytest.raises(TrainingError, match="not finite"):
        trainer.step(no_boundary)
    assert trainer.steps_done == 0
    after = adapter_state(trainer.bare_unet)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_loss_scale_is_saved_and_restored(prepare_tiny: Prepare) -> None:
    first, second = (Trainer(prepare_tiny(gradient_accumulation_steps=1)) for _ in range(2))
    scale_losses(first)
    overflow(first.parameters[0], times=2)
    first.step(no_boundary)
    scaler = scale_losses(second)
    second.restore(first.state())
    assert scaler.get_scale() == 65_536 / 4


# ---- learning rate ------------------------------------------------------------------------------------------------

PEAK, WARM_UP, STEPS = 1e-3, 3, 8


def progress(step: int) -> float:
    return (step - WARM_UP) / (STEPS - WARM_UP)


SHAPES: dict[str, Callable[[int], float]] = {
    "constant_with_warmup": lambda _: 1.0,
    "linear": lambda step: 1 - progress(step),
    "cosine": lambda step: (1 + math.cos(math.pi * progress(step))) / 2,
    "cosine_with_restarts": lambda step: (1 + math.cos(math.pi * progress(step))) / 2,  # one cycle
    "polynomial": lambda step: (1 - progress(step)) * (1 - 1e-7 / PEAK) + 1e-7 / PEAK,  # of power 1, down to 1e-7
}


def learning_rates(trainer: Trainer, steps: int) -> list[float]:
    """What each step reports; AdamW is seen to use the same."""
    used: list[float] = []
    trainer.optimizer.optimizer.register_step_pre_hook(lambda o, *_: used.append(o.param_groups[0]["lr"]))
    reported = [report.learning_rate for report in train(trainer, steps)]
    assert used == reported
    return reported


@pytest.mark.parametrize("schedule", SHAPES)
def test_warm_up_and_schedule_and_how_they_go_on_after_a_restore(prepare_tiny: Prepare, schedule: str) -> None:
    settings: dict[str, Any] = {
        "lr_scheduler": schedule, "lr_warmup_steps": WARM_UP, "max_train_steps": STEPS, "learning_rate": PEAK,
        "train_batch_size": 1, "gradient_accumulation_steps": 1,
    }  # fmt: skip
    first = Trainer(prepare_tiny(**settings))
    rates = learning_rates(first, 5)
    second = Trainer(prepare_tiny(**settings))
    second.restore(first.state())
    rates += learning_rates(second, STEPS - 5)
    expected = [PEAK * (step / WARM_UP if step < WARM_UP else SHAPES[schedule](step)) for step in range(STEPS)]
    assert rates == pytest.approx(expected, abs=1e-12)


def test_the_constant_schedule_ignores_the_warm_up(prepare_tiny: Prepare) -> None:
    trainer = Trainer(prepare_tiny(lr_scheduler="constant", lr_warmup_steps=3, train_batch_size=1))
    assert learning_rates(trainer, 2) == [2e-3, 2e-3]


# ---- state --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"lr_scheduler": "cosine", "lr_warmup_steps": 2, "random_flip": True, "caption_dropout": 0.2},
        {"lora_dropout": 0.4},
    ],
    ids=["plain", "cosine", "dropout"],
)
def test_three_steps_after_a_restore_are_those_of_a_run_in_one_go(
    prepare_tiny: Prepare, tmp_path: Path, settings: dict[str, Any]
) -> None:
    prepared = prepare_tiny(**settings)
    whole = Trainer(prepared)
    train(whole, 2)
    saved = save_checkpoint(tmp_path, whole.state(), prepared.config)
    reports = train(whole, 3)

    resumed = Trainer(prepare_tiny(**settings))
    train(resumed, 1)  # whatever it did before is gone
    torch.manual_seed(1234)
    resumed.restore(load_checkpoint(saved.path)[0])
    assert resumed.steps_done == 2
    again = train(resumed, 3)
    assert_equal(resumed.state(), whole.state())
    assert [structs.replace(report, seconds=0) for report in again] == [
        structs.replace(one, seconds=0) for one in reports
    ]


def test_the_dropout_drops(prepare_tiny: Prepare) -> None:
    """B is zero at first, so only from the second step on can a dropped input change the loss."""
    without, with_dropout = (train(Trainer(prepare_tiny(lora_dropout=share)), 2) for share in (0.0, 0.4))
    assert without[0].train_loss == with_dropout[0].train_loss
    assert without[1].train_loss != with_dropout[1].train_loss


def test_a_state_is_a_copy(prepare_tiny: Prepare) -> None:
    trainer = Trainer(prepare_tiny())
    train(trainer, 1)
    state = trainer.state()
    copy = replace(
        state,
        adapter={name: tensor.clone() for name, tensor in state.adapter.items()},
        optimizer={name: tensor.clone() for name, tensor in state.optimizer.items()},
        schedule=dict(state.schedule),
    )
    train(trainer, 1)
    assert_equal(state, copy)
    second = Trainer(prepare_tiny())
    second.restore(state)  # nor does training on from it change it
    train(second, 1)
    assert_equal(state, copy)


@pytest.mark.parametrize("settings", [{}, {"lora_dropout": 0.4}], ids=["plain", "dropout"])
def test_saving_and_validating_between_micro_batches_change_nothing(
    prepare_tiny: Prepare, settings: dict[str, Any]
) -> None:
    undisturbed = Trainer(prepare_tiny(**settings))
    train(undisturbed, 2)
    prepared = prepare_tiny(**settings)
    disturbed = Trainer(prepared)
    saved: list[TrainingState] = []

    def disturb() -> float:
        saved.append(disturbed.state())
        validation_loss(disturbed.unet, prepared.base, prepared.data, disturbed.device, 4, no_boundary)
        torch.manual_seed(7)
        return 0.0

    for _ in range(2):
        disturbed.step(disturb)
    assert_equal(disturbed.state(), undisturbed.state())
    assert [state.step for state in saved] == [0, 0, 1, 1]
    assert_equal(saved[2], saved[3])  # half a step is no step


def test_a_step_broken_off_leaves_the_state_of_the_last_whole_one(prepare_tiny: Prepare) -> None:
    trainer = Trainer(prepare_tiny())
    train(trainer, 1)
    before = trainer.state()
    boundaries = iter([0.0])
    with pytest.raises(StopIteration):
        trainer.step(lambda: next(boundaries))
    assert_equal(trainer.state(), before)


def test_a_checkpoint_before_the_first_step_restores_too(prepare_tiny: Prepare) -> None:
    fresh, used = Trainer(prepare_tiny()), Trainer(prepare_tiny())
    state = fresh.state()
    train(used, 1)
    used.restore(state)
    train(used, 1)
    train(fresh, 1)
    assert_equal(used.state(), fresh.state())


def test_a_state_without_the_optimizers_part_is_refused(prepare_tiny: Prepare) -> None:
    trainer = Trainer(prepare_tiny())
    train(trainer, 1)
    state = trainer.state()
    lost = next(iter(state.optimizer)).rpartition(".")[0]
    kept = {name: tensor for name, tensor in state.optimizer.items() if not name.startswith(lost)}
    with pytest.raises(CheckpointError, match=f"no optimizer state for {lost}"):
        trainer.restore(replace(state, optimizer=kept))


def test_a_state_of_another_rank_is_refused(prepare_tiny: Prepare) -> None:
    trainer = Trainer(prepare_tiny())
    train(trainer, 1)
    with pytest.raises(CheckpointError, match="does not fit"):
        Trainer(prepare_tiny(lora_rank=2)).restore(trainer.state())


# ---- precision ----------------------------------------------------------------------------------------------------


@pytest.fixture
def other_precision() -> Iterator[None]:
    """accelerate keeps the precision of a process in a class; it is forgotten before and after."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.usefixtures("other_precision")
def test_a_bf16_base_trains_an_fp32_adapter(prepare_tiny: Prepare) -> None:
    prepared = prepare_tiny(mixed_precision="bf16", gradient_checkpointing="attention")
    trainer = Trainer(prepared)
    before = adapter_state(trainer.bare_unet)
    losses = [report.train_loss for report in train(trainer, 2)]
    frozen = {parameter.dtype for parameter in trainer.bare_unet.parameters() if not parameter.requires_grad}
    assert frozen == {torch.bfloat16}
    assert {parameter.dtype for parameter in trainer.parameters} == {torch.float32}
    assert {tensor.dtype for name, tensor in trainer.state().optimizer.items() if "exp_avg" in name} == {torch.float32}
    after = adapter_state(trainer.bare_unet)
    assert all(not torch.equal(before[name], after[name]) for name in before if "lora_B" in name)
    AcceleratorState._reset_state(reset_partial_state=True)
    exact = [report.train_loss for report in train(Trainer(prepare_tiny()), 2)]
    assert losses == pytest.approx(exact, rel=0.02)
    assert losses != exact


def test_fp16_is_refused_on_the_cpu_with_what_to_do(prepare_tiny: Prepare) -> None:
    with pytest.raises(DeviceError, match="fp16 cannot be trained on cpu") as raised:
        prepare_tiny(mixed_precision="fp16")
    assert "bf16" in raised.value.remedy


def test_an_fp16_base_is_chosen_where_losses_can_be_scaled() -> None:
    precision = devices.choose_precision("fp16", devices.Device("mps", "asked for"))
    assert (precision.mixed_precision, precision.base_dtype) == ("fp16", torch.float16)
