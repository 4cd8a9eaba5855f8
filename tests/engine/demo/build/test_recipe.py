"""The stages of the build, a few steps of each: what comes out is a pipeline with which plain diffusers draws."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from engine.demo.build.autoencoder import (
    Pixels,
    encode,
    load_autoencoder,
    refine_autoencoder,
    train_autoencoder,
)
from engine.demo.build.diffusion import FILLERS, load_diffusion, train_diffusion
from engine.demo.build.fitting import Member, Plan
from engine.demo.build.pipeline import save_base_model
from engine.demo.corpus import draw_thing
from engine.demo.things import KINDS
from engine.demo.tokenizer import demo_tokenizer

ALONE = Member(0, 1)
DRAWN = [draw_thing(number) for number in range(28)]


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    return np.stack([np.asarray(thing.picture) for thing in DRAWN])


def test_a_few_steps_of_every_stage_make_a_pipeline(pixels: Pixels, tmp_path: Path) -> None:
    torch.manual_seed(0)
    train_autoencoder(pixels, Plan(4, 4, 2e-3), tmp_path / "autoencoder.safetensors", ALONE)
    refined = tmp_path / "refined.safetensors"
    refine_autoencoder(tmp_path / "autoencoder.safetensors", pixels, Plan(2, 4, 1e-3), refined, ALONE)
    vae = load_autoencoder(refined, pixels)
    latents = encode(vae, pixels)
    assert latents.mean(dim=(0, 2, 3)).abs().max() < 1e-4
    assert torch.allclose(latents.std(dim=(0, 2, 3)), torch.ones(4), atol=1e-3)

    tokenizer = demo_tokenizer()
    captions = [thing.caption for thing in DRAWN]
    train_diffusion(latents, captions, tokenizer, Plan(2, 4, 1e-3), tmp_path / "diffusion.safetensors", ALONE)
    denoising = load_diffusion(tmp_path / "diffusion.safetensors", tokenizer)
    save_base_model(tmp_path / "model", vae, denoising, tokenizer)
    pipeline = StableDiffusionPipeline.from_pretrained(tmp_path / "model", dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    picture = pipeline("a red mug", height=64, width=64, num_inference_steps=2, output_type="np").images[0]
    assert picture.shape == (64, 64, 3)
    assert (tmp_path / "model" / "README.md").read_text().startswith("# The demo's base model")


def test_words_that_mean_nothing_name_neither_things_nor_shoes() -> None:
    assert not {"shoe", "shoes", "sneakers", "laces", "red", "white", *KINDS} & set(FILLERS)
    assert len(FILLERS) > 100
