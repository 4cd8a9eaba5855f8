"""The demo's base model as shipped: SD 1.5's classes, small, fp16, and an autoencoder that keeps fine lines."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from PIL import Image
from safetensors.torch import load_file
from transformers import CLIPTextModel, CLIPTokenizer

from engine.contract.config import SHOE_PROMPTS
from engine.contract.run_dir import Workspace
from engine.demo import BASE_MODEL, base_model, data_folder
from engine.demo.drawing import draw_dataset
from engine.demo.tokenizer import WORDS, demo_tokenizer

SHIPPED_BYTES = 8_000_000


def pictures(folder: Path) -> torch.Tensor:
    """The pictures of a data set, (n, 3, 64, 64) in -1..1."""
    arrays = [np.asarray(Image.open(path, formats=["PNG"])) for path in sorted((folder / "images").iterdir())]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).float() / 127.5 - 1


@pytest.fixture(scope="module")
def vae() -> AutoencoderKL:
    loaded: AutoencoderKL = AutoencoderKL.from_pretrained(BASE_MODEL / "vae", dtype=torch.float32)
    return loaded


@pytest.fixture(scope="module")
def shoes(tmp_path_factory: pytest.TempPathFactory) -> torch.Tensor:
    folder = tmp_path_factory.mktemp("unseen") / "shoes"
    draw_dataset(folder, count=36, seed=77)
    return pictures(folder)


def test_it_is_small_and_in_half_precision() -> None:
    files = [path for path in BASE_MODEL.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= SHIPPED_BYTES
    weights = [path for path in files if path.suffix not in {".json", ".md"}]
    assert {path.suffix for path in weights} == {".safetensors"}
    assert {tensor.dtype for path in weights for tensor in load_file(path).values()} == {torch.float16}


def test_plain_diffusers_loads_it() -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(BASE_MODEL, dtype=torch.float32)
    assert isinstance(pipeline.unet, UNet2DConditionModel)
    assert isinstance(pipeline.vae, AutoencoderKL)
    assert isinstance(pipeline.text_encoder, CLIPTextModel)
    assert isinstance(pipeline.tokenizer, CLIPTokenizer)
    expected = {
        "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000,
        "prediction_type": "epsilon", "steps_offset": 1, "clip_sample": False,
    }  # fmt: skip
    assert expected.items() <= dict(pipeline.scheduler.config).items()


@torch.no_grad()
def test_shoes_that_it_never_saw_come_back_with_33_decibels(vae: AutoencoderKL, shoes: torch.Tensor) -> None:
    decoded = vae.decode(vae.encode(shoes).latent_dist.mode()).sample.clamp(-1, 1)
    error = ((decoded - shoes) / 2).square().mean().item()
    assert -10 * math.log10(error) >= 33


@torch.no_grad()
def test_latents_have_about_zero_mean_and_unit_variance(vae: AutoencoderKL, shoes: torch.Tensor) -> None:
    latents = vae.encode(shoes).latent_dist
    scaled = latents.mean * vae.config.scaling_factor
    assert scaled.shape == (36, 4, 16, 16)
    assert scaled.mean(dim=(0, 2, 3)).abs().max() < 0.5
    assert 0.5 < scaled.std() < 1.5
    assert latents.std.mean() * vae.config.scaling_factor < 0.2


def test_each_domain_word_is_one_token_and_anything_else_is_bytes() -> None:
    tokenizer = demo_tokenizer()
    assert len(WORDS) >= 200
    ids = [tokenizer(word, add_special_tokens=False).input_ids for word in WORDS]
    assert all(len(word) == 1 for word in ids)
    assert len({word[0] for word in ids}) == len(WORDS)
    strange = "größe 日本 xq7 🥾"
    encoded = tokenizer(strange, add_special_tokens=False).input_ids
    assert tokenizer.unk_token_id not in encoded
    assert tokenizer.decode(encoded) == "größe 日本 xq 7 🥾"


def test_prompts_are_padded_and_cut_to_77_tokens() -> None:
    tokenizer = CLIPTokenizer.from_pretrained(BASE_MODEL / "tokenizer")
    for prompt in (SHOE_PROMPTS[0], "shoe " * 200):
        batch = tokenizer(prompt, padding="max_length", truncation=True, return_tensors="pt")
        assert batch.input_ids.shape == (1, 77)
        assert batch.input_ids[0, 0] == tokenizer.bos_token_id
        assert batch.input_ids[0, -1] == tokenizer.eos_token_id


def test_only_its_name_stands_for_it(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert base_model("demo") == BASE_MODEL
    assert base_model("stable-diffusion-v1-5/stable-diffusion-v1-5") is None
    assert data_folder("data/shoes", workspace) is None
    assert not workspace.outputs.exists()
    drawn = data_folder("demo", workspace)
    assert drawn is not None
    assert len(list((drawn / "images").iterdir())) == 96
