"""One command-line flag per setting, made from TrainingConfig; pydantic reads and checks what was typed."""

import argparse
import difflib
from collections.abc import Sequence
from typing import Any, Literal, NoReturn, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen, MultipleOf
from pydantic.fields import FieldInfo

from engine.contract.config import Group, TrainingConfig
from engine.contract.generated import adapter_weight, picture_count
from engine.contract.setting_rules import kinds, rules

GROUP_TITLES: dict[Group, str] = {
    "model": "base model",
    "data": "training pictures",
    "training": "training",
    "lora": "adapter (LoRA)",
    "validation": "validation",
    "checkpoints": "checkpoints",
    "hardware": "hardware",
    "output": "output",
}
SHORT_NAMES = {
    "--steps": "validation_inference_steps",
    "--guidance": "validation_guidance_scale",
    "--negative-prompt": "validation_negative_prompt",
}  # of settings that matter most to `sample`
BARE_MEANS_TRUE = {"gradient_checkpointing"}  # on or off in diffusers' scripts, where the bare flag turns it on


class CommandParser(argparse.ArgumentParser):
    """An ArgumentParser that names the nearest known flag when it meets an unknown one, and never guesses."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's, except that nothing may be left over: exits with code 2 instead."""
        known, left = super().parse_known_args(args, namespace)
        if left:
            self._refuse(left)
        return known, left

    def _refuse(self, left: Sequence[str]) -> NoReturn:
        unknown = next((word for word in left if word.startswith("-")), left[0])
        flag = unknown.split("=", 1)[0]
        if not flag.startswith("-"):
            self.error(f"unexpected argument {flag}")
        nearest = difflib.get_close_matches(flag, self._option_string_actions, n=1, cutoff=0.5)
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        self.error(f"unknown flag {flag}{hint}")


def add_setting_flags(parser: argparse.ArgumentParser) -> None:
    """Add a flag for every field of TrainingConfig, in the groups of the form; help shows one of its two spellings."""
    groups = {name: parser.add_argument_group(title) for name, title in GROUP_TITLES.items()}
    for name, field in TrainingConfig.model_fields.items():
        options = {"dest": name, "default": argparse.SUPPRESS, "metavar": _metavar(field), **_arity(name, field)}
        text = _help(field).replace("%", "%%")  # argparse formats help texts with the % operator
        groups[_extra(field)["group"]].add_argument(f"--{name}", help=text, **options)
        if "_" in name:
            parser.add_argument(f"--{name.replace('_', '-')}", help=argparse.SUPPRESS, **options)


def settings_from(arguments: argparse.Namespace) -> dict[str, object]:
    """The settings that were typed, as text; `config_file.load_config` lays them over a file and checks them."""
    return {name: value for name, value in vars(arguments).items() if name in TrainingConfig.model_fields}


def bounds(field: FieldInfo) -> str:
    """The bounds of a setting as `1 to 256`, `above 0, up to 1`, ...; empty if it has none."""
    low, high, rest = "", "", []
    for rule in rules(field):
        match rule:
            case Ge(ge=limit):
                low = f"{limit:,}"
            case Gt(gt=limit):
                low = f"above {limit:,}"
            case Le(le=limit):
                high = f"{limit:,}"
            case Lt(lt=limit):
                high = f"below {limit:,}"
            case MultipleOf(multiple_of=step):
                rest.append(f"a multiple of {step}")
            case MinLen():
                rest.append("not empty")
            case _ if pattern := getattr(rule, "pattern", None):
                rest.append(f"as {pattern}")
            case _:
                pass
    span = " to ".join(part for part in (low, high) if part)
    return ", ".join(part for part in (span, *rest) if part)


def _extra(field: FieldInfo) -> dict[str, Any]:
    assert isinstance(field.json_schema_extra, dict)  # contract.config.setting gives every field one
    return field.json_schema_extra


def _arity(name: str, field: FieldInfo) -> dict[str, Any]:
    if get_origin(field.annotation) is list:
        return {"nargs": "+"}
    if field.annotation is bool or name in BARE_MEANS_TRUE:
        return {"nargs": "?", "const": "true"}
    return {}


def _metavar(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return "{" + ",".join(get_args(field.annotation)) + "}"
    found = kinds(field)
    if bool in found:
        return "{true,false}"
    number = "INTEGER" if int in found else "NUMBER" if float in found else "TEXT"
    return f"{{auto,{number}}}" if Literal["auto"] in found else number


def _help(field: FieldInfo) -> str:
    """Description, unit, bounds and default in one paragraph."""
    unit = _extra(field)["unit"]
    default = field.default
    if isinstance(default, list):
        default = " ".join(default) if len(default) < 5 else f"{len(default)} texts"
    elif isinstance(default, bool) or default is None:
        default = str(default).lower()
    elif default == "":
        default = "empty"
    parts = [f"unit: {unit}" if unit else "", bounds(field), f"default: {default}"]
    return f"{field.description} [{'; '.join(part for part in parts if part)}]"


def add_sampling_flags(sample: CommandParser) -> None:
    """What `sample` has beside the settings, and short names for those of them that matter to it."""
    sample.add_argument("--prompt", nargs="+", action="extend", default=[], metavar="TEXT", help="what to draw")
    sample.add_argument("--count", type=picture_count, metavar="INTEGER", help="pictures of each prompt (default: 1)")
    sample.add_argument(
        "--adapter", metavar="RUN_OR_PATH", help="a run, a lora_weights folder, a file, or a checkpoint"
    )
    sample.add_argument("--adapter-weight", type=adapter_weight, metavar="NUMBER", help="0 to 2 (default: 1)")
    sample.add_argument("--output", metavar="DIR", help="where the pictures go")
    sample.add_argument("--json", action="store_true", help="one JSON object per line: progress, then each picture")
    for name, setting in SHORT_NAMES.items():
        sample.add_argument(
            name, dest=setting, default=argparse.SUPPRESS, metavar="VALUE", help=f"short for --{setting}"
        )


def whole_number(text: str) -> int:
    """A count given on the command line. Raises argparse's error for anything below 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 up")
    return int(text)
