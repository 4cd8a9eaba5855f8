"""What a run will need in memory, on disk and in operations; plain arithmetic over measured figures."""

from dataclasses import asdict, astuple, dataclass
from pathlib import Path

from engine.activations import MicroBatch, activation_bytes, inference_bytes
from engine.contract.config import TrainingConfig
from engine.contract.describe import size
from engine.contract.errors import TrainingError
from engine.machine import LAYER_SECONDS, Room
from engine.previews import PREVIEWED_IMAGES, preview_inference_steps, previews
from engine.unet_layers import SD15_UNET, UNetLayers, unet_layers

GIB = 2**30
SD15_BYTES = round((3.20 + 0.46 + 0.31) * GIB)  # UNet, text encoder and VAE in fp32
SMALL_MODEL = GIB  # bytes; nothing of SD 1.5's size fits in less, even in fp16
SD15_PARTS = {"text_encoder": round(0.46 * GIB), "vae": round(0.31 * GIB)}
LIBRARIES = round(0.6 * GIB)  # Python with torch, diffusers and what they load, and their work buffers
HEAP = 1.4  # bytes of a process for one of an activation on a CPU: what malloc leaves unused between small ones
BYTES = {"no": 4, "fp16": 2, "bf16": 2}  # of one weight of the base model
# One training step of a sample in forward passes: the backward pass, and what is computed twice. 1,718, 1,778 and 2,368
# GFLOP where a forward pass of SD 1.5 at 512 px has 803.
STEP_FORWARDS = {"none": 2.14, "attention": 2.21, "full": 2.95}
DECODING_FORWARDS = 3.1  # the VAE's decoder: 2,515 GFLOP for SD 1.5 at 512 px
DECODED_PIXEL = 3 * 256 * 4  # bytes for each pixel while SD 1.5's VAE decodes: three tensors of 256 channels
ADAPTER_COPIES = 4  # in memory: the adapter, its gradients, and AdamW's two moments
CHECKPOINT_COPIES = 3  # on disk: the same without the gradients
EXPORTS = 3  # the adapter for peft, for diffusers, and by kohya's names
TENSOR_HEADER = 170  # bytes of a safetensors header for the name, type, shape and place of one tensor
EMBEDDING = 77 * 768 * 4  # bytes of one caption's embedding
LATENT = 4 * 4 * 2  # bytes of one latent pixel: four channels in fp32, mean and deviation
IMAGE_SHARE = 1.5  # bytes of PNG per pixel of a validation image


@dataclass(frozen=True)
class MemoryParts:
    """Bytes at the peak of a training step."""

    weights: int
    activations: int
    optimizer: int  # with the adapter and its gradients
    process: int  # the libraries, and the encoders, which rest on the CPU

    @property
    def total(self) -> int:
        """All of it."""
        return sum(astuple(self))


@dataclass(frozen=True)
class DiskParts:
    """Bytes that a run adds to the workspace."""

    cache: int
    checkpoints: int
    images: int
    adapter: int
    pipeline: int

    @property
    def total(self) -> int:
        """All of it."""
        return sum(astuple(self))


def model_bytes(name: str) -> int:
    """Size of a base model on disk; SD 1.5's if it is not here as a path."""
    path = Path(name)
    if path.is_file():
        return path.stat().st_size
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*.safetensors"))
    return SD15_BYTES


def encoder_bytes(name: str) -> int:
    """What text encoder and VAE take in memory; SD 1.5's if the base model is not here as a folder."""
    return sum(part_bytes(name, part) for part in SD15_PARTS)


def part_bytes(name: str, part: str) -> int:
    """What the text_encoder or the vae of a base model takes in memory; SD 1.5's if it is not here as a folder."""
    files = list((Path(name) / part).glob("*.safetensors"))
    return max((file.stat().st_size for file in files), default=SD15_PARTS[part])  # of several, the one in fp32


def model_layers(config: TrainingConfig) -> UNetLayers:
    """The layers of the config's UNet; SD 1.5's if the base model does not say."""
    own = Path(config.pretrained_model_name_or_path) / "unet" / "config.json"
    try:
        return unet_layers(own, config.resolution)
    except (OSError, ValueError, KeyError, TypeError):
        return unet_layers(SD15_UNET, config.resolution)


def adapter_parameters(config: TrainingConfig) -> int:
    """Trainable numbers for the chosen targets and rank."""
    targets = model_layers(config).targets(config.lora_target_modules)
    return sum(layer.adapter_parameters(config.lora_rank) for layer in targets)


def adapter_bytes(config: TrainingConfig) -> int:
    """Size of the adapter's file: two fp32 tensors for each layer, and the header that names them."""
    tensors = 2 * len(model_layers(config).targets(config.lora_target_modules))
    return 4 * adapter_parameters(config) + TENSOR_HEADER * tensors


