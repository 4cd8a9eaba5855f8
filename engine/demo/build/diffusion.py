"""Trains the demo's text encoder and UNet together on latents of drawn things and on their captions."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from diffusers.models.downsampling import Downsample2D
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.upsampling import Upsample2D
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from engine.demo.build.fitting import Batch, Member, Plan, fit
from engine.demo.palette import COLOURS
from engine.demo.things import KINDS
from engine.demo.tokenizer import SHOES, WORDS

TEXT_WIDTH = 96  # of the text encoder and of the UNet's cross attention
EMBEDDING_GAIN = 10  # token embeddings begin so much larger than CLIP's: words differ from the first step on
MIN_SNR = 5.0  # highest weight of a step's signal-to-noise ratio: Hang et al. 2023, arXiv 2303.09556
EMPTY_SHARE = 0.1  # captions left out, for classifier-free guidance
CHATTY_SHARE = 0.3  # captions with one to three words that mean nothing here
FILLERS = tuple(word for word in WORDS if word not in {*KINDS, *COLOURS, *SHOES.split(), "background", "gray", "beige"})


def new_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """Two layers of SD 1.5's class of text encoder."""
    encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            intermediate_size=2 * TEXT_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            projection_dim=TEXT_WIDTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    with torch.no_grad():
        for weight in encoder.get_input_embeddings().parameters():
            weight.mul_(EMBEDDING_GAIN)
    return encoder


def new_unet() -> UNet2DConditionModel:
    """A UNet of SD 1.5's class for latents of 16 x 16, with residual branches that begin small."""
    unet = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(64, 64, 88),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,  # the number of heads, as in SD 1.5's config
        norm_num_groups=8,
    )
    with torch.no_grad():
        for part in unet.modules():
            if isinstance(part, ResnetBlock2D):
                part.conv2.weight *= 0.1
                if part.conv_shortcut is not None:
                    _mix_identity(part.conv_shortcut, own=0.5, identity=0.7)
            if isinstance(part, Downsample2D | Upsample2D):
                _mix_identity(part.conv, own=0.5, identity=1.0)
            if isinstance(part, Transformer2DModel):
                part.proj_out.weight *= 0.1
        unet.conv_in.weight *= 2
        unet.conv_out.weight *= 0.1
    return unet


def _mix_identity(convolution: nn.Module, own: float, identity: float) -> None:
    weight = convolution.weight
    assert isinstance(weight, nn.Parameter)
    weight.copy_(own * weight + identity * nn.init.dirac_(torch.empty_like(weight)))


def train_scheduler() -> DDPMScheduler:
    """SD 1.5's noise."""
    return DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False)


class Denoising(nn.Module):
    """The loss of a batch: the squared error of the noise that is predicted, weighted by signal-to-noise ratio."""

    def __init__(self, unet: UNet2DConditionModel, text_encoder: CLIPTextModel) -> None:
        super().__init__()
        self.unet = unet.to(memory_format=torch.channels_last)  # a tenth faster on a CPU
        self.text_encoder = text_encoder
        self._scheduler = train_scheduler()
        ratio = self._scheduler.alphas_cumprod / (1 - self._scheduler.alphas_cumprod)
        self._weights = ratio.clamp(max=MIN_SNR) / ratio

    def forward(self, latents: Tensor, noise: Tensor, timesteps: Tensor, tokens: Tensor) -> Tensor:
        text = self.text_encoder(tokens)[0]
        noisy = self._scheduler.add_noise(latents, noise, timesteps).contiguous(memory_format=torch.channels_last)
        errors = (self.unet(noisy, timesteps, text).sample - noise).square().mean(dim=(1, 2, 3))
        loss: Tensor = (self._weights[timesteps] * errors).mean()
        return loss


def train_diffusion(
    latents: Tensor, captions: list[str], tokenizer: CLIPTokenizer, plan: Plan, file: Path, member: Member
) -> None:
    """Write weights of UNet and text encoder, trained on `latents` (n, 4, 16, 16) and a caption for each, to `file`."""
    module = Denoising(new_unet(), new_text_encoder(tokenizer)).train()
    fit(module, _batches(latents, captions, tokenizer), plan, file, member)


def load_diffusion(file: Path, tokenizer: CLIPTokenizer) -> Denoising:
    """The trained modules."""
    module = Denoising(new_unet(), new_text_encoder(tokenizer))
    module.load_state_dict(load_file(file))
    return module.eval().requires_grad_(False)


def _batches(
    latents: Tensor, captions: list[str], tokenizer: CLIPTokenizer
) -> Callable[[int, int, torch.Generator], Batch]:
    def batch(_step: int, count: int, draws: torch.Generator) -> Batch:
        chosen = torch.randint(len(latents), (count,), generator=draws)
        words = Random(int(torch.randint(2**62, (), generator=draws)))
        texts = [_varied(captions[index], words) for index in chosen.tolist()]
        tokens = tokenizer(texts, padding="max_length", return_tensors="pt").input_ids
        spread = torch.arange(count) * 1000 // count  # timesteps spread evenly over a batch make its loss steadier
        timesteps = (torch.randint(1000, (1,), generator=draws) + spread) % 1000
        return latents[chosen], torch.randn(count, *latents.shape[1:], generator=draws), timesteps, tokens

    return batch


def _varied(caption: str, draws: Random) -> str:
    """Sometimes without its words, sometimes with more."""
    share = draws.random()
    if share < EMPTY_SHARE:
        return ""
    words = caption.split()
    if share < EMPTY_SHARE + CHATTY_SHARE:
        for _ in range(draws.randint(1, 3)):
            words.insert(draws.randint(0, len(words)), draws.choice(FILLERS))
    return " ".join(words)
