"""The bench for users: every mode timed, what fails told, the fastest that fits recommended."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import pytest
import torch

from engine import bench
from engine import device as devices
from engine.bench import Row, gradient_difference, matrix_rate, recommended
from engine.contract.config import TrainingConfig
from engine.contract.errors import DeviceError
from engine.contract.run_dir import Workspace
from engine.measured_pace import Measured, Work, read_preflights
from engine.preparation import Prepared
from engine.trainer import Trainer

CPU = devices.choose_device("cpu")
STEPS = argparse.Namespace(steps=2)


def resolved(make: Callable[..., TrainingConfig]) -> TrainingConfig:
    return make(train_batch_size=2, gradient_accumulation_steps=4)


def test_every_mode_is_timed_and_kept_and_the_fastest_is_recommended(
    tiny_config: Callable[..., TrainingConfig], tiny_workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    config = resolved(tiny_config)
    assert bench.bench(config, tiny_workspace, STEPS) == 0
    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split() for line in out.splitlines() if " fp32 " in line and "GiB" in line}
    assert list(rows) == ["full", "attention", "none"]
    kept: dict[str, Measured] = {one.work.gradient_checkpointing: one for one in read_preflights(tiny_workspace)}
    assert kept.keys() == rows.keys()
    for mode, row in rows.items():
        changed = config.model_copy(update={"gradient_checkpointing": mode})
        assert kept[mode].work == Work.of(changed) and kept[mode].source.startswith("the bench of")
        assert float(row[2]) == pytest.approx(kept[mode].seconds, abs=6e-4)
        assert float(row[3]) == pytest.approx(2 / kept[mode].seconds, rel=0.1)
    fastest = min(kept.values(), key=lambda one: one.seconds)
    assert f"--gradient_checkpointing {fastest.work.gradient_checkpointing} --mixed_precision no" in out
    assert "s per step of 8 samples" in out


def test_a_mode_that_fails_says_why_and_the_others_go_on(
    tiny_config: Callable[..., TrainingConfig],
    tiny_workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    step = Trainer.step

    def fail(trainer: Trainer, boundary: Callable[[], float]) -> object:
        if trainer.config.gradient_checkpointing == "none":
            raise torch.OutOfMemoryError("CUDA out of memory")
        if trainer.config.gradient_checkpointing == "full":
            trainer.parameters[0].data.fill_(float("nan"))
        return step(trainer, boundary)

    monkeypatch.setattr(Trainer, "step", fail)
    with pytest.raises(DeviceError) as raised:  # NaN stays in the weights, so that no mode after it can do
        bench.bench(resolved(tiny_config), tiny_workspace, STEPS)
    out = capsys.readouterr().out
    assert "memory ran out" in out and "not finite" in out
    assert "none fp32: memory ran out" in raised.value.why


def test_gradients_are_compared_with_the_cpus(prepare_tiny: Callable[..., Prepared]) -> None:
    trainer = Trainer(prepare_tiny())
    trainer.step(lambda: 0.0)
    assert gradient_difference(trainer, CPU) == 0
    assert all(parameter.grad is None for parameter in trainer.parameters)


def test_a_device_with_other_gradients_is_refused(tiny_config: Callable[..., TrainingConfig]) -> None:
    rows = [Row("none", "no", 2, 1.0, 1e9, 1)]
    assert bench._conclude(tiny_config(), CPU, rows, 1e-4) == 0
    with pytest.raises(DeviceError, match="other gradients"):
        bench._conclude(tiny_config(), CPU, rows, 0.5)


def test_the_fastest_that_leaves_room_is_recommended() -> None:
    fast, slow = Row("none", "no", 2, 1.0, 1e9, 95), Row("attention", "no", 2, 1.1, 1e9, 60)
    broken = Row("full", "no", 2, fault="memory ran out")
    assert recommended([fast, slow, broken], limit=100) == slow
    assert recommended([fast, slow, broken], limit=0) == fast
    assert recommended([broken], limit=0) is None


def test_a_matrix_product_has_a_rate() -> None:
    assert 1e8 < matrix_rate(CPU) < 1e16
