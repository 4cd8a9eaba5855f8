"""Load a base model: UNet, VAE, text encoder, tokenizer and noise schedule, frozen and on the CPU."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import diffusers
import torch
from diffusers import AutoencoderKL, DDPMScheduler, SchedulerMixin, StableDiffusionPipeline, UNet2DConditionModel
from safetensors import SafetensorError
from torch import nn
from transformers import CLIPTextModel, CLIPTokenizer

from engine.clip_bpe import clip_tokenizer, read_merges
from engine.contract.errors import ModelError
from engine.model_source import SD15_CONFIGS, check_single_file, find_base_model, weights_variant

PredictionType = Literal["auto", "epsilon", "v_prediction"]


@dataclass(frozen=True)
class BaseModel:
    """A loaded base model; every weight is frozen and every module in evaluation mode."""

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    noise_scheduler: DDPMScheduler  # for training: adds noise, knows what is predicted
    scheduler: SchedulerMixin  # the model's own sampler, for the pipeline that is saved in the end
    source: str
    notices: tuple[str, ...]


def load_base_model(name: str, unet_dtype: torch.dtype, prediction_type: PredictionType) -> BaseModel:
    """Load a local diffusers folder, a single .safetensors file, or a hub id from the local cache of the hub.

    VAE and text encoder are fp32 whatever they were saved as, the UNet is `unet_dtype`; all are on the CPU. `auto`
    takes the prediction type of the model. Raises ModelError if the model is missing, damaged or of another kind.
    """
    source = find_base_model(name)
    if source.path.is_file():
        parts = _load_single_file(source.path, unet_dtype, SD15_CONFIGS)
    else:
        parts = _load_folder(source.path, unet_dtype)
    return _frozen(parts, prediction_type, name, source.notices)


def load_single_file(file: Path, unet_dtype: torch.dtype, configs: Path) -> BaseModel:
    """Load a file in the layout of the original Stable Diffusion code, whose shapes a folder of configs describes.

    Raises ModelError if the file does not fit the configs.
    """
    check_single_file(file, configs)
    return _frozen(_load_single_file(file, unet_dtype, configs), "auto", str(file), ())


def fingerprint(module: nn.Module) -> str:
    """SHA-256, in hex, of the names, types, shapes and bytes of a module's weights and buffers."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _load_folder(folder: Path, unet_dtype: torch.dtype) -> dict[str, Any]:
    return {
        "unet": _load_part(folder, "unet", UNet2DConditionModel, unet_dtype),
        "vae": _load_part(folder, "vae", AutoencoderKL, torch.float32),
        "text_encoder": _load_part(folder, "text_encoder", CLIPTextModel, torch.float32),
        "tokenizer": _load_tokenizer(folder),
        "scheduler": _load_scheduler(folder),
    }


def _load_part(folder: Path, part: str, kind: Any, dtype: torch.dtype) -> nn.Module:
    """One set of weights. A missing tensor would otherwise be made up at random, with only a warning."""
    with _told_as_damage(folder, part):
        module, info = kind.from_pretrained(
            folder / part,
            dtype=dtype,
            variant=weights_variant(folder, part),
            use_safetensors=True,
            local_files_only=True,
            low_cpu_mem_usage=True,
            output_loading_info=True,
        )
        if missing := sorted(info["missing_keys"]):
            raise ValueError(f"{len(missing)} tensors are missing, such as {missing[0]}")
    return module  # type: ignore[no-any-return]


def _load_tokenizer(folder: Path) -> CLIPTokenizer:
    with _told_as_damage(folder, "tokenizer"):
        tokenizer: CLIPTokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    return tokenizer


def _load_scheduler(folder: Path) -> SchedulerMixin:
    with _told_as_damage(folder, "scheduler"):
        name = DDPMScheduler.load_config(folder / "scheduler")["_class_name"]
        scheduler = getattr(diffusers, name).from_pretrained(folder / "scheduler", local_files_only=True)
        if not hasattr(scheduler, "alphas_cumprod"):
            raise ValueError(f"{name} has no noise schedule of SD 1.5's kind")
    return scheduler


def _load_single_file(file: Path, unet_dtype: torch.dtype, configs: Path) -> dict[str, Any]:
    options: dict[str, Any] = {"config": str(configs), "local_files_only": True}
    with _told_as_damage(file, "checkpoint"):
        try:
            pipeline = StableDiffusionPipeline.from_single_file(
                str(file),
                torch_dtype=torch.float32,
                unet=UNet2DConditionModel.from_single_file(
                    str(file), subfolder="unet", torch_dtype=unet_dtype, **options
                ),
                tokenizer=clip_tokenizer(read_merges(configs / "tokenizer" / "merges.txt")),
                safety_checker=None,
                feature_extractor=None,
                **options,
            )
            pipeline.text_encoder.to("cpu")  # where the other two are moved by diffusers
        except NotImplementedError as error:  # torch's word for moving weights that were never filled in
            raise ValueError("some tensors are missing from the file") from error
    return {name: getattr(pipeline, name) for name in ("unet", "vae", "text_encoder", "tokenizer", "scheduler")}


@contextmanager
def _told_as_damage(path: Path, part: str) -> Iterator[None]:
    """What the libraries raise over files that are damaged or do not fit their config, as a ModelError."""
    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"The {part} of the base model {path} cannot be loaded", why, "Fetch it again; it may be damaged."
        ) from error


def _frozen(parts: dict[str, Any], prediction_type: PredictionType, source: str, notices: tuple[str, ...]) -> BaseModel:
    for part in ("unet", "vae", "text_encoder"):
        parts[part].eval().requires_grad_(False)
    predicted = prediction_type
    if predicted == "auto":
        predicted = parts["scheduler"].config.get("prediction_type", "epsilon")
    if predicted not in {"epsilon", "v_prediction"}:
        raise ModelError(
            f"The base model {source} predicts {predicted}",
            "Only epsilon and v_prediction can be trained.",
            "Set prediction_type if the model's config is wrong.",
        )
    scheduler = type(parts["scheduler"]).from_config(parts["scheduler"].config, prediction_type=predicted)
    return BaseModel(
        unet=parts["unet"],
        vae=parts["vae"],
        text_encoder=parts["text_encoder"],
        tokenizer=parts["tokenizer"],
        noise_scheduler=DDPMScheduler.from_config(scheduler.config),
        scheduler=scheduler,
        source=source,
        notices=notices,
    )
