"""Load a base model: UNet, VAE, text encoder, tokenizer and noise schedule, frozen and on the CPU."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import diffusers
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, DDPMScheduler, SchedulerMixin, UNet2DConditionModel
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from engine.clip_bpe import clip_tokenizer, read_merges
from engine.contract.errors import ModelError, first_line
from engine.model_source import SD15_CONFIGS, find_base_model, find_preview_decoder, weights_variant

TEXT_ENCODER_PREFIX = "cond_stage_model.transformer.text_model."  # in single files
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
        parts = _load_single_file(source.path, unet_dtype)
    else:
        parts = _load_folder(source.path, unet_dtype)
    return _frozen(parts, prediction_type, name, source.notices)


def load_preview_decoder(name: str, base: BaseModel) -> AutoencoderTiny:
    """Load what decodes previews, by path or hub id: frozen, in fp32, on the CPU. Raises ModelError if it cannot be."""
    folder = find_preview_decoder(name, find_base_model(base.source))
    with _told_as_damage(f"preview_decoder {name}"):
        decoder, info = AutoencoderTiny.from_pretrained(
            folder, torch_dtype=torch.float32, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
        if missing := sorted(info["missing_keys"]):
            raise ValueError(f"{len(missing)} tensors are missing, such as {missing[0]}")
    return decoder.eval().requires_grad_(False)


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
    with _told_as_damage(f"The {part} of the base model {folder}"):
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
    with _told_as_damage(f"The tokenizer of the base model {folder}"):
        tokenizer: CLIPTokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    return tokenizer


def _load_scheduler(folder: Path) -> SchedulerMixin:
    with _told_as_damage(f"The scheduler of the base model {folder}"):
        name = DDPMScheduler.load_config(folder / "scheduler")["_class_name"]
        scheduler = getattr(diffusers, name).from_pretrained(folder / "scheduler", local_files_only=True)
        if not hasattr(scheduler, "alphas_cumprod"):
            raise ValueError(f"{name} has no noise schedule of SD 1.5's kind")
    return scheduler


def _load_single_file(file: Path, unet_dtype: torch.dtype) -> dict[str, Any]:
    """A file in the layout of the original Stable Diffusion code; its configs are SD 1.5's."""
    options: dict[str, Any] = {"config": str(SD15_CONFIGS), "local_files_only": True}
    with _told_as_damage(f"The checkpoint of the base model {file}"):
        try:
            # Each part maps the file for itself, so that what is converted to another type leaves memory at once.
            unet = UNet2DConditionModel.from_single_file(str(file), subfolder="unet", torch_dtype=unet_dtype, **options)
            vae = AutoencoderKL.from_single_file(str(file), subfolder="vae", torch_dtype=torch.float32, **options)
        except NotImplementedError as error:  # torch's word for moving weights that were never filled in
            raise ValueError("some tensors are missing from the file") from error
        text_encoder = _text_encoder_of_single_file(file)
    return {
        "unet": unet,
        "vae": vae,
        "text_encoder": text_encoder,
        "tokenizer": clip_tokenizer(read_merges(SD15_CONFIGS / "tokenizer" / "merges.txt")),
        "scheduler": _load_scheduler(SD15_CONFIGS),
    }


def _text_encoder_of_single_file(file: Path) -> CLIPTextModel:
    with safe_open(file, framework="pt") as weights:
        names = [name for name in weights.keys() if name.startswith(TEXT_ENCODER_PREFIX)]  # noqa: SIM118 (no dict)
        state = {name.removeprefix(TEXT_ENCODER_PREFIX): weights.get_tensor(name) for name in names}
    kind: Any = CLIPTextModel
    module, info = kind.from_pretrained(
        None,
        config=CLIPTextConfig.from_pretrained(SD15_CONFIGS / "text_encoder"),
        state_dict=state,
        dtype=torch.float32,
        output_loading_info=True,
    )
    if missing := sorted(info["missing_keys"]):
        raise ValueError(f"{len(missing)} tensors are missing, such as {missing[0]}")
    return module  # type: ignore[no-any-return]


@contextmanager
def _told_as_damage(what: str) -> Iterator[None]:
    """What the libraries raise over files that are damaged or do not fit their config, as a ModelError."""
    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise ModelError(f"{what} cannot be loaded", first_line(error), "Fetch it again; it may be damaged.") from error


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
