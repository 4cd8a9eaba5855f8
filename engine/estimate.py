"""What a run will need in memory and on disk, told before it starts; plain arithmetic over measured figures."""

from pathlib import Path

from engine.contract.config import TrainingConfig

GIB = 2**30
SD15_BYTES = round((3.20 + 0.46 + 0.31) * GIB)  # UNet, text encoder and VAE in fp32
SMALL_MODEL = GIB  # bytes; nothing of SD 1.5's size fits in less, even in fp16
PROCESS = round(1.5 * GIB)  # Python with torch, diffusers and their libraries
# UNet weights, and activations per sample at 512 px with LoRA rank 8; computed on meta tensors, fp32 and half.
UNET_GIB = {"no": 3.2, "fp16": 1.6, "bf16": 1.6}
ACTIVATION_GIB = {
    "none": {"no": 5.1, "fp16": 4.65, "bf16": 4.65},
    "attention": {"no": 2.95, "fp16": 2.5, "bf16": 2.5},
    "full": {"no": 1.8, "fp16": 1.65, "bf16": 1.65},
}
ADAPTER_RANK_8 = 6_400_000  # bytes in fp32, on the attention projections; grows with the rank
CHECKPOINT_COPIES = 3  # the adapter and AdamW's two moments
EMBEDDING = 77 * 768 * 4  # bytes of one caption's embedding
LATENT = 4 * 4 * 2  # bytes of one latent pixel: four channels in fp32, mean and deviation
IMAGE_SHARE = 1.5  # bytes of PNG per pixel of a validation image


def model_bytes(name: str) -> int:
    """Size of a base model on disk; SD 1.5's if it is not here as a path."""
    path = Path(name)
    if path.is_file():
        return path.stat().st_size
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*.safetensors"))
    return SD15_BYTES


def memory_need(config: TrainingConfig, base_bytes: int) -> int:
    """Bytes at the peak of a training step, weights and process included; for small models the process alone."""
    if base_bytes < SMALL_MODEL:
        return PROCESS
    pixels = (config.resolution / 512) ** 2
    activations = ACTIVATION_GIB[config.gradient_checkpointing][config.mixed_precision]
    step = UNET_GIB[config.mixed_precision] + activations * config.train_batch_size * pixels
    return PROCESS + round(step * GIB)


def disk_need(config: TrainingConfig, base_bytes: int, samples: int) -> int:
    """Bytes that a run adds to the workspace: cache, checkpoints, validation images, adapter, merged pipeline."""
    flips = 2 if config.random_flip else 1
    cache = samples * (LATENT * (config.resolution // 8) ** 2 * flips + EMBEDDING)
    adapter = 0 if base_bytes < SMALL_MODEL else ADAPTER_RANK_8 * config.lora_rank // 8
    checkpoints = (
        adapter * CHECKPOINT_COPIES * (config.checkpoints_total_limit + 1)
    )  # the newest before the oldest goes
    validations = 2 + config.max_train_steps // config.validation_steps
    images = round(validations * config.num_validation_images * config.resolution**2 * IMAGE_SHARE)
    merged = max(base_bytes, SD15_BYTES if base_bytes >= SMALL_MODEL else 0) if config.save_final_pipeline else 0
    return cache + adapter + checkpoints + images + merged
