"""What a form needs to know of each setting, read from TrainingConfig: kind of control, words, bounds, and its text."""

import re
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from engine.contract.config import Group, TrainingConfig
from tui.config_flags import bounds

Kind = Literal["switch", "choice", "texts", "text"]
Shown = bool | str | tuple[str, ...]  # what stands in a control: a switch, a choice or a text, a list of texts

# Words of their own that a path may be besides a path.
PATHS: dict[str, tuple[str, ...]] = {
    "pretrained_model_name_or_path": ("demo", "stable-diffusion-v1-5/stable-diffusion-v1-5"),
    "train_data_dir": ("demo",),
    "preview_decoder": ("madebyollin/taesd",),
    "resume_from_checkpoint": ("latest",),
}


@dataclass(frozen=True)
class SettingField:
    """One setting as a form shows it."""

    name: str
    title: str
    group: Group
    unit: str
    help: str
    bounds: str
    kind: Kind
    choices: tuple[str, ...]  # of the kind choice
    may_be_empty: bool

    def matches(self, words: str) -> bool:
        """Whether every one of some words is found in the name, title, group or help, whatever their case."""
        text = f"{self.name} {self.title} {self.group} {self.help}".casefold()
        return all(word in text for word in words.casefold().split())


def shown(value: object) -> Shown:
    """A setting's value as it stands in its control; nothing is an empty text."""
    match value:
        case bool():
            return value
        case list():
            return tuple(value)
        case None:
            return ""
        case float():
            short = f"{value:g}"
            return short if float(short) == value else repr(value)
        case _:
            return str(value)


def shown_config(config: TrainingConfig) -> dict[str, Shown]:
    """Every setting of a config as it stands in the form."""
    return {name: shown(getattr(config, name)) for name in TrainingConfig.model_fields}


def typed(values: dict[str, Shown]) -> dict[str, object]:
    """What stands in the form as TrainingConfig reads it."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _field(name: str, info: FieldInfo) -> SettingField:
    extra: Any = info.json_schema_extra  # contract.config.setting gives every field one
    annotation = info.annotation
    choices = tuple(str(choice) for choice in get_args(annotation)) if get_origin(annotation) is Literal else ()
    kind: Kind = (
        "choice" if choices else
        "switch" if annotation is bool else
        "texts" if get_origin(annotation) is list else
        "text"
    )  # fmt: skip
    return SettingField(
        name=name,
        title=info.title or name,
        group=extra["group"],
        unit=extra["unit"],
        help=info.description or "",
        bounds=_plain_bounds(bounds(info)),
        kind=kind,
        choices=choices,
        may_be_empty=type(None) in get_args(annotation),
    )


def _plain_bounds(span: str) -> str:
    """1 instead of 1.0, and no pattern, which helps nobody; its error has words."""
    return "" if span.startswith("as ^") else re.sub(r"\.0\b", "", span)


FIELDS: dict[str, SettingField] = {name: _field(name, info) for name, info in TrainingConfig.model_fields.items()}
