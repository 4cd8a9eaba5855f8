"""Loading base models of every kind, refusing those that do not fit, and telling how to get one that is missing."""

import fnmatch
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel

from engine import model, model_source
from engine.clip_bpe import clip_tokenizer, clip_vocabulary, read_merges
from engine.contract.errors import ModelError
from engine.demo.tokenizer import WORDS, merges_for
from engine.model import BaseModel, fingerprint, load_base_model, load_preview_decoder
from engine.model_source import SD15_CONFIGS, WEIGHTS, find_base_model
from tests.tiny_base_model import write_preview_decoder

SD15 = "stable-diffusion-v1-5/stable-diffusion-v1-5"


@pytest.fixture
def model_dir(base_model_dir: Path, tmp_path: Path) -> Path:
    """A copy of the demo model that a test may change."""
    return shutil.copytree(base_model_dir, tmp_path / "model")


def load(name: Path | str) -> BaseModel:
    return load_base_model(str(name), torch.float32, "auto")


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def weights_file(folder: Path, part: str) -> Path:
    return folder / part / f"{WEIGHTS[part]}.safetensors"


# ---- folders --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_folder_is_loaded_frozen_with_only_the_unet_in_another_type(base_model_dir: Path, dtype: torch.dtype) -> None:
    base = load_base_model(str(base_model_dir), dtype, "auto")
    modules = (base.unet, base.vae, base.text_encoder)
    assert [module.dtype for module in modules] == [dtype, torch.float32, torch.float32]
    assert not any(module.training for module in modules)
    assert not any(parameter.requires_grad for module in modules for parameter in module.parameters())
    assert {parameter.device.type for module in modules for parameter in module.parameters()} == {"cpu"}
    words = base.tokenizer.convert_tokens_to_ids(["red</w>", "shoes</w>"])
    assert base.tokenizer("red shoes").input_ids[1:-1] == words
    assert base.notices == ()
    assert base.source == str(base_model_dir)


def test_the_noise_schedule_is_that_of_the_model(base_model_dir: Path) -> None:
    schedule = load(base_model_dir).noise_scheduler
    assert isinstance(schedule, DDPMScheduler)
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    torch.testing.assert_close(schedule.alphas_cumprod.double(), torch.cumprod(1 - betas, 0), rtol=1e-4, atol=1e-6)


def test_the_prediction_type_is_the_models_unless_one_is_given(model_dir: Path) -> None:
    assert load(model_dir).noise_scheduler.config.prediction_type == "epsilon"
    given = load_base_model(str(model_dir), torch.float32, "v_prediction")
    assert given.noise_scheduler.config.prediction_type == "v_prediction"
    assert given.scheduler.config.prediction_type == "v_prediction"
    edit(model_dir / "scheduler" / "scheduler_config.json", prediction_type="v_prediction")
    assert load(model_dir).noise_scheduler.config.prediction_type == "v_prediction"
    edit(model_dir / "scheduler" / "scheduler_config.json", prediction_type="sample")
    with pytest.raises(ModelError, match="predicts sample"):
        load(model_dir)


def test_weights_that_exist_only_in_half_precision_are_found(model_dir: Path) -> None:
    for part in WEIGHTS:
        file = weights_file(model_dir, part)
        halves = {n: t.half() if t.is_floating_point() else t for n, t in load_file(file).items()}
        save_file(halves, file.with_suffix(".fp16.safetensors"), metadata={"format": "pt"})
        file.unlink()
    base = load(model_dir)
    assert {base.unet.dtype, base.vae.dtype, base.text_encoder.dtype} == {torch.float32}


