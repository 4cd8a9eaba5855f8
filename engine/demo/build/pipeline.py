"""Puts the trained modules together as one Stable Diffusion pipeline in half precision."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from engine.atomic_folder import atomic_folder
from engine.demo.build.diffusion import Denoising

README = Path(__file__).parent / "BASE_MODEL.md"


def save_base_model(folder: Path, vae: AutoencoderKL, denoising: Denoising, tokenizer: CLIPTokenizer) -> None:
    """Save a diffusers folder of fp16 safetensors, with the README that says how it was made."""
    unet = denoising.unet.to(memory_format=torch.contiguous_format)
    pipeline = assemble_pipeline(vae, denoising.text_encoder, tokenizer, unet)
    with atomic_folder(folder) as fresh:
        pipeline.to(torch.float16).save_pretrained(fresh, safe_serialization=True)
        (fresh / "README.md").write_bytes(README.read_bytes())


def assemble_pipeline(
    vae: AutoencoderKL, text_encoder: CLIPTextModel, tokenizer: CLIPTokenizer, unet: UNet2DConditionModel
) -> StableDiffusionPipeline:
    """A pipeline with SD 1.5's scheduler and without a safety checker."""
    scheduler = PNDMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        num_train_timesteps=1000,
        prediction_type="epsilon",
        skip_prk_steps=True,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    scheduler.register_to_config(clip_sample=False)  # PNDM has no such setting; the schedulers made from it do
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
