"""What is exported, as other people's software loads it."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from peft import PeftModel
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from engine.contract.config import TrainingConfig
from engine.contract.errors import TrainingError
from engine.export import export_adapter, export_pipeline
from engine.lora import adapter_state, add_adapter, load_adapter_state
from engine.model import load_base_model

ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]
LINEAR = [*ATTENTION, "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"]
ALL = [*LINEAR, "conv1", "conv2", "conv_shortcut", "time_emb_proj", "downsamplers.0.conv", "upsamplers.0.conv"]
TARGETS = {"attention": ATTENTION, "linear": LINEAR, "all": ALL, "convolutions": ["conv1", "conv_in"]}
PROMPT = "a photo of red shoes on white background"


def config_for(targets: list[str]) -> TrainingConfig:
    return TrainingConfig(lora_rank=4, lora_alpha=10, lora_target_modules=targets)  # scale 2.5, so a lost alpha shows


def trained_unet(base_model_dir: Path, config: TrainingConfig) -> UNet2DConditionModel:
    """The demo UNet with an adapter of random weights."""
    unet = UNet2DConditionModel.from_pretrained(base_model_dir / "unet").requires_grad_(False)
    add_adapter(unet, config)
    generator = torch.Generator().manual_seed(3)
    state = {name: torch.randn(old.shape, generator=generator) * 0.1 for name, old in adapter_state(unet).items()}
    load_adapter_state(unet, state)
    return unet


@torch.no_grad()
def predict(unet: UNet2DConditionModel) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    noisy, text = (torch.randn(shape, generator=generator) for shape in ((2, 4, 8, 8), (2, 7, 32)))
    prediction: Tensor = unet(noisy, torch.tensor([10, 900]), text).sample
    return prediction


def draw(pipeline: StableDiffusionPipeline) -> Tensor:
    pipeline.set_progress_bar_config(disable=True)
    picture: Tensor = pipeline(
        PROMPT, height=64, width=64, num_inference_steps=3, output_type="pt", generator=torch.Generator().manual_seed(1)
    ).images[0]
    return picture


def assert_loaded(pipeline: StableDiffusionPipeline, state: dict[str, Tensor]) -> None:
    """Every tensor of the adapter arrived, with its value."""
    loaded = {
        name.replace(".shoes.", "."): parameter
        for name, parameter in pipeline.unet.named_parameters()
        if ".lora_" in name
    }
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())


@pytest.mark.parametrize("targets", TARGETS.values(), ids=TARGETS.keys())
def test_every_format_gives_the_same_output_for_every_kind_of_target(
    base_model_dir: Path, tmp_path: Path, targets: list[str]
) -> None:
    config = config_for(targets)
    unet = trained_unet(base_model_dir, config)
    folder = tmp_path / "lora_weights"
    export_adapter(unet, config, folder, run_name="shoes", step=5, train_samples=9)
    expected = predict(unet)
    for name in ("pytorch_lora_weights.safetensors", "shoes_kohya.safetensors"):
        pipeline = StableDiffusionPipeline.from_pretrained(base_model_dir)
        assert not torch.allclose(predict(pipeline.unet), expected, atol=1e-2)
        pipeline.load_lora_weights(folder, weight_name=name, adapter_name="shoes")
        assert_loaded(pipeline, adapter_state(unet))
        torch.testing.assert_close(predict(pipeline.unet), expected, rtol=0, atol=1e-6)
    plain = UNet2DConditionModel.from_pretrained(base_model_dir / "unet")
    torch.testing.assert_close(predict(PeftModel.from_pretrained(plain, folder)), expected, rtol=0, atol=1e-6)


def test_diffusers_finds_the_file_in_the_folder_and_draws_the_same_picture(
    base_model_dir: Path, tmp_path: Path
) -> None:
    config = config_for(ATTENTION)
    trained = StableDiffusionPipeline.from_pretrained(base_model_dir, unet=trained_unet(base_model_dir, config))
    export_adapter(trained.unet, config, tmp_path / "lora", run_name="shoes", step=5, train_samples=9)
    pipeline = StableDiffusionPipeline.from_pretrained(base_model_dir)
    before = draw(pipeline)
    pipeline.load_lora_weights(tmp_path / "lora")
    picture = draw(pipeline)
    torch.testing.assert_close(picture, draw(trained), rtol=0, atol=1e-5)
    assert (picture - before).abs().mean() > 1e-3


def test_the_merged_pipeline_equals_base_plus_adapter(base_model_dir: Path, tmp_path: Path) -> None:
    config = config_for(LINEAR)
    base = load_base_model(str(base_model_dir), torch.float32, "v_prediction")
    add_adapter(base.unet, config)
    load_adapter_state(base.unet, adapter_state(trained_unet(base_model_dir, config)))
    expected = predict(base.unet)
    folder = export_pipeline(base, tmp_path / "final_pipeline")
    merged = StableDiffusionPipeline.from_pretrained(folder)
    torch.testing.assert_close(predict(merged.unet), expected, rtol=0, atol=1e-4)
    assert not [name for name in merged.unet.state_dict() if "lora" in name]
    assert merged.scheduler.config.prediction_type == "v_prediction"
    assert type(merged.scheduler).__name__ == "PNDMScheduler"
    assert draw(merged).isfinite().all()


def test_a_base_in_half_precision_is_merged_in_fp32(base_model_dir: Path, tmp_path: Path) -> None:
    config = config_for(ATTENTION)
    base = load_base_model(str(base_model_dir), torch.float16, "auto")
    add_adapter(base.unet, config)
    state = adapter_state(trained_unet(base_model_dir, config))
    load_adapter_state(base.unet, state)
    layer = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    weight = base.unet.get_submodule(layer).base_layer.weight.float()
    change = 10 / 4 * state[f"{layer}.lora_B.weight"] @ state[f"{layer}.lora_A.weight"]
    merged = StableDiffusionPipeline.from_pretrained(export_pipeline(base, tmp_path / "final_pipeline"))
    torch.testing.assert_close(merged.unet.get_submodule(layer).weight, weight + change, rtol=0, atol=1e-6)


def test_the_kohya_file_says_what_it_is(base_model_dir: Path, tmp_path: Path) -> None:
    config = config_for(ATTENTION)
    export_adapter(
        trained_unet(base_model_dir, config), config, tmp_path / "lora", run_name="shoes", step=5, train_samples=9
    )
    file = tmp_path / "lora" / "shoes_kohya.safetensors"
    layers = {name.rsplit(".", 1)[0].removesuffix(".lora_up").removesuffix(".lora_down") for name in load_file(file)}
    assert len(layers) == 32
    assert "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0" in layers
    assert all(load_file(file)[f"{layer}.alpha"].item() == 10 for layer in layers)
    with safe_open(file, "pt") as opened:
        header = opened.metadata()
    expected = {
        "ss_network_module": "networks.lora", "ss_network_dim": "4", "ss_network_alpha": "10.0",
        "ss_base_model_version": "sd_v1", "ss_sd_model_name": "stable-diffusion-v1-5", "ss_learning_rate": "0.0001",
        "ss_max_train_steps": "3000", "ss_steps": "5", "ss_seed": "42", "ss_resolution": "(512, 512)",
        "ss_num_train_images": "9", "ss_total_batch_size": "16", "ss_gradient_accumulation_steps": "8",
        "ss_output_name": "shoes", "ss_lr_scheduler": "constant", "ss_min_snr_gamma": "None",
        "modelspec.architecture": "stable-diffusion-v1/lora",
    }  # fmt: skip
    assert {name: header.get(name) for name in expected} == expected


def test_the_folder_holds_five_files_whose_settings_say_the_same(base_model_dir: Path, tmp_path: Path) -> None:
    config = config_for(ATTENTION)
    unet = trained_unet(base_model_dir, config)
    paths = export_adapter(unet, config, tmp_path / "lora", run_name="shoes", step=5, train_samples=9)
    assert [path.name for path in paths] == [
        "README.md", "adapter_config.json", "adapter_model.safetensors", "pytorch_lora_weights.safetensors",
        "shoes_kohya.safetensors",
    ]  # fmt: skip
    settings = json.loads((tmp_path / "lora" / "adapter_config.json").read_text())
    assert (settings["peft_type"], settings["r"], settings["lora_alpha"]) == ("LORA", 4, 10)
    assert settings["target_modules"] == sorted(ATTENTION)
    assert all(name.startswith("base_model.model.") for name in load_file(tmp_path / "lora/adapter_model.safetensors"))
    card = (tmp_path / "lora" / "README.md").read_text()
    assert "base_model: stable-diffusion-v1-5/stable-diffusion-v1-5" in card
    assert "after 5 of 3000 steps on 9 pictures" in card
    assert "| lora_target_modules | to_q to_k to_v to_out.0 |" in card
    assert "shoes_kohya.safetensors" in card


def test_the_same_adapter_is_written_as_the_same_bytes(base_model_dir: Path, tmp_path: Path) -> None:
    config = config_for(LINEAR)
    unet = trained_unet(base_model_dir, config)
    first, second = (
        export_adapter(unet, config, tmp_path / name, run_name="shoes", step=5, train_samples=9) for name in "ab"
    )
    for one, other in zip(first, second, strict=True):
        if one.name in {"README.md", "adapter_config.json", "adapter_model.safetensors"}:
            assert one.read_bytes() == other.read_bytes()
        else:  # safetensors orders the fields of a header at random
            assert one.stat().st_size == other.stat().st_size
            assert all(torch.equal(tensor, load_file(other)[name]) for name, tensor in load_file(one).items())


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_and_an_older_export_stays(
    base_model_dir: Path, tmp_path: Path, number: float
) -> None:
    config = config_for(ATTENTION)
    unet = trained_unet(base_model_dir, config)
    folder = tmp_path / "lora_weights"
    before = {
        path: path.read_bytes()
        for path in export_adapter(unet, config, folder, run_name="shoes", step=5, train_samples=9)
    }
    state = adapter_state(unet)
    name = min(state)
    state[name][0, 0] = number
    load_adapter_state(unet, state)
    with pytest.raises(TrainingError, match=name):
        export_adapter(unet, config, folder, run_name="shoes", step=6, train_samples=9)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert list(tmp_path.iterdir()) == [folder]


def test_a_newer_export_takes_the_place_of_an_older_one(base_model_dir: Path, tmp_path: Path) -> None:
    config = config_for(ATTENTION)
    unet = trained_unet(base_model_dir, config)
    export_adapter(unet, config, tmp_path / "lora", run_name="old", step=5, train_samples=9)
    paths = export_adapter(unet, config, tmp_path / "lora", run_name="new", step=6, train_samples=9)
    assert {path.name for path in paths if "kohya" in path.name} == {"new_kohya.safetensors"}
    assert [path.name for path in tmp_path.iterdir()] == ["lora"]
