"""Everything before the first step: device, data, base model, caches, adapter; shared by training and preflight."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import torch
from diffusers import AutoencoderTiny

from engine import device as devices
from engine.attention import set_gradient_checkpointing
from engine.contract import adjustments
from engine.contract.adjustments import Adjustments
from engine.contract.config import TrainingConfig
from engine.contract.config_file import validate
from engine.contract.errors import DataError, DeviceError, ModelError
from engine.contract.protocol import TrainingPrepared, WarningRaised
from engine.contract.run_dir import Workspace
from engine.dataset import (
    Dataset,
    check_pictures,
    held_out_count,
    problem_lines,
    read_dataset,
    require_usable,
    split,
)
from engine.fitting import fit
from engine.latent_cache import EmbeddingCache, LatentCache, Progress
from engine.lora import add_adapter
from engine.model import BaseModel, load_base_model, load_preview_decoder
from engine.noise import SampleStream
from engine.picture_caching import cache_pictures
from engine.picture_digests import PictureDigests
from engine.training_data import TrainingData

Phases = Callable[[str], Progress]  # names a phase, returns the function that reports its progress
Warn = Callable[[WarningRaised], None]
Lap = Callable[[str], None]  # names what the time went into since the lap before


@dataclass
class Prepared:
    """All that training needs. The UNet is on the device; VAE and text encoder are on the CPU."""

    config: TrainingConfig
    device: devices.Device
    precision: devices.Precision
    base: BaseModel
    data: TrainingData
    parameters: list[torch.nn.Parameter]  # of the adapter
    chosen: Adjustments = field(default_factory=Adjustments)  # what auto became; the config has it already
    preview_decoder: AutoencoderTiny | None = None  # on the CPU; None draws no previews

    def summary(self) -> TrainingPrepared:
        """What was chosen, as an event."""
        return TrainingPrepared(
            device=self.device.name,
            device_reason=self.device.reason,
            dtype=self.precision.label,
            dtype_reason=self.precision.reason,
            train_samples=len(self.data.training),
            validation_samples=len(self.data.validation),
            skipped_samples=self.data.skipped,
            trainable_parameters=sum(parameter.numel() for parameter in self.parameters),
            train_batch_size=self.config.micro_batch_size,
            gradient_accumulation_steps=self.config.gradient_accumulation_steps,
            gradient_checkpointing=self.config.checkpointing_mode,
            memory_reason=self.chosen.why,
        )


def prepare(
    config: TrainingConfig, workspace: Workspace, phases: Phases, warn: Warn, lap: Lap = lambda _: None
) -> Prepared:
    """Make ready to train. Raises a ShoeloraError for anything that stands against it, the cheapest causes first."""
    device = devices.choose_device(config.device)
    devices.keep_freed_memory(device)
    config = validate({**config.model_dump(), "device": device.name})  # what auto became must fit
    precision = devices.choose_precision(config.mixed_precision, device)
    if config.torch_compile:
        devices.require_compiler(device)
    _require_batch_fits(config, device)
    fitting = fit(config, devices.room(device, config.num_processes))
    config = adjustments.apply(config, fitting.adjustments)
    if fitting.is_tight:
        remedy = "Close other programs; else set a smaller resolution, or mixed_precision fp16 where there is a GPU."
        warn(WarningRaised("Memory may run out", f"{fitting.adjustments.why}.", remedy))
    dataset = _read_usable(config, phases)

    with PictureDigests(workspace.cache, dataset.samples, config.dataloader_num_workers) as digests:
        lap("data")
        base = load_model(config, precision, phases, warn)
        lap("weights")
        devices.choose_threads(device, sum(parameter.numel() for parameter in base.unet.parameters()))
        data = _cache_data(config, workspace, dataset, digests, base, device, phases, warn)
        lap("data")

    parameters = add_adapter(base.unet, config)
    set_gradient_checkpointing(base.unet, config.checkpointing_mode)
    devices.move(base.unet, device)
    decoder = _preview_decoder(config, base, warn)
    return Prepared(config, device, precision, base, data, parameters, fitting.adjustments, decoder)


def _preview_decoder(config: TrainingConfig, base: BaseModel, warn: Warn) -> AutoencoderTiny | None:
    """What decodes previews, if they are wanted; no run ends for want of it."""
    if not config.preview_decoder:
        return None
    try:
        return load_preview_decoder(config.preview_decoder, base)
    except ModelError as error:
        warn(WarningRaised(error.what, error.why, f"There will be no previews. {error.remedy}"))
        return None


def _require_batch_fits(config: TrainingConfig, device: devices.Device) -> None:
    most = devices.largest_batch(device, config.resolution)
    if most is not None and config.micro_batch_size > most:
        raise DeviceError(
            f"train_batch_size {config.micro_batch_size} is too large for {device.name} at {config.resolution} px",
            "Beyond 32,768 attention rows it may compute wrong gradients (pytorch #177116).",
            f"Set train_batch_size to {most} or less and raise gradient_accumulation_steps."
            if most
            else "Set a smaller resolution.",
        )


def load_model(config: TrainingConfig, precision: devices.Precision, phases: Phases, warn: Warn) -> BaseModel:
    """The base model on the CPU, with its notices raised as warnings."""
    progress = phases("loading the base model")
    progress(0, 1)
    base = load_base_model(config.pretrained_model_name_or_path, precision.base_dtype, config.prediction_type)
    for notice in base.notices:
        warn(WarningRaised(notice, "The name in the config is out of date.", "Put the new name into the config."))
    progress(1, 1)
    return base


def _read_usable(config: TrainingConfig, phases: Phases) -> Dataset:
    """The data set. One that cannot do is refused early, with its unreadable pictures, so that all is told at once."""
    dataset = read_dataset(Path(config.train_data_dir))
    try:
        _require_usable(dataset, config)
    except DataError:
        threads = config.dataloader_num_workers
        _require_usable(check_pictures(dataset, threads, lambda _: False, phases("checking pictures")), config)
    return dataset


def _require_usable(dataset: Dataset, config: TrainingConfig) -> None:
    total = len(dataset.samples)
    require_usable(dataset, config.effective_batch_size, held_out_count(total, config.validation_split))


def _cache_data(
    config: TrainingConfig, workspace: Workspace, dataset: Dataset, reading: PictureDigests, base: BaseModel,
    device: devices.Device, phases: Phases, warn: Warn,
) -> TrainingData:  # fmt: skip
    """Encode what no cache has, and leave out what cannot be read."""
    with ThreadPoolExecutor(2) as beside:  # each reads all weights of its encoder, to know whose work it holds
        opening_latents = beside.submit(LatentCache, workspace.cache, base.vae, config.resolution)
        opening_embeddings = beside.submit(EmbeddingCache, workspace.cache, base.tokenizer, base.text_encoder)
        digests = reading.of_all(phases("reading pictures"))
    latents, embeddings = opening_latents.result(), opening_embeddings.result()
    _warn_of_damage([*reading.damaged, *latents.damaged, *embeddings.damaged], warn)

    def checked(readable: Dataset) -> None:
        _require_usable(readable, config)
        _warn_of_skipped(readable, warn)

    dataset = cache_pictures(dataset, digests, latents, config, device, checked, phases("caching latents"))
    training, validation = (
        [(sample, digests[sample.id]) for sample in part]
        for part in split(dataset, config.validation_split, config.seed)
    )
    captions = [caption for sample in dataset.samples for caption in sample.captions]
    prompts = ["", config.validation_negative_prompt, *config.validation_prompts]
    embeddings.fill([*prompts, *captions], device.torch, phases("caching captions"))
    devices.empty_cache(device)

    channels, height, width = latents.get(training[0][1], flipped=False)[0].shape
    stream = SampleStream(
        seed=config.seed,
        size=len(training),
        latent_shape=(channels, height, width),
        timesteps=base.noise_scheduler.config.num_train_timesteps,
        random_flip=config.random_flip,
        caption_dropout=config.caption_dropout,
        noise_offset=config.noise_offset,
    )
    scale = float(base.vae.config.scaling_factor)
    return TrainingData(training, validation, latents, embeddings, stream, scale, dataset.bad)


def _warn_of_skipped(dataset: Dataset, warn: Warn) -> None:
    if not dataset.problems:
        return
    what = f"{dataset.bad} of {dataset.total} training items are skipped"
    warn(WarningRaised(what, "; ".join(problem_lines(dataset)), "Mend or remove them before the next run."))


def _warn_of_damage(files: list[Path], warn: Warn) -> None:
    if not files:
        return
    what = f"{len(files)} cache file{'s were' if len(files) > 1 else ' was'} damaged"
    named = ", ".join(f"{file.parent.name}/{file.name}" for file in files)
    why = f"Torn by a crash or a full disk, or the disk fails: {named}."
    warn(WarningRaised(what, why, "What they lost is computed anew. If it happens again, check the disk."))
