"""From a preset or a file and the flags to a TrainingConfig, with every fault named by file, field and value."""

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine.contract.config import TrainingConfig
from engine.contract.errors import ConfigError
from engine.contract.setting_rules import or_auto

SHIPPED_PRESETS = Path(__file__).resolve().parents[2] / "configs"  # beside engine/, in a checkout and in the wheel


def presets(workspace: Path) -> dict[str, Path]:
    """Preset name to file; a file in the workspace's own configs/ hides a shipped one of the same name."""
    folders = [SHIPPED_PRESETS, workspace / "configs"]
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.json"))}


def find_config(name_or_path: str, workspace: Path) -> Path:
    """The file behind `--config`. Raises ConfigError, with the nearest preset, if there is none."""
    for candidate in (Path(name_or_path), workspace / name_or_path):
        if candidate.is_file():
            return candidate
    known = presets(workspace)
    if (stem := Path(name_or_path).name.removesuffix(".json")) in known:
        return known[stem]
    nearest = difflib.get_close_matches(stem, known, n=1)
    hint = f"Did you mean {nearest[0]}? " if nearest else ""
    raise ConfigError(
        f"There is no config {name_or_path}",
        "It is neither a file nor the name of a preset.",
        f"{hint}Presets: {', '.join(sorted(known))}.",
    )


def read_settings(path: Path) -> dict[str, Any]:
    """The JSON object in a config file, not yet checked against the settings."""
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"Cannot read {path}", str(error.strerror), "Check the path and its permissions.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not text", str(error), "Save it as UTF-8.") from error
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{path} is not valid JSON", f"line {error.lineno}, column {error.colno}: {error.msg}", "Mend that line."
        ) from error
    except (ValueError, RecursionError) as error:  # thousands of digits, thousands of brackets
        raise ConfigError(f"{path} holds no settings", str(error), "Begin again from a preset.") from error
    if not isinstance(settings, dict):
        raise ConfigError(f"{path} holds no JSON object", f"It is a {type(settings).__name__}.", 'Begin it with "{".')
    return settings


def load_config(path: Path, flags: Mapping[str, object] | None = None) -> TrainingConfig:
    """A config file with flags laid over it. Raises ConfigError naming every fault at once.

    What contradicts what is told once each setting is right by itself.
    """
    flags = flags or {}
    settings = read_settings(path)
    sources = {**dict.fromkeys(settings, str(path)), **{name: f"--{name}" for name in flags}}
    return validate({**settings, **flags}, sources)


def validate(settings: Mapping[str, object], sources: Mapping[str, str] | None = None) -> TrainingConfig:
    """Settings to a TrainingConfig; `sources` says for each setting where it was written."""
    try:
        return TrainingConfig.model_validate(dict(settings))
    except ValidationError as error:
        faults = [_describe(fault, sources or {}) for fault in error.errors()]
    word = "setting is" if len(faults) == 1 else "settings are"
    raise ConfigError(
        f"{len(faults)} {word} wrong:\n" + "\n".join(f"  - {fault}" for fault in faults),
        remedy="Mend what is named; `shoelora-tui train --help` lists every setting with its bounds.",
    )


def _describe(fault: Any, sources: Mapping[str, str]) -> str:
    """One pydantic fault as `where: field = value: bound`."""
    if not fault["loc"]:  # a contradiction between settings names its fields itself
        return str(fault["msg"]).removeprefix("Value error, ")
    field = str(fault["loc"][0])
    where = f"{sources[field]}: " if field in sources and not sources[field].startswith("--") else ""
    if fault["type"] == "extra_forbidden":
        nearest = difflib.get_close_matches(field.replace("-", "_"), TrainingConfig.model_fields, n=1, cutoff=0.5)
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        return f"{where}unknown setting {field}{hint}"
    message = str(fault["msg"])[0].lower() + str(fault["msg"])[1:].removeprefix("Value error, ")
    return f"{where}{field} = {fault['input']!r}: {message}{or_auto(fault['loc'])}"
