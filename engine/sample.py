"""`python -m engine.sample`: pictures of the base model, or of an adapter on it."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine import device as devices
from engine import tool
from engine.contract import generated
from engine.contract.config import TrainingConfig
from engine.contract.errors import TrainingError, first_line
from engine.contract.generated import GeneratedPicture
from engine.contract.protocol import PhaseProgressed
from engine.contract.run_dir import Workspace
from engine.latent_cache import EmbeddingCache
from engine.lora import load_adapter_file
from engine.preparation import load_model
from engine.validation import GeneratedImage, ImageGenerator, ImageSettings, save_labelled

PICTURES = 3  # where nobody says which


def sample(config: TrainingConfig, workspace: Workspace, arguments: argparse.Namespace) -> int:
    """Write the pictures and their list, and print their paths; exit code 1 if one of them cannot be right."""
    phases = _progress_as_lines if arguments.json else tool.print_progress
    device = devices.choose_device(config.device)
    precision = devices.choose_precision(config.mixed_precision, device)
    base = load_model(config, precision, phases, tool.print_warning)
    devices.choose_threads(device, sum(parameter.numel() for parameter in base.unet.parameters()))
    if arguments.adapter:
        load_adapter_file(base.unet, arguments.adapter, arguments.adapter_weight)

    wanted = _wanted(config, arguments)
    embeddings = EmbeddingCache(workspace.cache, base.tokenizer, base.text_encoder)
    texts = [config.validation_negative_prompt, *(prompt for prompt, _ in wanted)]
    embeddings.fill(texts, device.torch, phases("encoding prompts"))
    devices.move(base.unet, device)

    folder = arguments.output or workspace.outputs / "samples" / time.strftime("%Y%m%d-%H%M%S")
    folder.mkdir(parents=True, exist_ok=True)
    settings = ImageSettings.of(config, device)
    generator = ImageGenerator(base.unet, base, base.vae, embeddings, settings, device)
    pictures: list[GeneratedPicture] = []
    for made in _drawn(generator, wanted, phases("denoising")):
        pictures.append(_saved(made, folder, settings, base.source, arguments))
        generated.write_list(folder, pictures)
        _tell(pictures[-1], arguments.json)
    return 1 if any(picture.fault for picture in pictures) else 0


def _wanted(config: TrainingConfig, arguments: argparse.Namespace) -> list[tuple[str, int]]:
    """Prompts and seeds: the prompts that were given, or some of the config's, each so often; no seed comes twice."""
    given = [prompt for prompt in config.validation_prompts if prompt.strip()]
    prompts = arguments.prompt or (given * PICTURES)[:PICTURES]
    repeated = [prompt for prompt in prompts for _ in range(arguments.count)]
    return [(prompt, config.seed + index) for index, prompt in enumerate(repeated)]


def _drawn(
    generator: ImageGenerator, wanted: list[tuple[str, int]], progress: Callable[[int, int], Any]
) -> Iterator[GeneratedImage]:
    """The pictures in their order. Raises TrainingError if memory is too small for even one."""
    try:
        yield from generator.generate(wanted, progress)
    except Exception as error:
        if not devices.is_out_of_memory(error):
            raise
        raise TrainingError(
            "Memory ran out while a picture was drawn", first_line(error),
            "Close other programs, pause or stop a run on this device, or set a smaller resolution.",
        ) from error  # fmt: skip


def _saved(
    made: GeneratedImage, folder: Path, settings: ImageSettings, model: str, arguments: argparse.Namespace
) -> GeneratedPicture:
    """Write the PNG; its labels and the entry in the list say the same."""
    path = folder / f"{made.index:02d}.png"
    picture = GeneratedPicture(
        str(path), made.prompt, settings.negative_prompt, made.seed, settings.inference_steps, settings.guidance_scale,
        model, str(arguments.adapter) if arguments.adapter else None, arguments.adapter_weight, made.fault,
    )  # fmt: skip
    labels = {key: value for key, value in asdict(picture).items() if key not in {"file", "prompt", "seed", "fault"}}
    save_labelled(made, path, **{**labels, "adapter": picture.adapter or "none"})
    return picture


def _tell(picture: GeneratedPicture, as_json: bool) -> None:
    if as_json:
        print(generated.encode(picture), flush=True)
    else:
        print(f"{picture.file}  seed {picture.seed}  {picture.prompt}", flush=True)
    if picture.fault:
        print(f"[WARN] {Path(picture.file).name} {picture.fault}; try mixed_precision no.", file=sys.stderr)


def _progress_as_lines(phase: str) -> Callable[[int, int], None]:
    return lambda done, total: print(generated.encode(PhaseProgressed(phase, done, total)), flush=True)


def parser() -> argparse.ArgumentParser:
    """The arguments of this tool; seed, steps, guidance and negative prompt are settings of the config."""
    arguments = argparse.ArgumentParser(prog="engine.sample")
    arguments.add_argument("--adapter", type=Path)
    arguments.add_argument("--adapter-weight", type=generated.adapter_weight, default=1.0)
    arguments.add_argument("--prompt", action="append")
    arguments.add_argument("--count", type=generated.picture_count, default=1)
    arguments.add_argument("--output", type=Path)
    arguments.add_argument("--json", action="store_true")
    return arguments


if __name__ == "__main__":
    sys.exit(tool.run(parser(), sample))
