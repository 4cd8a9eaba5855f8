"""The bench for users: every mode timed, what fails told, the fastest that fits recommended."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import pytest
import torch

from engine import bench, compiling
from engine import device as devices
from engine.bench import Row, recommended
from engine.contract.config import TrainingConfig
from engine.contract.contradictions import contradictions
from engine.contract.errors import DeviceError
from engine.contract.run_dir import Workspace
from engine.control import estimate
from engine.measured_pace import Measured, Work, read_preflights
from engine.preparation import Prepared
from engine.trainer import Trainer

CPU = devices.choose_device("cpu")
STEPS = argparse.Namespace(steps=2)


@pytest.fixture(autouse=True)
def quick_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """What steps are compiled to costs nothing to make: tests/engine/test_compiling.py has the real compiler."""
    monkeypatch.setattr(compiling, "BACKEND", "eager")
    monkeypatch.setattr(devices, "require_compiler", lambda _: None)


def resolved(make: Callable[..., TrainingConfig]) -> TrainingConfig:
    return make(train_batch_size=2, gradient_accumulation_steps=4)


def test_every_mode_is_timed_and_kept_and_the_fastest_is_recommended(
    tiny_config: Callable[..., TrainingConfig], tiny_workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    config = resolved(tiny_config)
    assert bench.bench(config, tiny_workspace, STEPS) == 0
    out = capsys.readouterr().out
    rows = {tuple(line.split(" fp32 ")[0].split()): line.split(" fp32 ")[1].split() for line in table(out)}
    *plain, compiled = rows
    assert plain == [("full",), ("attention",), ("none",)] and len(compiled) == 2 and compiled[1] == "compiled"
    kept: dict[tuple[str, ...], Measured] = {named(one.work): one for one in read_preflights(tiny_workspace)}
    assert kept.keys() == rows.keys()
    for mode, row in rows.items():
        assert kept[mode].source.startswith("the bench of")
        assert float(row[0]) == pytest.approx(kept[mode].seconds, abs=6e-4)
        assert float(row[1]) == pytest.approx(2 / kept[mode].seconds, rel=0.1)
        changed = {"gradient_checkpointing": mode[0].rstrip(","), "torch_compile": mode is compiled}
        assert kept[mode].work == Work.of(config.model_copy(update=changed))
    fastest = min((kept[(mode,)] for (mode,) in plain), key=lambda one: one.seconds)
    assert compiled[0].rstrip(",") == fastest.work.gradient_checkpointing
    assert f"--gradient_checkpointing {fastest.work.gradient_checkpointing} --mixed_precision no" in out
    assert "s per step of 8 samples" in out


def test_estimates_use_what_was_measured_for_a_config_that_leaves_the_device_open(
    tiny_config: Callable[..., TrainingConfig], tiny_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In both precisions that there are, each of which accelerate keeps for its process."""
    monkeypatch.setattr(devices, "precisions", lambda _: ("no", "bf16"))
    monkeypatch.setattr(bench, "_compiles", lambda *_: False)
    config = resolved(tiny_config).model_copy(update={"device": "auto"})
    for precision in ("no", "bf16"):
        like_this = config.model_copy(update={"mixed_precision": precision})
        assert "bench of" not in estimate(tiny_workspace, like_this).duration.source
    assert bench.bench(config, tiny_workspace, STEPS) == 0
    for precision in ("no", "bf16"):
        like_this = config.model_copy(update={"mixed_precision": precision})
        assert "bench of" in estimate(tiny_workspace, like_this).duration.source


def test_steps_that_the_compiler_cannot_do_are_told_and_the_rest_recommended(
    tiny_config: Callable[..., TrainingConfig],
    tiny_workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(_graph: object, _inputs: object) -> object:
        raise TypeError("no such kernel\nand many more lines")

    monkeypatch.setattr(compiling, "BACKEND", fail)
    assert bench.bench(resolved(tiny_config), tiny_workspace, STEPS) == 0
    out = capsys.readouterr().out
    (told,) = [line for line in out.splitlines() if ", compiled" in line]
    assert "no such kernel" in told
    assert len(table(out)) == 3 and "--torch_compile false" in out


def test_modes_that_are_wrong_for_a_config_are_not_timed(
    prepare_tiny: Callable[..., Prepared], monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_metal(config: TrainingConfig) -> Iterator[str]:
        return contradictions(config.model_copy(update={"device": "mps"}))

    monkeypatch.setattr(bench, "contradictions", on_metal)
    prepared = prepare_tiny(lora_dropout=0.1)
    full, attention, none = bench._timed(Trainer(prepared), prepared, steps=1)
    assert "wrong gradients" in full.fault and "wrong gradients" in attention.fault
    assert not none.fault and none.seconds > 0


def test_an_apple_gpu_compiles_nothing_and_the_reason_is_one_line(
    tiny_config: Callable[..., TrainingConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    assert not bench._compiles(tiny_config(), devices.Device("mps", "there"))
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("[OK] steps are not compiled here: torch_compile on mps: torch's compiler")


def table(printed: str) -> list[str]:
    """Its lines that have figures."""
    return [line for line in printed.splitlines() if " fp32 " in line and "GiB" in line]


def named(work: Work) -> tuple[str, ...]:
    """As the table names it, word by word."""
    mode = work.gradient_checkpointing
    return (f"{mode},", "compiled") if work.torch_compile else (mode,)


def test_without_a_compiler_the_bench_says_so_and_times_the_rest(
    tiny_config: Callable[..., TrainingConfig],
    tiny_workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def missing(_: devices.Device) -> None:
        raise DeviceError("torch.compile does not work on cpu here", "no C++ compiler was found", "Install g++.")

    monkeypatch.setattr(devices, "require_compiler", missing)
    assert bench.bench(resolved(tiny_config), tiny_workspace, STEPS) == 0
    out = capsys.readouterr().out
    assert "not compiled here: torch.compile does not work on cpu here: no C++ compiler was found" in out
    assert len(table(out)) == 3 and "--torch_compile false" in out


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


def test_compiled_steps_are_recommended_where_they_save_more_than_compiling_takes(
    tiny_config: Callable[..., TrainingConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    plain = Row("none", "no", 4, 1.0, 1e9, 95)
    compiled = Row("none", "no", 4, 0.9, 1e9, 95, compiled=True, starting=30.0)
    assert bench._conclude(tiny_config(max_train_steps=200), CPU, [plain, compiled], None) == 0  # of two micro-batches
    assert "--torch_compile true (1.80 s per step of 8 samples)" in capsys.readouterr().out
    assert bench._conclude(tiny_config(max_train_steps=100), CPU, [plain, compiled], None) == 0
    out = capsys.readouterr().out
    assert "would save 0.200 s each, and 30 s of compiling are more than 100 of them save" in out
    assert "--torch_compile false (2.00 s" in out
