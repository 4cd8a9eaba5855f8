"""Compiled training steps learn the same, write the same files, and leave everything else as it was."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file
from torch._dynamo.backends.debugging import aot_eager

from engine import compiling
from engine import device as devices
from engine.checkpoint import load_checkpoint, save_checkpoint
from engine.contract.errors import DeviceError
from engine.export import export_adapter
from engine.preparation import Prepared
from engine.trainer import Trainer

Prepare = Callable[..., Prepared]
Traced = list[tuple[int, ...]]


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Iterator[Traced]:
    """A compiler that makes no kernels, which would take a minute; the shapes of what it was given."""
    shapes: Traced = []

    def compiler(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Callable[..., object]:
        shapes.append(tuple(next(one.shape for one in inputs if isinstance(one, torch.Tensor) and one.ndim == 3)))
        traced_both_ways: Callable[..., object] = aot_eager(graph, inputs)
        return traced_both_ways

    monkeypatch.setattr(compiling, "BACKEND", compiler)
    torch.compiler.reset()
    yield shapes
    torch.compiler.set_stance("default")
    torch.compiler.reset()


@pytest.mark.parametrize("mode", ["attention", "full"])
def test_compiled_steps_learn_the_same_and_are_resumed_exactly(
    prepare_tiny: Prepare, traced: Traced, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: str
) -> None:
    monkeypatch.setattr("engine.attention.LONG_SEQUENCE", 16)  # so that scores are computed twice
    plain, compiled, again = (
        Trainer(prepare_tiny(gradient_checkpointing=mode, torch_compile=whether)) for whether in (False, True, True)
    )
    for trainer in (plain, compiled):
        trainer.step(lambda: 0.0)
    saved = save_checkpoint(tmp_path, compiled.state(), compiled.config)
    for trainer in (plain, compiled):
        trainer.step(lambda: 0.0)
    assert len(traced) == 3, "once for each of two shapes, and for the first block, into whose input no gradient goes"
    again.restore(load_checkpoint(saved.path)[0])
    again.step(lambda: 0.0)
    for name, weight in compiled.state().adapter.items():
        torch.testing.assert_close(weight, plain.state().adapter[name], rtol=1e-4, atol=1e-6)
        assert torch.equal(weight, again.state().adapter[name]), name


def test_files_and_what_comes_between_steps_are_those_of_any_other_run(
    prepare_tiny: Prepare, traced: Traced, tmp_path: Path
) -> None:
    plain, compiled = (Trainer(prepare_tiny(torch_compile=whether)) for whether in (False, True))
    compiled.step(lambda: 0.0)
    before = len(traced)
    unet: UNet2DConditionModel = compiled.bare_unet
    with torch.no_grad():
        unet.eval()(torch.randn(3, 4, 8, 8), torch.tensor(1), torch.randn(3, 77, unet.config.cross_attention_dim))
    compiled.step(lambda: 0.0)
    assert len(traced) == before > 0, "a picture, of another shape, is not compiled"

    assert unet.state_dict().keys() == plain.bare_unet.state_dict().keys()
    assert compiled.state().adapter.keys() == plain.state().adapter.keys()
    names = {}
    for trainer in (plain, compiled):
        files = export_adapter(
            trainer.bare_unet, trainer.config, tmp_path, run_name="run", step=1, train_samples=16
        )  # fmt: skip
        names[trainer] = {file.name: load_file(file).keys() for file in files if file.suffix == ".safetensors"}
    assert len(names[plain]) == 3 and names[compiled] == names[plain]


def test_steps_stay_compiled_when_the_micro_batch_is_split(
    prepare_tiny: Prepare, traced: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch gives up on a function of which it has compiled eight variants; here the three of one size are enough."""

    def compiler(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> torch.fx.GraphModule:
        traced.append(tuple(next(one.shape for one in inputs if isinstance(one, torch.Tensor) and one.ndim == 3)))
        return graph

    monkeypatch.setattr(compiling, "BACKEND", compiler)
    monkeypatch.setattr("torch._dynamo.config.recompile_limit", 3)
    trainer = Trainer(prepare_tiny(torch_compile=True, train_batch_size=4, gradient_accumulation_steps=1))
    trainer.step(lambda: 0.0)
    trainer.adapt(trainer.config.model_copy(update={"train_batch_size": 2, "gradient_accumulation_steps": 2}))
    trainer.step(lambda: 0.0)
    assert [shape[0] for shape in traced] == [4] * 3 + [2] * 3


def test_the_compiler_is_tried_before_a_run(prepare_tiny: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is not there is told in words, with what to do."""
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", (None, "no-such-compiler"))
    monkeypatch.setattr("torch._inductor.config.force_disable_caches", True)
    with pytest.raises(DeviceError, match=r"torch\.compile does not work on cpu here") as raised:
        devices.require_compiler(devices.CPU)
    assert "g++" in raised.value.remedy and "torch_compile false" in raised.value.remedy
    assert raised.value.why
    with pytest.raises(DeviceError, match=r"torch\.compile does not work"):
        prepare_tiny(torch_compile=True)
