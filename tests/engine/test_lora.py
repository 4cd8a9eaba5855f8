"""The adapter: fresh, trained, taken out, put back, and read from files."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.checkpoint import TrainingState, save_checkpoint
from engine.contract.config import TrainingConfig
from engine.contract.errors import CheckpointError, ConfigError, ModelError
from engine.export import export_adapter
from engine.lora import adapter_state, add_adapter, load_adapter_file, load_adapter_state

CONFIG = TrainingConfig(lora_rank=4, lora_alpha=10)


def fresh_unet(base_model_dir: Path, dtype: torch.dtype = torch.float32) -> UNet2DConditionModel:
    unet = UNet2DConditionModel.from_pretrained(base_model_dir / "unet", torch_dtype=dtype)
    unet.requires_grad_(False)
    return unet


def predict(unet: UNet2DConditionModel) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    noisy, text = (torch.randn(shape, generator=generator).to(unet.dtype) for shape in ((2, 4, 8, 8), (2, 7, 32)))
    prediction: Tensor = unet(noisy, torch.tensor([10, 900]), text).sample
    return prediction


def train_at_random(unet: UNet2DConditionModel) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(2)
    state = {name: torch.randn(old.shape, generator=generator) * 0.3 for name, old in adapter_state(unet).items()}
    load_adapter_state(unet, state)
    return state


def test_a_fresh_adapter_leaves_the_output_unchanged_bit_for_bit(base_model_dir: Path) -> None:
    unet = fresh_unet(base_model_dir)
    with torch.no_grad():
        before = predict(unet)
        add_adapter(unet, CONFIG)
        assert torch.equal(predict(unet), before)
        train_at_random(unet)
        assert not torch.allclose(predict(unet), before, atol=1e-2)


def test_the_seed_alone_decides_the_start_and_the_global_generator_is_left_alone(base_model_dir: Path) -> None:
    states = []
    for seed, disturbance in ((1, 11), (1, 12), (2, 11)):
        unet = fresh_unet(base_model_dir)
        torch.manual_seed(disturbance)
        before = torch.random.get_rng_state()
        add_adapter(unet, CONFIG.model_copy(update={"seed": seed}))
        assert torch.equal(torch.random.get_rng_state(), before)
        states.append(adapter_state(unet))
    first, same, other = states
    assert all(torch.equal(first[name], same[name]) for name in first)
    drawn = [name for name in first if "lora_A" in name]
    assert all(not torch.equal(first[name], other[name]) for name in drawn)
    # gaussian initialisation of peft: standard deviation 1 / rank
    assert torch.cat([first[name].flatten() for name in drawn]).std().item() == pytest.approx(1 / 4, rel=0.05)


def test_only_the_adapter_is_trainable_and_its_names_are_those_of_peft(base_model_dir: Path) -> None:
    unet = fresh_unet(base_model_dir)
    parameters = add_adapter(unet, CONFIG)
    assert len(parameters) == 4 * 8 * 2  # four layers in each of eight attentions, A and B
    trainable = [parameter for parameter in unet.parameters() if parameter.requires_grad]
    assert {id(parameter) for parameter in trainable} == {id(parameter) for parameter in parameters}
    assert "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0.lora_B.weight" in adapter_state(unet)
    assert all(tensor.is_contiguous() for tensor in adapter_state(unet).values())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_base_in_half_precision_trains_an_adapter_in_fp32(base_model_dir: Path, dtype: torch.dtype) -> None:
    unet = fresh_unet(base_model_dir, dtype)
    parameters = add_adapter(unet, CONFIG)
    train_at_random(unet)
    assert {parameter.dtype for parameter in parameters} == {torch.float32}
    assert {p.dtype for p in unet.parameters() if not p.requires_grad} == {dtype}
    prediction = predict(unet)
    assert prediction.dtype == dtype
    prediction.float().square().mean().backward()  # type: ignore[no-untyped-call]
    gradients = [parameter.grad for parameter in parameters]
    assert all(g is not None and g.dtype == torch.float32 and g.isfinite().all() and g.any() for g in gradients)


@pytest.mark.parametrize("target", ["to_query", "o_q", "attn1", "to_out"])
def test_a_target_that_matches_no_layer_is_named(base_model_dir: Path, target: str) -> None:
    config = CONFIG.model_copy(update={"lora_target_modules": ["to_q", target]})
    with pytest.raises(ConfigError, match=f"names {target},"):
        add_adapter(fresh_unet(base_model_dir), config)


def test_a_state_put_back_is_the_same_bit_for_bit(base_model_dir: Path) -> None:
    first, second = fresh_unet(base_model_dir), fresh_unet(base_model_dir)
    add_adapter(first, CONFIG)
    state = train_at_random(first)
    add_adapter(second, CONFIG.model_copy(update={"seed": 7}))
    load_adapter_state(second, adapter_state(first))
    assert all(torch.equal(tensor, state[name]) for name, tensor in adapter_state(second).items())
    with torch.no_grad():
        assert torch.equal(predict(first), predict(second))


def test_the_state_is_a_copy(base_model_dir: Path) -> None:
    unet = fresh_unet(base_model_dir)
    parameters = add_adapter(unet, CONFIG)
    state = adapter_state(unet)
    kept = {name: tensor.clone() for name, tensor in state.items()}
    with torch.no_grad():
        for parameter in parameters:
            parameter.add_(1)
    assert all(torch.equal(state[name], tensor) for name, tensor in kept.items())


@pytest.mark.parametrize("fault", ["missing", "unexpected", "shape"])
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(base_model_dir: Path, fault: str) -> None:
    unet = fresh_unet(base_model_dir)
    add_adapter(unet, CONFIG)
    before = adapter_state(unet)
    state = {name: tensor + 1 for name, tensor in before.items()}
    name = next(iter(state))
    if fault == "missing":
        del state[name]
    elif fault == "unexpected":
        state["conv_in.lora_A.weight"] = torch.zeros(1)
    else:
        state[name] = state[name][:2]
    with pytest.raises(CheckpointError, match=r"conv_in\.lora_A" if fault == "unexpected" else name):
        load_adapter_state(unet, state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in adapter_state(unet).items())


def checkpointed(base_model_dir: Path, folder: Path) -> tuple[Path, Tensor]:
    """A checkpoint of a trained adapter, and what its UNet predicts."""
    unet = fresh_unet(base_model_dir)
    add_adapter(unet, CONFIG)
    state = TrainingState(
        step=3, adapter=train_at_random(unet), optimizer={"x.exp_avg": torch.zeros(1)}, schedule={}, scaler={}, data=""
    )
    with torch.no_grad():
        return save_checkpoint(folder, state, CONFIG).path, predict(unet)


def exported(base_model_dir: Path, folder: Path) -> tuple[Path, Tensor]:
    """A lora_weights folder of a trained adapter, and what its UNet predicts."""
    unet = fresh_unet(base_model_dir)
    add_adapter(unet, CONFIG)
    train_at_random(unet)
    export_adapter(unet, CONFIG, folder / "lora_weights", run_name="shoes", step=3, train_samples=9)
    with torch.no_grad():
        return folder / "lora_weights", predict(unet)


@pytest.mark.parametrize("make", [checkpointed, exported])
@pytest.mark.parametrize("file", ["", "adapter_model.safetensors"])
def test_an_adapter_is_read_from_an_export_and_from_a_checkpoint(
    base_model_dir: Path, tmp_path: Path, make: Callable[[Path, Path], tuple[Path, Tensor]], file: str
) -> None:
    folder, expected = make(base_model_dir, tmp_path)
    unet = fresh_unet(base_model_dir)
    load_adapter_file(unet, folder / file)
    with torch.no_grad():
        assert torch.equal(predict(unet), expected)


@pytest.mark.parametrize("fault", ["no such folder", "no config", "truncated", "damaged checkpoint"])
def test_an_adapter_that_cannot_be_read_is_a_model_error(base_model_dir: Path, tmp_path: Path, fault: str) -> None:
    make = checkpointed if fault == "damaged checkpoint" else exported
    folder, _ = make(base_model_dir, tmp_path)
    if fault == "no such folder":
        folder = tmp_path / "elsewhere"
    elif fault == "no config":
        (folder / "adapter_config.json").unlink()
    else:
        weights = folder / "adapter_model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match="cannot be read"):
        load_adapter_file(fresh_unet(base_model_dir), folder)


@pytest.mark.parametrize("fault", ["other width", "other layers", "other targets"])
def test_an_adapter_of_another_model_is_refused_and_the_unet_left_as_it_was(
    base_model_dir: Path, tmp_path: Path, fault: str
) -> None:
    folder, _ = exported(base_model_dir, tmp_path)
    weights, settings = folder / "adapter_model.safetensors", folder / "adapter_config.json"
    state = load_file(weights)
    if fault == "other width":
        save_file({name: torch.zeros(tensor.shape[0] + 1, 5) for name, tensor in state.items()}, weights)
    elif fault == "other layers":
        save_file({name.replace("down_blocks.0", "down_blocks.9"): t for name, t in state.items()}, weights)
    else:
        settings.write_text(json.dumps({**json.loads(settings.read_text()), "target_modules": ["q_proj"]}))
    unet = fresh_unet(base_model_dir)
    with torch.no_grad():
        before = predict(unet)
        with pytest.raises(ModelError, match="does not fit this base model"):
            load_adapter_file(unet, folder)
        assert torch.equal(predict(unet), before)
    assert not [name for name, _ in unet.named_parameters() if "lora" in name]
