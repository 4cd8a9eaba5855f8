"""Write the trained adapter in the formats of other software, and the base model with the adapter merged in."""

import copy
import json
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from diffusers.loaders.lora_base import LORA_ADAPTER_METADATA_KEY
from safetensors.torch import save_file
from torch import Tensor

from engine.atomic_folder import atomic_folder
from engine.contract.config import TrainingConfig
from engine.contract.errors import TrainingError
from engine.contract.saved_adapters import ADAPTER_FILE
from engine.lora import ADAPTER_NAME, PEFT_PREFIX, adapter_state
from engine.model import BaseModel
from engine.model_card import model_card

DIFFUSERS_FILE = "pytorch_lora_weights.safetensors"
MODEL_CARD = "README.md"
SD2_TEXT_WIDTH = 1024  # SD 1.x reads text of width 768


def export_adapter(
    unet: UNet2DConditionModel,
    config: TrainingConfig,
    folder: Path,
    *,
    run_name: str,
    step: int,
    train_samples: int,
) -> list[Path]:
    """Write the adapter for peft, diffusers, and ComfyUI or A1111, and a model card; returns the files.

    An older export stays until the new one is complete on disk. Raises TrainingError, writing nothing, if a weight is
    not finite.
    """
    state = adapter_state(unet)
    if broken := [name for name, tensor in state.items() if not tensor.isfinite().all()]:
        raise TrainingError(
            "The adapter is not exported",
            f"{len(broken)} of {len(state)} tensors hold numbers that are not finite, such as {broken[0]}.",
            "Resume from an earlier checkpoint with a lower learning rate.",
        )
    kohya_file = f"{run_name}_kohya.safetensors"
    with atomic_folder(folder) as fresh:
        _write_peft(unet, state, config, fresh)
        _write_diffusers(state, config, fresh / DIFFUSERS_FILE)
        header = kohya_header(config, run_name, step, train_samples, unet.config.cross_attention_dim)
        save_file(kohya_state(state, config.lora_alpha), fresh / kohya_file, metadata=header)
        (fresh / MODEL_CARD).write_text(model_card(config, run_name, step, train_samples, kohya_file), encoding="utf-8")
    return sorted(folder.iterdir())


def export_pipeline(base: BaseModel, folder: Path) -> Path:
    """Save the base model with the adapter merged in, in fp32, for StableDiffusionPipeline.from_pretrained.

    `base.unet` is changed: it loses its adapter, which becomes part of its weights. Export the adapter first.
    """
    base.unet.to("cpu", torch.float32)  # merged in fp16, small changes would be rounded away
    base.unet.fuse_lora()
    base.unet.unload_lora()
    pipeline = StableDiffusionPipeline(
        vae=base.vae,
        text_encoder=base.text_encoder,
        tokenizer=base.tokenizer,
        unet=base.unet,
        scheduler=base.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    with atomic_folder(folder) as fresh:
        pipeline.save_pretrained(fresh, safe_serialization=True)
    return folder


def _write_peft(unet: UNet2DConditionModel, state: dict[str, Tensor], config: TrainingConfig, folder: Path) -> None:
    """adapter_model.safetensors and adapter_config.json, for PeftModel.from_pretrained(unet, folder)."""
    save_file(
        {f"{PEFT_PREFIX}{name}": tensor for name, tensor in state.items()},
        folder / ADAPTER_FILE,
        metadata={"format": "pt"},
    )
    settings = copy.copy(unet.peft_config[ADAPTER_NAME])
    settings.base_model_name_or_path = config.pretrained_model_name_or_path
    settings.target_modules = sorted(config.lora_target_modules)  # peft's set has another order in each process
    settings.inference_mode = True
    settings.save_pretrained(folder)


def _write_diffusers(state: dict[str, Tensor], config: TrainingConfig, file: Path) -> None:
    """The file that load_lora_weights looks for; without the metadata alpha would be lost.

    All names keep peft's lora_A and lora_B. convert_state_dict_to_diffusers renames those of attention alone, and
    from such a mixture diffusers loads only a part, with no more than a warning.
    """
    settings = {
        "r": config.lora_rank,
        "lora_alpha": config.lora_alpha,
        "target_modules": sorted(config.lora_target_modules),
    }
    metadata = {f"unet.{name}": value for name, value in settings.items()}
    save_file(
        {f"unet.{name}": tensor for name, tensor in state.items()},
        file,
        metadata={"format": "pt", LORA_ADAPTER_METADATA_KEY: json.dumps(metadata, sort_keys=True)},
    )


def kohya_state(state: dict[str, Tensor], alpha: float) -> dict[str, Tensor]:
    """The weights by the names of kohya-ss/sd-scripts, each layer with its alpha."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        layer, matrix, _ = name.rsplit(".", 2)
        layer = "lora_unet_" + layer.replace(".", "_")
        renamed[f"{layer}.{'lora_down' if matrix == 'lora_A' else 'lora_up'}.weight"] = tensor
        renamed[f"{layer}.alpha"] = torch.tensor(float(alpha))
    return renamed


def kohya_header(
    config: TrainingConfig, run_name: str, step: int, train_samples: int, text_width: int
) -> dict[str, str]:
    """The header fields by which ComfyUI, A1111 and model sites describe a LoRA; names as in kohya-ss/sd-scripts."""
    generation = 2 if text_width == SD2_TEXT_WIDTH else 1
    velocity = config.prediction_type == "v_prediction"
    fields: dict[str, Any] = {
        "ss_network_module": "networks.lora",
        "ss_network_dim": config.lora_rank,
        "ss_network_alpha": config.lora_alpha,
        "ss_network_dropout": config.lora_dropout or None,
        "ss_base_model_version": f"sd_v{generation}{'_v' if velocity else ''}",
        "ss_v2": generation == 2,
        "ss_sd_model_name": Path(config.pretrained_model_name_or_path).name,
        "ss_output_name": run_name,
        "ss_learning_rate": config.learning_rate,
        "ss_unet_lr": config.learning_rate,
        "ss_optimizer": "torch.optim.adamw.AdamW",
        "ss_lr_scheduler": config.lr_scheduler,
        "ss_lr_warmup_steps": config.lr_warmup_steps,
        "ss_max_train_steps": config.max_train_steps,
        "ss_steps": step,
        "ss_num_train_images": train_samples,
        "ss_total_batch_size": config.effective_batch_size,
        "ss_gradient_accumulation_steps": config.gradient_accumulation_steps,
        "ss_gradient_checkpointing": config.gradient_checkpointing != "none",
        "ss_mixed_precision": config.mixed_precision,
        "ss_max_grad_norm": config.max_grad_norm,
        "ss_min_snr_gamma": config.snr_gamma,
        "ss_noise_offset": config.noise_offset or None,
        "ss_caption_dropout_rate": config.caption_dropout,
        "ss_seed": config.seed,
        "ss_resolution": f"({config.resolution}, {config.resolution})",
        "ss_training_comment": "trained with shoelora-tui",
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": f"stable-diffusion-v{generation}/lora",
        "modelspec.implementation": "diffusers",
        "modelspec.title": run_name,
        "modelspec.resolution": f"{config.resolution}x{config.resolution}",
    }
    return {"format": "pt", **{name: str(value) for name, value in fields.items()}}
