"""Writes what the base model can do: contact sheets, and the autoencoder's error on pictures it never saw."""

import json
import math
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, StableDiffusionPipeline
from PIL import Image

from engine.demo.build.autoencoder import Pixels, to_values
from engine.demo.corpus import draw_thing
from engine.demo.drawing import draw_dataset
from engine.demo.palette import COLOURS
from engine.demo.things import KINDS

UNSEEN = 10_000_000  # number of the first drawing that training did not use
MEASURED = 96  # pictures of each sort
INFERENCE_STEPS, GUIDANCE = 15, 4.0
ENLARGED = 2


def write_report(folder: Path, base_model: Path) -> None:
    """Contact sheets and report.json for a saved base model, all in fp32, from fixed seeds."""
    folder.mkdir(parents=True, exist_ok=True)
    pipeline = StableDiffusionPipeline.from_pretrained(base_model, dtype=torch.float32)
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    figures = {}
    for name, pixels in {"things": _things(), "shoes": _shoes(folder / "shoes")}.items():
        decoded = _reconstructed(pipeline.vae, pixels)
        error = np.square((decoded.astype(float) - pixels) / 255).mean()
        figures[f"vae_psnr_{name}_db"] = round(-10 * math.log10(error), 2)
        _sheet([*pixels[:14], *decoded[:14]], 14).save(folder / f"vae_{name}.png")
    colours = list(COLOURS)
    asked = [f"a photo of a {colours[(row + 5 * column) % 12]} {kind} on a white background"
             for row, kind in enumerate(KINDS) for column in range(4)]  # fmt: skip
    _sheet(_generated(pipeline, asked), 16).save(folder / "kinds.png")
    shoes = [f"a professional product photo of {colour} casual shoes on white background" for colour in colours]
    _sheet(_generated(pipeline, shoes), 12).save(folder / "shoes_before_any_adapter.png")
    (folder / "report.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures))


def _things() -> Pixels:
    return np.stack([np.asarray(draw_thing(UNSEEN + number).picture) for number in range(MEASURED)])


def _shoes(folder: Path) -> Pixels:
    draw_dataset(folder, MEASURED, seed=UNSEEN)
    return np.stack([np.asarray(Image.open(path, formats=["PNG"])) for path in sorted((folder / "images").iterdir())])


@torch.no_grad()
def _reconstructed(vae: AutoencoderKL, pixels: Pixels) -> Pixels:
    decoded = vae.decode(vae.encode(to_values(pixels)).latent_dist.mode()).sample
    bytes_: Pixels = ((decoded.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    return bytes_


def _generated(pipeline: StableDiffusionPipeline, prompts: list[str]) -> list[Pixels]:
    pictures: list[Pixels] = []
    for first in range(0, len(prompts), 16):
        some = prompts[first : first + 16]
        seeds = [torch.Generator().manual_seed(first + number) for number in range(len(some))]
        images = pipeline(
            some, num_inference_steps=INFERENCE_STEPS, guidance_scale=GUIDANCE, generator=seeds, output_type="np"
        ).images
        pictures.extend((images * 255).round().astype(np.uint8))
    return pictures


def _sheet(pictures: list[Pixels], columns: int) -> Image.Image:
    """Pictures in rows, enlarged, with a grey line between them."""
    side = pictures[0].shape[0] * ENLARGED + 2
    sheet = Image.new("RGB", (columns * side, -(-len(pictures) // columns) * side), (90, 90, 90))
    for number, pixels in enumerate(pictures):
        row, column = divmod(number, columns)
        large = Image.fromarray(pixels).resize((side - 2, side - 2), Image.Resampling.NEAREST)
        sheet.paste(large, (column * side, row * side))
    return sheet
