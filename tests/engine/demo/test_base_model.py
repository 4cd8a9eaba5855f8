"""The demo base model: real classes, whole, the same each time, and its pictures are noise within bounds."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from engine.contract.config import SHOE_PROMPTS
from engine.demo.base_model import write_base_model
from engine.demo.tokenizer import WORDS, demo_tokenizer


def test_plain_diffusers_loads_it_and_draws_a_picture_that_is_not_clipped(base_model_dir: Path) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(base_model_dir)
    pipeline.set_progress_bar_config(disable=True)
    assert isinstance(pipeline.unet, UNet2DConditionModel)
    assert isinstance(pipeline.vae, AutoencoderKL)
    assert isinstance(pipeline.text_encoder, CLIPTextModel)
    assert isinstance(pipeline.tokenizer, CLIPTokenizer)
    expected = {
        "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000,
        "prediction_type": "epsilon", "steps_offset": 1, "clip_sample": False,
    }  # fmt: skip
    assert expected.items() <= dict(pipeline.scheduler.config).items()
    picture = pipeline(
        SHOE_PROMPTS[0], height=64, width=64, num_inference_steps=5, output_type="pt",
        generator=torch.Generator().manual_seed(1),
    ).images[0]  # fmt: skip
    assert picture.shape == (3, 64, 64)
    assert 0.4 < picture.mean() < 0.6
    assert picture.std() > 0.05
    assert ((picture <= 0) | (picture >= 1)).float().mean() < 0.05


def test_scaled_latents_of_pictures_have_about_unit_variance(base_model_dir: Path) -> None:
    vae = AutoencoderKL.from_pretrained(base_model_dir / "vae")
    pictures = torch.ones(6, 3, 64, 64)  # white, with blocks of one colour each, as product pictures have
    pictures[:, :, 20:50, 5:50] = torch.rand(6, 3, 1, 1, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        latents = vae.encode(pictures * 2 - 1).latent_dist
    assert latents.mean.shape == (6, 4, 8, 8)
    assert 0.5 < (latents.mean * vae.config.scaling_factor).std() < 1.5
    assert latents.std.max() * vae.config.scaling_factor < 0.1


def test_it_is_the_same_each_time_and_leaves_the_global_generator_alone(base_model_dir: Path, tmp_path: Path) -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    write_base_model(tmp_path / "again")
    assert torch.equal(torch.random.get_rng_state(), before)
    for weights in base_model_dir.rglob("*.safetensors"):
        assert (tmp_path / "again" / weights.relative_to(base_model_dir)).read_bytes() == weights.read_bytes()


def test_a_model_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model_index.json").write_text("{}")
    write_base_model(folder)
    assert [path.name for path in folder.iterdir()] == ["model_index.json"]


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


def test_prompts_are_padded_and_cut_to_77_tokens(base_model_dir: Path) -> None:
    tokenizer = CLIPTokenizer.from_pretrained(base_model_dir / "tokenizer")
    for prompt in (SHOE_PROMPTS[0], "shoe " * 200):
        batch = tokenizer(prompt, padding="max_length", truncation=True, return_tensors="pt")
        assert batch.input_ids.shape == (1, 77)
        assert batch.input_ids[0, 0] == tokenizer.bos_token_id
        assert batch.input_ids[0, -1] == tokenizer.eos_token_id
