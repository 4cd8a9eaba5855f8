"""What a device reaches, and its gradients against the CPU's."""

from __future__ import annotations

from collections.abc import Callable

from engine import device as devices
from engine.arithmetic import gradient_difference, matrix_rate
from engine.preparation import Prepared
from engine.trainer import Trainer

CPU = devices.choose_device("cpu")


def test_gradients_are_compared_with_the_cpus(prepare_tiny: Callable[..., Prepared]) -> None:
    trainer = Trainer(prepare_tiny())
    trainer.step(lambda: 0.0)
    assert gradient_difference(trainer, CPU) == 0
    assert all(parameter.grad is None for parameter in trainer.parameters)


def test_a_matrix_product_has_a_rate() -> None:
    assert 1e8 < matrix_rate(CPU) < 1e16