def test_names_of_older_files_are_understood(base_model_dir: Path, model_dir: Path) -> None:
    """The VAE and the text encoder on the hub carry names that today's classes no longer have."""
    older = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    vae = load_file(weights_file(model_dir, "vae"))
    for new, old in older.items():
        vae = {name.replace(f"attentions.0.{new}.", f"attentions.0.{old}."): tensor for name, tensor in vae.items()}
    assert any("proj_attn" in name for name in vae)
    save_file(vae, weights_file(model_dir, "vae"))
    text = {f"text_model.{name}": tensor for name, tensor in load_file(weights_file(model_dir, "text_encoder")).items()}
    text["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    save_file(text, weights_file(model_dir, "text_encoder"), metadata={"format": "pt"})
    base, expected = load(model_dir), load(base_model_dir)
    assert fingerprint(base.vae) == fingerprint(expected.vae)
    assert fingerprint(base.text_encoder) == fingerprint(expected.text_encoder)


@pytest.mark.parametrize("part", [
    "unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/model.safetensors", "unet/config.json", "vae/config.json", "text_encoder/config.json",
    "scheduler/scheduler_config.json", "tokenizer/tokenizer.json", "model_index.json",
])  # fmt: skip
def test_a_part_that_is_missing_is_named(model_dir: Path, part: str) -> None:
    (model_dir / part).unlink()
    word = part.split("/")[0] if "/" in part else part
    with pytest.raises(ModelError) as caught:
        load(model_dir)
    assert word in f"{caught.value.what} {caught.value.why}"
    with pytest.raises(ModelError, match=re.escape(caught.value.what)):
        find_base_model(str(model_dir))


@pytest.mark.parametrize("part", list(WEIGHTS))
@pytest.mark.parametrize("fault", ["truncated", "a tensor missing", "a shape"])
def test_damaged_weights_are_refused_naming_the_part(model_dir: Path, part: str, fault: str) -> None:
    file = weights_file(model_dir, part)
    state = load_file(file)
    name = next(name for name in sorted(state) if state[name].ndim >= 2)
    if fault == "truncated":
        file.write_bytes(file.read_bytes()[:-1000])
    elif fault == "a tensor missing":
        del state[name]
        save_file(state, file, metadata={"format": "pt"})
    else:
        save_file({**state, name: state[name][:1].clone()}, file, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=f"The {part} of the base model .* cannot be loaded"):
        load(model_dir)


def test_a_config_that_is_no_json_is_refused(model_dir: Path) -> None:
    (model_dir / "unet" / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"config\.json cannot be read"):
        load(model_dir)


@pytest.mark.parametrize(("file", "changes", "why"), [
    ("model_index.json", {"_class_name": "StableDiffusionXLPipeline"}, "StableDiffusionXLPipeline"),
    ("model_index.json", {"_class_name": "FluxPipeline", "transformer": ["diffusers", "X"]}, "FluxPipeline"),
    ("text_encoder/config.json", {"hidden_size": 64}, "width 32, its text encoder writes 64"),
    ("unet/config.json", {"in_channels": 9}, "inpainting"),
])  # fmt: skip
def test_a_folder_of_another_kind_is_refused(model_dir: Path, file: str, changes: dict[str, Any], why: str) -> None:
    edit(model_dir / file, **changes)
    with pytest.raises(ModelError, match=r"not a Stable Diffusion 1\.5 style model") as caught:
        load(model_dir)
    assert why in caught.value.why


# ---- the hub's cache ------------------------------------------------------------------------------------------------


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def fill_cache(hub_cache: Path, base_model_dir: Path) -> Path:
    repository = hub_cache / f"models--{SD15.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    return shutil.copytree(base_model_dir, repository / "snapshots" / ("0" * 40))


def test_a_hub_id_is_loaded_from_the_cache(hub_cache: Path, base_model_dir: Path) -> None:
    fill_cache(hub_cache, base_model_dir)
    base = load(SD15)
    assert base.notices == ()
    assert base.source == SD15
    assert find_base_model(SD15).name == SD15


def test_the_deleted_repository_is_mapped_to_its_mirror_with_a_notice(hub_cache: Path, base_model_dir: Path) -> None:
    fill_cache(hub_cache, base_model_dir)
    [notice] = load("runwayml/stable-diffusion-v1-5").notices
    assert "deleted" in notice
    assert SD15 in notice


@pytest.mark.usefixtures("hub_cache")
@pytest.mark.parametrize("name", [SD15, "runwayml/stable-diffusion-v1-5"])
def test_a_model_that_is_not_there_names_the_command_that_fetches_what_is_needed(name: str) -> None:
    with pytest.raises(ModelError, match=name) as caught:
        load(name)
    program, verb, repository, *options = shlex.split(caught.value.remedy)
    assert (program, verb, repository) == ("hf", "download", SD15)
    assert set(options[::2]) == {"--include"}
    on_the_hub = [
        "README.md", "model_index.json", "v1-5-pruned.safetensors", "v1-5-pruned-emaonly.safetensors",
        "unet/config.json", "unet/diffusion_pytorch_model.bin", "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors", "unet/diffusion_pytorch_model.non_ema.safetensors",
        "vae/config.json", "vae/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.fp16.safetensors",
        "text_encoder/config.json", "text_encoder/model.safetensors", "text_encoder/model.fp16.safetensors",
        "safety_checker/model.safetensors", "tokenizer/vocab.json", "tokenizer/merges.txt",
        "scheduler/scheduler_config.json",
    ]  # fmt: skip
    fetched = [file for file in on_the_hub if any(fnmatch.fnmatch(file, pattern) for pattern in options[1::2])]
    assert [file for file in fetched if not file.endswith((".json", ".txt"))] == [
        "unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors",
        "text_encoder/model.safetensors",
    ]  # fmt: skip
    assert {"model_index.json", "tokenizer/merges.txt", "scheduler/scheduler_config.json"} <= set(fetched)


def test_a_download_that_was_cut_short_names_the_command_again(hub_cache: Path, base_model_dir: Path) -> None:
    weights_file(fill_cache(hub_cache, base_model_dir), "vae").unlink()
    with pytest.raises(ModelError, match="no vae weights") as caught:
        load(SD15)
    assert caught.value.remedy.startswith(f"hf download {SD15} --include ")


@pytest.mark.usefixtures("hub_cache")
@pytest.mark.parametrize("name", ["/no/such/model", "./model", "models/a/b", "file.safetensors", "owner/a.safetensors"])
def test_a_local_path_that_is_missing_is_said_not_to_exist(name: str) -> None:
    with pytest.raises(ModelError, match="no base model at") as caught:
        load(name)
    assert "does not exist" in caught.value.why


def test_looking_for_a_model_needs_no_torch() -> None:
    code = "import sys, engine.model_source; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- single files ---------------------------------------------------------------------------------------------------


UNET_PLACES = {
    "down_blocks.0.resnets.0": "input_blocks.1.0",
    "down_blocks.0.attentions.0": "input_blocks.1.1",
    "down_blocks.0.downsamplers.0.conv": "input_blocks.2.0.op",
    "down_blocks.1.resnets.0": "input_blocks.3.0",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
    "up_blocks.0.resnets.0": "output_blocks.0.0",
    "up_blocks.0.resnets.1": "output_blocks.1.0",
    "up_blocks.0.upsamplers.0.conv": "output_blocks.1.1.conv",
    "up_blocks.1.resnets.0": "output_blocks.2.0",
    "up_blocks.1.attentions.0": "output_blocks.2.1",
    "up_blocks.1.resnets.1": "output_blocks.3.0",
    "up_blocks.1.attentions.1": "output_blocks.3.1",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
UNET_LAYERS = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection",
}  # fmt: skip
VAE_LAYERS = {
    "mid_block.resnets.0": "mid.block_1", "mid_block.resnets.1": "mid.block_2", "mid_block.attentions.0": "mid.attn_1",
    "conv_shortcut": "nin_shortcut", "group_norm": "norm", "conv_norm_out": "norm_out",
    "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out",
}  # fmt: skip


def ldm_unet_name(name: str) -> str:
    """A UNet tensor's name in the original code, for the demo's two blocks of one layer each."""
    place = next(place for place in UNET_PLACES if name.startswith(f"{place}."))
    rest = name.removeprefix(f"{place}.")
    if ".resnets." in place:
        layer, kind = rest.rsplit(".", 1)
        rest = f"{UNET_LAYERS[layer]}.{kind}"
    return f"model.diffusion_model.{UNET_PLACES[place]}.{rest}"


def ldm_vae_name(name: str) -> str:
    """A VAE tensor's name in the original code, for four blocks; the decoder counts them the other way."""
    for block in range(4):
        name = name.replace(f"down_blocks.{block}.resnets", f"down.{block}.block")
        name = name.replace(f"down_blocks.{block}.downsamplers.0", f"down.{block}.downsample")
        name = name.replace(f"up_blocks.{block}.resnets", f"up.{3 - block}.block")
        name = name.replace(f"up_blocks.{block}.upsamplers.0", f"up.{3 - block}.upsample")
    for new, old in VAE_LAYERS.items():
        name = name.replace(new, old)
    return f"first_stage_model.{name}"


@pytest.fixture
def single_file(base_model_dir: Path, tmp_path: Path) -> Path:
    """The demo model as one file in the layout of the original Stable Diffusion code."""
    unet, vae, text = (load_file(weights_file(base_model_dir, part)) for part in WEIGHTS)
    tensors = {ldm_unet_name(name): tensor for name, tensor in unet.items()}
    for name, tensor in vae.items():
        matrix = ".attentions." in name and tensor.ndim == 2
        tensors[ldm_vae_name(name)] = tensor[:, :, None, None] if matrix else tensor  # convolutions of 1x1 there
    tensors |= {f"cond_stage_model.transformer.text_model.{name}": tensor for name, tensor in text.items()}
    save_file(tensors, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


@pytest.fixture
def configs(base_model_dir: Path, tmp_path: Path) -> Path:
    """A folder like engine/sd15, for the demo's shapes: configs and merges, no weights."""
    folder = shutil.copytree(base_model_dir, tmp_path / "configs", ignore=shutil.ignore_patterns("*.safetensors"))
    lines = ["#version: 0.2", *(" ".join(merge) for merge in merges_for(WORDS))]
    (folder / "tokenizer" / "merges.txt").write_text("\n".join(lines))
    return folder


@pytest.fixture
def demo_shapes(configs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A single file is taken to have the demo's shapes and words, not SD 1.5's."""
    for module in (model, model_source):
        monkeypatch.setattr(module, "SD15_CONFIGS", configs)


@pytest.mark.usefixtures("demo_shapes")
def test_a_single_file_gives_the_same_model_as_the_folder(base_model_dir: Path, single_file: Path) -> None:
    base, expected = load(single_file), load(base_model_dir)
    for part in WEIGHTS:
        assert fingerprint(getattr(base, part)) == fingerprint(getattr(expected, part))
        assert not getattr(base, part).training
    assert base.tokenizer("red shoes, xq7").input_ids == expected.tokenizer("red shoes, xq7").input_ids
    assert base.scheduler.config.beta_end == 0.012
    half = load_base_model(str(single_file), torch.float16, "auto")
    assert [half.unet.dtype, half.vae.dtype, half.text_encoder.dtype] == [torch.float16, torch.float32, torch.float32]


def without(prefix: str) -> Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]:
    return lambda tensors: {name: tensor for name, tensor in tensors.items() if not name.startswith(prefix)}


FIRST = "model.diffusion_model.input_blocks.0.0.weight"


@pytest.mark.usefixtures("demo_shapes")
@pytest.mark.parametrize(("change", "text"), [
    (without("cond_stage_model."), "has no text encoder"),
    (without("first_stage_model."), "has no VAE"),
    (without("model.diffusion_model."), "It holds no UNet"),
    (without("model.diffusion_model.middle_block.2.in_layers.0"), "tensors are missing"),
    (without("first_stage_model.decoder.conv_out"), "tensors are missing"),
    (without("cond_stage_model.transformer.text_model.final_layer_norm"), "tensors are missing"),
    (lambda tensors: {**tensors, FIRST: torch.zeros(32, 9, 3, 3)}, "inpainting"),
    (lambda tensors: {**tensors, "conditioner.embedders.0.x": torch.zeros(1)}, "Stable Diffusion XL"),
    (lambda tensors: {n: t[:, :16].clone() if n.endswith("attn2.to_k.weight") else t for n, t in tensors.items()},
     r"text of width \[16\], not 32"),
])  # fmt: skip
def test_a_single_file_that_does_not_fit_is_refused(
    single_file: Path,
    change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]],
    text: str,
) -> None:
    save_file(change(load_file(single_file)), single_file)
    with pytest.raises(ModelError, match=text):
        load(single_file)


def test_the_demo_as_a_single_file_is_not_taken_for_sd15(single_file: Path) -> None:
    with pytest.raises(ModelError, match=r"not a Stable Diffusion 1\.5 style model") as caught:
        load(single_file)
    assert "width [32], not 768" in caught.value.why


@pytest.mark.parametrize("content", [b"", b"abc", b"\xff" * 100, b"\x02\x00\x00\x00\x00\x00\x00\x00{}", None])
def test_a_damaged_single_file_is_refused(single_file: Path, content: bytes | None) -> None:
    single_file.write_bytes(single_file.read_bytes()[:-10] if content is None else content)
    with pytest.raises(ModelError, match="is damaged"):
        load(single_file)


def test_a_pickle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.ckpt").write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(ModelError, match=r"not a \.safetensors file"):
        load(tmp_path / "model.ckpt")


# ---- SD 1.5 itself --------------------------------------------------------------------------------------------------


def test_the_shipped_configs_have_the_parameters_of_sd15() -> None:
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(SD15_CONFIGS, subfolder="unet"))
        vae = AutoencoderKL.from_config(AutoencoderKL.load_config(SD15_CONFIGS, subfolder="vae"))
        text = CLIPTextModel(CLIPTextConfig.from_pretrained(SD15_CONFIGS, subfolder="text_encoder"))
    counts = [sum(parameter.numel() for parameter in module.parameters()) for module in (unet, vae, text)]
    assert counts == [859_520_964, 83_653_863, 123_060_480]


def test_the_shipped_tokenizer_is_that_of_clip() -> None:
    merges = read_merges(SD15_CONFIGS / "tokenizer" / "merges.txt")
    assert len(merges) == 48_894
    assert len(clip_vocabulary(merges)) == 49_408
    tokenizer = clip_tokenizer(merges)
    assert tokenizer("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert tokenizer("A  PHOTO of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert tokenizer.model_max_length == 77


# ---- fingerprints ---------------------------------------------------------------------------------------------------


def test_a_fingerprint_changes_with_values_types_and_names_and_with_nothing_else(base_model_dir: Path) -> None:
    first, second = load(base_model_dir).vae, load(base_model_dir).vae
    assert fingerprint(first) == fingerprint(second)
    second.decoder.conv_out.bias.data[0] += 1e-6
    small = {fingerprint(torch.nn.BatchNorm2d(2)), fingerprint(torch.nn.BatchNorm2d(2).half())}
    small |= {fingerprint(torch.nn.Sequential(torch.nn.BatchNorm2d(2))), fingerprint(torch.nn.BatchNorm2d(3))}
    assert len({fingerprint(first), fingerprint(second), fingerprint(first.bfloat16()), *small}) == 7


# ---- the decoder of previews ---------------------------------------------------------------------------------------


def test_a_preview_decoder_is_loaded_frozen_by_path_and_by_hub_id(
    hub_cache: Path, base_model_dir: Path, tmp_path: Path
) -> None:
    write_preview_decoder(tmp_path / "tiny")
    repository = hub_cache / "models--madebyollin--taesd"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("c0ffee")
    shutil.copytree(tmp_path / "tiny", repository / "snapshots" / "c0ffee")
    base = load(base_model_dir)
    for name in (str(tmp_path / "tiny"), "madebyollin/taesd"):
        decoder = load_preview_decoder(name, base)
        assert not decoder.training and not any(one.requires_grad for one in decoder.parameters())
        assert decoder.decode(torch.zeros(1, 4, 8, 8)).sample.shape == (1, 3, 64, 64)


def damage(folder: Path) -> None:
    (folder / "diffusion_pytorch_model.safetensors").write_bytes(b"no tensors")


def leave_out_a_tensor(folder: Path) -> None:
    weights = load_file(folder / "diffusion_pytorch_model.safetensors")
    weights.popitem()
    save_file(weights, folder / "diffusion_pytorch_model.safetensors")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (shutil.rmtree, "There is no such folder"),
        (lambda folder: (folder / "config.json").unlink(), "holds no config.json"),
        (lambda folder: edit(folder / "config.json", _class_name="AutoencoderKL"), "AutoencoderKL, not of Autoencoder"),
        (lambda folder: (folder / "diffusion_pytorch_model.safetensors").unlink(), "other formats are not read"),
        (lambda folder: write_preview_decoder(folder, latent_channels=16), "latents of 16 channels"),
        (damage, "Unable to load weights"),
        (leave_out_a_tensor, "1 tensors are missing"),
    ],
)
def test_a_preview_decoder_that_cannot_do_is_named_with_the_reason(
    base_model_dir: Path, tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    folder = tmp_path / "tiny"
    write_preview_decoder(folder)
    spoil(folder)
    with pytest.raises(ModelError) as caught:
        load_preview_decoder(str(folder), load(base_model_dir))
    assert caught.value.what.startswith(f"preview_decoder {folder} cannot be")
    assert words in caught.value.why


@pytest.mark.usefixtures("hub_cache")
def test_a_preview_decoder_that_is_not_there_names_the_command_that_fetches_it(base_model_dir: Path) -> None:
    with pytest.raises(ModelError) as caught:
        load_preview_decoder("madebyollin/taesd", load(base_model_dir))
    assert caught.value.remedy.startswith("hf download madebyollin/taesd config.json")
