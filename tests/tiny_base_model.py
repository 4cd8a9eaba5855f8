"""A base model that tests can make in an instant: SD 1.5's classes and its VAE's factor of 8, with random weights."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from engine.demo.build.pipeline import assemble_pipeline
from engine.demo.tokenizer import demo_tokenizer

WEIGHTS_SEED = 20
TEXT_WIDTH = 32  # of the text encoder and of the UNet's cross attention
PIXEL_SPREAD = 0.3  # standard deviation of decoded pictures, which live in -1..1: noise that is not clipped
POSTERIOR_LOG_VARIANCE = -10.0  # the VAE is almost deterministic, as SD 1.5's is


def write_base_model(folder: Path) -> None:
    """Save the pipeline, 2 MB, in `folder`.

    The weights come from a fixed seed, and the global generator is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(WEIGHTS_SEED)
        pipeline = _pipeline()
    pipeline.save_pretrained(folder, safe_serialization=True)


def write_preview_decoder(folder: Path, latent_channels: int = 4) -> None:
    """Save an autoencoder in the layout of TAESD, with the factor of 8 and random weights, in `folder`."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(WEIGHTS_SEED)
        widths = {"encoder_block_out_channels": (8,) * 4, "decoder_block_out_channels": (8,) * 4}
        decoder = AutoencoderTiny(latent_channels=latent_channels, **widths)
    decoder.save_pretrained(folder, safe_serialization=True)


def _pipeline() -> StableDiffusionPipeline:
    tokenizer = demo_tokenizer()
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            intermediate_size=4 * TEXT_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            projection_dim=TEXT_WIDTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,  # the number of heads, as in SD 1.5's config
        norm_num_groups=8,
    )
    return assemble_pipeline(_autoencoder(), text_encoder, tokenizer, unet)


@torch.no_grad()
def _autoencoder() -> AutoencoderKL:
    """A VAE whose scaled latents have unit variance and whose pictures have the variance of PIXEL_SPREAD."""
    vae = AutoencoderKL(
        sample_size=64,
        block_out_channels=(8, 8, 16, 16),
        layers_per_block=1,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        norm_num_groups=8,
    )
    vae.quant_conv.weight[4:] = 0  # the latter four channels are the posterior's log variance
    vae.quant_conv.bias[4:] = POSTERIOR_LOG_VARIANCE
    blotches = torch.rand(8, 3, 8, 8) * 2 - 1
    pictures = torch.nn.functional.interpolate(blotches, scale_factor=8, mode="nearest")
    means = vae.encode(pictures).latent_dist.mean
    vae.quant_conv.bias[:4] -= means.mean(dim=(0, 2, 3))
    spread = vae.encode(pictures).latent_dist.mean.std()
    vae.register_to_config(scaling_factor=1 / spread.item())

    decoded = vae.decode(torch.randn(8, 4, 8, 8) * spread).sample
    output = vae.decoder.conv_out
    output.bias -= decoded.mean(dim=(0, 2, 3))
    output.weight *= PIXEL_SPREAD / decoded.std()
    output.bias *= PIXEL_SPREAD / decoded.std()
    return vae
