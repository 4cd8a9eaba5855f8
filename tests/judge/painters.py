"""Who makes the pictures that are judged: a model, as `shoelora-tui sample` does it, or a pen, to test the judge."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TypeAlias

from PIL import Image

from engine import device as devices
from engine import tool
from engine.contract.config_file import load_config, presets
from engine.contract.run_dir import Workspace
from engine.latent_cache import EmbeddingCache
from engine.lora import load_adapter_file
from engine.preparation import load_model
from engine.validation import ImageGenerator, ImageSettings
from tests.judge import specimens
from tests.judge.asked import Asked
from tests.judge.specimens import EXAMINED_BY, SHOE, Specimen

Painter: TypeAlias = Callable[[list[Asked]], list[Image.Image]]


def model_painter(model: str, adapter: Path | None, workspace: Workspace) -> Painter:
    """A base model, alone or with an adapter on it, in fp32, with the demo's settings for pictures.

    Raises ModelError if one of them cannot be loaded.
    """
    config = load_config(presets(workspace.root)["demo"], {"pretrained_model_name_or_path": model})
    device = devices.choose_device(config.device)
    precision = devices.choose_precision("no", device)
    base = load_model(config, precision, tool.print_progress, tool.print_warning)
    devices.choose_threads(device, sum(parameter.numel() for parameter in base.unet.parameters()))
    if adapter:
        load_adapter_file(base.unet, adapter)
    devices.move(base.unet, device)
    settings = ImageSettings.of(config, device)

    def paint(asked: list[Asked]) -> list[Image.Image]:
        embeddings = EmbeddingCache(workspace.cache, base.tokenizer, base.text_encoder)
        texts = [settings.negative_prompt, *(one.prompt for one in asked)]
        embeddings.fill(texts, device.torch, tool.print_progress("encoding prompts"))
        wanted = [(one.prompt, one.seed) for one in asked]
        generator = ImageGenerator(base.unet, base, base.vae, embeddings, settings, device)
        progress = tool.print_progress("denoising")
        return [made.image for made in generator.generate(wanted, progress)]

    return paint


def pen(*, draws_shoes: bool) -> Painter:
    """Draws what is asked for; a pen that draws no shoes draws other things instead, as a base model does."""
    drawn = specimens.shoes(EXAMINED_BY + 1, 48)

    def paint(asked: list[Asked]) -> list[Image.Image]:
        left = list(drawn)
        return [_drawing(one, left, draws_shoes=draws_shoes).picture for one in asked]

    return paint


def _drawing(asked: Asked, shoes: list[Specimen], *, draws_shoes: bool) -> Specimen:
    """A shoe is one of those that are left, in the colour that was asked for; its background is its own."""
    draws = Random(f"{asked.seed}/{asked.prompt}")
    if asked.kind != SHOE or not draws_shoes:
        kind = specimens.any_kind(draws) if asked.kind == SHOE else asked.kind
        return specimens.thing(kind, asked.colour, asked.background, draws)
    chosen = next(shoe for shoe in shoes if shoe.colour == asked.colour)
    shoes.remove(chosen)
    return chosen
