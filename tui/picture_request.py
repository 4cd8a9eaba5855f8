"""What was typed to have pictures drawn: checked field by field, then made into a config and words for the tool."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError

from engine.contract.config import TrainingConfig
from engine.contract.generated import adapter_weight, picture_count
from tui.picture_sources import PictureSource

SETTINGS = {
    "negative": "validation_negative_prompt",
    "seed": "seed",
    "steps": "validation_inference_steps",
    "guidance": "validation_guidance_scale",
}  # field of the form to setting, which has the bounds
READERS: dict[str, Callable[[str], float]] = {"count": picture_count, "weight": adapter_weight}
FIELDS = ("prompt", "negative", "seed", "count", "steps", "guidance", "weight")


@dataclass(frozen=True)
class PictureRequest:
    """What the tool is started with."""

    config: TrainingConfig
    words: list[str]
    count: int  # pictures


def defaults(config: TrainingConfig) -> dict[str, str]:
    """What the form holds for a source until somebody types something else."""
    prompts = [prompt for prompt in config.validation_prompts if prompt.strip()]
    settings = {field: getattr(config, setting) for field, setting in SETTINGS.items()}
    texts = {field: f"{value:g}" if isinstance(value, float) else str(value) for field, value in settings.items()}
    return {"prompt": prompts[0] if prompts else "", **texts, "count": "4", "weight": "1"}


def faults(typed: dict[str, str]) -> dict[str, str]:
    """What is wrong, by field; empty if all can be used."""
    found = {} if typed["prompt"].strip() else {"prompt": "say what to draw"}
    for field, setting in SETTINGS.items():
        try:
            TrainingConfig.model_validate({setting: typed[field]})
        except ValidationError as error:
            found[field] = error.errors()[0]["msg"].lower()
    for field, read in READERS.items():
        try:
            read(typed[field])
        except ArgumentTypeError as error:
            found[field] = str(error)
    return found


def picture_request(typed: dict[str, str], source: PictureSource) -> PictureRequest:
    """The request for values without faults."""
    settings = {setting: typed[field].strip() for field, setting in SETTINGS.items()}
    config = TrainingConfig.model_validate({**source.config.model_dump(), **settings})
    count = picture_count(typed["count"])
    words = ["--json", f"--prompt={typed['prompt'].strip()}", f"--count={count}"]
    if source.adapter:
        words += [f"--adapter={source.adapter}", f"--adapter-weight={adapter_weight(typed['weight'])}"]
    return PictureRequest(config, words, count)
