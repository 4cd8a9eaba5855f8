"""`python -m engine.sample`: pictures of the base model, or of an adapter on it."""

import argparse
import sys
import time
from pathlib import Path

from engine import device as devices
from engine import tool
from engine.contract.config import TrainingConfig
from engine.contract.run_dir import Workspace
from engine.latent_cache import EmbeddingCache
from engine.lora import load_adapter_file
from engine.preparation import load_model, write_demo
from engine.validation import ImageSettings, generate, save_labelled

PICTURES = 3


def sample(config: TrainingConfig, workspace: Workspace, arguments: argparse.Namespace) -> int:
    """Write the pictures and print their paths; exit code 1 if one of them cannot be right."""
    device = devices.choose_device(config.device)
    precision = devices.choose_precision(config.mixed_precision, device)
    write_demo(config, workspace)
    base = load_model(config, precision, tool.print_progress, tool.print_warning)
    devices.choose_threads(device, sum(parameter.numel() for parameter in base.unet.parameters()))
    if arguments.adapter:
        load_adapter_file(base.unet, arguments.adapter)

    given = arguments.prompt or [prompt for prompt in config.validation_prompts if prompt.strip()]
    prompts = given if arguments.prompt else (given * PICTURES)[:PICTURES]
    wanted = [(prompt, config.seed + index) for index, prompt in enumerate(prompts)]
    embeddings = EmbeddingCache(workspace.cache, base.tokenizer, base.text_encoder)
    devices.move(base.text_encoder, device)
    texts = [config.validation_negative_prompt, *prompts]
    embeddings.fill(texts, device.torch, tool.print_progress("encoding prompts"))
    devices.move(base.text_encoder, devices.CPU)
    devices.move(base.unet, device)

    folder = arguments.output or workspace.outputs / "samples" / time.strftime("%Y%m%d-%H%M%S")
    folder.mkdir(parents=True, exist_ok=True)
    faults = 0
    settings = ImageSettings.of(config, device, config.train_batch_size)
    for made in generate(base.unet, base, embeddings, wanted, settings, device, tool.print_progress("denoising")):
        path = folder / f"{made.index:02d}.png"
        save_labelled(made, path, model=base.source, adapter=arguments.adapter or "none")
        print(f"{path}  seed {made.seed}  {made.prompt}")
        if made.fault:
            faults += 1
            print(f"[WARN] {path.name} {made.fault}; try mixed_precision no.", file=sys.stderr)
    return 1 if faults else 0


def parser() -> argparse.ArgumentParser:
    """The arguments of this tool."""
    arguments = argparse.ArgumentParser(prog="engine.sample")
    arguments.add_argument("--adapter", type=Path)
    arguments.add_argument("--prompt", action="append")
    arguments.add_argument("--output", type=Path)
    return arguments


if __name__ == "__main__":
    sys.exit(tool.run(parser(), sample))
