"""The order in which the demo's base model is made: drawings, autoencoder, latents, text encoder and UNet, report."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.multiprocessing.spawn import spawn

from engine.demo.build.autoencoder import Pixels, encode, load_autoencoder, refine_autoencoder, train_autoencoder
from engine.demo.build.diffusion import load_diffusion, train_diffusion
from engine.demo.build.fitting import Member, Plan
from engine.demo.build.pipeline import save_base_model
from engine.demo.build.report import write_report
from engine.demo.corpus import draw_scribble, draw_stitched, draw_thing
from engine.demo.tokenizer import demo_tokenizer

SEED = 20
REFINED = "refined_autoencoder.safetensors"
MEASURED = 2048  # pictures from which mean and deviation of the latents are taken


@dataclass(frozen=True)
class Recipe:
    """How much is drawn and how long is trained."""

    things: int  # pictures for text encoder and UNet
    scribbles: int  # pictures for the autoencoder, which sees as many things, plain and stitched
    autoencoder: Plan
    refining: Plan  # of the autoencoder
    diffusion: Plan


RECIPE = Recipe(
    things=32_000,
    scribbles=12_000,
    autoencoder=Plan(steps=20_000, batch=8, learning_rate=2e-3),
    refining=Plan(steps=4_000, batch=8, learning_rate=1.2e-3),
    diffusion=Plan(steps=16_000, batch=24, learning_rate=1.6e-3),
)


def build(recipe: Recipe, folder: Path, target: Path, processes: int) -> None:
    """Make the base model in `folder` and save it as a diffusers folder at `target`.

    What a stage has written is not made again; a training that was interrupted goes on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _draw(recipe, folder, processes)
    _in_each_process(_fit_autoencoder, recipe, folder, processes)
    _in_each_process(_refine_autoencoder, recipe, folder, processes)
    _encode(recipe, folder)
    _in_each_process(_fit_diffusion, recipe, folder, processes)
    pixels = _pixels(folder, "things", recipe.scribbles)
    vae = load_autoencoder(folder / REFINED, pixels[:MEASURED])
    tokenizer = demo_tokenizer()
    save_base_model(target, vae, load_diffusion(folder / "diffusion.safetensors", tokenizer), tokenizer)
    write_report(folder / "report", target)
    print(f"The base model is in {target}, contact sheets and figures are in {folder / 'report'}.")


def _draw(recipe: Recipe, folder: Path, processes: int) -> None:
    if (folder / "captions.json").is_file():
        return
    print(f"Drawing {recipe.things} things, {recipe.scribbles} scribbles and as many stitched things.", flush=True)
    with get_context("spawn").Pool(processes) as pool:
        things = pool.map(_thing, range(recipe.things), chunksize=200)
        scribbles = pool.map(_scribble, range(recipe.scribbles), chunksize=200)
        stitched = pool.map(_stitched, range(recipe.scribbles), chunksize=200)
    np.save(folder / "things.npy", np.stack([pixels for pixels, _ in things]))
    np.save(folder / "scribbles.npy", np.stack(scribbles))
    np.save(folder / "stitched.npy", np.stack(stitched))
    (folder / "captions.json").write_text(json.dumps([caption for _, caption in things]), encoding="utf-8")


def _thing(number: int) -> tuple[Pixels, str]:
    drawn = draw_thing(number)
    return np.asarray(drawn.picture), drawn.caption


def _scribble(number: int) -> Pixels:
    return np.asarray(draw_scribble(number))


def _stitched(number: int) -> Pixels:
    return np.asarray(draw_stitched(number))


def _pixels(folder: Path, name: str, count: int) -> Pixels:
    pixels: Pixels = np.load(folder / f"{name}.npy", mmap_mode="r")[:count]
    return pixels


def _encode(recipe: Recipe, folder: Path) -> None:
    if (folder / "latents.safetensors").is_file():
        return
    pixels = _pixels(folder, "things", recipe.things)
    vae = load_autoencoder(folder / REFINED, pixels[:MEASURED])
    save_file({"latents": encode(vae, pixels).contiguous()}, folder / "latents.safetensors")


def _fit_autoencoder(recipe: Recipe, folder: Path, member: Member) -> None:
    things, scribbles = (_pixels(folder, name, recipe.scribbles) for name in ("things", "scribbles"))
    file = folder / "autoencoder.safetensors"
    train_autoencoder(np.concatenate([things, scribbles]), recipe.autoencoder, file, member)


def _refine_autoencoder(recipe: Recipe, folder: Path, member: Member) -> None:
    stitched, scribbles = _pixels(folder, "stitched", recipe.scribbles), _pixels(folder, "scribbles", recipe.scribbles)
    pixels = np.concatenate([stitched, scribbles[::2]])
    refine_autoencoder(folder / "autoencoder.safetensors", pixels, recipe.refining, folder / REFINED, member)


def _fit_diffusion(recipe: Recipe, folder: Path, member: Member) -> None:
    latents = load_file(folder / "latents.safetensors")["latents"]
    captions = json.loads((folder / "captions.json").read_text(encoding="utf-8"))
    train_diffusion(latents, captions, demo_tokenizer(), recipe.diffusion, folder / "diffusion.safetensors", member)


def _in_each_process(
    stage: Callable[[Recipe, Path, Member], None], recipe: Recipe, folder: Path, processes: int
) -> None:
    """Run a stage in several processes of one thread each, which average their gradients."""
    meeting = folder / "meeting"
    meeting.unlink(missing_ok=True)
    arguments = (stage, recipe, folder, processes, meeting)
    spawn(_take_part, arguments, nprocs=processes)  # type: ignore[no-untyped-call]  # torch gives it no types


def _take_part(
    number: int,
    stage: Callable[[Recipe, Path, Member], None],
    recipe: Recipe,
    folder: Path,
    processes: int,
    meeting: Path,
) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    torch.distributed.init_process_group("gloo", f"file://{meeting.resolve()}", rank=number, world_size=processes)
    stage(recipe, folder, Member(number, processes))
    torch.distributed.destroy_process_group()
