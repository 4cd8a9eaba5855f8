"""The models whose steps are timed: SD 1.5's real architecture with random weights, and the demo."""

import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from engine import device as devices
from engine.attention import set_gradient_checkpointing
from engine.clip_bpe import clip_tokenizer, read_merges
from engine.contract.config import TrainingConfig
from engine.contract.config_file import find_config, load_config
from engine.contract.run_dir import Workspace
from engine.control import resolve
from engine.dataset import Sample
from engine.demo.drawing import draw_dataset
from engine.latent_cache import EmbeddingCache, LatentCache
from engine.lora import add_adapter
from engine.model import BaseModel, load_base_model
from engine.model_source import SD15_CONFIGS
from engine.noise import SampleStream
from engine.picture_digests import file_digest
from engine.preparation import Prepared, prepare
from engine.training_data import TrainingData
from tests.tiny_base_model import write_base_model

UNET_PARAMETERS = 859_520_964
ADAPTER_PARAMETERS = 1_594_368  # rank 8 on to_q, to_k, to_v, to_out.0


def prepare_sd15(config: TrainingConfig, folder: Path, keeps_freed_memory: bool = True) -> Prepared:
    """On two drawn shoes, on the CPU; as `engine.preparation.prepare` does it, but for weights that no file has."""
    if keeps_freed_memory:
        devices.keep_freed_memory(devices.CPU)
    write_base_model(folder / "model")
    tiny = load_base_model(str(folder / "model"), torch.float32, "auto")  # for its noise schedule
    unet, vae, encoder = (module.requires_grad_(False).eval() for module in sd15_modules())
    tokenizer = clip_tokenizer(read_merges(SD15_CONFIGS / "tokenizer" / "merges.txt"))
    base = BaseModel(unet, vae, encoder, tokenizer, tiny.noise_scheduler, tiny.scheduler, "random weights", ())
    draw_dataset(folder / "shoes", count=2, resolution=config.resolution)
    images = {name: folder / f"shoes/images/{name}.png" for name in ("0001", "0002")}
    samples = [(Sample(name, path, (f"shoe {name}",)), file_digest(path)) for name, path in images.items()]
    cpu = devices.CPU.torch
    latents = LatentCache(folder / "cache", vae, config.resolution)
    latents.fill(samples, flips=False, threads=0, device=cpu, progress=silent)
    embeddings = EmbeddingCache(folder / "cache", tokenizer, encoder)
    embeddings.fill([caption for sample, _ in samples for caption in sample.captions], cpu, silent)
    side = config.resolution // 8
    stream = SampleStream(config.seed, len(samples), (4, side, side), 1000, False, 0.0, 0.0)
    data = TrainingData(samples, [], latents, embeddings, stream, 0.18215, 0)
    parameters = add_adapter(unet, config)
    set_gradient_checkpointing(unet, config.checkpointing_mode)
    device = devices.choose_device("cpu")
    return Prepared(config, device, devices.choose_precision("no", device), base, data, parameters)


def sd15_modules() -> tuple[UNet2DConditionModel, AutoencoderKL, CLIPTextModel]:
    """UNet, VAE and text encoder with random weights."""
    return (
        UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(SD15_CONFIGS / "unet")),
        AutoencoderKL.from_config(AutoencoderKL.load_config(SD15_CONFIGS / "vae")),
        CLIPTextModel(CLIPTextConfig.from_pretrained(SD15_CONFIGS / "text_encoder")),
    )


def write_sd15(folder: Path) -> None:
    """A diffusers folder of 2 GB: fp16, as SD 1.5 is often kept."""
    write_base_model(folder)
    shutil.rmtree(folder / "tokenizer")
    clip_tokenizer(read_merges(SD15_CONFIGS / "tokenizer" / "merges.txt")).save_pretrained(folder / "tokenizer")
    for part, module in zip(("unet", "vae", "text_encoder"), sd15_modules(), strict=True):
        shutil.rmtree(folder / part)
        module.half().save_pretrained(folder / part)


def demo_config(workspace: Workspace, **changes: object) -> TrainingConfig:
    """The demo's preset with some settings changed, its pictures drawn."""
    return resolve(workspace, load_config(find_config("demo", workspace.root), changes))


def prepare_demo(folder: Path, **changes: object) -> Prepared:
    """The demo on one thread of the CPU, which is what a worker gives to a model so small."""
    workspace = Workspace(folder)
    config = demo_config(workspace, device="cpu", **changes)
    return prepare(config, workspace, lambda _: silent, lambda _: None)


def silent(_done: int, _total: int) -> None:
    """No progress is shown."""
