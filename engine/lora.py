"""The adapter: LoRA matrices put into a UNet through peft, and their weights taken out and put back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from diffusers.training_utils import cast_training_params
from peft import LoraConfig
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from engine.checkpoint import MANIFEST, load_checkpoint
from engine.contract.config import TrainingConfig
from engine.contract.errors import CheckpointError, ConfigError, ModelError
from engine.contract.saved_adapters import ADAPTER_FILE

ADAPTER_NAME = "default"
PEFT_PREFIX = "base_model.model."  # before every name in peft's own files
ADAPTER_CONFIG_FILE = "adapter_config.json"


def add_adapter(unet: UNet2DConditionModel, config: TrainingConfig) -> list[nn.Parameter]:
    """Put a fresh adapter into the UNet and return its weights, the only trainable parameters, in fp32.

    A is drawn on the CPU from `config.seed` with standard deviation 1 / rank, B is zero, so that the output is the
    base model's. The global generator is left as it was. Raises ConfigError for a target that matches no layer.
    """
    _check_targets(unet, config.lora_target_modules)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)  # not torch.manual_seed, which reseeds every device too
        _inject(unet, config.lora_rank, config.lora_alpha, config.lora_target_modules, config.lora_dropout)
    return list(_parameters(unet).values())


def adapter_state(unet: UNet2DConditionModel) -> dict[str, Tensor]:
    """The adapter's weights by peft's names: copies on the CPU, contiguous, fp32."""
    return {
        name: parameter.detach().to("cpu", torch.float32, copy=True).contiguous()
        for name, parameter in _parameters(unet).items()
    }


def load_adapter_state(unet: UNet2DConditionModel, state: Mapping[str, Tensor]) -> None:
    """Put weights back, bit for bit. Raises CheckpointError, changing nothing, if names or shapes are not the same."""
    parameters = _parameters(unet)
    faults = [f"{name} is missing" for name in parameters.keys() - state.keys()]
    faults += [f"{name} belongs to no layer" for name in state.keys() - parameters.keys()]
    faults += [
        f"{name} has shape {tuple(state[name].shape)}, not {tuple(parameter.shape)}"
        for name, parameter in parameters.items()
        if name in state and state[name].shape != parameter.shape
    ]
    if faults:
        raise CheckpointError(
            "The saved adapter does not fit this one",
            f"{len(faults)} of {len(parameters)} tensors differ, such as {min(faults)}.",
            "Use the base model, lora_rank and lora_target_modules that it was trained with.",
        )
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(state[name])


@dataclass(frozen=True)
class StoredAdapter:
    """An adapter as a file holds it: weights by peft's names, and what they were trained with."""

    state: Mapping[str, Tensor]
    rank: int
    alpha: float
    targets: list[str]
    base: str  # the base model's name or path; empty if nobody wrote it down


def load_adapter_file(unet: UNet2DConditionModel, path: Path, weight: float = 1.0) -> None:
    """Put a trained adapter into a UNet that has none; its output counts `weight` times, so that 0 is the base model.

    `path` is a lora_weights folder, a checkpoint, or the adapter_model.safetensors in one of them. Raises ModelError
    if it cannot be read or does not fit the UNet, which is then as before.
    """
    file = path / ADAPTER_FILE if path.is_dir() else path
    try:
        stored = _read_adapter(file)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError, CheckpointError) as error:
        raise ModelError(
            f"The adapter {path} cannot be read",
            f"{type(error).__name__}: {str(error).splitlines()[0]}",
            f"Give a run's lora_weights folder, with {ADAPTER_FILE} and {ADAPTER_CONFIG_FILE} in it, or a checkpoint.",
        ) from error
    try:
        _check_targets(unet, stored.targets)
        _inject(unet, stored.rank, stored.alpha, stored.targets, dropout=0.0)
        load_adapter_state(unet, stored.state)
    except (CheckpointError, ConfigError) as error:
        unet.unload_lora()
        raise ModelError(
            f"The adapter {path} does not fit this base model",
            f"{error.what}. {error.why}",
            f"Name the base model that it was trained on{f': {stored.base}' if stored.base else ''}.",
        ) from error
    unet.set_adapters(ADAPTER_NAME, weight)


def _read_adapter(file: Path) -> StoredAdapter:
    """An adapter from a checkpoint or from peft's two files."""
    if (file.parent / MANIFEST).is_file():
        saved, config = load_checkpoint(file.parent)
        return StoredAdapter(
            saved.adapter, config["lora_rank"], config["lora_alpha"], config["lora_target_modules"],
            config["pretrained_model_name_or_path"],
        )  # fmt: skip
    if file.name != ADAPTER_FILE and file.is_file():
        raise ValueError(f"{file.name} is in another format than {ADAPTER_FILE}.")
    settings = json.loads(file.with_name(ADAPTER_CONFIG_FILE).read_text(encoding="utf-8"))
    state = {name.removeprefix(PEFT_PREFIX): tensor for name, tensor in load_file(file).items()}
    base = settings.get("base_model_name_or_path") or ""
    return StoredAdapter(state, settings["r"], settings["lora_alpha"], settings["target_modules"], base)


def _inject(unet: UNet2DConditionModel, rank: int, alpha: float, targets: list[str], dropout: float) -> None:
    """Wrap the target layers; their base weights freeze, the adapter's are fp32 even where the base is not."""
    unet.add_adapter(
        LoraConfig(
            r=rank,
            lora_alpha=alpha,
            lora_dropout=dropout,
            target_modules=sorted(targets),
            init_lora_weights="gaussian",
        ),
        ADAPTER_NAME,
    )
    cast_training_params(unet, torch.float32)


def _parameters(unet: UNet2DConditionModel) -> dict[str, nn.Parameter]:
    """The adapter's parameters, in the UNet's order, by peft's names: the layer's, then lora_A or lora_B."""
    marker = f".{ADAPTER_NAME}."
    return {
        name.replace(marker, "."): parameter
        for name, parameter in unet.named_parameters()
        if ".lora_" in name and marker in name
    }


def _check_targets(unet: UNet2DConditionModel, targets: list[str]) -> None:
    """Raise ConfigError for a target without a layer (peft passes over it) or whose layer can carry no LoRA."""
    for target in targets:
        found = [module for name, module in unet.named_modules() if f".{name}".endswith(f".{target}")]
        if not found:
            raise ConfigError(
                f"lora_target_modules names {target}, and the UNet has no such module",
                "A name must be the ending, at a dot, of a module's name.",
                "Usual: to_q to_k to_v to_out.0, and for more capacity proj_in proj_out ff.net.0.proj ff.net.2.",
            )
        if wrong := next((module for module in found if not isinstance(module, nn.Linear | nn.Conv2d)), None):
            raise ConfigError(
                f"lora_target_modules names {target}, which cannot carry an adapter",
                f"It is a {type(wrong).__name__}; only Linear and Conv2d layers can.",
                f"Name the layers in it, such as {target}.0 or to_q.",
            )