def memory_parts(config: TrainingConfig, room: Room) -> MemoryParts:
    """Bytes at the peak of a training step on a device, by what they are for."""
    layers = model_layers(config)
    number = BYTES[config.mixed_precision]
    targets = frozenset(layer.name for layer in layers.targets(config.lora_target_modules))
    micro_batch = MicroBatch(
        config.micro_batch_size, config.checkpointing_mode, number, room.keeps_scores, targets, config.lora_rank
    )
    activations = activation_bytes(layers, micro_batch)
    return MemoryParts(
        weights=base_parameters(config) * number,
        activations=_held(activations, room),
        optimizer=ADAPTER_COPIES * 4 * adapter_parameters(config),
        process=LIBRARIES + encoder_bytes(config.pretrained_model_name_or_path),
    )


def _held(tensors: int, room: Room) -> int:
    """What tensors of so many bytes take of the room."""
    return round(tensors * HEAP) if room.owner == "machine" else tensors


def guided_samples(config: TrainingConfig) -> int:
    """How many samples the UNet sees of one picture in a denoising step: guidance takes a second one."""
    return 2 if config.validation_guidance_scale > 1 else 1


def drawing_bytes(config: TrainingConfig, room: Room) -> int:
    """Bytes that one more picture takes while a batch of them is denoised, which guidance doubles."""
    sample = inference_bytes(model_layers(config), BYTES[config.mixed_precision], room.keeps_scores)
    return _held(guided_samples(config) * sample, room)


def decoding_bytes(config: TrainingConfig, room: Room) -> int:
    """Bytes that one more picture takes while a batch of them is decoded."""
    return _held(DECODED_PIXEL * config.resolution**2, room)


def disk_parts(config: TrainingConfig, base_bytes: int, samples: int) -> DiskParts:
    """Bytes that a run adds to the workspace, by what they are for; what the cache holds already is not looked up."""
    flips = 2 if config.random_flip else 1
    adapter = adapter_bytes(config)
    drawn = validations(config) * config.num_validation_images + previews(config) * PREVIEWED_IMAGES
    images = drawn * config.resolution**2 * IMAGE_SHARE
    merged = max(base_bytes, SD15_BYTES if base_bytes >= SMALL_MODEL else 0)
    return DiskParts(
        cache=samples * (LATENT * (config.resolution // 8) ** 2 * flips + EMBEDDING),
        # one more than is kept: the newest is there before the oldest goes
        checkpoints=adapter * CHECKPOINT_COPIES * (config.checkpoints_total_limit + 1),
        images=round(images),
        adapter=adapter * EXPORTS,
        pipeline=merged if config.save_final_pipeline else 0,
    )


def disk_need(config: TrainingConfig, base_bytes: int, samples: int) -> int:
    """Bytes that a run adds to the workspace: cache, checkpoints, validation images, adapter, merged pipeline."""
    return disk_parts(config, base_bytes, samples).total


def shortage(config: TrainingConfig, need: DiskParts, free: int) -> TrainingError | None:
    """What is wrong if a run would fill the disk up; sizes in bytes."""
    if need.total <= free:
        return None
    parts = [f"{name} {size(part)}" for name, part in asdict(need).items() if part]
    return TrainingError(
        f"The disk has too little room: the run needs about {size(need.total)}, {size(free)} are free",
        f"It writes: {', '.join(parts)}.",
        "Make room, or lower checkpoints_total_limit or num_validation_images"
        + (", or set save_final_pipeline false." if config.save_final_pipeline else "."),
    )


def validations(config: TrainingConfig) -> int:
    """How often a run validates: before the first step, at every interval, and after the last."""
    return 2 + (config.max_train_steps - 1) // config.validation_steps


def step_operations(config: TrainingConfig) -> float:
    """Floating-point operations of one optimizer step."""
    forward = model_layers(config).forward_operations
    return forward * STEP_FORWARDS[config.checkpointing_mode] * config.effective_batch_size


def base_parameters(config: TrainingConfig) -> int:
    """Numbers of the UNet."""
    return sum(layer.weights for layer in model_layers(config).layers)


def step_seconds(config: TrainingConfig, operations_per_second: float) -> float:
    """Seconds of one optimizer step in one process, computed: the operations, and what every layer of a micro-batch
    takes at least.
    """
    started = len(model_layers(config).layers) * config.gradient_accumulation_steps
    return step_operations(config) / operations_per_second + started * LAYER_SECONDS


def drawing_operations(config: TrainingConfig) -> float:
    """Floating-point operations of all images of a run, previews among them; guidance takes a second forward pass."""
    passes = guided_samples(config)
    each = config.validation_inference_steps * passes + DECODING_FORWARDS
    full = validations(config) * config.num_validation_images * each
    light = previews(config) * PREVIEWED_IMAGES * preview_inference_steps(config) * passes
    return model_layers(config).forward_operations * (full + light)
