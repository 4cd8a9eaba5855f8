"""The layers computed from a config against those of the real UNet, made without memory on torch's meta device."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import nn

from engine import demo
from engine.contract.config import TrainingConfig
from engine.contract.saved_adapters import ADAPTER_FILE
from engine.estimate import adapter_bytes, adapter_parameters
from engine.export import export_adapter
from engine.lora import add_adapter
from engine.unet_layers import SD15_UNET, unet_layers

DEMO_UNET = demo.BASE_MODEL / "unet" / "config.json"
MOST_TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2", "conv1", "conv"]
TARGETS = [["to_q", "to_k", "to_v", "to_out.0"], ["conv_in"], MOST_TARGETS]


def unet_of(config_file: Path) -> UNet2DConditionModel:
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(json.loads(config_file.read_text()))
    return unet.requires_grad_(False)


@pytest.mark.parametrize("config_file", [SD15_UNET, DEMO_UNET], ids=["sd15", "demo"])
def test_every_layer_that_can_carry_an_adapter_is_known(config_file: Path) -> None:
    real = {
        name: tuple(module.weight.shape)
        for name, module in unet_of(config_file).named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    }
    computed = {
        layer.name: (layer.outputs, layer.inputs, *[layer.kernel] * (len(real.get(layer.name, ())) - 2))
        for layer in unet_layers(config_file, 512).layers
    }
    assert computed == real


def test_a_forward_pass_of_sd15_has_the_operations_that_torch_counts() -> None:
    assert unet_layers(SD15_UNET, 512).forward_operations / 1e9 == pytest.approx(803, abs=1)


@pytest.mark.parametrize("targets", TARGETS, ids=len)
@pytest.mark.parametrize("rank", [1, 8])
def test_the_adapter_is_as_large_as_one_that_is_exported(targets: list[str], rank: int, tmp_path: Path) -> None:
    config = TrainingConfig(lora_rank=rank, lora_target_modules=targets)
    unet = unet_of(SD15_UNET)
    parameters = add_adapter(unet, config)
    assert adapter_parameters(config) == sum(parameter.numel() for parameter in parameters)
    for name, module in list(unet.named_modules()):
        if ".lora_" in name and isinstance(module, nn.Linear | nn.Conv2d):
            module.weight = nn.Parameter(torch.zeros(module.weight.shape))
    export_adapter(unet, config, tmp_path / "lora_weights", run_name="run", step=1, train_samples=1)
    size = (tmp_path / "lora_weights" / ADAPTER_FILE).stat().st_size
    assert adapter_bytes(config) == pytest.approx(size, rel=0.02, abs=200)


def test_a_file_that_is_no_such_config_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"block_out_channels": [1]}')
    with pytest.raises(KeyError):
        unet_layers(tmp_path / "config.json", 512)
